//! Mixers: what mixes the tokens of a block.
//!
//! A mixer is a file in this folder that implements [`TokenMixer`] and has its configuration, and a
//! line of the list below: `docs/adding-a-part.md`.

#[macro_use]
mod list;

mod attention;
mod keys;
mod memory;
mod memory_spec;
mod widths;

use burn::{module::Module, tensor::Tensor};
use miras_config::ConfigError;
use miras_engine::{Probe, cost::Flops};
use miras_registry::Choice;
use toml::{Table, Value};

pub(crate) use self::list::{Listed, MIXER, Spec, Tables, shared_keys};
pub use self::{
    attention::{AttentionKeys, AttentionMixer, AttentionSpec},
    keys::{ConvActivation, MixerKeys, OutputGate, OutputNorm, QkNorm},
    memory::MemoryMixer,
    memory_spec::{MemorySpec, MixerError},
};

use crate::{
    ParameterGroups, Pass, StateLayout, StateTree,
    cost::{Parameters, StateNumbers},
    init::Init,
};

mixers! {
    /// A memory of the four axes.
    "memory" => Memory(MemoryMixer, MemorySpec),
    /// Causal attention.
    "attention" => Attention(AttentionMixer, AttentionSpec),
}

impl MixerSpec {
    /// `[mixer]` but for its kind.
    pub fn keys(&self) -> &MixerKeys {
        self.spec().keys()
    }

    /// Its memories, in the order of computation; none in attention.
    pub fn memories(&self) -> &[Choice] {
        self.spec().memories()
    }

    /// Numbers in the state of one sequence.
    pub fn state(&self) -> StateNumbers {
        self.spec().state()
    }

    /// Its parameters.
    pub fn parameters(&self) -> Parameters {
        self.spec().parameters()
    }

    pub(crate) fn flops(&self, tokens: usize) -> Flops {
        self.spec().flops(tokens)
    }

    pub(crate) fn kept(&self, tokens: usize) -> usize {
        self.spec().kept(tokens)
    }

    /// About how many parameters it has, if that may be more than can be counted.
    pub(crate) fn size(&self) -> f64 {
        self.spec().size()
    }

    /// Its tables, complete, as they would be written in a config.
    pub fn tables(&self) -> Vec<(&'static str, Table)> {
        let mut mixer = Table::from_iter([("kind".to_owned(), Value::from(self.kind()))]);
        mixer.extend(Table::try_from(self.keys()).expect("settings are a TOML table"));
        let mut tables = vec![(MIXER, mixer)];
        tables.extend(self.spec().tables());
        tables
    }
}

/// Mixes the tokens of a sequence.
///
/// An output depends on its own and on earlier tokens alone, and a sequence in pieces, with the
/// state carried from each to the next, gives the outputs of the sequence in one pass.
pub trait TokenMixer: Module {
    /// Mixes tokens, from `state` on (none at the beginning of a sequence); gives the outputs, the
    /// state after the last token and, where the pass asks for it, what a memory did.
    ///
    /// # Shapes
    /// `x`, result: `[b, t, d]`.
    ///
    /// # Panics
    /// If `x` has no token, or `state` is that of another mixer or of another number of rows.
    fn forward(
        &self,
        x: Tensor<3>,
        state: Option<StateTree>,
        pass: Pass,
    ) -> (Tensor<3>, StateTree, Option<Probe>);

    /// The tensors of the state of `rows` batch rows after `position` tokens.
    fn state_layout(&self, rows: usize, position: usize) -> StateLayout;

    /// The names of the tensors of the state that hold what was read, in the order of
    /// computation.
    fn memory(&self) -> Vec<String>;

    /// Where the tokens after `state` are in chunks; none for a mixer without chunks.
    fn chunks(&self, _state: Option<&StateTree>) -> Option<Chunks> {
        None
    }

    /// Puts every parameter into its group.
    fn groups(&self, groups: &mut ParameterGroups);
}

/// Where the tokens of a pass are in chunks; a [`Probe`] lists its values in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chunks {
    /// Memories per batch row.
    pub memories: usize,
    /// Tokens per chunk.
    pub len: usize,
    /// Tokens of the first chunk that earlier passes brought.
    pub open: usize,
}

/// The panic message for an input without rows or tokens.
pub(crate) const NO_TOKEN: &str = "a layer needs at least one row and one token";
