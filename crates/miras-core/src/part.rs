//! A part and how it is found.

use std::sync::Arc;

use miras_config::{ConfigError, Section};

/// One of the four axes of the design space.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Axis {
    /// What stores the past.
    Memory,
    /// The inner loss.
    Bias,
    /// How the past is kept or forgotten.
    Retention,
    /// The inner optimiser.
    Algorithm,
}

impl Axis {
    /// All four, in the order of the walk through a layer.
    pub const ALL: [Axis; 4] = [Axis::Memory, Axis::Bias, Axis::Retention, Axis::Algorithm];

    /// The axis' table in a config.
    pub const fn table(self) -> &'static str {
        match self {
            Axis::Memory => "memory",
            Axis::Bias => "bias",
            Axis::Retention => "retention",
            Axis::Algorithm => "algorithm",
        }
    }

    /// What the axis decides, for listings.
    pub fn title(self) -> &'static str {
        match self {
            Axis::Memory => "memory architecture: what stores the past",
            Axis::Bias => "attentional bias: the inner loss",
            Axis::Retention => "retention gate: how the past is kept or forgotten",
            Axis::Algorithm => "memory algorithm: the inner optimiser",
        }
    }
}

/// One entry of an axis' list: all that is known of a part by name.
pub struct Part<T: ?Sized + 'static> {
    /// The name in TOML (`memory.kind = "…"`).
    pub kind: &'static str,
    /// One sentence.
    pub summary: &'static str,
    /// Formula in plain text.
    pub formula: &'static str,
    /// Paper and equation.
    pub reference: &'static str,
    /// Its keys: name, and what it means with unit and range.
    pub keys: &'static [(&'static str, &'static str)],
    /// Settings (TOML of its table, without `kind`) under which the contract tests run it.
    pub variants: &'static [&'static str],
    /// Builds it from its table in a config, wherever that stands.
    pub build: fn(&mut Section<'_>) -> Result<Arc<T>, ConfigError>,
}

/// A part's settings as a TOML table, for `config()`.
///
/// # Panics
/// If the settings cannot be written as TOML: a bug of the part.
pub fn table_of(settings: &impl serde::Serialize) -> toml::Table {
    toml::Table::try_from(settings).expect("a part's settings are a TOML table")
}
