//! Layers with a memory and attention: their configuration, and what both have in common.

use burn::{
    module::Module,
    nn::RmsNorm,
    tensor::{Tensor, activation},
};
use miras_config::ConfigError;
use miras_core::Axis;
use miras_engine::cost::Flops;
use miras_registry::Choice;
use toml::Table;

use super::{
    AttentionMixer, AttentionSpec, Chunks, Listed, MIXER, MemoryMixer, MemorySpec, MixerKeys, Spec,
    Tables, attention::ATTENTION,
};
use crate::{
    ParameterGroup, ParameterGroups, StateLayout, StateTree, TokenMixer,
    cost::{Parameters, StateNumbers, of_norm},
    init::Init,
    norm::rms_norm,
};

/// The tables of such a layer beside `[mixer]`.
pub(super) const TABLES: &[&str] = &[
    Axis::Memory.table(),
    Axis::Bias.table(),
    Axis::Retention.table(),
    Axis::Algorithm.table(),
    ATTENTION,
];

/// The window of attention, if `attention.window` does not say otherwise.
const WINDOW: usize = 128;

/// A memory and attention over a sliding window.
///
/// `[mixer]` is that of the memory; attention has its heads, its convolution without an activation,
/// and as many persistent tokens of its own.
#[derive(Debug, Clone)]
pub struct WiredSpec {
    /// The memory.
    pub memory: MemorySpec,
    /// Attention.
    pub attention: AttentionSpec,
    /// Norms between them.
    norms: usize,
}

impl WiredSpec {
    /// Takes the tables of a layer of this kind, with so many norms between memory and attention.
    pub(super) fn take(
        tables: &mut Tables<'_>,
        kind: &str,
        norms: usize,
    ) -> Result<Self, ConfigError> {
        let keys = tables.attempt(MIXER, |mut section| {
            MixerKeys::take(&mut section)?.of_kind(kind, &section)
        });
        let attention = keys
            .as_ref()
            .map(|keys| AttentionSpec::beside(tables, keys, WINDOW));
        let memory = MemorySpec::with_keys(tables, keys)?;
        let attention = attention.unwrap_or_else(|| Err(tables.failed()))?;
        Ok(Self::new(memory, attention, norms))
    }

    pub(super) fn new(memory: MemorySpec, attention: AttentionSpec, norms: usize) -> Self {
        Self {
            memory,
            attention,
            norms,
        }
    }

    fn norms(&self) -> usize {
        self.norms * self.memory.dim()
    }
}

impl Spec for WiredSpec {
    fn keys(&self) -> &MixerKeys {
        &self.memory.keys
    }

    fn tables(&self) -> Vec<(&'static str, Table)> {
        let mut tables = self.memory.tables();
        tables.extend(self.attention.tables());
        tables
    }

    fn memories(&self) -> &[Choice] {
        self.memory.memories()
    }

    fn parameters(&self) -> Parameters {
        let mut parameters = self.memory.parameters();
        parameters.all += self.attention.parameters().all + self.norms();
        parameters
    }

    fn size(&self) -> f64 {
        self.memory.size() + self.attention.size()
    }

    fn flops(&self, tokens: usize) -> Flops {
        self.memory.flops(tokens) + self.attention.flops(tokens)
    }

    fn kept(&self, tokens: usize, kernels: bool) -> usize {
        // Behind the norms a sum, or a gate and its product.
        let around = self.norms() * (of_norm(kernels) + 1);
        self.memory.kept(tokens, kernels) + self.attention.kept(tokens, kernels) + tokens * around
    }

    fn again(&self, tokens: usize, kernels: bool) -> usize {
        self.memory.again(tokens, kernels)
    }

    fn is_fused(&self, tokens: usize) -> bool {
        self.memory.is_fused(tokens)
    }

    fn state(&self) -> StateNumbers {
        let [memory, attention] = [self.memory.state(), self.attention.state()];
        StateNumbers {
            fixed: memory.fixed + attention.fixed,
            per_token: attention.per_token,
        }
    }
}

/// The memory and the attention of a layer, and the norms between them.
#[derive(Module, Debug)]
pub(super) struct Wired {
    pub(super) memory: MemoryMixer,
    pub(super) attention: AttentionMixer,
    pub(super) norms: Vec<RmsNorm>,
    /// The branch of the state that is attention's.
    #[module(skip)]
    held: &'static str,
}

impl Wired {
    pub(super) fn new(init: &mut Init, name: &str, spec: &WiredSpec, held: &'static str) -> Self {
        let (of_memory, of_attention) = (format!("{name}.memory"), format!("{name}.attention"));
        Self {
            memory: MemoryMixer::from_spec(init, &of_memory, &spec.memory),
            attention: AttentionMixer::from_spec(init, &of_attention, &spec.attention),
            held,
            norms: (0..spec.norms)
                .map(|_| init.rms_norm(spec.memory.dim()))
                .collect(),
        }
    }

    /// `x` through one of the norms.
    pub(super) fn norm(&self, at: usize, x: Tensor<3>) -> Tensor<3> {
        rms_norm(&self.norms[at], x)
    }

    /// What attention gave, through the first norm already, gated by what the memory gave:
    /// `y ⊙ σ(RMSNorm(m))`.
    pub(super) fn gated(&self, y: Tensor<3>, m: Tensor<3>) -> Tensor<3> {
        y * activation::sigmoid(self.norm(1, m))
    }

    pub(super) fn groups(&self, groups: &mut ParameterGroups) {
        self.memory.groups(groups);
        self.attention.groups(groups);
        for norm in &self.norms {
            groups.put(ParameterGroup::Norm, &norm.gamma);
        }
    }

    /// The two branches of a state.
    pub(super) fn branches(&self, state: Option<StateTree>) -> [Option<StateTree>; 2] {
        let Some(mut state) = state else {
            return [None, None];
        };
        let branches = [MEMORY, self.held].map(|name| state.take_branch(name));
        state.assert_empty();
        branches.map(Some)
    }

    /// The state of two branches.
    pub(super) fn joined(&self, memory: StateTree, attention: StateTree) -> StateTree {
        let mut state = StateTree::default();
        state.insert_branch(MEMORY, memory);
        state.insert_branch(self.held, attention);
        state
    }

    pub(super) fn state_layout(&self, rows: usize, position: usize) -> StateLayout {
        let mut layout = StateLayout::default();
        layout.insert_branch(MEMORY, self.memory.state_layout(rows, position));
        layout.insert_branch(self.held, self.attention.state_layout(rows, position));
        layout
    }

    /// Where the tokens after `state` are in the chunks of the memory.
    pub(super) fn chunks(&self, state: Option<&StateTree>) -> Option<Chunks> {
        let memory = state.map(|state| state.clone().take_branch(MEMORY));
        self.memory.chunks(memory.as_ref())
    }

    /// What is read, by the names of the state.
    pub(super) fn names(&self) -> Vec<String> {
        let of = |branch: &str, names: Vec<String>| -> Vec<String> {
            names
                .iter()
                .map(|name| format!("{branch}.{name}"))
                .collect()
        };
        let mut names = of(MEMORY, self.memory.memory());
        names.extend(of(self.held, self.attention.memory()));
        names
    }
}

/// The branch of the state that is the memory's.
pub(super) const MEMORY: &str = "memory";
