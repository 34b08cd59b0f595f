//! The smooth sign `tanh(ν e)` and its sharpness ν, which several biases have.

use miras_config::{ConfigError, Section};
use miras_core::Term;

/// The default sharpness: MIRAS says "large" and gives no number.
pub(crate) const SHARPNESS: f64 = 10.0;

const SMALLEST: f64 = 1e-3;
const LARGEST: f64 = 1e3;

/// `tanh(ν e)`: a sign that has a derivative, so that the outer loss trains through it.
pub(crate) fn smooth_sign(e: &Term, sharpness: f64) -> Term {
    (e * sharpness).tanh()
}

/// An error unless a sign of this sharpness is one.
pub(crate) fn check(section: &Section<'_>, sharpness: f64) -> Result<(), ConfigError> {
    if (SMALLEST..=LARGEST).contains(&sharpness) {
        return Ok(());
    }
    let message = format!("sharpness must be from {SMALLEST} to {LARGEST}");
    let help = "10 is the default; the larger it is, the nearer tanh(sharpness e) is to a sign";
    Err(section.error("sharpness", message, Some(help.into())))
}

/// The sharpness of a bias that reads it under one setting alone: filled in there, refused elsewhere.
pub(crate) fn only_with(
    section: &Section<'_>,
    sharpness: Option<f64>,
    setting: &str,
    is_set: bool,
) -> Result<Option<f64>, ConfigError> {
    match sharpness {
        None => Ok(is_set.then_some(SHARPNESS)),
        Some(value) if is_set => check(section, value).map(|()| sharpness),
        Some(_) => {
            let message = format!("sharpness belongs to bias.{setting}, the only one with a sign");
            let help = format!("leave bias.sharpness out, or set bias.{setting}");
            Err(section.error("sharpness", message, Some(help)))
        }
    }
}
