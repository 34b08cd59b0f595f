//! The settings of runs, and how they are written in labels and tables.

use std::collections::BTreeMap;

use miras_sweep::{KeyNames, names_a_point};
use serde_json::Value;

/// The settings of a run, by dotted key.
pub type Settings = BTreeMap<String, Value>;

/// `depth=2 lr=0.1`: some keys and their values.
pub(crate) fn label(names: &KeyNames, settings: &Settings, keys: &[String]) -> String {
    let words = keys.iter().filter_map(|key| {
        let value = settings.get(key)?;
        Some(if names_a_point(key) {
            value_text(value)
        } else {
            format!("{}={}", names.of(key), value_text(value))
        })
    });
    words.collect::<Vec<_>>().join(" ")
}

/// A value as a person writes it.
pub(crate) fn value_text(value: &Value) -> String {
    match value {
        // Control characters, which would move a terminal's cursor, are escaped.
        Value::String(word) if !word.chars().any(char::is_control) => word.clone(),
        Value::Number(number) if number.is_f64() => match number.as_f64() {
            Some(float) if float != 0.0 && float.abs() < 1e-4 => format!("{float:e}"),
            _ => number.to_string(),
        },
        other => other.to_string(),
    }
}
