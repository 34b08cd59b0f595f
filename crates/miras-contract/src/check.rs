//! The contract on a device.

use burn::tensor::{DType, Device};
use miras_registry::Registry;

use crate::{Case, Inputs, cases, largest_gap, placed, run_dual, run_recurrence};

/// Every way through the engine: gradients at the chunk's start, swept with the weights of every
/// token written out where the link asks for it, and exact.
pub const FORMS: [&str; 3] = [
    "form = 'chunk_start'\nchunk = 3",
    "form = 'chunk_start'\nchunk = 3\nsweeps = 1\nread = 'exact'",
    "form = 'exact'\nchunk = 3",
];

/// The gap that is rounding in float32 for half of the combinations.
pub const TYPICAL: f64 = 1e-5;
/// The same for 99 of 100.
pub const MOST: f64 = 2e-3;
/// The same for all: where a loss has a kink or a deep memory squares, rounding is amplified.
pub const WORST: f64 = 0.1;

/// Two chunks of three.
const TOKENS: usize = 6;

/// What a device was found to be.
#[derive(Debug, Clone, PartialEq)]
pub struct Checked {
    /// Combinations times forms.
    pub cases: usize,
    /// The gap that half of them stay below.
    pub typical: f64,
    /// The gap that 99 of 100 stay below.
    pub most: f64,
    /// The largest gap of all, and whose it is.
    pub worst: Wrong,
}

impl Checked {
    /// Whether all that was found is rounding.
    pub fn is_right(&self) -> bool {
        self.typical < TYPICAL && self.most < MOST && self.worst.gap < WORST
    }
}

/// A case and how far it is off.
#[derive(Debug, Clone, PartialEq)]
pub struct Wrong {
    /// The combination.
    pub case: String,
    /// An output, a state or a gradient.
    pub what: String,
    /// Relative to the size of the reference.
    pub gap: f64,
}

/// Runs every valid combination, in every form that it has, in float32 on `device`, against the
/// recurrence in float64 on the CPU; `watch` is told how many are done, and of how many.
///
pub fn check(registry: &Registry, device: &Device, watch: &mut dyn FnMut(usize, usize)) -> Checked {
    let all: Vec<Case> = FORMS
        .iter()
        .flat_map(|form| cases(registry, form))
        .collect();
    let mut found = Vec::with_capacity(all.len());
    for case in &all {
        found.push(check_one(case, device));
        watch(found.len(), all.len());
    }
    found.sort_by(|a, b| a.gap.total_cmp(&b.gap));
    let (typical, most) = (
        found[found.len() / 2].gap,
        found[found.len() * 99 / 100].gap,
    );
    let worst = found.pop().expect("a registry has parts");
    Checked {
        cases: all.len(),
        typical,
        most,
        worst,
    }
}

fn check_one(case: &Case, device: &Device) -> Wrong {
    let device = device.clone().autodiff();
    let inputs = Inputs::new(&case.rule, TOKENS);
    let truth = run_recurrence(&case.rule, &inputs);
    let here = inputs.map(|x| placed(&x, (&device, DType::F32)));
    let gap = largest_gap(&run_dual(&case.rule, &here, &[]), &truth);
    Wrong {
        case: case.name.clone(),
        what: gap.what,
        gap: gap.size,
    }
}
