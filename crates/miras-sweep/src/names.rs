//! What trials are called.

use std::collections::{BTreeMap, HashMap};

use serde_json::Value;

use crate::expand::EXTENDS;

/// The longest name of a folder.
const LONGEST: usize = 60;

/// What is special about a trial: its swept keys, each by its last word where that is enough.
pub(crate) fn label(values: &BTreeMap<String, Value>, keys: &[String]) -> String {
    let mut words: Vec<String> = Vec::new();
    for key in keys {
        let Some(value) = values.get(key) else {
            continue;
        };
        words.push(match key.as_str() {
            EXTENDS => plain(value),
            key => format!("{}={}", short(key, keys), plain(value)),
        });
    }
    if words.is_empty() {
        "base".to_owned()
    } else {
        words.join(" ")
    }
}

/// The fewest last words of a dotted key that no other key ends with; a kind is named by its
/// table.
fn short<'a>(key: &'a str, keys: &[String]) -> &'a str {
    let name = |key: &'a str| key.strip_suffix(".kind").unwrap_or(key);
    let key = name(key);
    let starts = key.rmatch_indices('.').map(|(at, _)| at + 1);
    starts
        .map(|at| &key[at..])
        .find(|end| {
            let same = |other: &&String| {
                let other = other.strip_suffix(".kind").unwrap_or(other);
                other != key && (other == *end || other.ends_with(&format!(".{end}")))
            };
            keys.iter().find(same).is_none()
        })
        .unwrap_or(key)
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Names of folders, each once: the label and the seed in characters that are plain everywhere.
pub(crate) fn folders(labels: &[(String, u64)], ids: &[String]) -> Vec<String> {
    let names: Vec<String> = (labels.iter())
        .map(|(label, seed)| {
            let plain: String = (label.chars())
                .map(|c| match c {
                    ' ' => '_',
                    '=' => '-',
                    c if c.is_ascii_alphanumeric() || ".-_+".contains(c) => c,
                    _ => '.',
                })
                .take(LONGEST)
                .collect();
            let plain = plain.trim_start_matches(['-', '.']);
            format!("{plain}-s{seed}")
        })
        .collect();
    let mut seen: HashMap<&str, usize> = HashMap::new();
    for name in &names {
        *seen.entry(name).or_default() += 1;
    }
    (names.iter().zip(ids))
        .map(|(name, id)| match seen[name.as_str()] {
            1 => name.clone(),
            _ => format!("{name}-{}", &id[..8]),
        })
        .collect()
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
        let label = label(&values.into(), &keys);
        assert_eq!(label, "memory=mlp memory.depth=2 lr=0.003");
        let names = folders(
            &[(label.clone(), 1), (label.clone(), 1), ("base".into(), 2)],
            &["0123456789".into(), "abcdefghij".into(), "x".repeat(10)],
        );
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
