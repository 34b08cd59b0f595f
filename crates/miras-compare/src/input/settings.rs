//! `config.toml`, flat: dotted keys and their values.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::CompareError;
use std::path::Path;

/// The settings of a run, by dotted key.
pub type Settings = BTreeMap<String, Value>;

/// Reads the text of a settled configuration; `path` is for messages.
pub(super) fn read(path: &Path, text: &str) -> Result<Settings, CompareError> {
    let mut layers = miras_config::Layers::new();
    let table: toml::Table = layers
        .text(&path.display().to_string(), text)
        .and_then(|()| layers.merge())
        .and_then(|mut tree| tree.section(""))
        .map_err(|error| CompareError::damaged(path, error))?;
    let settings = miras_config::flat(&table).into_iter();
    Ok(settings
        .map(|(key, value)| (key, miras_sweep::json(&value)))
        .collect())
}
