//! The tokenizer whose files the folder of a run or an export holds.

use std::path::Path;

use miras_data::{DataConfig, DataError, Tokenizer, TokenizerFiles};
use miras_run::vouched_tokenizer;

use crate::SpecError;

/// The folder of a tokenizer's files.
pub(crate) const TOKENIZER: &str = "tokenizer";

/// The files of the tokenizer of data, for the folder of a run or an export.
pub fn tokenizer_files(
    data: &DataConfig,
    fingerprint: Option<&str>,
) -> Result<Vec<(String, Vec<u8>)>, SpecError> {
    let Some(setting) = data.tokenizer() else {
        return Ok(Vec::new());
    };
    let read = TokenizerFiles::read(setting)?;
    if read.fingerprint.as_deref() == fingerprint {
        return Ok(read.files);
    }
    Err(SpecError::Data(DataError::Tokenizer {
        field: "tokenizer",
        path: setting.into(),
        why: "changed while it was read: start again".to_owned(),
    }))
}

/// The files of the tokenizer that the folder of a run or an export holds; an error if they are
/// not those of its training.
pub fn stored_tokenizer(folder: &Path) -> Result<TokenizerFiles, SpecError> {
    let kept = folder.join(TOKENIZER);
    let read = TokenizerFiles::read(&kept.to_string_lossy())?;
    match vouched_tokenizer(folder)? {
        Some((trained, by)) if read.fingerprint.as_deref() != Some(&*trained) => {
            let found = read.fingerprint.as_deref().unwrap_or("bytes");
            let why = format!(
                "or the files beside it were changed: they are {found}, and {by} says {trained}"
            );
            Err(SpecError::Data(DataError::Tokenizer {
                field: "tokenizer",
                path: kept.join(TokenizerFiles::FACTS),
                why,
            }))
        }
        _ => Ok(read),
    }
}

/// The data as they are opened for a run that is used again: with the tokenizer that its folder
/// keeps in the place of the one that its configuration names, which may be gone or changed; and
/// what the user should know.
///
/// `stored` are the data of the run's configuration. If `asked` names another tokenizer than those,
/// that one is used.
pub fn with_stored_tokenizer(
    folder: &Path,
    stored: &DataConfig,
    asked: &DataConfig,
) -> (DataConfig, Option<String>) {
    let kept = folder.join(TOKENIZER);
    let asked_for = asked.absolute().unwrap_or_else(|_| asked.clone());
    let (Some(setting), true) = (asked.tokenizer(), kept.is_dir()) else {
        return (asked.clone(), None);
    };
    if Tokenizer::is_built_in(setting) || asked_for.tokenizer() != stored.tokenizer() {
        return (asked.clone(), None);
    }
    let place = kept.display();
    let given = TokenizerFiles::read(setting);
    let found = match stored_tokenizer(folder) {
        Ok(found) => found,
        Err(error) => {
            let note = format!("{error}; `{setting}` is used in its place");
            return (asked.clone(), Some(note));
        }
    };
    // A missing original needs no note: the copy is there so that the original may go.
    let note = (given.is_ok_and(|given| given.fingerprint != found.fingerprint)).then(|| {
        format!("data.tokenizer: `{setting}` changed since, so the copy in {place} is used")
    });
    (asked.with_tokenizer(&kept.to_string_lossy()), note)
}
