//! Where a key belongs that was written in the wrong place.

use std::collections::{BTreeMap, BTreeSet};

use crate::suggest;

/// The most places that are suggested for a key.
const MAX_PLACES: usize = 3;

/// What the program says about keys, for suggestions.
#[derive(Debug, Default)]
pub(crate) struct Hints {
    /// The owner of the key at a path, which is not in use.
    owners: BTreeMap<String, String>,
    /// The paths of all keys.
    keys: BTreeSet<String>,
    /// What to write in place of names that other programs use.
    elsewhere: BTreeMap<String, String>,
}

impl Hints {
    pub(crate) fn own(&mut self, path: &str, owner: String) {
        self.owners.insert(path.to_owned(), owner);
    }

    pub(crate) fn know(&mut self, path: String) {
        self.keys.insert(path);
    }

    pub(crate) fn translate(&mut self, name: &str, help: String) {
        self.elsewhere.insert(name.to_owned(), help);
    }

    /// The help line for the unknown key `name` at `path`, where `nearby` are the keys that
    /// would be known beside it.
    pub(crate) fn help(&self, path: &str, name: &str, nearby: &[&str]) -> Option<String> {
        let slip = suggest::slip(name, nearby).map(|near| format!("did you mean `{near}`?"));
        if let Some(owner) = self.owners.get(path) {
            let start = slip.map_or_else(String::new, |slip| format!("{slip} "));
            return Some(format!("{start}`{name}` belongs to {owner}"));
        }
        if slip.is_some() {
            return slip;
        }
        let last = |path: &str| path.rsplit('.').next() == Some(name);
        let places: Vec<&str> = (self.keys.iter().map(String::as_str))
            .filter(|key| *key != path && last(key))
            .collect();
        match places.len() {
            1..=MAX_PLACES => Some(format!("did you mean {}?", suggest::one_of(&places))),
            _ => (self.elsewhere.get(name).cloned())
                .or_else(|| suggest::help(name, nearby))
                .or_else(|| self.owned_beside(path, name)),
        }
    }

    /// The help line with the key most similar to `name` that another kind of its table has.
    fn owned_beside(&self, path: &str, name: &str) -> Option<String> {
        let table = path.strip_suffix(name)?;
        let keys = self.owners.keys().filter_map(|key| key.strip_prefix(table));
        let near = suggest::did_you_mean(name, keys.filter(|key| !key.contains('.')))?;
        let owner = self.owners.get(&format!("{table}{near}"))?;
        Some(format!("did you mean `{near}`, which belongs to {owner}?"))
    }
}
