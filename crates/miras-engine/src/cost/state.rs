//! The numbers that a memory carries along a sequence.

use miras_core::{MapSpec, Program};

use crate::{Rule, chunk_start::several_steps};

/// Numbers in the [`State`](crate::State) of one memory.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StateSize {
    /// The states of its maps.
    pub maps: usize,
    /// The algorithm's slots.
    pub slots: usize,
    /// The open chunk at its largest, one token before it closes; 0 in the exact form.
    pub open: usize,
}

impl StateSize {
    /// All of them.
    pub fn total(self) -> usize {
        self.maps + self.slots + self.open
    }
}

/// The state of one memory; `program` is that of the rule's memory at its widths.
pub fn state(rule: &Rule, program: &Program) -> StateSize {
    let all = program.maps();
    let maps = all.iter().map(MapSpec::weights).sum();
    let open = if rule.settings.is_exact() {
        0
    } else {
        let rows: usize = (all.iter())
            .map(|map| rule.keys() * map.rows * (map.d_in + map.d_out))
            .sum();
        let factors = rows * (1 + rule.settings.picard());
        let tokens = if several_steps(rule) {
            rule.keys() * program.d_k() + program.d_v()
        } else {
            0
        };
        let gates: usize = (rule.gates().iter())
            .map(|gate| gate.width(program.d_k(), program.d_v()))
            .sum();
        (rule.settings.chunk - 1) * (factors + gates + tokens)
    };
    StateSize {
        maps,
        slots: maps * rule.algorithm.slots(),
        open,
    }
}
