//! Labels and folder names of trials.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::Value;

/// The key that takes a point, or a part of it, out of a file.
pub(crate) const EXTENDS: &str = "extends";
/// The key of a point of `[[sweep.list]]` that is what it is called, and no setting.
pub(crate) const NAME: &str = "name";
/// Characters of a label that become part of the name of a folder.
const MAX_LABEL: usize = 60;

/// Short names of keys: `depth` for `memory.depth`, and `memory` for `memory.kind`, unless another
/// key of a configuration has the same short name.
#[derive(Debug, Clone)]
pub struct KeyNames {
    /// How many keys have this short name.
    counts: BTreeMap<String, usize>,
}

impl KeyNames {
    /// The short names of a set of keys, which must be complete.
    pub fn new<'a>(keys: impl Iterator<Item = &'a String>) -> Self {
        let mut counts = BTreeMap::new();
        for key in keys.collect::<BTreeSet<_>>() {
            *counts.entry(last(key).to_owned()).or_insert(0) += 1;
        }
        Self { counts }
    }

    /// The short name, or the whole key if another key has the same short name.
    pub fn of<'a>(&self, key: &'a str) -> &'a str {
        match self.counts.get(last(key)) {
            Some(2..) => key,
            _ => last(key),
        }
    }
}

/// Whether a key says which point it is, and not what it sets: its value stands for itself.
pub fn names_a_point(key: &str) -> bool {
    [EXTENDS, NAME].contains(&key)
}

fn last(key: &str) -> &str {
    let key = key.strip_suffix(".kind").unwrap_or(key);
    key.rsplit_once('.').map_or(key, |(_, last)| last)
}

/// The label of a trial: its swept keys.
pub(crate) fn label(values: &BTreeMap<String, Value>, keys: &[String], names: &KeyNames) -> String {
    let words = keys.iter().filter_map(|key| {
        let value = plain(values.get(key)?);
        Some(if names_a_point(key) {
            value
        } else {
            format!("{}={value}", names.of(key))
        })
    });
    match &*words.collect::<Vec<_>>().join(" ") {
        "" => "base".to_owned(),
        label => label.to_owned(),
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Unique names of folders, from labels, seeds and ids: the label and the seed in characters that are
/// portable.
pub(crate) fn folders(trials: &[(&str, u64, &str)]) -> Vec<String> {
    let portable = |c: char| match c {
        ' ' => '_',
        '=' => '-',
        c if c.is_ascii_alphanumeric() || ".-_+".contains(c) => c,
        _ => '.',
    };
    let names = trials.iter().map(|(label, seed, _)| {
        let plain: String = label.chars().map(portable).take(MAX_LABEL).collect();
        let plain = match plain.trim_start_matches(['-', '.']) {
            "" => "point",
            plain => plain,
        };
        format!("{plain}-s{seed}")
    });
    let names: Vec<String> = names.collect();
    let mut seen: HashMap<&str, usize> = HashMap::new();
    for name in &names {
        *seen.entry(name).or_default() += 1;
    }
    let unique = names.iter().zip(trials).map(|(name, (.., id))| {
        let id = (seen[name.as_str()] > 1).then(|| format!("-{}", &id[..8]));
        name.clone() + &id.unwrap_or_default()
    });
    unique.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_short_and_unambiguous() {
        let keys = ["memory.kind", "memory.depth", "optim.lr", "other.depth"];
        let keys = keys.map(str::to_owned);
        let values = [
            ("memory.kind".to_owned(), Value::from("mlp")),
            ("memory.depth".to_owned(), Value::from(2)),
            ("optim.lr".to_owned(), Value::from(0.003)),
        ];
        let label = label(&values.into(), &keys, &KeyNames::new(keys.iter()));
        assert_eq!(label, "memory=mlp memory.depth=2 lr=0.003");
        let names = folders(&[
            (&label, 1, "0123456789"),
            (&label, 1, "abcdefghij"),
            ("base", 2, "xxxxxxxxxx"),
        ]);
        assert_eq!(
            names,
            [
                "memory-mlp_memory.depth-2_lr-0.003-s1-01234567",
                "memory-mlp_memory.depth-2_lr-0.003-s1-abcdefgh",
                "base-s2"
            ]
        );
    }
}
