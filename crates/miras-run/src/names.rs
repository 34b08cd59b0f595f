//! Names of the files of runs and exports, and names of runs: which are valid, and suggestions.

use crate::error::{Result, RunError};
use crate::files::UNFINISHED;

/// The resolved configuration.
pub(crate) const CONFIG: &str = "config.toml";
/// The record of the starts of a run.
pub(crate) const RECORD: &str = "run.json";
/// How a run ended.
pub(crate) const SUMMARY: &str = "summary.json";
/// The description of an export.
pub(crate) const EXPORT: &str = "export.json";
/// The weights in a checkpoint and in an export.
pub(crate) const WEIGHTS: &str = "model.safetensors";
/// The folder of the files of a tokenizer.
pub(crate) const TOKENIZER: &str = "tokenizer";

/// Refuses names that are not a folder name on every system, or that look like a flag.
pub(crate) fn check(name: &str) -> Result<()> {
    let why = if name.is_empty() {
        "it is empty"
    } else if name == "." || name == ".." {
        "it is not a folder of its own"
    } else if name.starts_with('-') {
        "it starts with a dash and looks like a flag"
    } else if name.contains(['/', '\\']) {
        "it has a path separator"
    } else if name.contains(char::is_control) {
        "it has a control character"
    } else if name.ends_with(UNFINISHED) {
        "it ends like the name of something unfinished, in `.tmp`"
    } else {
        return Ok(());
    };
    Err(RunError::BadName {
        name: name.to_owned(),
        why,
    })
}

/// The existing name that is most similar to a typed one, if it is similar enough.
pub(crate) fn nearest(typed: &str, names: &[String]) -> Option<String> {
    let allowed = (typed.chars().count() / 3).max(1);
    names
        .iter()
        .map(|name| (strsim::osa_distance(typed, name), name))
        .filter(|&(distance, _)| distance <= allowed)
        .min()
        .map(|(_, name)| name.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_names_pass() {
        for name in [
            "moneta",
            "moneta-small_2",
            "v1.5",
            ".hidden",
            "größe",
            "a b",
        ] {
            assert!(check(name).is_ok(), "{name}");
        }
    }

    #[test]
    fn names_that_are_no_folder_name_are_refused_with_the_reason() {
        for (name, text) in [
            (
                "",
                "`` cannot name a run: it is empty; use letters, digits, `-`, `_` and `.`",
            ),
            (".", "it is not a folder of its own"),
            ("..", "it is not a folder of its own"),
            ("-x", "it starts with a dash and looks like a flag"),
            ("a/b", "it has a path separator"),
            ("a\\b", "it has a path separator"),
            ("/tmp", "it has a path separator"),
            ("a\nb", "it has a control character"),
            ("a\0b", "it has a control character"),
            (".a.tmp", "it ends like the name of something unfinished"),
        ] {
            let error = check(name).unwrap_err().to_string();
            assert!(error.contains(text), "{name:?}: {error}");
        }
    }

    #[test]
    fn nearest_is_close_or_nothing() {
        let names = ["moneta".to_owned(), "memora".to_owned(), "yaad".to_owned()];
        assert_eq!(nearest("monetta", &names).as_deref(), Some("moneta"));
        assert_eq!(nearest("yad", &names).as_deref(), Some("yaad"));
        assert_eq!(nearest("transformer", &names), None);
        assert_eq!(nearest("x", &[]), None);
    }
}
