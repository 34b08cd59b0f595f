//! A part as facts without types.

use miras_core::Part;

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
