//! Step sizes after the caps, and the caps of the state (chunk form).

use burn::tensor::Tensor;
use miras_core::{Factor, MapState, Program, rows};

use crate::Settings;

/// What the caps need of a chunk beside its factors.
pub(crate) struct Steps {
    /// θ, `[1, g, c, 1]`.
    pub(crate) step: Tensor<4>,
    /// `1 − η`, or 1 without momentum, `[1, g, c, 1]`.
    pub(crate) damping: Tensor<4>,
    /// `A_tj`, `[1, g, c, c]`.
    pub(crate) decay: Tensor<4>,
}

impl Steps {
    /// θ after the caps: `[1, g, c, 1]`.
    pub(crate) fn capped(
        &self,
        settings: &Settings,
        program: &Program,
        factors: &[Factor],
    ) -> Tensor<4> {
        let mut step = self.step.clone();
        if let Some(cap) = settings.load_cap {
            let maps = program.output_maps();
            let features = maps.iter().map(|l| &factors[*l].x);
            let overlap = rows::overlap(features, step.dims()[2]);
            let share = step.clone() / self.damping.clone();
            let load = (overlap * self.decay.clone()).matmul(share);
            let excess = load.div_scalar(cap).clamp_min(1.0);
            step = step / (excess.clone() * excess);
        }
        grad_capped(step, settings.grad_cap, factors)
    }
}

/// θ after the gradient cap: `θ · min(1, cap/‖g‖_F)`.
pub(crate) fn grad_capped(step: Tensor<4>, cap: Option<f64>, factors: &[Factor]) -> Tensor<4> {
    match cap {
        None => step,
        Some(cap) => {
            let norm = gradient_norm(factors, step.dims()[2]);
            let shrink = norm.recip().mul_scalar(cap);
            step * shrink.clamp_max(1.0)
        }
    }
}

/// The norm of the gradient of each of `c` tokens over all maps: `[n, g, c, 1]`.
pub(crate) fn gradient_norm(factors: &[Factor], c: usize) -> Tensor<4> {
    (factors.iter())
        .map(|Factor { x, d }| rows::gradient_square_norm(x.clone(), d.clone(), c))
        .reduce(|a, b| a + b)
        .expect("a memory has a map")
        .add_scalar(rows::TINY)
        .sqrt()
}

/// The state cap: `A ← A · min(1, cap/‖A‖_F)`.
pub(crate) fn cap_state(settings: &Settings, map: MapState) -> MapState {
    match settings.state_cap {
        None => map,
        Some(cap) => {
            let square = map.weights.clone().powi_scalar(2).sum_dim(3).sum_dim(2);
            let norm = square.add_scalar(rows::TINY).sqrt();
            MapState {
                weights: map.weights * norm.recip().mul_scalar(cap).clamp_max(1.0),
                slots: map.slots,
            }
        }
    }
}
