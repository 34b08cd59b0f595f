//! What may be said of a variant against the best.

use std::fmt;

use serde::Serialize;

use super::Variant;
use super::statistics::holm;

/// A difference that comes about by chance less often than this is taken for one.
pub(crate) const LEVEL: f64 = 0.05;

/// What may be said of a variant against the best.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Its mean is the best.
    Best,
    /// It cannot be told from the best.
    WithinNoise,
    /// It is worse than the best.
    Worse,
    /// It or the best has one seed, so nothing is known of the noise.
    OneSeed,
    /// No run of it counts.
    Unmeasured,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Best => "best",
            Self::WithinNoise => "within noise",
            Self::Worse => "worse",
            Self::OneSeed => "one seed: cannot tell",
            Self::Unmeasured => "no run counts",
        })
    }
}

/// Judges variants that are sorted, best first.
pub(super) fn judge(variants: &mut [Variant]) {
    let Some((best, others)) = variants.split_first_mut() else {
        return;
    };
    let Some(leader) = best.sample else { return };
    best.verdict = Verdict::Best;
    let mut tested = Vec::new();
    for variant in others {
        let Some(sample) = variant.sample else {
            continue;
        };
        variant.verdict = Verdict::OneSeed;
        if let Some(welch) = sample.welch(&leader) {
            variant.p = Some(welch.p);
            tested.push(variant);
        }
    }
    let ps: Vec<f64> = tested.iter().filter_map(|variant| variant.p).collect();
    for (variant, corrected) in tested.into_iter().zip(holm(&ps)) {
        variant.p_holm = Some(corrected);
        variant.verdict = if corrected < LEVEL {
            Verdict::Worse
        } else {
            Verdict::WithinNoise
        };
    }
}
