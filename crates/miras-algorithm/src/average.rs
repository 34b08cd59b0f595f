//! Running averages in slots, from 0 on, and what corrects them for that start.

use burn::tensor::Tensor;
use miras_config::{ConfigError, Section};

/// The mean of `past` and `new`, which keeps the share `kept` of the past.
pub(crate) fn running(past: Tensor<4>, new: Tensor<4>, kept: f64) -> Tensor<4> {
    past.mul_scalar(kept) + new.mul_scalar(1.0 - kept)
}

/// How many updates there have been with this one, from the slot that counts them. No gradient
/// flows through a count.
pub(crate) fn counted(slot: Tensor<4>) -> Tensor<4> {
    slot.detach().add_scalar(1.0)
}

/// `average/(1 − kept^count)`: an average that began at 0, as one of the updates alone.
pub(crate) fn corrected(average: Tensor<4>, kept: f64, count: &Tensor<4>) -> Tensor<4> {
    // The logarithm of every share is finite.
    let power = count.clone().mul_scalar(kept.max(1e-30).ln()).exp();
    average / power.neg().add_scalar(1.0)
}

/// `1/√(square + ε²)`, which has a derivative at 0.
pub(crate) fn over_root(square: Tensor<4>, epsilon: f64) -> Tensor<4> {
    square.add_scalar(epsilon * epsilon).sqrt().recip()
}

/// What is said of ε in the lists of keys.
pub(crate) const EPSILON_KEY: (&str, &str) = (
    "epsilon",
    "what a gradient has to be larger than to count in full, from 1e-6 to 1e3; the root is sqrt(v + epsilon^2); default 1e-3: outer gradients through an entry are amplified by up to 1/epsilon",
);

/// Refuses what is no share of the past, below 1.
pub(crate) fn check_share(
    section: &Section<'_>,
    key: &'static str,
    share: f64,
) -> Result<(), ConfigError> {
    if (0.0..1.0).contains(&share) {
        return Ok(());
    }
    let message = format!("{key} must be 0 or above, and below 1");
    let help = format!("{key} = 0.9 averages over about 10 chunks, 0 looks at the last one alone");
    Err(section.error(key, message, Some(help)))
}

/// Refuses what rounds to nothing in a square of float32, or swallows every gradient.
pub(crate) fn check_epsilon(section: &Section<'_>, epsilon: f64) -> Result<(), ConfigError> {
    if (1e-6..=1e3).contains(&epsilon) {
        return Ok(());
    }
    let message = "epsilon must be from 1e-6 to 1e3";
    let help =
        "leave it out for the default; smaller values make outer gradients larger".to_owned();
    Err(section.error("epsilon", message, Some(help)))
}
