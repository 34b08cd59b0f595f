//! `config.toml`, flat: dotted keys and their values.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::CompareError;
use std::path::Path;

/// The settings of a run, by dotted key.
pub type Settings = BTreeMap<String, Value>;

/// Retention gates that had no key `anchored` in earlier versions, and no anchor. Every settled
/// configuration of this version has the key, whose default is another value.
const UNANCHORED: [&str; 3] = ["lq", "kl", "elastic_net"];

/// Reads the text of a settled configuration; `path` is for messages.
pub(super) fn read(path: &Path, text: &str) -> Result<Settings, CompareError> {
    let mut layers = miras_config::Layers::new();
    let table: toml::Table = layers
        .text(&path.display().to_string(), text)
        .and_then(|()| layers.merge())
        .and_then(|mut tree| tree.section(""))
        .map_err(|error| CompareError::damaged(path, error))?;
    let settings = miras_config::flat(&table).into_iter();
    let mut settings: Settings = settings
        .map(|(key, value)| (key, miras_sweep::json(&value)))
        .collect();
    let kind = settings.get("retention.kind").and_then(Value::as_str);
    if kind.is_some_and(|kind| UNANCHORED.contains(&kind)) {
        let anchored = settings.entry("retention.anchored".to_owned());
        anchored.or_insert(Value::Bool(false));
    }
    Ok(settings)
}
