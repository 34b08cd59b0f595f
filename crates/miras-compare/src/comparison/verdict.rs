//! What may be said of a variant against the best.

use std::collections::BTreeSet;
use std::fmt;

use serde::Serialize;

use super::Variant;
use super::statistics::{Difference, SEEDS, holm};
use crate::input::Run;

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
    /// It or the best has two seeds, too few to know the noise by.
    TwoSeeds,
    /// Its values and those of the best are the same for all seeds, so nothing is known of the
    /// noise.
    NoSpread,
    /// It was trained or measured on other data than the best.
    OtherData,
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
            Self::TwoSeeds => "two seeds: cannot tell",
            Self::NoSpread => "no spread: cannot tell",
            Self::OtherData => "other data: cannot tell",
            Self::Stopped => "stopped on an earlier rung",
            Self::Unmeasured => "no run counts",
        })
    }
}

impl Verdict {
    /// Why two variants that cannot be tested cannot be told apart, by the seeds of the one that
    /// has fewer.
    pub(crate) fn untested(seeds: usize) -> Self {
        match seeds {
            0 => Self::Unmeasured,
            1 => Self::OneSeed,
            few if few < SEEDS => Self::TwoSeeds,
            _ => Self::NoSpread,
        }
    }
}

/// Judges variants that are sorted, best first; `resolution` is that of the metric.
pub(super) fn judge(variants: &mut [Variant], resolution: f64) {
    for variant in &mut *variants {
        if variant.runs.iter().any(|run| run.stopped_on().is_some()) {
            variant.verdict = Verdict::Stopped;
        }
    }
    let Some((best, others)) = variants.split_first_mut() else {
        return;
    };
    let Some(sample) = best.sample else {
        return;
    };
    best.verdict = Verdict::Best;
    let leader = best.by_seed();
    let data = data_of(best);
    let (mut tested, mut differences) = (Vec::new(), Vec::new());
    for variant in others {
        let Some(own) = variant.sample else { continue };
        if data_of(variant) != data {
            variant.verdict = Verdict::OtherData;
            continue;
        }
        variant.verdict = Verdict::untested(own.n.min(sample.n));
        if let Some(difference) = Difference::of(&variant.by_seed(), &leader, resolution) {
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

/// The data of the runs that count, by content or generator.
fn data_of(variant: &Variant) -> BTreeSet<String> {
    variant.counted().filter_map(Run::data).collect()
}

/// The corrected p of each difference, and whether it is taken for one.
pub(super) fn tell(differences: &[Difference]) -> Vec<(f64, bool)> {
    let ps: Vec<f64> = differences.iter().map(|one| one.p).collect();
    holm(&ps).into_iter().map(|p| (p, p < LEVEL)).collect()
}
