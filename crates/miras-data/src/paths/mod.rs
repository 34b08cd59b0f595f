//! Paths as users write them: lists, patterns, `~/`, and what was meant by one that is not there.

mod list;
mod missing;

use std::{
    env, fs, io,
    path::{Path, PathBuf},
};

use glob::Pattern;

pub use list::Paths;
pub(crate) use missing::{WantedAs, suggestion};

/// So many files are named; of more, a number.
const NAMED: usize = 3;

/// A path with `~/` as the home directory.
pub(crate) fn with_home(given: &str) -> PathBuf {
    match (given.strip_prefix("~/"), env::var_os("HOME")) {
        (Some(rest), Some(home)) => PathBuf::from(home).join(rest),
        _ => PathBuf::from(given),
    }
}

/// True if the file's name says that it is compressed.
pub(crate) fn is_compressed(path: &Path) -> bool {
    path.extension()
        .is_some_and(|ending| ending.eq_ignore_ascii_case("gz"))
}

/// True if the text is a pattern, unless a file has that name.
pub(crate) fn has_wildcard(given: &str) -> bool {
    given.contains(['*', '?', '['])
}

/// A path, or a pattern, that means the same from every folder.
pub(crate) fn absolute(given: &str) -> io::Result<String> {
    let path = Path::new(given);
    // `~/` does so already, and nothing is no path.
    if path.is_absolute() || given.starts_with("~/") || given.trim().is_empty() {
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
        [rest @ .., last] if all.len() <= NAMED => format!("{} and {last}", rest.join(", ")),
        all => format!(
            "{} and {} more",
            all[..NAMED - 1].join(", "),
            all.len() - (NAMED - 1)
        ),
    }
}

/// A path as a word of a shell command.
pub(crate) fn in_shell(path: &Path) -> String {
    let text = path.to_string_lossy();
    let plain = |one: char| one.is_ascii_alphanumeric() || "/._-+~,:=@".contains(one);
    if !text.is_empty() && !text.starts_with('-') && text.chars().all(plain) {
        return text.into_owned();
    }
    format!("'{}'", text.replace('\'', "'\\''"))
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
    fn words_of_a_command_are_quoted_where_a_shell_needs_it() {
        for (path, expected) in [
            ("my/books.txt", "my/books.txt"),
            ("my books.txt", "'my books.txt'"),
            ("it's.txt", "'it'\\''s.txt'"),
            ("-x.txt", "'-x.txt'"),
        ] {
            assert_eq!(in_shell(Path::new(path)), expected);
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
}
