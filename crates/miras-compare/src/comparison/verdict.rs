//! What may be said of a variant against the best.

use std::fmt;

use serde::Serialize;

use super::Variant;
use super::statistics::{Difference, holm};

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
    /// Its runs were stopped on an earlier rung than the last.
    Stopped,
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
            Self::Stopped => "stopped on an earlier rung",
            Self::Unmeasured => "no run counts",
        })
    }
}

/// Judges variants that are sorted, best first.
pub(super) fn judge(variants: &mut [Variant]) {
    for variant in &mut *variants {
        if variant.runs.iter().any(|run| run.stopped_on().is_some()) {
            variant.verdict = Verdict::Stopped;
        }
    }
    let Some((best, others)) = variants.split_first_mut() else {
        return;
    };
    if best.sample.is_none() {
        return;
    }
    best.verdict = Verdict::Best;
    let leader = best.by_seed();
    let measured = others.iter_mut().filter(|one| one.sample.is_some());
    let (mut tested, mut differences) = (Vec::new(), Vec::new());
    for variant in measured {
        variant.verdict = Verdict::OneSeed;
        if let Some(difference) = Difference::of(&variant.by_seed(), &leader) {
            differences.push(difference);
            tested.push(variant);
        }
    }
    for ((variant, difference), told) in
        tested.into_iter().zip(&differences).zip(tell(&differences))
    {
        variant.difference = Some(*difference);
        variant.p_holm = Some(told.0);
        variant.verdict = if told.1 {
            Verdict::Worse
        } else {
            Verdict::WithinNoise
        };
    }
}

/// The corrected p of each difference, and whether it is taken for one.
pub(super) fn tell(differences: &[Difference]) -> Vec<(f64, bool)> {
    let ps: Vec<f64> = differences.iter().map(|one| one.p).collect();
    holm(&ps).into_iter().map(|p| (p, p < LEVEL)).collect()
}
