//! Suggestions for paths that do not exist.

use std::{ffi::OsStr, fs, path::Path};

use super::with_home;

/// Names that are less similar than this (0 to 1) are not suggested.
const MIN_SIMILARITY: f64 = 0.6;

/// What a path should lead to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum WantedAs {
    Text,
    Tokenizer,
}

/// The existing path that is most similar to a missing one, or what to do about the name of
/// something on the internet, or the first part of the path that is missing; with its punctuation.
pub(crate) fn suggestion(path: &Path, wanted_as: WantedAs) -> String {
    if let Some(trimmed) = path.to_str().map(str::trim)
        && Path::new(trimmed) != path
        && with_home(trimmed).exists()
    {
        return format!("; did you mean `{trimmed}`, without the blank around it?");
    }
    let parts: Vec<_> = path.ancestors().collect();
    // The topmost part of the path that does not exist.
    let missing = parts
        .windows(2)
        .find(|pair| pair[1].as_os_str().is_empty() || pair[1].exists())
        .map_or(path, |pair| pair[0]);
    let folder = match missing.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let wanted = name(missing.file_name());
    let names = fs::read_dir(folder)
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(name(Some(&entry.ok()?.file_name()))));
    let mut alike: Vec<_> = names
        .map(|name| (similarity(&wanted, &name), name))
        .filter(|(score, _)| *score >= MIN_SIMILARITY)
        .collect();
    alike.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
    if let Some((_, name)) = alike.first() {
        let path = missing.with_file_name(name).display().to_string();
        let hint = format!("; did you mean `{path}`?");
        return if name.trim() == name {
            hint
        } else {
            format!("{hint} Its blank needs quotes, in `--set` too: `{path:?}`")
        };
    }
    if let Some(hint) = of_the_internet(path, wanted_as) {
        return hint;
    }
    if missing != path {
        return format!(": there is no `{}`", missing.display());
    }
    if path.is_absolute() {
        return String::new();
    }
    std::env::current_dir().map_or_else(
        |_| String::new(),
        |here| format!(" in `{}`", here.display()),
    )
}

/// What to do about an address, or the name of a data set or model on the Hugging Face Hub.
fn of_the_internet(path: &Path, wanted_as: WantedAs) -> Option<String> {
    let text = path.to_str()?;
    let is_address = ["https:/", "http:/", "hf:/", "s3:/", "gs:/", "ftp:/"]
        .iter()
        .any(|scheme| text.starts_with(scheme));
    let is_hub_name = match (text.split_once('/'), wanted_as) {
        (Some((owner, name)), _) => is_hub_word(owner) && is_hub_word(name) && !has_ending(name),
        (None, WantedAs::Tokenizer) => is_hub_word(text) && !has_ending(text),
        (None, WantedAs::Text) => false,
    };
    if !is_address && !is_hub_name {
        return None;
    }
    let todo = match wanted_as {
        WantedAs::Text => {
            "download the data and give the folder of its files, of text, .jsonl or .parquet"
        }
        WantedAs::Tokenizer => {
            "download the `tokenizer.json` of the model and give its path, or that of its folder"
        }
    };
    let what = if is_address {
        "addresses"
    } else {
        "names on the Hugging Face Hub"
    };
    Some(format!("; {what} are not downloaded here: {todo}"))
}

/// True for a valid name of an owner or repository.
fn is_hub_word(word: &str) -> bool {
    let fits = |one: char| one.is_ascii_alphanumeric() || "-_.".contains(one);
    word.starts_with(|one: char| one.is_ascii_alphanumeric()) && word.chars().all(fits)
}

/// True if a name ends like that of a file: a dot and letters, as in `a.txt`, unlike `v1.5`.
fn has_ending(name: &str) -> bool {
    let ending = Path::new(name).extension().and_then(OsStr::to_str);
    ending.is_some_and(|ending| ending.starts_with(|one: char| one.is_ascii_alphabetic()))
}

fn name(name: Option<&OsStr>) -> String {
    name.unwrap_or_default().to_string_lossy().into_owned()
}

/// The similarity of two file names; a missing ending such as `.txt.gz` counts for little.
fn similarity(wanted: &str, name: &str) -> f64 {
    let (wanted, name) = (wanted.to_lowercase(), name.to_lowercase());
    let whole = strsim::normalized_damerau_levenshtein(&wanted, &name);
    let stem = |name: &str| name.split('.').next().unwrap_or_default().to_owned();
    let stems = strsim::normalized_damerau_levenshtein(&stem(&wanted), &stem(&name));
    whole.max(stems * 0.9)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blanks_around_a_path_are_pointed_out() {
        let folder = tempfile::tempdir().unwrap();
        let here = folder.path().display();
        for name in ["emma.txt", " hamlet.txt"] {
            fs::write(folder.path().join(name), "x").unwrap();
        }
        let hint = |path: String| suggestion(Path::new(&path), WantedAs::Text);
        let expected = format!("; did you mean `{here}/emma.txt`, without the blank around it?");
        for given in [
            format!(" {here}/emma.txt"),
            format!("{here}/emma.txt "),
            format!("\t{here}/emma.txt\n"),
        ] {
            assert_eq!(hint(given), expected);
        }
        assert_eq!(
            hint(format!("{here}/hamlet.txt")),
            format!(
                "; did you mean `{here}/ hamlet.txt`? Its blank needs quotes, in `--set` too: `\"{here}/ hamlet.txt\"`"
            )
        );
    }

    #[test]
    fn names_of_the_internet_are_told_that_nothing_is_downloaded() {
        let hint = |path: &str, wanted_as| suggestion(Path::new(path), wanted_as);
        for (path, wanted_as, start) in [
            (
                "HuggingFaceFW/fineweb",
                WantedAs::Text,
                "; names on the Hugging Face Hub are not downloaded here: download the data",
            ),
            (
                "roneneldan/TinyStories-v1.5",
                WantedAs::Text,
                "; names on the Hugging Face Hub are not ",
            ),
            (
                "https://example.org/a.txt",
                WantedAs::Text,
                "; addresses are not downloaded here: ",
            ),
            (
                "gpt2",
                WantedAs::Tokenizer,
                "; names on the Hugging Face Hub are not downloaded here: download the `tokenizer.json`",
            ),
            (
                "meta-llama/Llama-3.1-8B",
                WantedAs::Tokenizer,
                "; names on the Hugging Face Hub are not ",
            ),
        ] {
            let hint = hint(path, wanted_as);
            assert!(hint.starts_with(start), "{path}: {hint}");
        }
        for (path, wanted_as, start) in [
            ("xyzzy/emma.txt", WantedAs::Text, ": there is no `xyzzy`"),
            ("xyzzy/a/b", WantedAs::Text, ": there is no `xyzzy`"),
            ("xyzzy-xyzzy", WantedAs::Text, " in `/"),
            ("xyzzy.json", WantedAs::Tokenizer, " in `/"),
            ("/xyzzy", WantedAs::Text, ""),
        ] {
            let hint = hint(path, wanted_as);
            assert!(hint.starts_with(start), "{path}: {hint}");
            assert!(!hint.contains("Hugging"), "{path}: {hint}");
        }
    }
}
