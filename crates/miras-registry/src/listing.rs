//! Parts as facts without types.

use miras_core::{Axis, Part};

/// What is known of a part, for listings and documentation.
#[derive(Debug, Clone, Copy)]
pub struct PartInfo {
    /// Its name in TOML.
    pub kind: &'static str,
    /// One sentence.
    pub summary: &'static str,
    /// Formula in plain text.
    pub formula: &'static str,
    /// Paper and equation.
    pub reference: &'static str,
    /// Key and meaning.
    pub keys: &'static [(&'static str, &'static str)],
    /// Settings the contract tests run it under.
    pub variants: &'static [&'static str],
}

impl<T: ?Sized> From<&Part<T>> for PartInfo {
    fn from(part: &Part<T>) -> Self {
        Self {
            kind: part.kind,
            summary: part.summary,
            formula: part.formula,
            reference: part.reference,
            keys: part.keys,
            variants: part.variants,
        }
    }
}

/// The keys that every part of an axis has beside `kind`.
pub fn common_keys(axis: Axis) -> &'static [(&'static str, &'static str)] {
    match axis {
        Axis::Memory => &[
            (
                "dim",
                "width of each head's keys and values; default model.dim / model.heads",
            ),
            (
                "start",
                "\"learned\" initial weights (default), or \"zero\" (a matrix only)",
            ),
        ],
        Axis::Algorithm => &crate::settings::KEYS,
        Axis::Bias | Axis::Retention => &[],
    }
}
