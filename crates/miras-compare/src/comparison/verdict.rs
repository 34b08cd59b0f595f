//! Which variants can be told from the best.

use std::collections::BTreeSet;
use std::fmt;

use serde::Serialize;

use super::Variant;
use super::statistics::{Difference, MIN_SEEDS, holm};
use crate::input::Run;

/// Differences with a smaller p are significant.
const LEVEL: f64 = 0.05;

/// Whether a variant can be told from the best.
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
    /// It or the best has two seeds, too few to estimate the noise.
    TwoSeeds,
    /// Its difference to the best is the same for all seeds, so nothing is known of the noise.
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
    /// Why two variants cannot be tested, by the seeds of the one that has fewer.
    pub(crate) fn untested(seeds: usize) -> Self {
        match seeds {
            0 => Self::Unmeasured,
            1 => Self::OneSeed,
            few if few < MIN_SEEDS => Self::TwoSeeds,
            _ => Self::NoSpread,
        }
    }
}

/// Sets the verdicts of variants that are sorted, best first; `resolution` is that of the metric.
pub(super) fn assign(variants: &mut [Variant], resolution: f64) {
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
    let (values, data) = (best.by_seed(), data_of(best));
    for variant in &mut *others {
        let Some(own) = variant.sample else { continue };
        if data_of(variant) != data {
            variant.verdict = Verdict::OtherData;
            continue;
        }
        variant.verdict = Verdict::untested(own.n.min(sample.n));
        variant.difference = Difference::of(&variant.by_seed(), &values, resolution);
    }
    let differences = others.iter().filter_map(|variant| variant.difference);
    let significances = significances(differences);
    let tested = others
        .iter_mut()
        .filter(|variant| variant.difference.is_some());
    for (variant, (p, is_significant)) in tested.zip(significances) {
        variant.p_holm = Some(p);
        variant.verdict = if is_significant {
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

/// The corrected p of each difference, and whether it is significant.
pub(super) fn significances(differences: impl Iterator<Item = Difference>) -> Vec<(f64, bool)> {
    let ps: Vec<f64> = differences.map(|one| one.p).collect();
    holm(&ps).into_iter().map(|p| (p, p < LEVEL)).collect()
}
