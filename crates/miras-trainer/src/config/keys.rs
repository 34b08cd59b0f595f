use miras_config::fields_of;
use miras_core::Axis;
use miras_data::KINDS;
use miras_model::ModelConfig;
use miras_registry::Registry;

use super::{CheckpointConfig, EvalConfig, LogConfig, OptimConfig, TrainConfig, data};

/// Every key that a configuration can have, whatever its kinds, as a path; not the kinds
/// themselves.
pub(super) fn all(registry: &Registry) -> Vec<String> {
    let mut paths = registry.key_paths();
    for (section, keys) in [
        ("model", fields_of::<ModelConfig>()),
        ("train", fields_of::<TrainConfig>()),
        ("optim", fields_of::<OptimConfig>()),
        ("eval", fields_of::<EvalConfig>()),
        ("checkpoint", fields_of::<CheckpointConfig>()),
        ("log", fields_of::<LogConfig>()),
    ] {
        paths.extend(keys.iter().map(|key| format!("{section}.{key}")));
    }
    for kind in KINDS {
        let keys = data::keys(&(kind.default)());
        paths.extend(keys.iter().map(|key| format!("data.{key}")));
    }
    paths
}

/// The keys that choose a kind.
pub(super) fn kinds() -> impl Iterator<Item = String> {
    let tables = Axis::ALL.map(Axis::table).into_iter().chain(["data"]);
    tables.map(|table| format!("{table}.kind"))
}
