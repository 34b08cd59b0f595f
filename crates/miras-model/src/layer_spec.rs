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
        let numbers = tree.entries(LAYERS)?;
        let mut next = numbers.last().map_or(0, |last| last + 1);
        for number in numbers {
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
            let mixer = take_mixer(tree, &entry, config, registry)?;
            entries.push(Self { at, mixer });
        }
        for (kind, mut at) in take_pattern(tree, config)? {
            at.retain(|layer| !entries.iter().any(|entry| entry.at.contains(layer)));
            if at.is_empty() {
                continue;
            }
            let entry = entry_path(LAYERS, next);
            next += 1;
            let table = Table::from_iter([("kind".to_owned(), Value::from(kind))]);
            tree.derive(&key_path(&entry, MIXER), table, PATTERN);
            let mixer = take_mixer(tree, &entry, config, registry)?;
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

/// The mixer of the entry at `entry`, whose tables take over what they lack from the model's.
fn take_mixer(
    tree: &mut Tree,
    entry: &str,
    config: &ModelConfig,
    registry: &Registry,
) -> Result<MixerSpec, ConfigError> {
    let inherit = |tree: &mut Tree, table: &str| {
        let shared = shared_keys(table, registry);
        tree.inherit(&key_path(entry, table), table, &shared)
    };
    inherit(tree, MIXER)?;
    let kind = Tables::new(tree, entry, registry, None).kind(MixerSpec::NAMES)?;
    let own = MixerSpec::TABLES.iter().find(|(name, _)| *name == kind);
    for table in own.iter().flat_map(|(_, tables)| *tables) {
        inherit(tree, table)?;
    }
    let mut tables = Tables::new(tree, entry, registry, Some(config.dim));
    let mixer = MixerSpec::take(kind, &mut tables)?;
    refuse_tables(tree, entry, &[kind])?;
    Ok(mixer)
}

/// Where the pattern stands.
const PATTERN: &str = "model.pattern";

/// The kinds of `model.pattern` but for the model's own, each with its layers. Where `mixer.kind` is
/// not set it is the first of the pattern.
fn take_pattern(
    tree: &mut Tree,
    config: &ModelConfig,
) -> Result<Vec<(String, Vec<usize>)>, ConfigError> {
    let Some(pattern) = &config.pattern else {
        return Ok(Vec::new());
    };
    let (names, layers) = (MixerSpec::NAMES, config.layers);
    if let Some(kind) = pattern.iter().find(|kind| !names.contains(&kind.as_str())) {
        let message = format!(
            "unknown mixer `{kind}`, expected one of {}",
            names.join(", ")
        );
        let near = miras_config::did_you_mean(kind, names.iter().copied());
        let help = near.map(|name| format!("did you mean `{name}`?"));
        return Err(tree.error(PATTERN, message, help));
    }
    if pattern.is_empty() || pattern.len() > layers {
        let message = format!(
            "a pattern of {} kinds for model.layers = {layers}",
            pattern.len()
        );
        let help = format!("name 1 to {layers} kinds, or set model.layers");
        return Err(tree.error(PATTERN, message, Some(help)));
    }
    let own = tree.inherited_kind(MIXER, &pattern[0], PATTERN)?;
    if !pattern.contains(&own) {
        let message = format!("mixer.kind = {own:?} is not in the pattern {pattern:?}");
        let help = "leave mixer.kind out: it is the first kind of the pattern".to_owned();
        return Err(tree.error(PATTERN, message, Some(help)));
    }
    let mut found: Vec<(String, Vec<usize>)> = Vec::new();
    for (layer, kind) in pattern.iter().cycle().take(layers).enumerate() {
        match found.iter_mut().find(|(known, _)| known == kind) {
            _ if *kind == own => {}
            Some((_, at)) => at.push(layer),
            None => found.push((kind.clone(), vec![layer])),
        }
    }
    Ok(found)
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
