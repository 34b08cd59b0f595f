//! How a pass through a model makes memories do what [`Memory`] says.

use miras_model::{Ablation, Pass};
use miras_run::Memory;

/// A pass in which memories do this, through rows of `row` tokens.
pub fn memory_pass(memory: Memory, row: usize) -> Pass {
    Pass {
        ablation: match memory {
            Memory::Live => Ablation::None,
            Memory::Frozen => Ablation::Frozen,
            Memory::Reset => Ablation::Reset,
            Memory::Half => Ablation::FrozenFrom(row / 2),
            Memory::Unread => Ablation::ReadZero,
        },
        ..Pass::default()
    }
}
