//! Keys that had other names in earlier versions.

use std::fmt::Display;

use crate::path;

/// A key, or a table, that has a new name.
///
/// Both are paths from the top of a configuration; in an entry of a list such as `[[layers]]` they
/// hold as well, from the entry on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Renamed {
    /// The name in earlier versions.
    pub old: &'static str,
    /// The name now.
    pub new: &'static str,
}

/// The path that `key` has now, if it is written by an old name.
pub fn present_name(list: &[Renamed], key: &str) -> Option<String> {
    list.iter().find_map(|one| one.present(key))
}

impl Renamed {
    pub(crate) fn present(self, key: &str) -> Option<String> {
        let rest = |path: &str| {
            path::is_at_or_inside(path, self.old).then(|| path[self.old.len()..].to_owned())
        };
        if let Some(rest) = rest(key) {
            return Some(format!("{}{rest}", self.new));
        }
        let (list, inner) = key.split_once('.')?;
        let (number, inner) = inner.split_once('.')?;
        number.parse::<usize>().ok()?;
        rest(inner).map(|rest| format!("{list}.{number}.{}{rest}", self.new))
    }

    pub(crate) fn note(self, place: impl Display) -> String {
        let Self { old, new } = self;
        format!("{place}: `{old}` is now `{new}`; the old spelling still works")
    }
}
