//! Nesterov's momentum.

use std::sync::Arc;

use burn::tensor::{Tensor, s};
use miras_core::{
    AlgorithmKind, ChunkEnd, Coefficients, GateSpec, Gates, LinearAlgorithm, LogDecay, MOMENTUM,
    MapState, MemoryAlgorithm, Part, Rows, SlotEnd, WriteWeights, decay_matrix, products, table_of,
};
use serde::{Deserialize, Serialize};

use crate::{
    momentum_gate,
    step_size::{STEP_KEYS, StepSize, check},
};

pub(crate) const PART: Part<dyn MemoryAlgorithm> = Part {
    kind: "nesterov",
    summary: "Nesterov's momentum: gradients where the momentum is about to lead.",
    formula: "S_t = eta_t S_{t-1} - theta_t G_t,   A_t = a_t A_{t-1} + eta_t S_t - theta_t G_t",
    reference: "Bengio et al., arXiv 1212.0901, section 3.5",
    keys: &[
        (
            "step_max",
            "largest inner step size (its scale with step = \"rate\"), 0 (never writes) or above; default 0.5, less for memories of depth 3 and more",
        ),
        STEP_KEYS[1],
        (
            "momentum",
            "where the momentum gate eta = sigma(z) starts, in (0, 1)",
        ),
    ],
    variants: &["", "step = 'fixed'\nstep_max = 0.2\nmomentum = 0.8"],
    build: |section| {
        let nesterov = section.part::<Nesterov>()?;
        check(section, nesterov.step_max)?;
        if !(nesterov.momentum > 0.0 && nesterov.momentum < 1.0) {
            let help = "algorithm.kind = \"gd\" is the rule without momentum".to_owned();
            let message = "momentum must be above 0 and below 1";
            return Err(section.error("momentum", message, Some(help)));
        }
        Ok(Arc::new(nesterov))
    },
};

/// Nesterov's momentum, with the point that looks ahead as the state.
///
/// # Formula
/// `S_t = η_t S_{t−1} − θ_t G_t`, `A_t = a_t A_{t−1} + η_t S_t − θ_t G_t`.
///
/// # Reference
/// Bengio et al. (arXiv 1212.0901), §3.5.
///
/// # Notes
/// Nesterov's gradient is taken at `W + ηS`. Here `A` is that point: with constant gates and
/// `a = 1`, `A_t = W_t + ηS_t` for the `W_t = W_{t−1} + S_t` of the classical form. So memories are
/// read there, too; the decay acts there; and each token's own η looks ahead, for that of the next
/// one is not known. With `η = 0` it is `gd`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Nesterov {
    /// Largest inner step size, ≥ 0; where it is left out, less for deep memories.
    pub step_max: f64,
    /// Whether it depends on the input.
    pub step: StepSize,
    /// Where the momentum gate starts, in (0, 1).
    pub momentum: f64,
}

impl Default for Nesterov {
    fn default() -> Self {
        Self {
            step_max: 0.5,
            step: StepSize::Input,
            momentum: 0.5,
        }
    }
}

impl MemoryAlgorithm for Nesterov {
    fn gates(&self) -> Vec<GateSpec> {
        let momentum = momentum_gate::gate(self.momentum);
        vec![self.step.gate(self.step_max, false), momentum]
    }

    fn slots(&self) -> usize {
        1
    }

    fn kind(&self) -> AlgorithmKind<'_> {
        AlgorithmKind::Linear(self)
    }

    fn config(&self) -> toml::Table {
        table_of(self)
    }
}

impl LinearAlgorithm for Nesterov {
    fn step(&self, map: MapState, decay: Tensor<4>, write: Tensor<4>, gates: &Gates) -> MapState {
        let [past] = <[_; 1]>::try_from(map.slots).expect("nesterov keeps one slot");
        let momentum = gates.get(MOMENTUM).exp();
        let surprise = past * momentum.clone() - write.clone();
        MapState {
            weights: map.weights * decay + surprise.clone() * momentum - write,
            slots: vec![surprise],
        }
    }

    fn coefficients(&self, decay: LogDecay, gates: &Gates) -> Coefficients {
        assert!(
            decay.channels.is_none(),
            "momentum has one decay of the state"
        );
        let last = |x: &Tensor<4>| {
            let c = x.dims()[2];
            x.clone().slice(s![.., .., c - 1..c, ..])
        };
        let log_momentum = gates.get(MOMENTUM);
        let momentum = log_momentum.clone().exp();
        let carry = products(decay.log.clone());
        let decay = decay_matrix(decay.log);
        // S_t as a sum, then A_t as one of η_t S_t and the writes.
        let persist = decay_matrix(log_momentum.clone());
        let persisted = products(log_momentum);
        let share = decay.clone().matmul(persisted.clone() * momentum.clone());
        let writes = decay.clone().matmul(persist.clone() * momentum) + decay.clone();
        let slot = SlotEnd {
            share: last(&share),
            carry: last(&persisted),
            writes: last(&persist).transpose(),
        };
        let end = ChunkEnd {
            carry: last(&carry),
            writes: last(&writes).transpose(),
            channels: None,
            slots: vec![slot],
        };
        let rows = Rows {
            carry,
            slots: vec![share],
            writes: WriteWeights::Numbers(writes),
        };
        Coefficients { decay, rows, end }
    }

    fn damping(&self, gates: &Gates) -> Tensor<4> {
        momentum_gate::damping(gates)
    }

    /// `θ|k|² ≤ (1 + a)(1 + η)/(1 + 2η)`, and least at η = 1.
    fn stable_share(&self) -> f64 {
        2.0 / 3.0
    }
}
