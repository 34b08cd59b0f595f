//! Products with a gate.

use burn::tensor::{Tensor, activation};
use miras_engine::kernel::{has_kernels, run};
use miras_kernels::Gate;

/// `f(a) ⊙ b`, where `f` is that of the gate.
pub(crate) fn gated<const D: usize>(gate: Gate, a: Tensor<D>, b: Tensor<D>) -> Tensor<D> {
    if has_kernels(&a) {
        let shape = a.dims();
        return run(gate, [a.into(), b.into()], shape);
    }
    b * match gate {
        Gate::Silu => activation::silu(a),
        Gate::Sigmoid => activation::sigmoid(a),
    }
}
