//! Decay: an l2 penalty, local and global, with its strength as a gate.

use std::sync::Arc;

use miras_core::{Channels, GateSpec, Order, Part, RetentionGate, table_of};
use serde::{Deserialize, Serialize};

use crate::decay::{ANCHORED_KEY, DECAY, DECAY_KEY, GATE_KEY, Gate};

pub(crate) const PART: Part<dyn RetentionGate> = Part {
    kind: "l2",
    summary: "Decay towards zero (or the initial weights), fixed or by a gate, before or after the gradient.",
    formula: "after: W_t = a_t W_{t-1} - theta_t G(W_{t-1});   before: with W_{t-1} replaced by a_t W_{t-1} in G;   anchored: W_t = W_init + A_t, the decay on A_t",
    reference: "Titans, arXiv 2501.00663, Eq. 13; MIRAS, arXiv 2504.13173, section 5.3; Gated DeltaNet, arXiv 2412.06464 (order = \"before\")",
    keys: &[
        GATE_KEY,
        DECAY_KEY,
        (
            "order",
            "\"after\" the gradient (Titans) or \"before\" it (Gated DeltaNet)",
        ),
        ANCHORED_KEY,
        (
            "channels",
            "which have a decay of their own: \"head\" (default), \"key\" or \"value\": every feature of a head's keys (GLA, HGRN2) or of its values; channels need a matrix and an algorithm without momentum",
        ),
    ],
    variants: &[
        "anchored = false\ndecay = 0.9",
        "anchored = false\ngate = 'fixed'\ndecay = 0.9",
        "anchored = false\ngate = 'rate'\ndecay = 0.9",
        "anchored = false\ngate = 'head'\ndecay = 0.9",
        "anchored = false\norder = 'before'\ndecay = 0.8",
        "anchored = true\ndecay = 0.8",
        "anchored = true\norder = 'before'\ndecay = 0.8",
        "anchored = false\nchannels = 'key'\ndecay = 0.8",
        "anchored = true\nchannels = 'key'\norder = 'before'\ndecay = 0.8",
        "anchored = false\nchannels = 'value'\ndecay = 0.8",
    ],
    build: |section| {
        let l2 = section.part::<L2>()?;
        l2.gate.check(section, l2.decay)?;
        if l2.channels != Channels::Head && matches!(l2.gate, Gate::Fixed | Gate::Head) {
            let message = "a decay that does not depend on the input is the same for all channels";
            let help = "leave channels out, or use gate = \"sigmoid\" or \"rate\"".to_owned();
            return Err(section.error("channels", message, Some(help)));
        }
        Ok(Arc::new(l2))
    },
};

/// Decay.
///
/// # Formula
/// From `½‖W − W'‖²/θ + ½‖W‖²/β`: `W_t = a_t W_{t−1} − θ_t ∇ℓ` with `a = β/(β+θ)`,
/// then `a` and `θ` are gates of their own.
///
/// # Reference
/// Titans (arXiv 2501.00663), Eq. 13; MIRAS (arXiv 2504.13173), §5.3.
///
/// # Notes
/// - Here `a` *keeps*: Titans' α is `1 − a`.
/// - Neither paper gives the gate's activation. `sigmoid` starting near 1 is our choice;
///   `rate` is that of Mamba-2 and Gated `DeltaNet`.
/// - With `channels = "key"` the decay is a vector, `W_t = diag(a_t) W_{t−1} − …` (GLA, arXiv
///   2312.06635, Eq. 3; HGRN2, arXiv 2404.07904); with `"value"`, `W_{t−1} diag(a_t)`.
/// - `order` is the whole difference between linear Titans without momentum and
///   Gated `DeltaNet`.
/// - Anchored decay is ours. Without it a memory forgets its learned initial weights, over
///   hundreds of tokens at the default decay, and the loss rises beyond the length of training
///   (`docs/architecture.md`, Beyond the training length); a normalised memory whose weights decay
///   to 0 has exploding gradients besides.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct L2 {
    /// Where `a_t` comes from.
    pub gate: Gate,
    /// The value of a fixed decay, the start of a gate; in (0, 1].
    pub decay: f64,
    /// Before or after the gradient.
    pub order: Order,
    /// Whether `A` decays towards the initial weights rather than 0.
    pub anchored: bool,
    /// What has a decay of its own.
    pub channels: Channels,
}

impl Default for L2 {
    fn default() -> Self {
        Self {
            gate: Gate::Sigmoid,
            decay: DECAY,
            order: Order::After,
            anchored: false,
            channels: Channels::Head,
        }
    }
}

impl RetentionGate for L2 {
    fn gates(&self) -> Vec<GateSpec> {
        vec![self.gate.spec(self.decay).per(self.channels.side())]
    }

    fn order(&self) -> Order {
        self.order
    }

    fn is_anchored(&self) -> bool {
        self.anchored
    }

    fn config(&self) -> toml::Table {
        table_of(self)
    }
}
