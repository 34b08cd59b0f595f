//! A weight for each feature.

use std::sync::Arc;

use miras_core::{MemoryArchitecture, Part, Program, ProgramError, table_of};
use serde::{Deserialize, Serialize};

pub(crate) const PART: Part<dyn MemoryArchitecture> = Part {
    kind: "vector",
    summary: "A vector: a weight for each feature of the keys, the smallest memory.",
    formula: "M(x) = x * w",
    reference: "MIRAS, arXiv 2504.13173, section 3 (memory architectures: vector); the map is ours",
    keys: &[],
    variants: &[""],
    build: |section| Ok(Arc::new(section.part::<Vector>()?)),
};

/// A vector, `M(x) = x ⊙ w`, `w: [d]`; keys and values have the same width.
///
/// # Reference
/// MIRAS (arXiv 2504.13173), §3, names vectors as the smallest memory architecture; which map a
/// vector is, is not said: this one is ours.
///
/// # Notes
/// The map is linear in its weights but no matrix product, so it has the chunk-start form alone.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Vector {}

impl MemoryArchitecture for Vector {
    fn program(&self, d_k: usize, d_v: usize) -> Result<Program, ProgramError> {
        Program::build(d_k, d_v, |p, x| p.diagonal("w", x))
    }

    fn config(&self) -> toml::Table {
        table_of(self)
    }
}
