//! Gradient descent.

use std::sync::Arc;

use burn::tensor::Tensor;
use miras_core::{
    AlgorithmKind, Channels, Coefficients, GateSpec, Gates, LinearAlgorithm, LogDecay, MapState,
    MemoryAlgorithm, Part, Recurrence, table_of,
};
use serde::{Deserialize, Serialize};

use crate::step_size::{STEP_KEYS, StepSize, check};

pub(crate) const PART: Part<dyn MemoryAlgorithm> = Part {
    kind: "gd",
    summary: "Gradient descent, one step a token.",
    formula: "A_t = a_t A_{t-1} - theta_t G_t",
    reference: "MIRAS, arXiv 2504.13173, section 3",
    keys: &[
        STEP_KEYS[0],
        STEP_KEYS[1],
        STEP_KEYS[2],
        (
            "channels",
            "which have a step size of their own: \"head\" (default), \"key\" or \"value\": every feature of a head's keys or of its values; channels need a matrix",
        ),
    ],
    variants: &[
        "",
        "step = 'fixed'\nstep_max = 0.4",
        "channels = 'key'",
        "channels = 'value'",
        "ascent = true\nstep_max = 0.2",
    ],
    build: |section| {
        let gd = section.part::<Gd>()?;
        check(section, gd.step_max)?;
        if gd.channels != Channels::Head && gd.step != StepSize::Input {
            let message =
                "a step size that is fixed, or that of the decay, is one for all channels";
            let help = "leave channels out, or use step = \"input\"".to_owned();
            return Err(section.error("channels", message, Some(help)));
        }
        Ok(Arc::new(gd))
    },
};

/// Gradient descent.
///
/// # Formula
/// `A_t = a_t A_{t−1} − θ_t G_t`. In a chunk, `A_t = β_t A_0 − Σ_i (β_t/β_i) θ_i G_i`
/// (Titans Eq. 16, MIRAS Eq. 28).
///
/// # Reference
/// MIRAS (arXiv 2504.13173), §3.
///
/// # Notes
/// `ascent = true` turns the sign of every write, in values and gradients and in all forms: the step
/// size is `−θ`. It is a control: a model that gains by descending the inner loss has to be worse
/// with it.
/// - Under `dot` it is no control: with values of the other sign it is descent, and the outer loop learns
///   those. Under other biases it may turn them too, but then what is recalled is added to in the
///   place of being corrected.
/// - The load cap bounds sizes of steps, so that it acts as in descent. States grow where keys come
///   again; `algorithm.state_cap` bounds them.
/// - The exact form is refused for biases that compare what is recalled: a key that comes again
///   multiplies its error by `a + θ|k|²` there.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Gd {
    /// Largest inner step size, ≥ 0; the memory's depth decides where it is left out.
    pub step_max: f64,
    /// Whether it depends on the input.
    pub step: StepSize,
    /// Whether steps go up the inner loss, as a control.
    pub ascent: bool,
    /// What has a step size of its own.
    pub channels: Channels,
}

impl Default for Gd {
    fn default() -> Self {
        Self {
            step_max: 1.0,
            step: StepSize::Input,
            ascent: false,
            channels: Channels::Head,
        }
    }
}

impl MemoryAlgorithm for Gd {
    fn gates(&self) -> Vec<GateSpec> {
        vec![
            self.step
                .gate(self.step_max, self.ascent)
                .per(self.channels.side()),
        ]
    }

    fn kind(&self) -> AlgorithmKind<'_> {
        AlgorithmKind::Linear(self)
    }

    fn config(&self) -> toml::Table {
        table_of(self)
    }
}

impl LinearAlgorithm for Gd {
    fn step(&self, map: MapState, decay: Tensor<4>, write: Tensor<4>, _gates: &Gates) -> MapState {
        MapState {
            weights: map.weights * decay - write,
            slots: map.slots,
        }
    }

    fn coefficients(&self, decay: LogDecay, _gates: &Gates) -> Coefficients {
        Coefficients::decayed_sum(decay)
    }

    fn recurrence(&self) -> Option<Recurrence> {
        Some(Recurrence::DecayedSum)
    }
}
