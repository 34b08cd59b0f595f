//! `AdamW` in one pass over the numbers of a parameter where there are kernels, burn's elsewhere.

use burn::optim::{AdamWConfig, AdamWState, AdaptiveMomentumState, Optimizer};
use burn::tensor::{Device, Tensor};
use miras_engine::kernel::{change, has_kernels};
use miras_spec::OptimConfig;

/// `AdamW` (Loshchilov and Hutter, 2019), with burn's state.
#[derive(Clone)]
pub(crate) struct AdamW {
    plain: burn::optim::AdamW,
    betas: [f32; 2],
    epsilon: f32,
    decay: f32,
}

impl AdamW {
    /// By the settings of `config`, with a weight decay of its own.
    pub(crate) fn new(config: &OptimConfig, decay: f64) -> Self {
        let [betas @ .., epsilon, decay] =
            [config.beta1, config.beta2, config.epsilon, decay].map(|x| x as f32);
        let plain = AdamWConfig::new()
            .with_beta_1(betas[0])
            .with_beta_2(betas[1])
            .with_epsilon(epsilon)
            .with_weight_decay(decay);
        Self {
            plain: plain.build(),
            betas,
            epsilon,
            decay,
        }
    }
}

impl Optimizer for AdamW {
    type State<const D: usize> = AdamWState<D>;

    fn step<const D: usize>(
        &self,
        lr: f64,
        weights: Tensor<D>,
        gradient: Tensor<D>,
        state: Option<AdamWState<D>>,
    ) -> (Tensor<D>, Option<AdamWState<D>>) {
        if !(has_kernels(&weights) && has_kernels(&gradient)) {
            return self.plain.step(lr, weights, gradient, state);
        }
        let AdaptiveMomentumState {
            time,
            moment_1,
            moment_2,
            ..
        } = state.map_or_else(
            || AdaptiveMomentumState::new(0, gradient.zeros_like(), gradient.zeros_like()),
            |state| state.momentum,
        );
        let rule = miras_kernels::AdamW {
            beta1: self.betas[0],
            beta2: self.betas[1],
            epsilon: self.epsilon,
            lr: lr as f32,
            keep: (1.0 - lr * f64::from(self.decay)) as f32,
            time: time as i32 + 1,
        };
        let [weights, first, second] = change(
            [weights, moment_1, moment_2],
            gradient,
            |numbers, gradient| {
                rule.step(numbers, gradient);
            },
        );
        let momentum = AdaptiveMomentumState::new(time + 1, first, second);
        (weights, Some(AdamWState::new(momentum)))
    }

    fn to_device<const D: usize>(state: AdamWState<D>, device: &Device) -> AdamWState<D> {
        burn::optim::AdamW::to_device(state, device)
    }
}

#[cfg(test)]
#[path = "adamw_tests.rs"]
mod tests;
