//! What a mixer does.

use burn::{module::Module, tensor::Tensor};
use miras_engine::Probe;

use crate::{ParameterGroups, Pass, StateLayout, StateTree};

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

/// Where the tokens of a pass are in chunks; a [`Probe`] lists its values in this order. A token that
/// writes several times counts as many tokens here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chunks {
    /// Memories per batch row.
    pub memories: usize,
    /// Tokens per chunk.
    pub len: usize,
    /// Tokens of the first chunk that earlier passes brought.
    pub open: usize,
    /// Other memories of the layer, with chunks of their own: a [`Probe`] lists their values behind
    /// those of the first.
    pub others: usize,
}

/// The panic message for an input without rows or tokens.
pub(crate) const NO_TOKEN: &str = "a layer needs at least one row and one token";
