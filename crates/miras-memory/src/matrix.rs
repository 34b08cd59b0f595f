//! One matrix.

use std::sync::Arc;

use miras_core::{MemoryArchitecture, Part, Program, ProgramError, table_of};
use serde::{Deserialize, Serialize};

pub(crate) const PART: Part<dyn MemoryArchitecture> = Part {
    kind: "matrix",
    summary: "One matrix: linear attention, DeltaNet, Mamba-2, linear Titans.",
    formula: "M(x) = x W",
    reference: "MIRAS, arXiv 2504.13173, Table 1",
    keys: &[],
    variants: &[""],
    build: |section| Ok(Arc::new(section.part::<Matrix>()?)),
};

/// One matrix, `M(x) = x W`, `W: [d_k, d_v]`.
///
/// # Reference
/// MIRAS (arXiv 2504.13173), Table 1.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Matrix {}

impl MemoryArchitecture for Matrix {
    fn program(&self, d_k: usize, d_v: usize) -> Result<Program, ProgramError> {
        Program::build(d_k, d_v, |p, x| p.linear("w", x, d_v))
    }

    fn config(&self) -> toml::Table {
        table_of(self)
    }
}
