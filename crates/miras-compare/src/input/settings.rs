//! `config.toml`, flat: dotted keys and their values.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::CompareError;
use std::path::Path;

/// The settings of a run, by dotted key.
pub type Settings = BTreeMap<String, Value>;

/// Reads the text of a settled configuration; `path` is for messages.
pub(super) fn read(path: &Path, text: &str) -> Result<Settings, CompareError> {
    let mut layers = miras_config::Layers::new();
    let table: Map<String, Value> = layers
        .text(&path.display().to_string(), text)
        .and_then(|()| layers.merge())
        .and_then(|mut tree| tree.section(""))
        .map_err(|error| CompareError::damaged(path, error))?;
    let mut flat = Settings::new();
    flatten("", table, &mut flat);
    Ok(flat)
}

fn flatten(at: &str, table: Map<String, Value>, into: &mut Settings) {
    for (key, value) in table {
        let key = if at.is_empty() {
            key
        } else {
            format!("{at}.{key}")
        };
        match value {
            Value::Object(inner) => flatten(&key, inner, into),
            value => {
                into.insert(key, value);
            }
        }
    }
}
