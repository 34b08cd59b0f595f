//! The answer in words.

use miras_run::Goal;

use crate::comparison::{Comparison, Verdict};
use crate::table::number;

/// A paragraph: what is best, how many cannot be told from it, and what to mind.
pub(super) fn answer(comparison: &Comparison) -> String {
    let metric = &comparison.metric;
    let Some((best, sample)) = comparison
        .variants
        .first()
        .and_then(|best| Some((best, best.sample?)))
    else {
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
    let of = |verdict| {
        comparison
            .variants
            .iter()
            .filter(|one| one.verdict == verdict)
            .count()
    };
    let others = comparison.variants.len() - 1;
    let mut parts = Vec::new();
    for (verdict, one, many) in [
        (
            Verdict::WithinNoise,
            "cannot be told from it by these seeds",
            "cannot be told from it by these seeds",
        ),
        (Verdict::Worse, "is worse", "are worse"),
        (
            Verdict::OneSeed,
            "cannot be told from it, for one side has one seed",
            "cannot be told from it, for one side has one seed",
        ),
        (
            Verdict::TwoSeeds,
            "cannot be told from it, for one side has two seeds",
            "cannot be told from it, for one side has two seeds",
        ),
        (
            Verdict::NoSpread,
            "cannot be told from it, for the difference is the same with all seeds",
            "cannot be told from it, for the difference is the same with all seeds",
        ),
        (
            Verdict::Stopped,
            "was stopped on an earlier rung",
            "were stopped on an earlier rung",
        ),
        (
            Verdict::Unmeasured,
            "has no run that counts",
            "have no run that counts",
        ),
    ] {
        match of(verdict) {
            0 => {}
            1 => parts.push(format!("1 {one}")),
            n => parts.push(format!("{n} {many}")),
        }
    }
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
