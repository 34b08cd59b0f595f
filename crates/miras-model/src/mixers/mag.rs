//! Memory as a gate: sliding-window attention, gated with what the memory gives.

use burn::{module::Module, tensor::Tensor};
use miras_config::ConfigError;
use miras_engine::Probe;

use super::{
    Chunks, Listed, Tables, TokenMixer,
    attention::own_keys,
    wired::{TABLES, Wired, WiredSpec},
};
use crate::{ParameterGroups, Pass, StateLayout, StateTree, init::Init};

/// Memory as a gate (MAG): attention over a sliding window, gated with what the memory gives.
///
/// # Formula
/// `out = RMSNorm(attention(x)) ⊙ σ(RMSNorm(memory(x)))`, both with their output projections.
///
/// # State
/// Those of the memory and of attention: it does not grow with the sequence, unless attention has no
/// window.
///
/// # Reference
/// Titans (arXiv 2501.00663), Eqs. 26 to 28: "normalise both with learnable vector weights, then a
/// non-linearity", which is a sigmoid here. The learned tokens (`mixer.persistent`) of memory and
/// attention are their own, where the paper has the same ones in both.
#[derive(Module, Debug)]
pub struct MagMixer {
    parts: Wired,
}

impl Listed for MagMixer {
    type Spec = WiredSpec;

    const SUMMARY: &'static str = "sliding-window attention gated with a memory (MAG)";

    const TABLES: &'static [&'static str] = TABLES;

    const VARIANTS: &'static [&'static str] = &[
        "[memory]\nkind = 'matrix'\n[algorithm]\nchunk = 4\n[attention]\nwindow = 3",
        "[mixer]\npersistent = 3\n[memory]\nkind = 'mlp'\n[algorithm]\nchunk = 4\n[attention]\nwindow = 0",
        "[mixer]\nquery = 'keys'\n[memory]\nkind = 'matrix'\n[algorithm]\nchunk = 4\n[attention]\nwindow = 3",
        "[memory]\nkind = 'matrix'\n[bias]\ntarget = 'next'\n[algorithm]\nchunk = 4\n[attention]\nwindow = 3",
    ];

    fn own_keys() -> Vec<(&'static str, &'static [&'static str])> {
        own_keys()
    }

    fn take(tables: &mut Tables<'_>) -> Result<WiredSpec, ConfigError> {
        WiredSpec::take(tables, "mag", 2)
    }

    fn from_spec(init: &mut Init, name: &str, spec: &WiredSpec) -> Self {
        Self {
            parts: Wired::new(init, name, spec, "beside"),
        }
    }
}

impl TokenMixer for MagMixer {
    fn forward(
        &self,
        x: Tensor<3>,
        state: Option<StateTree>,
        pass: Pass,
    ) -> (Tensor<3>, StateTree, Option<Probe>) {
        let [memory, held] = self.parts.branches(state);
        let (recalled, memory, probe) = self.parts.memory.forward(x.clone(), memory, pass);
        let (attended, held, _) = self.parts.attention.forward(x, held, pass);
        let y = self.parts.norm(0, attended);
        let y = self.parts.gated(y, recalled);
        (y, self.parts.joined(memory, held), probe)
    }

    fn state_layout(&self, rows: usize, position: usize) -> StateLayout {
        self.parts.state_layout(rows, position)
    }

    fn memory(&self) -> Vec<String> {
        self.parts.names()
    }

    fn chunks(&self, state: Option<&StateTree>) -> Option<Chunks> {
        self.parts.chunks(state)
    }

    fn groups(&self, groups: &mut ParameterGroups) {
        self.parts.groups(groups);
    }
}
