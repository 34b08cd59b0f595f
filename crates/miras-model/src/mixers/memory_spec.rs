//! The configuration of a memory layer.

use std::fmt;

use miras_config::ConfigError;
use miras_core::{GateSpec, MapSpec, Program, ProgramError, RETENTION, Side};
use miras_engine::{
    State,
    cost::{self, Flops, Needs::Both},
};
use miras_registry::{Choice, Learn, StartKind, Target};
use toml::Table;

use super::{
    keys::{KeySource, MixerKeys, QkNorm, QuerySource},
    list::{MIXER, Spec, Tables},
    widths::Widths,
};
use crate::cost::{Parameters, StateNumbers};

/// A memory of the four axes in a layer.
#[derive(Debug, Clone)]
pub struct MemorySpec {
    /// `[mixer]`.
    pub keys: MixerKeys,
    /// The parts of the four axes.
    pub choice: Choice,
    /// Width of the residual stream.
    dim: usize,
}

/// A gate `f(z)` of a token and head, with what makes it from its projection.
const GATE: usize = 6;

impl MemorySpec {
    /// A layer of width `dim`.
    pub fn new(dim: usize, keys: MixerKeys, choice: Choice) -> Result<Self, MixerError> {
        let heads = keys.heads;
        let splits = choice.dim.is_some() || keys.unequal_heads(dim).is_none();
        if dim == 0 || heads == 0 || !splits {
            return Err(MixerError::Sizes { dim, heads });
        }
        if let Some((key, message)) = keys.mistakes().into_iter().next() {
            return Err(MixerError::Key { key, message });
        }
        if let Some((key, message)) = complement_fault(&keys, &choice) {
            let message = message.to_owned();
            return Err(MixerError::Key { key, message });
        }
        if needs_unit_keys(&keys, &choice) {
            let (key, message) = ("qk_norm", UNIT_KEYS.to_owned());
            return Err(MixerError::Key { key, message });
        }
        let spec = Self { keys, choice, dim };
        if spec.has_idle_rank() {
            let (key, message) = ("gate_rank", NO_CHANNELS.to_owned());
            return Err(MixerError::Key { key, message });
        }
        let (d_k, d_v) = (spec.d_k(), spec.d_v());
        let memory = &spec.choice.rule.memory;
        let program = (memory.features(d_k, d_v))
            .and_then(|features| memory.program(width_of(features.as_ref(), d_k), d_v));
        match program {
            Ok(_) => Ok(spec),
            Err(error) => Err(MixerError::Memory { d_k, d_v, error }),
        }
    }

    /// Takes `[mixer]` and the tables of the four axes.
    pub(super) fn take(tables: &mut Tables<'_>) -> Result<Self, ConfigError> {
        let keys = tables.attempt(MIXER, |mut section| {
            MixerKeys::take(&mut section)?.of_kind("memory", &section)
        });
        Self::with_keys(tables, keys)
    }

    /// Takes the tables of the four axes beside what was read of `[mixer]`.
    pub(super) fn with_keys(
        tables: &mut Tables<'_>,
        keys: Option<MixerKeys>,
    ) -> Result<Self, ConfigError> {
        let choice = tables.choice();
        let (Some(keys), choice, dim) = (keys, choice?, tables.dim()?) else {
            return Err(tables.failed());
        };
        if choice.dim.is_none()
            && let Some((message, help)) = keys.unequal_heads(dim)
        {
            return Err(tables.section(MIXER).error("heads", message, Some(help)));
        }
        if needs_unit_keys(&keys, &choice) {
            let help =
                "use mixer.qk_norm = \"l2\", or algorithm.form = \"chunk_start\" with its load cap";
            let help = Some(help.to_owned());
            return Err(tables.section(MIXER).error("qk_norm", UNIT_KEYS, help));
        }
        if let Some((key, message)) = complement_fault(&keys, &choice) {
            return Err(tables.section(MIXER).error(key, message, None));
        }
        if !choice.rule.settings.chunk.is_multiple_of(keys.writes) {
            let message = format!(
                "chunks of {} writes do not end with a token that makes {}",
                choice.rule.settings.chunk, keys.writes
            );
            let help = "chunks are counted in writes: set algorithm.chunk to a multiple".to_owned();
            return Err(tables.section(MIXER).error("writes", message, Some(help)));
        }
        let spec = Self { keys, choice, dim };
        if spec.has_idle_rank() {
            let help = "set retention.channels or algorithm.channels, or leave it out".to_owned();
            let section = tables.section(MIXER);
            return Err(section.error("gate_rank", NO_CHANNELS, Some(help)));
        }
        tables.check_program(&spec.choice, spec.d_k(), spec.d_v())?;
        Ok(spec)
    }

    /// The same layer with its memories at other chunk lengths.
    pub(super) fn with_choice(&self, choice: Choice) -> Self {
        Self {
            choice,
            ..self.clone()
        }
    }

    /// Width of the residual stream.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// Width of each head's queries and keys.
    pub fn d_k(&self) -> usize {
        (self.choice.dim).unwrap_or_else(|| self.dim / self.keys.heads)
    }

    /// Width of each head's values.
    pub fn d_v(&self) -> usize {
        self.choice.value_dim.unwrap_or_else(|| self.d_k())
    }

    /// What keys and queries go through on their way to each of its memories, if anything.
    ///
    /// # Panics
    /// As [`program`](Self::program).
    pub fn features(&self) -> Option<Program> {
        let features = self.choice.rule.memory.features(self.d_k(), self.d_v());
        features.expect("checked with the configuration")
    }

    /// The program of each of its memories.
    ///
    /// # Panics
    /// If the part on the memory axis was changed to one that has none at these widths.
    pub fn program(&self) -> Program {
        let width = width_of(self.features().as_ref(), self.d_k());
        let program = self.choice.rule.memory.program(width, self.d_v());
        program.expect("checked with the configuration")
    }

    pub(super) fn widths(&self) -> Widths {
        let (d_k, d_v) = (self.d_k(), self.d_v());
        let (of_keys, writes) = (self.keys.of_keys() * d_k, self.keys.writes);
        let of_queries = match self.keys.query {
            QuerySource::Projected => of_keys,
            QuerySource::Keys => 0,
        };
        Widths {
            dim: self.dim,
            qkv: [
                of_queries,
                writes * of_keys,
                writes * self.keys.of_values() * d_v,
            ],
            d_k,
            d_v,
            inner: self.keys.heads * d_v,
        }
    }

    /// Features of the projection that queries come of: theirs or, where those are keys, that of keys.
    pub(super) fn read_with(&self) -> usize {
        let [of_queries, of_keys, _] = self.widths().qkv;
        match self.keys.query {
            QuerySource::Projected => of_queries,
            QuerySource::Keys => of_keys,
        }
    }

    /// Numbers in the state of one of its memories at the beginning of a chunk.
    pub(super) fn closed(&self) -> usize {
        cost::state(&self.choice.rule, &self.program(), 0).total()
    }

    /// The gates of the four parts; the decay of complementary keys is made of the keys' projection.
    pub(super) fn gates(&self) -> Vec<GateSpec> {
        let mut gates = self.choice.rule.gates();
        if self.keys.key == KeySource::Complement {
            let decay = gates.iter_mut().find(|gate| gate.name == RETENTION);
            let decay = decay.expect("checked with the configuration");
            decay.source = Some(KEY);
        }
        gates
    }

    /// Numbers a head and write of the gates for which `of` holds.
    fn gate_widths(&self, of: impl Fn(&GateSpec) -> bool) -> usize {
        let gates = self.gates();
        let width = width_of(self.features().as_ref(), self.d_k());
        (gates.iter().filter(|gate| of(gate)))
            .map(|gate| gate.width(width, self.d_v()))
            .sum()
    }

    /// Whether the projection of a gate is a product of two: a gate of channels, where those have a
    /// rank.
    pub(super) fn has_factors(&self, gate: &GateSpec) -> bool {
        self.keys.gate_rank > 0 && gate.has_projection() && gate.channels.is_some()
    }

    /// Whether there is a rank, and no gate that has it.
    fn has_idle_rank(&self) -> bool {
        let mut gates = self.gates().into_iter();
        self.keys.gate_rank > 0 && !gates.any(|gate| self.has_factors(&gate))
    }

    /// Numbers a head that are projected for gates in one product.
    fn projected(&self) -> usize {
        let is_full = |gate: &GateSpec| gate.has_projection() && !self.has_factors(gate);
        self.keys.writes * self.gate_widths(is_full)
    }

    /// Gates that are projected in two products, and the numbers a head of them all.
    fn factored(&self) -> [usize; 2] {
        let gates = self.gates();
        let count = gates.iter().filter(|gate| self.has_factors(gate)).count();
        let width = self.gate_widths(|gate| self.has_factors(gate));
        [count, self.keys.writes * width]
    }

    /// Coefficients of the polynomial of queries and keys.
    pub(super) fn degrees(&self) -> usize {
        match self.keys.polynomial {
            1 => 0,
            degrees => degrees,
        }
    }

    /// Parameters of gates.
    fn of_gates(&self) -> usize {
        let gates = self.choice.rule.gates();
        let rates = gates.iter().filter(|gate| gate.map.has_rate()).count();
        let ([count, width], rank) = (self.factored(), self.keys.gate_rank);
        let own = self.projected() * (self.dim + 1) + width * (rank + 1) + rates;
        self.keys.heads * own + count * self.dim * rank
    }

    /// Parameters of projections, convolutions, norms and gates.
    fn around(&self) -> usize {
        let has_erase_key = usize::from(self.choice.rule.bias.has_erase_key());
        let erase = self.keys.of_keys() * self.d_k() * has_erase_key;
        let own = self.keys.persistent * self.dim + self.keys.heads * usize::from(self.keys.skip);
        self.widths().parameters(&self.keys) + self.of_gates() + erase + own + self.degrees()
    }
}

/// What a further memory costs that has the queries, keys and values of another.
impl MemorySpec {
    /// Its parameters: its gates and what it begins with.
    pub(super) fn further_parameters(&self) -> Parameters {
        let program = self.program();
        let weights: usize = program.maps().iter().map(MapSpec::weights).sum();
        let gains: usize = program.gains().iter().map(|gain| gain.d).sum();
        let own = match self.choice.start {
            StartKind::Zero => gains,
            StartKind::Learned => gains + weights,
        };
        let memory = self.keys.heads * own;
        Parameters {
            all: self.of_gates() + memory,
            memory,
            fast: self.keys.heads * weights,
        }
    }

    /// About how many these are.
    pub(super) fn further_size(&self) -> f64 {
        let program = self.program();
        let maps = program.maps().iter();
        let memory: f64 = maps.map(|map| map.d_in as f64 * map.d_out as f64).sum();
        self.of_gates() as f64 + self.keys.heads as f64 * memory
    }

    /// Its products over a sequence of `tokens` tokens.
    pub(super) fn further_flops(&self, tokens: usize) -> Flops {
        let (heads, rank, [count, width]) = (self.keys.heads, self.keys.gate_rank, self.factored());
        let product = |d_in, d_out| Flops::product(tokens, d_in, d_out, Both);
        let gates = product(self.dim, self.projected() * heads + count * rank)
            + product(rank, width * heads);
        let writes = tokens * self.keys.writes;
        let memory = cost::flops(&self.choice.rule, &self.program(), writes);
        gates + memory * heads as f64
    }

    /// What it keeps of such a sequence.
    pub(super) fn further_kept(&self, tokens: usize, kernels: bool) -> usize {
        let writes = self.keys.writes;
        let gates = GATE * writes * self.gate_widths(|_| true);
        let memory = cost::kept(&self.choice.rule, &self.program(), writes * tokens, kernels);
        // What is between the factors of a projection.
        let [count, _] = self.factored();
        self.keys.heads * (tokens * gates + memory) + tokens * count * self.keys.gate_rank
    }

    /// Numbers in its state after the last token but one of a chunk.
    pub(super) fn further_state(&self) -> usize {
        // A chunk ends with the last write of a token.
        let rule = &self.choice.rule;
        let last = rule.settings.chunk.saturating_sub(self.keys.writes);
        let open = State::open_after(rule, last);
        self.keys.heads * cost::state(rule, &self.program(), open).total()
    }
}

/// The width of keys on their way into a program.
fn width_of(features: Option<&Program>, d_k: usize) -> usize {
    features.map_or(d_k, Program::d_v)
}

/// Weights and gains of features.
fn learned_in(features: Option<&Program>) -> usize {
    features.map_or(0, |features| {
        let weights: usize = features.maps().iter().map(MapSpec::weights).sum();
        weights + features.gains().iter().map(|gain| gain.d).sum::<usize>()
    })
}

/// The projection that the decay of complementary keys reads.
pub(super) const KEY: &str = "key";

/// Why the keys of a layer cannot be those of its decay.
fn complement_fault(keys: &MixerKeys, choice: &Choice) -> Option<(&'static str, &'static str)> {
    if keys.key == KeySource::Projected {
        return None;
    }
    if keys.query == QuerySource::Keys {
        let message = "queries that are keys are those of a projection: use mixer.key = \"projected\", or leave mixer.query out";
        return Some(("query", message));
    }
    let gates = choice.rule.gates();
    let is_of_keys = |gate: &GateSpec| gate.channels == Some(Side::Key) && gate.has_projection();
    let decay = gates.iter().find(|gate| gate.name == RETENTION);
    let message = if !decay.is_some_and(is_of_keys) {
        "keys that are the complement of a decay need one of every key channel: retention.channels = \"key\" with a gate"
    } else if choice.rule.bias.has_erase_key() {
        "a bias with an erase key has keys of its own: use mixer.key = \"projected\""
    } else if choice.learn == Learn::Last {
        "keys that are the complement of a decay go through no map: use memory.learn = \"all\""
    } else if keys.polynomial > 1 {
        "keys that are the complement of a decay are those of its projection: leave mixer.polynomial out"
    } else if keys.writes > 1 {
        "keys that are the complement of a decay are those of the one write that decays: leave mixer.writes out"
    } else if keys.of_keys() != keys.heads {
        "keys that are the complement of a decay are those of each head: leave mixer.key_heads out"
    } else if choice.target == Target::Next {
        "keys that are the complement of a decay are those of the token that decays: use bias.target = \"same\""
    } else {
        return None;
    };
    Some(("key", message))
}

/// Why a rank is refused.
const NO_CHANNELS: &str =
    "gate_rank is that of gates with a value for every channel, and these parts project none";

/// Why keys of any length are refused.
const UNIT_KEYS: &str =
    "the exact rule compares what it recalls, which is stable for keys of length 1 only";

fn needs_unit_keys(keys: &MixerKeys, choice: &Choice) -> bool {
    let rule = &choice.rule;
    let compares = rule.bias.slope() != Some(0.0);
    let is_unit = choice.learn == Learn::Last
        || keys.qk_norm == QkNorm::L2 && keys.key == KeySource::Projected;
    !is_unit && rule.settings.is_exact() && compares
}

impl Spec for MemorySpec {
    fn keys(&self) -> &MixerKeys {
        &self.keys
    }

    fn tables(&self) -> Vec<(&'static str, Table)> {
        self.choice.tables()
    }

    fn memories(&self) -> &[Choice] {
        std::slice::from_ref(&self.choice)
    }

    fn parameters(&self) -> Parameters {
        let own = self.further_parameters();
        let features = self.keys.heads * learned_in(self.features().as_ref());
        Parameters {
            all: self.around() + own.memory + features,
            memory: own.memory + features,
            fast: own.fast,
        }
    }

    fn size(&self) -> f64 {
        let shared = (self.around() - self.of_gates()) as f64;
        let features = learned_in(self.features().as_ref()) as f64;
        shared + self.further_size() + self.keys.heads as f64 * features
    }

    fn flops(&self, tokens: usize) -> Flops {
        let tokens = tokens + self.keys.persistent;
        let writes = tokens * self.keys.writes;
        // Keys, and queries that are not those, through each of their maps.
        let both = self.widths().queries_and_keys();
        let of_features: Flops = (self.features().iter())
            .flat_map(Program::maps)
            .map(|map| Flops::product(both * writes * map.rows, map.d_in, map.d_out, Both))
            .sum();
        self.widths().flops(&self.keys, tokens)
            + self.further_flops(tokens)
            + of_features * self.keys.heads as f64
    }

    fn kept(&self, tokens: usize, kernels: bool) -> usize {
        let writes = self.keys.writes;
        // An erase key before and after its norm.
        let has_erase_key = usize::from(self.choice.rule.bias.has_erase_key());
        let erase = 2 * self.keys.of_keys() * self.d_k() * has_erase_key;
        // Each power of a feature, and its product with a coefficient.
        let [of_q, of_k, _] = self.widths().qkv;
        // Of the features of keys and queries: what enters a map, what leaves it, and what comes of
        // that; then their division by their length.
        let of_features: usize = (self.features().iter())
            .flat_map(|features| {
                let maps = features.maps().iter();
                maps.map(|map| map.rows * (map.d_in + 3 * map.d_out))
                    .chain([features.d_v()])
            })
            .sum();
        let both = self.widths().queries_and_keys();
        let of_features = both * writes * self.keys.heads * of_features;
        let powers = 2 * self.degrees() * (of_q + of_k);
        tokens * (self.widths().kept(&self.keys, kernels) + erase + powers + of_features)
            + self.further_kept(tokens, kernels)
            + tokens * self.widths().inner * usize::from(self.keys.skip)
    }

    fn again(&self, tokens: usize, kernels: bool) -> usize {
        let writes = tokens * self.keys.writes;
        let one = cost::again(&self.choice.rule, &self.program(), writes, kernels);
        self.keys.heads * one
    }

    fn is_fused(&self, tokens: usize) -> bool {
        miras_engine::is_fused(
            &self.choice.rule,
            &self.program(),
            tokens * self.keys.writes,
        )
    }

    fn state(&self) -> StateNumbers {
        // Keys under which the next token writes.
        let keys = match self.choice.target {
            Target::Same => 0,
            Target::Next => self.keys.writes * self.choice.rule.keys() * self.program().d_k(),
        };
        let tails = self.widths().tails(&self.keys) + self.keys.heads * keys;
        StateNumbers {
            fixed: tails + self.further_state(),
            per_token: 0,
        }
    }
}

/// Why no layer can be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MixerError {
    /// Nothing to mix, or heads of different widths.
    Sizes {
        /// The layer's width.
        dim: usize,
        /// Its memories.
        heads: usize,
    },
    /// A key of the layer has a value that cannot be.
    Key {
        /// Its name.
        key: &'static str,
        /// Why not.
        message: String,
    },
    /// The memory has no program for keys and values of these widths.
    Memory {
        /// Features of each head's keys.
        d_k: usize,
        /// Features of each head's values.
        d_v: usize,
        /// What its program lacks.
        error: ProgramError,
    },
}

impl fmt::Display for MixerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sizes { dim, heads } if *dim == 0 || *heads == 0 => {
                write!(f, "a layer of width {dim} with {heads} heads mixes nothing")
            }
            Self::Sizes { dim, heads } => write!(
                f,
                "the width {dim} is not a multiple of {heads} heads; `memory.dim` sets another width a head"
            ),
            Self::Key { message, .. } => write!(f, "{message}"),
            Self::Memory { d_k, d_v, error } => write!(
                f,
                "the memory cannot have keys of {d_k} features and values of {d_v}: {error}; `memory.dim` and `memory.value_dim` set other widths a head"
            ),
        }
    }
}

impl std::error::Error for MixerError {}
