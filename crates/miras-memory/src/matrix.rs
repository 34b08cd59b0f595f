//! One matrix.

use std::sync::Arc;

use burn::tensor::Tensor;
use miras_core::{Factor, MapSpec, Maps, MemoryArchitecture, Part, table_of};
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

/// One matrix, `M(x) = x W`, `W: [d, d]`.
///
/// # Reference
/// MIRAS (arXiv 2504.13173), Table 1.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Matrix {}

impl MemoryArchitecture for Matrix {
    fn maps(&self, d: usize) -> Vec<MapSpec> {
        vec![MapSpec {
            name: "w".into(),
            d_in: d,
            d_out: d,
        }]
    }

    fn is_linear(&self) -> bool {
        true
    }

    fn forward(&self, maps: &dyn Maps, x: Tensor<4>) -> Tensor<4> {
        maps.apply(0, x)
    }

    fn factors(
        &self,
        maps: &dyn Maps,
        keys: Tensor<4>,
        output_gradient: &mut dyn FnMut(Tensor<4>) -> Tensor<4>,
    ) -> Vec<Factor> {
        let d = output_gradient(maps.apply(0, keys.clone()));
        vec![Factor { x: keys, d }]
    }

    fn config(&self) -> toml::Table {
        table_of(self)
    }
}
