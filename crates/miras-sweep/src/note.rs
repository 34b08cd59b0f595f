//! Notes that are shared by many trials or variants.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

/// How many names are listed before the rest is counted.
const LISTED: usize = 4;

/// A note and its subjects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// The note, a sentence.
    pub text: String,
    /// The names of its subjects, in order; empty if it is about all.
    pub about: Vec<String>,
}

impl Note {
    /// Merges equal notes of different owners, in the order of their first occurrence. Owners with
    /// the same name count as one.
    pub fn merge<'a>(owners: impl IntoIterator<Item = (&'a str, &'a [String])>) -> Vec<Self> {
        let mut all: BTreeSet<&str> = BTreeSet::new();
        let mut texts: Vec<&str> = Vec::new();
        let mut about: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (owner, notes) in owners {
            all.insert(owner);
            for text in notes {
                let named = about.entry(text).or_insert_with(|| {
                    texts.push(text);
                    Vec::new()
                });
                named.push(owner);
            }
        }
        let note = |text: &str| {
            let mut seen = BTreeSet::new();
            let named = about[text].iter().filter(|owner| seen.insert(**owner));
            let mut named: Vec<String> = named.map(|&owner| owner.to_owned()).collect();
            if named.len() == all.len() {
                named.clear();
            }
            Self {
                text: text.to_owned(),
                about: named,
            }
        };
        texts.into_iter().map(note).collect()
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let about = &self.about;
        match about.len() {
            0 => {}
            1..=LISTED => write!(f, "{}: ", about.join(", "))?,
            many => {
                let rest = many - (LISTED - 1);
                write!(f, "{} and {rest} more: ", about[..LISTED - 1].join(", "))?;
            }
        }
        f.write_str(&self.text)
    }
}
