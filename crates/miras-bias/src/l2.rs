//! Squared error.

use std::sync::Arc;

use miras_core::{AttentionalBias, Extent, Part, Term, table_of};
use serde::{Deserialize, Serialize};

pub(crate) const PART: Part<dyn AttentionalBias> = Part {
    kind: "l2",
    summary: "Squared error: the delta rule on a matrix, Titans' surprise on an MLP.",
    formula: "l(y, v) = 1/2 |y - v|^2,   dl/dy = y - v",
    reference: "Titans, arXiv 2501.00663, Eq. 12 (there without the 1/2)",
    keys: &[],
    variants: &[""],
    build: |section| Ok(Arc::new(section.part::<L2>()?)),
};

/// Squared error.
///
/// # Formula
/// `ℓ(y, v) = ½‖y − v‖²`, `∂ℓ/∂y = y − v`.
///
/// # Reference
/// Titans (arXiv 2501.00663), Eq. 12.
///
/// # Notes
/// Titans prints `‖y − v‖²` (gradient twice as large) and its appendix C `½‖y − v‖²`;
/// the ½ is kept here and a factor 2 belongs into the step size.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct L2 {}

impl AttentionalBias for L2 {
    fn gradient(&self) -> Term {
        Term::error()
    }

    fn loss(&self) -> Option<Term> {
        Some(Term::error().square().sum(Extent::Row) * 0.5)
    }

    fn slope(&self) -> Option<f64> {
        Some(1.0)
    }

    fn config(&self) -> toml::Table {
        table_of(self)
    }
}
