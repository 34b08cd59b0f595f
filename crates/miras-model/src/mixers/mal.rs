//! Memory as a layer: a memory, and sliding-window attention over what it gives.

use burn::{module::Module, tensor::Tensor};
use miras_config::ConfigError;
use miras_engine::Probe;

use super::{
    Chunks, Listed, Tables, TokenMixer,
    attention::own_keys,
    wired::{TABLES, Wired, WiredSpec},
};
use crate::{ParameterGroups, Pass, StateLayout, StateTree, init::Init};

/// Memory as a layer (MAL): a memory, and behind it attention over a sliding window.
///
/// # Formula
/// `m = memory(x)`, `out = m + attention(RMSNorm(x + m))`: a residual around each.
///
/// # State
/// Those of the memory and of attention: it does not grow with the sequence, unless attention has no
/// window.
///
/// # Reference
/// Titans (arXiv 2501.00663), Eqs. 29 to 31, where the residuals are those of H3 (arXiv 2212.14052).
/// The learned tokens (`mixer.persistent`) of attention are its own, where in the paper it sees what
/// the memory gave for those before the sequence.
#[derive(Module, Debug)]
pub struct MalMixer {
    parts: Wired,
}

impl Listed for MalMixer {
    type Spec = WiredSpec;

    const SUMMARY: &'static str = "a memory followed by sliding-window attention (MAL)";

    const TABLES: &'static [&'static str] = TABLES;

    const VARIANTS: &'static [&'static str] = &[
        "[memory]\nkind = 'matrix'\n[algorithm]\nchunk = 4\n[attention]\nwindow = 4",
        "[mixer]\nquery = 'keys'\nconv = 1\n[memory]\nkind = 'matrix'\n[algorithm]\nchunk = 4\n[attention]\nwindow = 4",
        "[mixer]\nconv = 0\npersistent = 2\n[memory]\nkind = 'mlp'\n[algorithm]\nkind = 'gd'\nchunk = 4\n[attention]\nwindow = 2",
    ];

    fn own_keys() -> Vec<(&'static str, &'static [&'static str])> {
        own_keys()
    }

    fn take(tables: &mut Tables<'_>) -> Result<WiredSpec, ConfigError> {
        WiredSpec::take(tables, "mal", 1)
    }

    fn from_spec(init: &mut Init, name: &str, spec: &WiredSpec) -> Self {
        Self {
            parts: Wired::new(init, name, spec, "behind"),
        }
    }
}

impl TokenMixer for MalMixer {
    fn forward(
        &self,
        x: Tensor<3>,
        state: Option<StateTree>,
        pass: Pass,
    ) -> (Tensor<3>, StateTree, Option<Probe>) {
        let [memory, held] = self.parts.branches(state);
        let (recalled, memory, probe) = self.parts.memory.forward(x.clone(), memory, pass);
        let between = self.parts.norm(0, x + recalled.clone());
        let (attended, held, _) = self.parts.attention.forward(between, held, pass);
        let y = recalled + attended;
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
