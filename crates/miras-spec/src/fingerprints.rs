//! The fingerprints of data, as runs record them: in one line, that of the tokenizer last.

use std::fs;
use std::path::Path;

use miras_data::Description;
use serde::Deserialize;

use crate::SpecError;

/// The file of a checkpoint that records them, beside what a run carries from step to step.
pub const STATE_FILE: &str = "state.json";
/// How the fingerprint of a tokenizer begins.
const TOKENIZER: &str = "tokenizer-sha256:";

/// What [`tokenizer_fingerprint`] reads of the file.
#[derive(Deserialize)]
struct Recorded {
    data: String,
}

/// The text's, that of validation files of their own, the tokenizer's.
pub fn fingerprints(description: &Description) -> String {
    let tokenizer = description.tokenizer.as_ref();
    [
        Some(&description.fingerprint),
        description.valid_fingerprint.as_ref(),
        tokenizer.map(|tokenizer| &tokenizer.fingerprint),
    ]
    .into_iter()
    .flatten()
    .map(String::as_str)
    .collect::<Vec<_>>()
    .join(" ")
}

/// The fingerprints without that of the tokenizer, and that of the tokenizer; none for bytes and
/// for data that are no text.
pub fn split_tokenizer(fingerprints: &str) -> (&str, Option<&str>) {
    let at = fingerprints.rfind(TOKENIZER);
    // A space stands before it.
    at.map_or((fingerprints, None), |at| {
        let (text, tokenizer) = fingerprints.split_at(at);
        (text.trim_end(), Some(tokenizer))
    })
}

/// The fingerprint of the tokenizer that a checkpoint in a folder was trained with, as
/// [`miras_data::Tokenizer::fingerprint`] gives it; none for bytes and for data that are no text.
pub fn tokenizer_fingerprint(folder: &Path) -> Result<Option<String>, SpecError> {
    let path = folder.join(STATE_FILE);
    let json = fs::read(&path).map_err(SpecError::load(&path))?;
    let recorded: Recorded = serde_json::from_slice(&json).map_err(SpecError::load(&path))?;
    let (_, tokenizer) = split_tokenizer(&recorded.data);
    Ok(tokenizer.map(str::to_owned))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tokenizer_stands_last_if_there_is_one() {
        for (all, text, tokenizer) in [
            ("sha256:a", "sha256:a", None),
            ("sha256:a sha256:b", "sha256:a sha256:b", None),
            (
                "sha256:a tokenizer-sha256:c",
                "sha256:a",
                Some("tokenizer-sha256:c"),
            ),
            (
                "sha256:a sha256:b tokenizer-sha256:c",
                "sha256:a sha256:b",
                Some("tokenizer-sha256:c"),
            ),
        ] {
            assert_eq!(split_tokenizer(all), (text, tokenizer));
        }
    }
}
