//! A model's configuration.

use miras_config::{ConfigError, Tree};
use miras_registry::{Choice, Registry};
use toml::{Table, Value};

use crate::{
    LayerSpec, MixerSpec, ModelConfig, Precision,
    layer_spec::LAYERS,
    mixers::{Tables, refuse_tables, tables},
};

/// A model's configuration, checked: `[model]`, its mixer and `[[layers]]`.
#[derive(Debug, Clone)]
pub struct ModelSpec {
    /// `[model]` with every default filled in.
    pub config: ModelConfig,
    /// The mixer of the layers that `layers` does not name.
    pub mixer: MixerSpec,
    /// `[[layers]]`: layers with another mixer.
    pub layers: Vec<LayerSpec>,
    /// In which its large products are made; not part of what it is, so set by who trains it.
    pub precision: Precision,
}

impl ModelSpec {
    /// Takes `[model]`, the tables of its mixer and `[[layers]]` out of a config.
    pub fn take(tree: &mut Tree, registry: &Registry) -> Result<Self, ConfigError> {
        let config = tree.attempt(&["model"], ModelConfig::take);
        // Which layers there are is not known after a mistake in [model].
        let layers = tree.attempt(&[LAYERS], |tree| match &config {
            None => tree.value::<Value>(LAYERS).map(|_| Vec::new()),
            Some(config) => LayerSpec::take(tree, config, registry),
        });
        let dim = config.as_ref().map(|config| config.dim);
        let all: Vec<&str> = tables().collect();
        let mixer = tree.attempt(&all, |tree| {
            let mut tables = Tables::new(tree, "", registry, dim);
            let kind = tables.kind(MixerSpec::NAMES)?;
            let mixer = MixerSpec::take(kind, &mut tables)?;
            let others = layers.iter().flatten().map(|layer| layer.mixer.kind());
            let kinds: Vec<&str> = std::iter::once(kind).chain(others).collect();
            // Without the layers it is not known which tables have a use.
            if layers.is_some() {
                refuse_tables(tree, "", &kinds)?;
            }
            // What is left is of the built-in default, and of layers that have taken it over.
            for table in &all {
                tree.section::<Table>(table)?;
            }
            Ok(mixer)
        });
        let (Some(mut config), Some(mixer), Some(layers)) = (config, mixer, layers) else {
            return Err(tree.failed());
        };
        config
            .ffn_dim
            .get_or_insert((config.dim * 8).div_ceil(3).next_multiple_of(8));
        let spec = Self {
            config,
            mixer,
            layers,
            precision: Precision::F32,
        };
        check_parameters(tree, &spec)?;
        Ok(spec)
    }

    /// The mixer of a layer.
    pub fn mixer_of(&self, layer: usize) -> &MixerSpec {
        let own = self.layers.iter().find(|spec| spec.at.contains(&layer));
        own.map_or(&self.mixer, |spec| &spec.mixer)
    }

    /// The mixers of the model, each with the number of layers that have it.
    pub fn mixers(&self) -> impl Iterator<Item = (usize, &MixerSpec)> {
        let own = self.layers.iter().map(|spec| (spec.at.len(), &spec.mixer));
        let named: usize = self.layers.iter().map(|spec| spec.at.len()).sum();
        let rest = (self.config.layers - named, &self.mixer);
        std::iter::once(rest)
            .chain(own)
            .filter(|(count, _)| *count > 0)
    }

    /// The memories of the model, each with the number of layers that have it; none where all
    /// layers are attention.
    pub fn memories(&self) -> impl Iterator<Item = (usize, &Choice)> {
        self.mixers()
            .flat_map(|(count, mixer)| mixer.memories().iter().map(move |one| (count, one)))
    }

    /// Whether some layer has a memory.
    pub fn has_memory(&self) -> bool {
        self.memories().next().is_some()
    }

    /// Whether a memory of this layer has a gate among its step rules.
    pub fn has_gate(&self, layer: usize) -> bool {
        let memories = self.mixer_of(layer).memories().iter();
        let mut rules = memories.flat_map(|choice| choice.rule.settings.rules());
        rules.any(|rule| rule.is_gate())
    }

    /// Whether a memory of some layer has.
    pub fn has_gates(&self) -> bool {
        (self.memory_layers().into_iter()).any(|layer| self.has_gate(layer))
    }

    /// The layers that have a memory, in order: those of which a pass gives a probe.
    pub fn memory_layers(&self) -> Vec<usize> {
        (0..self.config.layers)
            .filter(|layer| !self.mixer_of(*layer).memories().is_empty())
            .collect()
    }

    /// The mixer, if there is one, whose state grows with every token.
    pub fn growing(&self) -> Option<&MixerSpec> {
        let mut mixers = self.mixers();
        let grows = |mixer: &MixerSpec| mixer.state().per_token > 0;
        mixers.find_map(|(_, mixer)| grows(mixer).then_some(mixer))
    }

    /// What a reader is told of the layers: the parts of their memories in `words`, or the kind of
    /// a mixer without one; those of the model, and of layers that have others.
    pub fn parts(&self, words: impl Fn(&Choice) -> String) -> String {
        let words = |mixer: &MixerSpec| match mixer.memories() {
            [] => mixer.kind().to_owned(),
            memories => counted(memories.iter().map(&words)),
        };
        let own = self.layers.iter().map(|spec| {
            let at: Vec<String> = spec.at.iter().map(usize::to_string).collect();
            format!("layers {}: {}", at.join(", "), words(&spec.mixer))
        });
        let parts = std::iter::once(words(&self.mixer)).chain(own);
        parts.collect::<Vec<_>>().join("; ")
    }

    /// The tables as they would be written, complete.
    pub fn to_table(&self) -> Table {
        let model = Table::try_from(&self.config).expect("settings are a TOML table");
        let mut table = Table::from_iter([("model".to_owned(), Value::Table(model))]);
        for (name, section) in self.mixer.tables() {
            table.insert(name.to_owned(), Value::Table(section));
        }
        if !self.layers.is_empty() {
            let entries = self.layers.iter().map(|spec| Value::Table(spec.to_table()));
            table.insert(LAYERS.to_owned(), Value::Array(entries.collect()));
        }
        table
    }
}

/// Equal ones behind each other as one, with their number.
fn counted(words: impl Iterator<Item = String>) -> String {
    let mut runs: Vec<(String, usize)> = Vec::new();
    for word in words {
        match runs.last_mut() {
            Some((last, count)) if *last == word => *count += 1,
            _ => runs.push((word, 1)),
        }
    }
    let runs = runs.into_iter().map(|(word, count)| match count {
        1 => word,
        _ => format!("{count} x {word}"),
    });
    runs.collect::<Vec<_>>().join(" + ")
}

/// The most parameters that a model may have here.
const MOST_PARAMETERS: f64 = 1e11;

/// Refuses what no machine holds, before anything is built.
fn check_parameters(tree: &Tree, spec: &ModelSpec) -> Result<(), ConfigError> {
    let ModelConfig { dim, ffn_dim, .. } = spec.config;
    let feed_forward = 3.0 * dim as f64 * ffn_dim.unwrap_or(0) as f64;
    let layers = spec.mixers();
    let total: f64 = layers
        .map(|(count, mixer)| count as f64 * (mixer.size() + feed_forward))
        .sum();
    if total <= MOST_PARAMETERS {
        return Ok(());
    }
    let message = format!("this model has about {total:.1e} parameters");
    let help = "use a smaller model.dim, model.layers, memory.depth or memory.expansion";
    Err(tree.error("model.dim", message, Some(help.to_string())))
}
