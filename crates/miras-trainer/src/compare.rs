//! Two configurations, key by key.

use std::collections::BTreeMap;

use miras_config::flat;
use miras_run::Inputs;
use toml::{Table, Value};

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

/// Paths to data: not they decide, but what they lead to, which is compared by its checksum.
pub(crate) const DATA_PATHS: [&str; 3] = ["data.path", "data.valid_path", "data.tokenizer"];
/// The same, to weights.
pub(crate) const INIT_FROM: &str = "train.init_from";

/// A key whose value differs from the stored one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangedKey {
    /// Dotted path.
    pub key: String,
    /// The stored value as TOML; none if it was not there.
    pub stored: Option<String>,
    /// The value now as TOML; none if it is not there.
    pub now: Option<String>,
}

/// The keys that differ and may not, sorted; `paths` may lead elsewhere.
pub(crate) fn changed_keys(stored: &Table, now: &Table, paths: &[&str]) -> Vec<ChangedKey> {
    let by_key = |table| flat(table).into_iter().collect::<BTreeMap<String, Value>>();
    let (stored, now) = (by_key(stored), by_key(now));
    let keys: std::collections::BTreeSet<&String> = stored.keys().chain(now.keys()).collect();
    keys.into_iter()
        .filter(|key| !FREE.contains(&key.as_str()))
        .filter(|key| stored.get(*key) != now.get(*key))
        .filter(|key| {
            let are_both = stored.contains_key(*key) && now.contains_key(*key);
            let name = if Inputs::is_of_mixture(key) {
                "data.path"
            } else {
                key
            };
            !(are_both && paths.contains(&name))
        })
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
        let changed = changed_keys(&stored, &now, &[]);
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

    #[test]
    fn a_path_may_lead_elsewhere_but_not_come_or_go() {
        let table = |text: &str| text.parse::<Table>().unwrap();
        let stored = table("data.path = 'a'\ndata.valid_path = 'v'\ntrain.init_from = 'w'");
        let now = table("data.path = ['b', 'c']\ntrain.init_from = 'x'");
        let keys = |paths: &[&str]| -> Vec<String> {
            let changed = changed_keys(&stored, &now, paths).into_iter();
            changed.map(|key| key.key).collect()
        };
        assert_eq!(keys(&[]), ["data.path", "data.valid_path", INIT_FROM]);
        assert_eq!(keys(&DATA_PATHS), ["data.valid_path", INIT_FROM]);
        assert_eq!(keys(&[INIT_FROM]), ["data.path", "data.valid_path"]);
    }

    #[test]
    fn sources_of_a_mixture_may_be_elsewhere_but_have_their_weights() {
        let table = |path: &str, weight: f64| {
            let text = format!(
                "[[data.mix]]\npath = 'a'\n[[data.mix]]\npath = '{path}'\nweight = {weight:?}"
            );
            text.parse::<Table>().unwrap()
        };
        let keys = |path, weight, paths: &[&str]| {
            let changed = changed_keys(&table("b", 1.0), &table(path, weight), paths);
            changed.into_iter().map(|key| key.key).collect::<Vec<_>>()
        };
        assert_eq!(keys("c", 1.0, &DATA_PATHS), [""; 0]);
        assert_eq!(keys("c", 1.0, &[]), ["data.mix.1.path"]);
        assert_eq!(keys("c", 2.0, &DATA_PATHS), ["data.mix.1.weight"]);
    }
}
