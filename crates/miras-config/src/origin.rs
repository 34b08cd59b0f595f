//! Where resolved values come from.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use crate::{flag::FLAG, path};

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// A line of a file or of a built-in text.
    Line {
        /// The path of the file, or the name of the text.
        source: String,
        /// Counted from 1.
        line: usize,
    },
    /// A `--set` flag.
    Set,
    /// Another origin, such as a value derived from others, in words.
    Note(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line { source, line } => write!(f, "{source}:{line}"),
            Self::Set => f.write_str(FLAG),
            Self::Note(text) => f.write_str(text),
        }
    }
}

/// The origin of each key, by path. A key without one has its default value.
#[derive(Debug, Clone, Default)]
pub struct Origins {
    by_path: BTreeMap<String, Origin>,
    unset: BTreeSet<String>,
}

impl Origins {
    pub(crate) fn new(by_path: BTreeMap<String, Origin>) -> Self {
        Self {
            by_path,
            unset: BTreeSet::new(),
        }
    }

    /// Where the value at `path` comes from; `None` for a default.
    pub fn of(&self, path: &str) -> Option<Origin> {
        self.by_path.get(path).cloned()
    }

    /// Notes in words where the value at `path` comes from.
    pub fn note(&mut self, path: impl Into<String>, text: impl Into<String>) {
        self.by_path.insert(path.into(), Origin::Note(text.into()));
    }

    /// Notes that the key at `path` exists and has no value.
    pub fn unset(&mut self, path: impl Into<String>) {
        self.unset.insert(path.into());
    }

    /// The keys without a value in the table `at`.
    pub(crate) fn unset_in(&self, at: &str) -> impl Iterator<Item = &str> {
        self.unset.iter().filter_map(move |path| {
            let key = path.rsplit('.').next()?;
            (path::join(at, key) == *path).then_some(key)
        })
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.by_path.is_empty()
    }
}
