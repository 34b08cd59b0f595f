//! The contract on a device.

use std::collections::BTreeSet;

use burn::tensor::{DType, Device};
use miras_engine::Rule;
use miras_registry::Registry;

use crate::{
    Case, Inputs, Measured, Run, cases, inputs::Size, largest_gap, operations, placed, run_dual,
    run_recurrence,
};

/// Every way through the engine: gradients at the chunk's start, refined with the weights of every
/// token written out where the link asks for it, and exact.
pub const FORMS: [&str; 3] = [
    "form = 'chunk_start'\nchunk = 3",
    "form = 'chunk_start'\nchunk = 3\npicard = 1\nread = 'exact'",
    "form = 'exact'\nchunk = 3",
];

/// The same at the default chunk.
const WIDE_FORMS: [&str; 3] = [
    "form = 'chunk_start'\nchunk = 64",
    "form = 'chunk_start'\nchunk = 64\npicard = 1\nread = 'exact'",
    "form = 'exact'\nchunk = 64",
];

/// The gap that is rounding in float32 for half of the small combinations.
pub const TYPICAL: f64 = 1e-5;
/// The same for 99 of 100.
pub const MOST: f64 = 2e-3;

/// What float32 may be off where nothing amplifies rounding.
pub const FLOOR: f64 = 1e-4;
/// How many times the rounding of its inputs alone a case may be off: rounding happens at every
/// step, and where a loss has a kink, a deep memory squares or Muon divides by a small norm, it is
/// amplified.
pub const AMPLIFIED: f64 = 10_000.0;
/// What no case may be off, however much it amplifies.
pub const LARGEST: f64 = 0.1;

/// Two chunks of three.
const SMALL: Size = Size {
    memories: crate::G,
    d_k: crate::D,
    d_v: crate::D,
    tokens: 6,
};
/// The sizes of models: a chunk of 64 and part of the next.
pub const WIDE: [Size; 2] = [
    Size {
        memories: 2,
        d_k: 16,
        d_v: 16,
        tokens: 96,
    },
    Size {
        memories: 1,
        d_k: 64,
        d_v: 64,
        tokens: 80,
    },
];

/// What a device was found to be.
#[derive(Debug, Clone, PartialEq)]
pub struct Checked {
    /// Combinations times forms, small and wide.
    pub cases: usize,
    /// Those of them with 64 tokens a chunk and memories of width 16 or 64.
    pub wide: usize,
    /// The gap that half of the small ones stay below.
    pub typical: f64,
    /// The gap that 99 of 100 of the small ones stay below.
    pub most: f64,
    /// The tolerance that half of all cases have less than.
    pub tolerance: f64,
    /// The case that is farthest off for its tolerance.
    pub worst: Wrong,
    /// Single operations of the tensor library.
    pub operations: Vec<Measured>,
}

impl Checked {
    /// Whether all that was found is rounding.
    pub fn is_right(&self) -> bool {
        self.typical < TYPICAL
            && self.most < MOST
            && self.worst.is_rounding()
            && self.wrong_operations().next().is_none()
    }

    /// The operations that are off by more than rounding.
    pub fn wrong_operations(&self) -> impl Iterator<Item = &Measured> {
        (self.operations.iter()).filter(|one| one.gap >= one.tolerance || one.gap.is_nan())
    }

    /// The operation that is farthest off for its tolerance.
    pub fn worst_operation(&self) -> &Measured {
        let share = |one: &Measured| one.gap / one.tolerance;
        (self.operations.iter())
            .max_by(|a, b| share(a).total_cmp(&share(b)))
            .expect("there are operations")
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
    /// The largest gap that is rounding here: it grows with what the rounding of the inputs alone
    /// does to the same case in float64.
    pub tolerance: f64,
}

impl Wrong {
    /// Whether it is off by no more than rounding.
    pub fn is_rounding(&self) -> bool {
        self.gap < self.tolerance
    }

    fn share(&self) -> f64 {
        self.gap / self.tolerance
    }
}

/// Runs the operations of the tensor library, every valid combination in every form that it has,
/// and every variant of every part at the sizes of models, in float32 on `device`, against float64
/// on the CPU; `watch` is told how many are done, and of how many.
///
/// The small combinations are compared with the recurrence. At the sizes of models that would take
/// minutes, so they are compared with the chunk form in float64, which the tests of this workspace
/// hold to the recurrence at the same size.
pub fn check(registry: &Registry, device: &Device, watch: &mut dyn FnMut(usize, usize)) -> Checked {
    let small: Vec<Case> = (FORMS.iter())
        .flat_map(|form| cases(registry, form))
        .collect();
    let wide: Vec<(Size, Case)> = (WIDE.iter())
        .flat_map(|size| wide_cases(registry).into_iter().map(|case| (*size, case)))
        .collect();
    let all = small.len() + wide.len();
    let mut done = 0;
    let mut one = |case: &Case, size: Size, truth: fn(&Rule, &Inputs) -> Run| {
        let found = check_case(case, size, truth, device);
        done += 1;
        watch(done, all);
        found
    };
    let mut gaps = Vec::with_capacity(small.len());
    let mut worst: Option<Wrong> = None;
    let mut tolerances = Vec::with_capacity(all);
    let mut keep = |found: Wrong| {
        tolerances.push(found.tolerance);
        let is_worse = |worst: &Wrong| found.share().total_cmp(&worst.share()).is_gt();
        if worst.as_ref().is_none_or(is_worse) {
            worst = Some(found);
        }
    };
    for case in &small {
        let found = one(case, SMALL, run_recurrence);
        gaps.push(found.gap);
        keep(found);
    }
    for (size, case) in &wide {
        keep(one(case, *size, |rule, inputs| run_dual(rule, inputs, &[])));
    }
    gaps.sort_by(f64::total_cmp);
    tolerances.sort_by(f64::total_cmp);
    Checked {
        cases: all,
        wide: wide.len(),
        typical: gaps[gaps.len() / 2],
        most: gaps[gaps.len() * 99 / 100],
        tolerance: tolerances[tolerances.len() / 2],
        worst: worst.expect("a registry has parts"),
        operations: operations(device),
    }
}

/// With 64 tokens a chunk, in every form, as few combinations as have every variant of every part
/// among them.
pub fn wide_cases(registry: &Registry) -> Vec<Case> {
    let mut chosen = Vec::new();
    for form in WIDE_FORMS {
        let mut seen = BTreeSet::new();
        for case in cases(registry, form) {
            let parts = case.name.split(" | ").enumerate();
            let new: Vec<_> = (parts.map(|(axis, part)| (axis, part.to_owned())))
                .filter(|part| !seen.contains(part))
                .collect();
            if !new.is_empty() {
                seen.extend(new);
                chosen.push(case);
            }
        }
    }
    chosen
}

/// One case in float32 on `device` against `truth` in float64 on the CPU.
pub fn check_case(
    case: &Case,
    size: Size,
    truth: fn(&Rule, &Inputs) -> Run,
    device: &Device,
) -> Wrong {
    let device = device.clone().autodiff();
    let inputs = Inputs::sized(&case.rule, size);
    let truth = truth(&case.rule, &inputs);
    let here = inputs.map(|x| placed(&x, (&device, DType::F32)));
    let gap = largest_gap(&run_dual(&case.rule, &here, &[]), &truth);
    // The same case in float64 with inputs that were rounded once.
    let cpu = Device::flex().autodiff();
    let rounded = inputs.map(|x| placed(&placed(&x, (&cpu, DType::F32)), (&cpu, DType::F64)));
    let amplified = largest_gap(&run_dual(&case.rule, &rounded, &[]), &truth);
    let Size { d_k, tokens, .. } = size;
    Wrong {
        case: format!("{}, width {d_k}, {tokens} tokens", case.name),
        what: gap.what,
        gap: gap.size,
        tolerance: (FLOOR + AMPLIFIED * amplified.size).min(LARGEST),
    }
}
