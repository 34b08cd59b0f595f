//! Paths as users write them: lists, patterns, `~/`, and suggestions for those that do not exist.

pub(crate) mod find;
mod hub;
pub(crate) mod missing;

use std::{
    env,
    ffi::OsStr,
    fmt, fs, io,
    path::{Path, PathBuf},
};

use glob::Pattern;
use miras_run::shell_word;
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{SeqAccess, Visitor},
};

/// A longer list of files names fewer and gives the number of the others.
const MAX_LISTED: usize = 3;

/// Hidden files are left out, as in folders.
const MATCH: glob::MatchOptions = glob::MatchOptions {
    case_sensitive: true,
    require_literal_separator: false,
    require_literal_leading_dot: true,
};

/// A path with `~/` as the home directory.
pub(crate) fn with_home(given: &str) -> PathBuf {
    match (given.strip_prefix("~/"), env::var_os("HOME")) {
        (Some(rest), Some(home)) => PathBuf::from(home).join(rest),
        _ => PathBuf::from(given),
    }
}

/// What the name of a data set of the Hugging Face Hub begins with.
const HUB: &str = "hf://";

/// Whether this is such a name.
fn is_on_hub(given: &str) -> bool {
    given.starts_with(HUB)
}

/// True if the text has a wildcard; it is a pattern unless a file has that name.
pub(crate) fn has_wildcard(given: &str) -> bool {
    given.contains(['*', '?', '['])
}

/// A path or pattern that does not depend on the working directory.
pub(crate) fn absolute(given: &str) -> io::Result<String> {
    let path = Path::new(given);
    // A path with `~/` or on the hub does not depend on it, and an empty one is refused elsewhere.
    let is_elsewhere = given.starts_with("~/") || is_on_hub(given);
    if path.is_absolute() || is_elsewhere || given.trim().is_empty() {
        return Ok(given.to_owned());
    }
    let here = env::current_dir()?;
    let here = here.to_string_lossy();
    let is_pattern = has_wildcard(given) && fs::metadata(path).is_err();
    let here = if is_pattern {
        Pattern::escape(&here)
    } else {
        here.into_owned()
    };
    let inside = path.strip_prefix(".").unwrap_or(path);
    Ok(Path::new(&here).join(inside).to_string_lossy().into_owned())
}

/// "`a`, `b` and 4 more".
pub(crate) fn listed<'a>(paths: impl Iterator<Item = &'a Path>) -> String {
    let all: Vec<String> = paths.map(|path| format!("`{}`", path.display())).collect();
    match all.as_slice() {
        [one] => one.clone(),
        [rest @ .., last] if all.len() <= MAX_LISTED => format!("{} and {last}", rest.join(", ")),
        all => format!(
            "{} and {} more",
            all[..MAX_LISTED - 1].join(", "),
            all.len() - (MAX_LISTED - 1)
        ),
    }
}

/// A path or another text as a word of a shell command.
pub(crate) fn in_shell(word: impl AsRef<OsStr>) -> String {
    shell_word(&word.as_ref().to_string_lossy())
}

/// One path or a list of them; written in a configuration as a string or a list of strings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Paths(Vec<String>);

impl Paths {
    /// The paths in their order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// The same with every relative path made absolute.
    pub(crate) fn absolute(&self) -> io::Result<Self> {
        self.iter()
            .map(absolute)
            .collect::<io::Result<_>>()
            .map(Self)
    }

    /// True if there is no path.
    pub(crate) fn is_none(&self) -> bool {
        self.0.is_empty()
    }

    /// True if there is no path, or an empty one.
    pub(crate) fn is_blank(&self) -> bool {
        self.0.is_empty() || self.iter().any(|path| path.trim().is_empty())
    }
}

impl From<&str> for Paths {
    fn from(path: &str) -> Self {
        Self(vec![path.to_owned()])
    }
}

impl<const N: usize> From<[&str; N]> for Paths {
    fn from(paths: [&str; N]) -> Self {
        Self(paths.map(str::to_owned).to_vec())
    }
}

impl From<Vec<String>> for Paths {
    fn from(paths: Vec<String>) -> Self {
        Self(paths)
    }
}

impl fmt::Display for Paths {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(", "))
    }
}

impl Serialize for Paths {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0.as_slice() {
            [] => serializer.serialize_str(""),
            [path] => serializer.serialize_str(path),
            paths => paths.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Paths {
    // The error of a derived untagged enum does not say what was expected.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PathsVisitor)
    }
}

struct PathsVisitor;

impl<'de> Visitor<'de> for PathsVisitor {
    type Value = Paths;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a path or a list of paths")
    }

    fn visit_str<E>(self, path: &str) -> Result<Paths, E> {
        Ok(match path {
            "" => Paths::default(),
            path => path.into(),
        })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Paths, A::Error> {
        let mut paths = Vec::new();
        while let Some(path) = list.next_element()? {
            paths.push(path);
        }
        Ok(Paths(paths))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absolute_paths_mean_the_same_from_everywhere() {
        let here = env::current_dir().unwrap();
        let at = |name: &str| here.join(name).to_str().unwrap().to_owned();
        for (given, expected) in [
            ("a.txt", at("a.txt")),
            ("./a.txt", at("a.txt")),
            ("../a.txt", at("../a.txt")),
            ("b/*.txt", at("b/*.txt")),
            ("/a.txt", "/a.txt".to_owned()),
            ("~/a.txt", "~/a.txt".to_owned()),
            ("", String::new()),
        ] {
            assert_eq!(absolute(given).unwrap(), expected);
        }
    }

    #[test]
    fn lists_of_files_are_short() {
        let names = ["a", "b", "c", "d", "e"].map(Path::new);
        for (count, expected) in [
            (1, "`a`"),
            (2, "`a` and `b`"),
            (3, "`a`, `b` and `c`"),
            (4, "`a`, `b` and 2 more"),
            (5, "`a`, `b` and 3 more"),
        ] {
            assert_eq!(listed(names[..count].iter().copied()), expected);
        }
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Table {
        path: Paths,
    }

    #[test]
    fn a_string_and_a_list_are_read_and_written_back() {
        for text in [
            "path = \"a.txt\"\n",
            "path = [\"a.txt\", \"b\"]\n",
            "path = \"\"\n",
        ] {
            let table: Table = toml::from_str(text).unwrap();
            assert_eq!(toml::to_string(&table).unwrap(), text);
        }
    }

    #[test]
    fn another_type_is_refused_with_what_is_expected() {
        let error = toml::from_str::<Table>("path = 3").unwrap_err();
        assert!(
            error
                .to_string()
                .contains("expected a path or a list of paths"),
            "{error}"
        );
    }
}
