//! The decay that several retention gates share.

use miras_config::{ConfigError, Section};
use miras_core::{GateMap, GateSpec, RETENTION, inverse_softplus};
use serde::{Deserialize, Serialize};

/// Where `a_t` comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Gate {
    /// `σ(z_t)`.
    Sigmoid,
    /// `exp(−exp(r)·softplus(z_t))`, `r` learned per head.
    Rate,
    /// A constant.
    Fixed,
    /// `exp(−exp(r))`, `r` learned per head.
    Head,
}

/// The default of `retention.decay`.
pub(crate) const DECAY: f64 = 0.993;

/// The keys, for a part's listing.
pub(crate) const GATE_KEY: (&str, &str) = (
    "gate",
    "\"sigmoid\": a = sigma(z); \"rate\": a = exp(-exp(r) softplus(z)), r learned per head (Mamba-2, Gated DeltaNet); \"fixed\": a = decay; \"head\": a = exp(-exp(r)), r learned per head, of which each loses half as much as the one before at the start (RetNet)",
);
pub(crate) const DECAY_KEY: (&str, &str) = (
    "decay",
    "a itself where it is fixed, else where the gate (or the first head's) starts; in (0, 1]",
);

pub(crate) const ANCHORED_KEY: (&str, &str) = (
    "anchored",
    "true: the state decays towards that of the initial weights, false: towards zero; default true where the initial weights are learned (memory.start)",
);

/// The least share of the past a gate may keep: the floor of its logarithm is near.
const SMALLEST: f64 = 1e-9;

impl Gate {
    /// Refuses a decay outside its range.
    pub(crate) fn check(self, section: &Section<'_>, decay: f64) -> Result<(), ConfigError> {
        let below = match self {
            Gate::Fixed => decay <= 1.0,
            Gate::Sigmoid | Gate::Rate | Gate::Head => decay < 1.0,
        };
        if decay.is_nan() || decay < SMALLEST || !below {
            let message =
                "decay is the share of the past that is kept: from 1e-9 to below 1 (1 if fixed)";
            let help = "gate = \"fixed\" with decay = 1 keeps everything".to_owned();
            return Err(section.error("decay", message, Some(help)));
        }
        Ok(())
    }

    /// The gate that is, or starts at, `decay`.
    pub(crate) fn spec(self, decay: f64) -> GateSpec {
        let (map, bias) = match self {
            // The bias at which the gate gives `decay`; the rate's own start is exp(0) = 1.
            Gate::Sigmoid => (GateMap::LogSigmoid, (decay / (1.0 - decay)).ln()),
            Gate::Rate => (GateMap::DecayRate, inverse_softplus(-decay.ln())),
            Gate::Fixed => (GateMap::constant_log(decay), 0.0),
            Gate::Head => (GateMap::HeadDecay, (-decay.ln()).ln()),
        };
        GateSpec::new(RETENTION, map, bias)
    }
}
