//! The contract's tools over the built-in registry.

use std::{collections::BTreeSet, sync::Arc};

use burn::tensor::Device;
use miras_config::{ConfigError, Layers};
use miras_contract::Case;
use miras_core::Program;
use miras_engine::Rule;
use miras_registry::{Choice, Registry};

pub(crate) use miras_contract::{
    FORMS, G, Inputs, assert_same, difference, noise, numbers, run_cut_off, run_dual,
    run_recurrence, run_truncated, tensor,
};

/// Steps through a rule that carries a number along the sequence, in every way through the engine.
pub(crate) const GATED: [&str; 3] = [
    "form = 'chunk_start'\nchunk = 3\nsurprise_threshold = 0.4\nsurprise_softness = 0.3\nsurprise_average = 0.7",
    "form = 'chunk_start'\nchunk = 3\npicard = 1\nread = 'exact'\nsurprise_threshold = 0.4\nsurprise_hard = true",
    "form = 'exact'\nchunk = 3\nsurprise_threshold = 0.4\nsurprise_average = 0.7",
];

/// The cases of all ways: all of them, and under such a rule as few as have every variant of every part
/// among them.
pub(crate) fn all_ways() -> impl Iterator<Item = Vec<Case>> {
    (FORMS.into_iter().map(cases)).chain(GATED.into_iter().map(few))
}

/// As few cases as have every variant of every part among them.
pub(crate) fn few(algorithm: &str) -> Vec<Case> {
    let mut seen = BTreeSet::new();
    let brings_one = |case: &Case| {
        let parts = case.name.split(" | ").enumerate();
        let new = parts.filter(|(axis, part)| seen.insert((*axis, (*part).to_owned())));
        new.count() > 0
    };
    cases(algorithm).into_iter().filter(brings_one).collect()
}

pub(crate) fn choose(text: &str) -> Result<Choice, ConfigError> {
    let mut layers = Layers::new();
    layers.text("case", text)?;
    Choice::take(&mut layers.merge()?, &Registry::builtin())
}

pub(crate) fn combinations(algorithm: &str) -> Vec<Result<Case, ConfigError>> {
    miras_contract::combinations(&Registry::builtin(), algorithm)
}

pub(crate) fn cases(algorithm: &str) -> Vec<Case> {
    miras_contract::cases(&Registry::builtin(), algorithm)
}

/// The program of a memory of keys and values of `d` features.
pub(crate) fn program(rule: &Rule, d: usize) -> Arc<Program> {
    Arc::new(rule.memory.program(d, d).unwrap())
}

pub(crate) fn device() -> Device {
    Device::flex().autodiff()
}
