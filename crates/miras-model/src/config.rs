//! `[model]`: size and shape of the network.

use burn::tensor::{Tensor, activation};
use miras_config::{ConfigError, Tree, entry_path};
use miras_core::{Axis, Program};
use miras_registry::{Choice, Registry};
use serde::{Deserialize, Serialize};
use toml::{Table, Value};

use crate::{LayerSpec, MixerConfig, Precision, layer_spec::LAYERS};

/// `[model]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ModelConfig {
    /// What mixes tokens: `"memory"` (the four axes) or `"attention"` (Transformer++).
    pub mixer: MixerKind,
    /// Width of the residual stream, 1 or more.
    pub dim: usize,
    /// Blocks, 1 or more.
    pub layers: usize,
    /// Memories (or attention heads) a layer, 1 or more.
    pub heads: usize,
    /// Hidden width of the `SwiGLU`; default 8/3 `dim`, rounded up to a multiple of 8.
    pub ffn_dim: Option<usize>,
    /// Taps of the causal depthwise convolution on queries, keys and values; 0 for none.
    pub conv: usize,
    /// What queries, keys and values go through after the convolution (or without one, after the
    /// projection); default `"silu"` in memories, `"none"` in attention.
    pub conv_activation: Option<ConvActivation>,
    /// How weights start: `"recall"` (keys like queries, convolutions near the identity) or `"standard"`.
    pub init: InitKind,
    /// Whether the output head is the embedding.
    pub tie_head: bool,
    /// Base of the rotary position encoding; attention only, default 10000.
    pub rope_base: Option<f64>,
}

/// What mixes tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MixerKind {
    /// A memory of the four axes.
    Memory,
    /// Causal softmax attention.
    Attention,
}

/// What queries, keys and values go through after their convolution.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConvActivation {
    /// `x σ(x)`.
    Silu,
    /// Nothing.
    None,
}

impl ConvActivation {
    /// Where the configuration does not say: that of the papers' layers.
    pub(crate) fn default_of(mixer: MixerKind) -> Self {
        match mixer {
            MixerKind::Memory => Self::Silu,
            MixerKind::Attention => Self::None,
        }
    }

    pub(crate) fn apply<const D: usize>(self, x: Tensor<D>) -> Tensor<D> {
        match self {
            Self::Silu => activation::silu(x),
            Self::None => x,
        }
    }
}

/// How weights start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InitKind {
    /// `W_k := W_q`, convolutions near the identity, keys that see the token before theirs:
    /// decides whether recall is learned at all in a small budget (`docs/architecture.md`, Measured defaults).
    Recall,
    /// All projections and taps independent and uniform.
    Standard,
}

impl ModelConfig {
    /// Width of each head's keys and values in a layer.
    pub(crate) fn head_dim(&self, choice: Option<&Choice>) -> usize {
        let dim = choice.and_then(|choice| choice.dim);
        dim.unwrap_or(self.dim / self.heads)
    }

    /// The program of each memory of a layer.
    ///
    /// # Panics
    /// If the memory has none at this width, which [`ModelSpec::take`] refuses.
    pub fn program(&self, choice: &Choice) -> Program {
        let width = self.head_dim(Some(choice));
        let program = choice.rule.memory.program(width, width);
        program.expect("checked with the configuration")
    }
}

impl Default for ModelConfig {
    fn default() -> Self {
        Self {
            mixer: MixerKind::Memory,
            dim: 128,
            layers: 4,
            heads: 4,
            ffn_dim: None,
            conv: 4,
            conv_activation: None,
            init: InitKind::Recall,
            tie_head: true,
            rope_base: None,
        }
    }
}

/// The default base of the rotary encoding.
const ROPE_BASE: f64 = 10_000.0;

/// A model's configuration, checked: `[model]` and the four axes.
#[derive(Debug, Clone)]
pub struct ModelSpec {
    /// `[model]` with every default filled in.
    pub config: ModelConfig,
    /// The memory of the layers that `layers` does not name, unless the mixer is attention.
    pub choice: Option<Choice>,
    /// `[[layers]]`: layers with another memory.
    pub layers: Vec<LayerSpec>,
    /// In which its large products are made; not part of what it is, so set by who trains it.
    pub precision: Precision,
}

impl ModelSpec {
    /// Takes `[model]`, the tables of the axes and `[[layers]]` out of a config.
    pub fn take(tree: &mut Tree, registry: &Registry) -> Result<Self, ConfigError> {
        let mut mixer = MixerKind::Memory;
        let config = tree.attempt(&["model"], |tree| {
            let config: ModelConfig = tree.section("model")?;
            mixer = config.mixer;
            check_sizes(tree, &config)?;
            Ok(config)
        });
        let axes = Axis::ALL.map(Axis::table);
        // Which layers there are is not known after a mistake in [model].
        let layers = tree.attempt(&["layers"], |tree| match (&config, mixer) {
            (None, _) => tree.value::<Value>("layers").map(|_| Vec::new()),
            (Some(config), MixerKind::Memory) => LayerSpec::take(tree, config, registry),
            (Some(_), MixerKind::Attention) => {
                refuse_tables(tree, &["layers"]).map(|()| Vec::new())
            }
        });
        let choice = match mixer {
            MixerKind::Memory => tree.attempt(&axes, |tree| Choice::take(tree, registry).map(Some)),
            MixerKind::Attention => {
                tree.attempt(&axes, |tree| refuse_tables(tree, &axes).map(|()| None))
            }
        };
        let (Some(mut config), Some(choice), Some(layers)) = (config, choice, layers) else {
            return Err(tree.failed());
        };
        config
            .ffn_dim
            .get_or_insert((config.dim * 8).div_ceil(3).next_multiple_of(8));
        (config.conv_activation).get_or_insert(ConvActivation::default_of(mixer));
        check_heads(tree, &config, choice.as_ref())?;
        for layer in &layers {
            check_heads(tree, &config, Some(&layer.choice))?;
        }
        match (config.mixer, config.rope_base) {
            (MixerKind::Memory, Some(_)) => {
                let help = "leave it out; memories have no position encoding".to_string();
                let message = "rope_base belongs to model.mixer = \"attention\"";
                return Err(tree.error("model.rope_base", message, Some(help)));
            }
            (MixerKind::Attention, Some(base)) if !base.is_finite() || base <= 1.0 => {
                let message = "rope_base must be a finite number above 1";
                return Err(tree.error("model.rope_base", message, None));
            }
            (MixerKind::Attention, base) => config.rope_base = base.or(Some(ROPE_BASE)),
            (MixerKind::Memory, None) => {}
        }
        let spec = Self {
            config,
            choice,
            layers,
            precision: Precision::F32,
        };
        check_parameters(tree, &spec)?;
        Ok(spec)
    }

    /// The memory of a layer, unless it is attention.
    pub fn choice_of(&self, layer: usize) -> Option<&Choice> {
        let own = self.layers.iter().find(|spec| spec.at.contains(&layer));
        own.map(|spec| &spec.choice).or(self.choice.as_ref())
    }

    /// The memories of the model, each with the number of layers that have it; nothing for
    /// attention.
    pub fn memories(&self) -> impl Iterator<Item = (usize, &Choice)> {
        self.kinds_of_layers()
            .into_iter()
            .filter_map(|(_, count, choice)| Some((count, choice?)))
    }

    /// What layers are (their memory, or attention), each with the path of its tables in a
    /// configuration and the number of layers.
    pub(crate) fn kinds_of_layers(&self) -> Vec<(String, usize, Option<&Choice>)> {
        let own = self.layers.iter().enumerate().map(|(number, spec)| {
            let at = entry_path(LAYERS, number);
            (at, spec.at.len(), Some(&spec.choice))
        });
        let named: usize = self.layers.iter().map(|spec| spec.at.len()).sum();
        let rest = (
            String::new(),
            self.config.layers - named,
            self.choice.as_ref(),
        );
        (std::iter::once(rest).chain(own))
            .filter(|(_, count, _)| *count > 0)
            .collect()
    }

    /// What a reader is told of the layers: the parts of the model, and of layers that have
    /// others.
    pub fn parts(&self, words: impl Fn(Option<&Choice>) -> String) -> String {
        let own = self.layers.iter().map(|spec| {
            let at: Vec<String> = spec.at.iter().map(usize::to_string).collect();
            format!("layers {}: {}", at.join(", "), words(Some(&spec.choice)))
        });
        let parts = std::iter::once(words(self.choice.as_ref())).chain(own);
        parts.collect::<Vec<_>>().join("; ")
    }

    /// What queries, keys and values go through after their convolution.
    pub(crate) fn conv_activation(&self) -> ConvActivation {
        let default = ConvActivation::default_of(self.config.mixer);
        self.config.conv_activation.unwrap_or(default)
    }

    /// The layer around a memory.
    pub(crate) fn memory(&self, choice: &Choice) -> MixerConfig {
        let ModelConfig {
            dim,
            heads,
            conv,
            init,
            ..
        } = self.config;
        let activation = self.conv_activation();
        (MixerConfig::new(dim, heads, choice.clone()).expect("checked with the model"))
            .with_conv(conv)
            .with_conv_activation(activation)
            .with_init(init)
    }

    /// The tables as they would be written, complete.
    pub fn to_table(&self) -> Table {
        let model = Table::try_from(&self.config).expect("settings are a TOML table");
        let mut table = Table::from_iter([("model".to_owned(), Value::Table(model))]);
        for (axis, section) in self.choice.iter().flat_map(Choice::tables) {
            table.insert(axis.to_owned(), Value::Table(section));
        }
        if !self.layers.is_empty() {
            let entries = self.layers.iter().map(|spec| Value::Table(spec.to_table()));
            table.insert("layers".to_owned(), Value::Array(entries.collect()));
        }
        table
    }
}

/// The largest value of a size: beyond it nothing fits any machine, and products overflow.
const LARGEST: usize = 1 << 20;

fn check_sizes(tree: &mut Tree, config: &ModelConfig) -> Result<(), ConfigError> {
    for (key, value, least) in [
        ("dim", config.dim, 1),
        ("layers", config.layers, 1),
        ("heads", config.heads, 1),
        ("ffn_dim", config.ffn_dim.unwrap_or(1), 1),
        ("conv", config.conv, 0),
    ] {
        let message = if value < least {
            format!("{key} must be {least} or more")
        } else if value > LARGEST {
            format!("{key} = {value} is more than the largest size, {LARGEST}")
        } else {
            continue;
        };
        let mistake = tree.error(&format!("model.{key}"), message, None);
        tree.note(mistake)?;
    }
    Ok(())
}

/// The most parameters that a model may have here.
const MOST_PARAMETERS: f64 = 1e11;

/// Refuses what no machine holds, before anything is built, and memories that have no program at
/// their width.
fn check_parameters(tree: &Tree, spec: &ModelSpec) -> Result<(), ConfigError> {
    let ModelConfig { dim, .. } = spec.config;
    let (heads, ffn) = (spec.config.heads as f64, spec.config.ffn_dim.unwrap_or(0));
    let mut total = 0.0;
    for (at, count, choice) in spec.kinds_of_layers() {
        let head = spec.config.head_dim(choice);
        let memory: f64 = match choice {
            Some(choice) => (choice.program(tree, &at, head, head)?.maps().iter())
                .map(|map| map.d_in as f64 * map.d_out as f64)
                .sum(),
            None => 0.0,
        };
        let layer = dim as f64 * (5.0 * heads * head as f64 + 3.0 * ffn as f64) + heads * memory;
        total += count as f64 * layer;
    }
    if total <= MOST_PARAMETERS {
        return Ok(());
    }
    let message = format!("this model has about {total:.1e} parameters");
    let help = "use a smaller model.dim, model.layers, memory.depth or memory.expansion";
    Err(tree.error("model.dim", message, Some(help.to_string())))
}

/// Tables of a user that belong to memories are refused; those of the built-in default go with the
/// mixer they belong to.
fn refuse_tables(tree: &mut Tree, tables: &[&str]) -> Result<(), ConfigError> {
    for table in tables {
        if tree.is_set(table) {
            let message = format!("a model with model.mixer = \"attention\" has no [{table}]");
            let help = "leave the table out, or use model.mixer = \"memory\"".to_string();
            return Err(tree.error(table, message, Some(help)));
        }
        tree.section::<Table>(table)?;
    }
    Ok(())
}

fn check_heads(
    tree: &Tree,
    config: &ModelConfig,
    choice: Option<&Choice>,
) -> Result<(), ConfigError> {
    let ModelConfig { dim, heads, .. } = *config;
    if choice.is_none_or(|choice| choice.dim.is_none()) && dim % heads != 0 {
        let near = (1..=dim)
            .filter(|h| dim % h == 0)
            .min_by_key(|h| h.abs_diff(heads));
        let help = format!(
            "the nearest number of heads that divides it is {}",
            near.unwrap_or(1)
        );
        let message = format!("model.dim = {dim} is not a multiple of model.heads = {heads}");
        return Err(tree.error("model.heads", message, Some(help)));
    }
    if config.mixer == MixerKind::Attention && (dim / heads) % 2 != 0 {
        let message = format!(
            "rotary encoding needs an even width a head, and {dim} / {heads} = {} is odd",
            dim / heads
        );
        return Err(tree.error("model.heads", message, None));
    }
    Ok(())
}
