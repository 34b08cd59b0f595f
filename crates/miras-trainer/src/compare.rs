//! Two configurations, key by key.

use std::collections::BTreeMap;

use miras_config::flat;
use toml::{Table, Value};

use crate::ChangedKey;

/// What may change when a run is continued.
pub(crate) const FREE: [&str; 7] = [
    "train.steps",
    "train.max_minutes",
    "train.device",
    "train.on_nonfinite",
    "train.max_skips",
    "train.verify_device",
    "train.fusion",
];

/// The keys that differ and may not, sorted.
pub(crate) fn changed_keys(stored: &Table, now: &Table) -> Vec<ChangedKey> {
    let by_key = |table| flat(table).into_iter().collect::<BTreeMap<String, Value>>();
    let (stored, now) = (by_key(stored), by_key(now));
    let keys: std::collections::BTreeSet<&String> = stored.keys().chain(now.keys()).collect();
    keys.into_iter()
        .filter(|key| !FREE.contains(&key.as_str()))
        .filter(|key| stored.get(*key) != now.get(*key))
        .map(|key| ChangedKey {
            key: key.clone(),
            stored: stored.get(key).map(Value::to_string),
            now: now.get(key).map(Value::to_string),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_difference_is_found_except_the_free_ones() {
        let table = |text: &str| text.parse::<Table>().unwrap();
        let stored = table("[train]\nsteps = 10\nseed = 1\n[a.b]\nc = [1]\nd = 2.0");
        let now =
            table("[train]\nsteps = 20\nseed = 2\nmax_minutes = 1.0\n[a.b]\nc = [1]\ne = 'x'");
        let changed = changed_keys(&stored, &now);
        let lines: Vec<String> = (changed.iter())
            .map(|key| format!("{} {:?} {:?}", key.key, key.stored, key.now))
            .collect();
        assert_eq!(
            lines,
            [
                "a.b.d Some(\"2.0\") None",
                "a.b.e None Some(\"\\\"x\\\"\")",
                "train.seed Some(\"1\") Some(\"2\")",
            ]
        );
    }
}
