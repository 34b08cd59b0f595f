//! The numbers that a memory carries along a sequence.

use miras_core::{MapSpec, Program};

use crate::{Past, Rule, carried, chunk_start::keeps_tokens};

/// Numbers in the [`State`](crate::State) of one memory.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StateSize {
    /// The states of its maps.
    pub maps: usize,
    /// The algorithm's slots.
    pub slots: usize,
    /// The tokens before it that are in its windows; 0 for an algorithm without a window.
    pub past: usize,
    /// What the step rules carry from token to token.
    pub carried: usize,
    /// The open chunk.
    pub open: usize,
}

impl StateSize {
    /// All of them.
    pub fn total(self) -> usize {
        self.maps + self.slots + self.past + self.carried + self.open
    }
}

/// The state of one memory with `open` tokens in its open chunk; `program` is that of the rule's
/// memory at its widths.
pub fn state(rule: &Rule, program: &Program, open: usize) -> StateSize {
    let all = program.maps();
    let maps = all.iter().map(MapSpec::weights).sum();
    let tokens = rule.keys() * program.d_k() + program.d_v();
    let gates: usize = (rule.gates().iter())
        .map(|gate| gate.width(program.d_k(), program.d_v()))
        .sum();
    let past = Past::tokens(rule);
    let rows: usize = (all.iter())
        .map(|map| rule.keys() * map.rows * (map.d_in + map.d_out))
        .sum();
    let factors = rows * (1 + rule.settings.picard());
    let own = factors + gates + if keeps_tokens(rule) { tokens } else { 0 };
    let open = match open {
        0 => 0,
        open => open * own + past * factors,
    };
    StateSize {
        maps,
        slots: slots(rule, program),
        past: past * (tokens + gates),
        carried: carried::numbers(rule),
        open,
    }
}

/// Numbers in the slots of all maps.
pub(crate) fn slots(rule: &Rule, program: &Program) -> usize {
    let numbers = program.maps().iter().map(|map| {
        let [rows, columns] = rule.algorithm.slot_shape([map.d_in, map.d_out]);
        rows * columns
    });
    rule.algorithm.slots() * numbers.sum::<usize>()
}
