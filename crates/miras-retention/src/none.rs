//! No forgetting.

use std::sync::Arc;

use miras_core::{Part, RetentionGate, table_of};
use serde::{Deserialize, Serialize};

pub(crate) const PART: Part<dyn RetentionGate> = Part {
    kind: "none",
    summary: "Nothing is forgotten: DeltaNet, linear attention, TTT.",
    formula: "W_t = W_{t-1} - theta_t G_t",
    reference: "MIRAS, arXiv 2504.13173, Table 1",
    keys: &[],
    variants: &[""],
    build: |section| Ok(Arc::new(section.part::<Keep>()?)),
};

/// No forgetting, `a_t = 1`.
///
/// # Reference
/// MIRAS (arXiv 2504.13173), Table 1: rows with no retention.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Keep {}

impl RetentionGate for Keep {
    fn config(&self) -> toml::Table {
        table_of(self)
    }
}
