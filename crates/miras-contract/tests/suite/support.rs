//! The contract's tools over the built-in registry.

use std::sync::Arc;

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
