use std::{io, path};

use miras_config::{ConfigError, Tree};
use miras_data::DataConfig;
use miras_model::{ModelSpec, Precision};
use miras_run::Memory;
use serde::{Deserialize, Serialize};

use super::require::require;

/// The most tokens that one batch of `miras-data` may hold.
const MOST_TOKENS: usize = 1 << 28;
/// The most steps and micro-batches whose product can be counted.
const MOST_STEPS: u64 = 1_000_000_000_000;
const MOST_MICRO_BATCHES: usize = 1_000_000;
/// The default of `train.max_skips`.
const MAX_SKIPS: u64 = 10;

/// `[train]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TrainConfig {
    /// Optimiser steps after which the run is done, from 1 to 10^12. May change at a resume.
    pub steps: u64,
    /// Minutes of training and evaluation after which this process evaluates, saves and
    /// ends, above 0; none by default. May change at a resume.
    pub max_minutes: Option<f64>,
    /// Seed of initial weights and data, 0 or more.
    pub seed: u64,
    /// The weights that a new run starts with instead of random ones: a `model.safetensors`, or a
    /// folder with one, such as a checkpoint or an export. Only weights: the optimiser is new and
    /// the step 0. A relative path starts from the working directory.
    pub init_from: Option<String>,
    /// Sequences a micro-batch, 1 or more; also the rows that an evaluation computes at once.
    pub batch: usize,
    /// Micro-batches a step, from 1 to 1000000; together they are one batch of as many sequences,
    /// whose gradient is that of the mean over all of its scored tokens.
    pub accumulate: usize,
    /// What memories do in training and in its evaluations: `"live"`, they learn; `"frozen"`, they are
    /// read as they stood at the start of a row, and neither written nor decayed; `"reset"`, they
    /// start again every `algorithm.chunk` tokens; `"half"`, they learn over the first half of a row
    /// and are frozen in the second; `"unread"`, what they give is 0. All but `"live"` are twins,
    /// beside which it shows what writing is worth.
    pub memory: Memory,
    /// The memory that a training sequence starts from: `"reset"`, the learned initial one, or
    /// `"carry"`, that at the end of the sequence before, on text that is read in order.
    pub state: StateRule,
    /// Tokens through which gradients go back in a memory's state, a multiple of
    /// `algorithm.chunk`, or 0 for whole sequences; memories alone. Default 256, rounded up to
    /// whole chunks, in the `chunk_start` form, whose gradients grow with every chunk, and 0 in
    /// the exact form.
    pub truncate: Option<usize>,
    /// Where to compute: `"cpu"`, `"auto"`, or a device whose cargo feature is on. May change
    /// at a resume.
    pub device: String,
    /// In which projections, head and attention multiply: `"f32"`, or `"bf16"` or `"f16"` where
    /// the device has them; weights, memories, gates, norms and losses are float32 always.
    pub precision: Precision,
    /// Steps, from the first of a process on, that are made on the CPU as well and compared; the
    /// run stops where they disagree. May change at a resume.
    pub verify_device: u64,
    /// Whether operations may be fused into kernels, in builds with the feature `fusion`. May
    /// change at a resume.
    pub fusion: bool,
    /// What happens when a loss or gradient is NaN or infinite: `"stop"`, or `"skip"` the step.
    pub on_nonfinite: OnNonfinite,
    /// Steps skipped in a row after which the run stops, 1 or more; default 10; belongs to
    /// `on_nonfinite = "skip"`.
    pub max_skips: Option<u64>,
}

/// The memory that a training sequence starts from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StateRule {
    /// The learned initial one; sequences come from random places.
    Reset,
    /// That at the end of the sequence before in the same row, cut off from its gradients
    /// (truncated backpropagation through time); every row follows its own stretch of the text.
    Carry,
}

/// What happens when a loss or gradient is NaN or infinite.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnNonfinite {
    /// The run stops and says where it began.
    Stop,
    /// The step changes nothing and is counted.
    Skip,
}

impl Default for TrainConfig {
    fn default() -> Self {
        Self {
            steps: 1000,
            max_minutes: None,
            seed: 1,
            init_from: None,
            batch: 8,
            accumulate: 1,
            memory: Memory::Live,
            state: StateRule::Reset,
            truncate: None,
            device: "cpu".to_owned(),
            precision: Precision::F32,
            verify_device: 0,
            fusion: true,
            on_nonfinite: OnNonfinite::Stop,
            max_skips: None,
        }
    }
}

impl TrainConfig {
    /// Sequences a step.
    pub fn sequences(&self) -> usize {
        self.batch * self.accumulate
    }

    /// The same from whatever working directory.
    pub fn absolute(&self) -> io::Result<Self> {
        let path = self.init_from.as_ref().map(path::absolute).transpose()?;
        Ok(Self {
            init_from: path.map(|path| path.to_string_lossy().into_owned()),
            ..self.clone()
        })
    }

    pub(super) fn take(
        tree: &mut Tree,
        data: Option<&DataConfig>,
        model: Option<&ModelSpec>,
    ) -> Result<Self, ConfigError> {
        let mut config: Self = tree.section("train")?;
        let seq_len = data.map(|data| data.seq_len());
        let most = MOST_TOKENS / seq_len.unwrap_or(1).max(1);
        let of_length = seq_len.map_or_else(String::new, |seq_len| {
            format!(" of data.seq_len = {seq_len}")
        });
        let minutes = config.max_minutes.unwrap_or(1.0);
        require(
            tree,
            "train.steps",
            (1..=MOST_STEPS).contains(&config.steps),
            &format!("from 1 to {MOST_STEPS}"),
            config.steps,
        )?;
        require(
            tree,
            "train.max_minutes",
            minutes > 0.0 && minutes.is_finite(),
            "above 0",
            minutes,
        )?;
        require(
            tree,
            "train.batch",
            (1..=most).contains(&config.batch),
            &format!("from 1 to {most} sequences{of_length}"),
            config.batch,
        )?;
        require(
            tree,
            "train.accumulate",
            (1..=MOST_MICRO_BATCHES).contains(&config.accumulate),
            &format!("from 1 to {MOST_MICRO_BATCHES}"),
            config.accumulate,
        )?;
        if config
            .init_from
            .as_ref()
            .is_some_and(|path| path.trim().is_empty())
        {
            let message = "train.init_from must name a file or a folder";
            let mistake = tree.error("train.init_from", message, None);
            tree.note(mistake)?;
        }
        if let Err(error) = miras_device::check(&config.device) {
            let mistake = tree.error("train.device", error.to_string(), None);
            tree.note(mistake)?;
        }
        if let (StateRule::Carry, Some(data), Some(model)) = (config.state, data, model) {
            can_carry(tree, data, model)?;
        }
        check_memory(tree, &config, model)?;
        if let Some(model) = model {
            config.truncate = truncate(tree, config.truncate, model)?;
        }
        match (config.on_nonfinite, config.max_skips) {
            (OnNonfinite::Stop, Some(_)) => {
                let message = "max_skips belongs to train.on_nonfinite = \"skip\"";
                let help = "leave it out, or set train.on_nonfinite = \"skip\"".to_owned();
                return Err(tree.error("train.max_skips", message, Some(help)));
            }
            (OnNonfinite::Stop, None) => {}
            (OnNonfinite::Skip, skips) => {
                let skips = skips.unwrap_or(MAX_SKIPS);
                require(tree, "train.max_skips", skips > 0, "1 or more", skips)?;
                config.max_skips = Some(skips);
            }
        }
        Ok(config)
    }
}

/// The default of `train.truncate` in the `chunk_start` form, in tokens: four chunks of 64, after
/// which gradients of memories that train still fade (`docs/architecture.md`).
const TRUNCATE: usize = 256;

fn truncate(
    tree: &mut Tree,
    asked: Option<usize>,
    model: &ModelSpec,
) -> Result<Option<usize>, ConfigError> {
    if !model.has_memory() {
        if asked.is_none() {
            return Ok(None);
        }
        let message = "truncate belongs to memories: attention has no state to cut gradients in";
        let help = "leave it out, or set mixer.kind = \"memory\"".to_owned();
        return Err(tree.error("train.truncate", message, Some(help)));
    }
    let settings = || model.memories().map(|(_, choice)| &choice.rule.settings);
    // Every memory ends a chunk after this number of tokens.
    let chunk = settings().fold(1, |all, one| lcm(all, one.chunk));
    let default = if settings().any(|one| !one.is_exact()) {
        TRUNCATE.next_multiple_of(chunk)
    } else {
        0
    };
    let every = asked.unwrap_or(default);
    let of = if settings().all(|one| one.chunk == chunk) {
        format!("a multiple of algorithm.chunk = {chunk}, or 0")
    } else {
        format!(
            "a multiple of {chunk}, the least common multiple of the chunks of all memories, or 0"
        )
    };
    require(
        tree,
        "train.truncate",
        every.is_multiple_of(chunk),
        &of,
        every,
    )?;
    Ok(Some(every))
}

/// The least common multiple.
fn lcm(a: usize, b: usize) -> usize {
    let (mut greatest, mut rest) = (a, b);
    while rest > 0 {
        (greatest, rest) = (rest, greatest % rest);
    }
    (a / greatest).saturating_mul(b)
}

/// Refuses twins of what has no memory, and of memories that are carried.
fn check_memory(
    tree: &mut Tree,
    config: &TrainConfig,
    model: Option<&ModelSpec>,
) -> Result<(), ConfigError> {
    if config.memory == Memory::Live {
        return Ok(());
    }
    let memory = config.memory;
    let (why, help) = if model.is_some_and(|model| !model.has_memory()) {
        (
            "is about memories, and this model has attention",
            "leave it out, or set mixer.kind = \"memory\"",
        )
    } else if config.state == StateRule::Carry {
        (
            "counts from the start of a row, and train.state = \"carry\" goes on from the row before",
            "leave it out, or set train.state = \"reset\"",
        )
    } else {
        return Ok(());
    };
    let message = format!("train.memory = \"{memory}\" {why}");
    tree.note(tree.error("train.memory", message, Some(help.to_owned())))
}

fn can_carry(tree: &Tree, data: &DataConfig, model: &ModelSpec) -> Result<(), ConfigError> {
    let refused = |why: &str, instead: &str| {
        let message = format!("train.state = \"carry\" {why}");
        let help = format!("set train.state = \"reset\", or {instead}");
        Err(tree.error("train.state", message, Some(help)))
    };
    if !data.targets().are_text() {
        let kind = data.kind();
        return refused(
            &format!(
                "needs data in order, but the sequences of data.kind = {kind:?} are independent"
            ),
            "data.kind = \"text\" or \"builtin\"",
        );
    }
    if let Some(mixer) = model.growing() {
        let why = format!(
            "needs a state of constant size, but that of mixer.kind = {:?} grows with every token",
            mixer.kind()
        );
        return refused(&why, "mixer.kind = \"memory\"");
    }
    Ok(())
}
