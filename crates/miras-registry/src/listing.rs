//! All parts of all axes, as facts without types.

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

/// The parts of an axis, in the order of their list.
pub fn parts(axis: Axis) -> Vec<PartInfo> {
    match axis {
        Axis::Memory => miras_memory::PARTS.iter().map(PartInfo::from).collect(),
        Axis::Bias => miras_bias::PARTS.iter().map(PartInfo::from).collect(),
        Axis::Retention => miras_retention::PARTS.iter().map(PartInfo::from).collect(),
        Axis::Algorithm => miras_algorithm::PARTS.iter().map(PartInfo::from).collect(),
    }
}

/// The names of an axis' parts.
pub fn kinds(axis: Axis) -> Vec<&'static str> {
    parts(axis).into_iter().map(|part| part.kind).collect()
}

/// The part `kind` of an axis.
pub fn find(axis: Axis, kind: &str) -> Option<PartInfo> {
    parts(axis).into_iter().find(|part| part.kind == kind)
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
