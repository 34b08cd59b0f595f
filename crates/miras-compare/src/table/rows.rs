//! The rows of the table, the same in every format.

use miras_run::Goal;

use super::number;
use crate::comparison::label::in_words;
use crate::comparison::{Comparison, Variant, Verdict};
use crate::input::Cost;

/// Keys beside the label that fit in a column.
const ALSO: usize = 3;

/// A table of text.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) head: Vec<String>,
    pub(crate) rows: Vec<Vec<String>>,
    /// Columns of numbers, which end at the right.
    pub(crate) right: Vec<bool>,
}

impl Table {
    /// The variants, best first.
    pub(crate) fn of(comparison: &Comparison) -> Self {
        let has_also = comparison.variants.iter().any(|one| !one.also.is_empty());
        let mut columns: Vec<(String, bool)> = vec![("variant".to_owned(), false)];
        if has_also {
            columns.push(("also differs".to_owned(), false));
        }
        columns.push(("seeds".to_owned(), true));
        columns.push((comparison.metric.clone(), true));
        columns.push(("to the best".to_owned(), true));
        columns.push(("verdict".to_owned(), false));
        for name in [
            "parameters",
            "of memory",
            "state bytes",
            "tokens",
            "FLOPs",
            "tokens/s",
            "not counted",
        ] {
            columns.push((name.to_owned(), true));
        }
        let (head, right) = columns.into_iter().unzip();
        let rows = comparison
            .variants
            .iter()
            .map(|variant| row(comparison, variant, has_also))
            .collect();
        Self { head, rows, right }
    }
}

fn row(comparison: &Comparison, variant: &Variant, has_also: bool) -> Vec<String> {
    let cost = variant.cost();
    let whole = |value: Option<u64>| number::maybe(value.map(|value| value as f64));
    let mut row = vec![variant.label.clone()];
    if has_also {
        row.push(also(comparison, variant));
    }
    row.extend([
        variant.sample.map_or(0, |sample| sample.n).to_string(),
        number::sample(variant.sample),
        to_the_best(comparison, variant),
        variant.verdict.to_string(),
        whole(cost.map(|cost| cost.parameters)),
        whole(cost.map(|cost| cost.memory_parameters)),
        cost.map_or(number::maybe(None), state),
        number::maybe(variant.tokens()),
        number::maybe(variant.flops()),
        number::maybe(variant.tokens_per_s()),
        variant.excluded().to_string(),
    ]);
    row
}

/// Bytes of state, and what each token of the past adds.
fn state(cost: Cost) -> String {
    let fixed = number::short(cost.state_bytes as f64);
    match cost.state_bytes_per_token {
        0 => fixed,
        more => format!("{fixed} + {}/token", number::short(more as f64)),
    }
}

fn to_the_best(comparison: &Comparison, variant: &Variant) -> String {
    let best = comparison.variants.first().and_then(|best| best.sample);
    match (variant.verdict, variant.difference, variant.sample, best) {
        (Verdict::Best, ..) => String::new(),
        (_, Some(difference), ..) => number::difference(difference),
        (_, None, Some(own), Some(best)) => number::signed(own.mean - best.mean),
        _ => number::UNKNOWN.to_owned(),
    }
}

fn also(comparison: &Comparison, variant: &Variant) -> String {
    let short = comparison.short();
    let mut words: Vec<String> = variant
        .also
        .iter()
        .take(ALSO)
        .map(|(key, value)| format!("{}={}", short.of(key), in_words(value)))
        .collect();
    if variant.also.len() > ALSO {
        words.push(format!(
            "+{}",
            number::count(variant.also.len() - ALSO, "key")
        ));
    }
    words.join(" ")
}

/// How the table is to be read.
pub(crate) fn footnote(comparison: &Comparison) -> String {
    let better = match comparison.goal {
        Goal::Lower => "lower",
        Goal::Higher => "higher",
    };
    let tests = comparison
        .variants
        .iter()
        .filter(|one| one.p_holm.is_some())
        .count();
    let correction = match tests {
        0 => "None could be tested: both sides need two seeds.".to_owned(),
        1 => "One test was made.".to_owned(),
        n => format!("{n} tests were made, and p is corrected for that by Holm's method."),
    };
    format!(
        "{}: the last value of each run that counts, mean ± sample standard deviation over \
         seeds; {better} is better. To the best: the difference of the means, ± half of its 95 % \
         confidence interval. Verdicts are two-sided t-tests of it at 95 %, paired by seed where \
         both sides have the same seeds, else Welch's. {correction} Within noise means that these \
         seeds cannot tell, not that there is no difference. The best was picked by the same \
         values, so that it is best is not tested.",
        comparison.metric
    )
}

/// The runs that do not count: variant, run, seed, why.
pub(crate) fn excluded(comparison: &Comparison) -> Vec<[String; 4]> {
    comparison
        .excluded()
        .map(|(variant, run)| {
            [
                variant.label.clone(),
                run.name.clone(),
                run.seed.to_string(),
                run.excluded.clone().unwrap_or_default(),
            ]
        })
        .collect()
}
