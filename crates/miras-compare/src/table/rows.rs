//! The rows of the table, the same in every format.

use miras_run::Goal;

use super::number;
use crate::comparison::Comparison;
use crate::comparison::Variant;
use crate::comparison::label::{in_words, short_keys};

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
            .map(|variant| row(variant, has_also))
            .collect();
        Self { head, rows, right }
    }
}

fn row(variant: &Variant, has_also: bool) -> Vec<String> {
    let cost = variant.cost();
    let whole = |value: Option<u64>| number::maybe(value.map(|value| value as f64));
    let mut row = vec![variant.label.clone()];
    if has_also {
        row.push(also(variant));
    }
    row.extend([
        variant.sample.map_or(0, |sample| sample.n).to_string(),
        number::sample(variant.sample),
        variant.verdict.to_string(),
        whole(cost.map(|cost| cost.parameters)),
        whole(cost.map(|cost| cost.memory_parameters)),
        whole(cost.map(|cost| cost.state_bytes)),
        number::maybe(variant.tokens()),
        number::maybe(variant.flops()),
        number::maybe(variant.tokens_per_s()),
        variant.excluded().to_string(),
    ]);
    row
}

fn also(variant: &Variant) -> String {
    let keys: Vec<String> = variant.also.keys().cloned().collect();
    let short = short_keys(&keys);
    let mut words: Vec<String> = variant
        .also
        .iter()
        .take(ALSO)
        .map(|(key, value)| format!("{}={}", short[key.as_str()], in_words(value)))
        .collect();
    if keys.len() > ALSO {
        words.push(format!("+{}", number::count(keys.len() - ALSO, "key")));
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
        .filter(|one| one.p.is_some())
        .count();
    let correction = match tests {
        0 => "None could be tested: both sides need two seeds.".to_owned(),
        1 => "One test was made.".to_owned(),
        n => format!("{n} tests were made, and p is corrected for that by Holm's method."),
    };
    format!(
        "{}: the last value of each run that counts, mean ± sample standard deviation over \
         seeds; {better} is better. Verdicts are Welch's t-test against the best, two-sided, at \
         95 %. {correction} The best was picked by the same values, so that it is best is not \
         tested.",
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
