//! A deep memory of which the last map alone is written.

use std::sync::Arc;

use miras_core::{MemoryArchitecture, Program, ProgramError, typical};

/// A memory of which the last map alone is written: what comes before it are features of keys and
/// queries, whose weights the outer loop alone learns.
///
/// # Formula
/// `M(x) = [LN](n(φ(x)) W)`, of a memory `M(x) = [LN](φ(x) W)`; `n` divides by the Euclidean
/// length.
///
/// # Notes
/// The memory is linear in what is written, so that the exact forms of a matrix are there for it,
/// and it may start at zero. Features of length 1 are what these need to be stable.
#[derive(Debug, Clone)]
pub(crate) struct LastMap(Arc<dyn MemoryArchitecture>);

impl LastMap {
    /// Of a memory, or why it has no such map.
    pub(crate) fn new(memory: Arc<dyn MemoryArchitecture>) -> Result<Self, ProgramError> {
        typical(&*memory)?.split_before_last_map()?;
        Ok(Self(memory))
    }
}

impl MemoryArchitecture for LastMap {
    /// From features of `d_k`.
    fn program(&self, d_k: usize, d_v: usize) -> Result<Program, ProgramError> {
        // Features are as wide as keys or wider.
        let widths = (1..=d_k).rev();
        let mut found = widths.filter_map(|keys| {
            let program = self.0.program(keys, d_v).ok()?;
            let [_, rest] = program.split_before_last_map().ok()?;
            (rest.d_k() == d_k).then_some(rest)
        });
        found
            .next()
            .ok_or_else(|| ProgramError::new(format!("no width of keys gives {d_k} features")))
    }

    fn features(&self, d_k: usize, d_v: usize) -> Result<Option<Program>, ProgramError> {
        let [features, _] = self.0.program(d_k, d_v)?.split_before_last_map()?;
        Ok(Some(features))
    }

    /// Those of the memory, but for step sizes: what is written is not deep.
    fn hints(&self) -> toml::Table {
        let mut hints = self.0.hints();
        hints.remove("step_max");
        hints
    }

    fn config(&self) -> toml::Table {
        self.0.config()
    }
}
