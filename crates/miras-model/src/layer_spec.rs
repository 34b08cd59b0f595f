//! `[[layers]]`: layers whose mixer is not that of the others.

use miras_config::{ConfigError, Tree, entry_path, key_path};
use miras_registry::Registry;
use toml::{Table, Value};

use crate::{
    MixerSpec, ModelConfig,
    mixers::{MIXER, Tables, refuse_tables, shared_keys},
};

/// The name of the list.
pub(crate) const LAYERS: &str = "layers";

/// One entry of `[[layers]]`: some layers, and what they have in the place of the model's.
#[derive(Debug, Clone)]
pub struct LayerSpec {
    /// The layers, counted from 0, in order.
    pub at: Vec<usize>,
    /// Their mixer.
    pub mixer: MixerSpec,
}

impl LayerSpec {
    /// Takes `[[layers]]` out of a config whose tables of mixers nobody has taken yet.
    ///
    /// An entry has the tables that differ: keys that such a table lacks are those of the model's
    /// table, but where it names a `kind` only those that all kinds have.
    pub(crate) fn take(
        tree: &mut Tree,
        config: &ModelConfig,
        registry: &Registry,
    ) -> Result<Vec<Self>, ConfigError> {
        let mut entries: Vec<Self> = Vec::new();
        for number in tree.entries(LAYERS)? {
            let entry = entry_path(LAYERS, number);
            let at = take_at(tree, &key_path(&entry, "at"), config.layers)?;
            let again = at.iter().find(|layer| {
                let is_same = |earlier: &Self| earlier.at.contains(layer);
                entries.iter().any(is_same)
            });
            if let Some(layer) = again {
                let message =
                    format!("layer {layer} is in an earlier entry of [[{LAYERS}]] already");
                return Err(tree.error(&key_path(&entry, "at"), message, None));
            }
            let inherit = |tree: &mut Tree, table: &str| {
                tree.inherit(
                    &key_path(&entry, table),
                    table,
                    &shared_keys(table, registry),
                )
            };
            inherit(tree, MIXER)?;
            let kind = Tables::new(tree, &entry, registry, None).kind(MixerSpec::NAMES)?;
            let own = MixerSpec::TABLES.iter().find(|(name, _)| *name == kind);
            for table in own.iter().flat_map(|(_, tables)| *tables) {
                inherit(tree, table)?;
            }
            let mut tables = Tables::new(tree, &entry, registry, Some(config.dim));
            let mixer = MixerSpec::take(kind, &mut tables)?;
            refuse_tables(tree, &entry, &[kind])?;
            entries.push(Self { at, mixer });
        }
        Ok(entries)
    }

    /// The entry as it would be written, complete.
    pub(crate) fn to_table(&self) -> Table {
        let at = self.at.iter().map(|layer| Value::Integer(*layer as i64));
        let mut table = Table::from_iter([("at".to_owned(), Value::Array(at.collect()))]);
        for (name, section) in self.mixer.tables() {
            table.insert(name.to_owned(), Value::Table(section));
        }
        table
    }
}

/// The layers of an entry.
fn take_at(tree: &mut Tree, path: &str, layers: usize) -> Result<Vec<usize>, ConfigError> {
    let Some(mut at) = tree.value::<Vec<usize>>(path)? else {
        let message = format!("`{path}` is missing: which layers are meant, counted from 0");
        return Err(tree.error(path, message, Some("for example `at = [1, 3]`".to_owned())));
    };
    at.sort_unstable();
    let mistake = if at.is_empty() {
        Some("names no layer".to_owned())
    } else if let Some(layer) = at.iter().find(|layer| **layer >= layers) {
        let last = layers.saturating_sub(1);
        Some(format!(
            "names layer {layer}, and the last of model.layers = {layers} is {last}"
        ))
    } else {
        let twice = at.windows(2).find(|pair| pair[0] == pair[1]);
        twice.map(|pair| format!("names layer {} twice", pair[0]))
    };
    match mistake {
        None => Ok(at),
        Some(mistake) => Err(tree.error(path, format!("`{path}` {mistake}"), None)),
    }
}
