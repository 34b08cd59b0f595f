//! The answer in words.

use miras_run::Goal;

use crate::comparison::{Comparison, Verdict};
use crate::number;

/// A paragraph: what is best, how many variants cannot be told from it, and what to mind.
pub(super) fn answer(comparison: &Comparison) -> String {
    let metric = &comparison.metric;
    let best = comparison.variants.first();
    let Some((best, sample)) = best.and_then(|best| Some((best, best.sample?))) else {
        return format!("No run counts, so nothing is known of {metric}.");
    };
    let better = match comparison.goal {
        Goal::Lower => "lower",
        Goal::Higher => "higher",
    };
    let mut words = vec![format!(
        "Best by {metric} ({better} is better): {}, {} over {}.",
        best.label,
        number::sample(Some(sample)),
        number::count(sample.n, "seed")
    )];
    let mut parts = Vec::new();
    for verdict in [
        Verdict::WithinNoise,
        Verdict::Worse,
        Verdict::OneSeed,
        Verdict::TwoSeeds,
        Verdict::NoSpread,
        Verdict::OtherData,
        Verdict::Stopped,
        Verdict::Unmeasured,
    ] {
        let variants = comparison.variants.iter();
        let n = variants.filter(|one| one.verdict == verdict).count();
        if n > 0 {
            parts.push(format!("{n} {}", said_of(n, verdict)));
        }
    }
    let others = comparison.variants.len() - 1;
    if others > 0 {
        let others = number::count(others, "other");
        words.push(format!("Of {others}, {}.", parts.join("; ")));
    }
    match comparison.excluded().count() {
        0 => {}
        1 => words.push("1 run is not counted.".to_owned()),
        n => words.push(format!("{n} runs are not counted.")),
    }
    if let Some(tokens) = comparison.at {
        words.push(format!(
            "Runs are compared after {tokens} tokens of training, not at their ends."
        ));
    }
    if !comparison.warnings.is_empty() {
        words.push("The runs were not all treated alike; see below the table.".to_owned());
    }
    words.join(" ")
}

/// What is said of `n` variants with a verdict.
fn said_of(n: usize, verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Best if n == 1 => "is best",
        Verdict::Best => "are best",
        Verdict::WithinNoise => "cannot be told from it by these seeds",
        Verdict::Worse if n == 1 => "is worse",
        Verdict::Worse => "are worse",
        Verdict::OneSeed => "cannot be told from it, for one side has one seed",
        Verdict::TwoSeeds => "cannot be told from it, for one side has two seeds",
        Verdict::NoSpread => {
            "cannot be told from it, for the difference is the same with all seeds"
        }
        Verdict::OtherData if n == 1 => "was trained or measured on other data",
        Verdict::OtherData => "were trained or measured on other data",
        Verdict::Stopped if n == 1 => "was stopped on an earlier rung",
        Verdict::Stopped => "were stopped on an earlier rung",
        Verdict::Unmeasured if n == 1 => "has no run that counts",
        Verdict::Unmeasured => "have no run that counts",
    }
}
