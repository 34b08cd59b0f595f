//! How a pass through a model makes memories do what [`Memory`] says.

use miras_model::{Ablation, Pass};
use miras_run::Memory;

/// A pass in which memories do this, through rows of `row` tokens; none where a text goes on without
/// an end.
///
/// # Panics
/// If the memory is frozen in the second half of a row and no length of a row is given.
pub fn memory_pass(memory: Memory, row: Option<usize>) -> Pass {
    Pass {
        ablation: match memory {
            Memory::Live => Ablation::None,
            Memory::Frozen => Ablation::Frozen,
            Memory::Reset => Ablation::Reset,
            Memory::Half => Ablation::FrozenFrom(row.expect("half of a row needs its length") / 2),
            Memory::Unread => Ablation::ReadZero,
        },
        ..Pass::default()
    }
}
