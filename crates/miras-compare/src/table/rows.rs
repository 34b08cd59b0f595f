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
    /// The variants, best first, with what may be said of them.
    pub(crate) fn verdicts(comparison: &Comparison) -> Self {
        let head = [
            ("variant", false),
            ("seeds", true),
            (&*comparison.metric, true),
            ("to the best", true),
            ("p", true),
            ("verdict", false),
            ("not counted", true),
        ];
        let row = |variant: &Variant| {
            vec![
                variant.label.clone(),
                variant.sample.map_or(0, |sample| sample.n).to_string(),
                number::sample(variant.sample),
                to_the_best(comparison, variant),
                variant.p_holm.map_or(String::new(), number::p),
                variant.verdict.to_string(),
                variant.excluded().to_string(),
            ]
        };
        Self::new(&head, comparison.variants.iter().map(row))
    }

    /// What the variants take, in the same order.
    pub(crate) fn costs(comparison: &Comparison) -> Self {
        let has_also = comparison.variants.iter().any(|one| !one.also.is_empty());
        let mut head = vec![("variant", false)];
        head.extend(has_also.then_some(("also differs", false)));
        head.extend(
            [
                "parameters",
                "of memory",
                "state bytes",
                "tokens",
                "FLOPs",
                "tokens/s",
            ]
            .map(|name| (name, true)),
        );
        let whole = |value: Option<u64>| number::maybe(value.map(|value| value as f64));
        let row = |variant: &Variant| {
            let cost = variant.cost();
            let mut row = vec![variant.label.clone()];
            row.extend(has_also.then(|| also(comparison, variant)));
            row.extend([
                whole(cost.map(|cost| cost.parameters)),
                whole(cost.map(|cost| cost.memory_parameters)),
                cost.map_or(number::maybe(None), state),
                number::maybe(variant.tokens()),
                number::maybe(variant.flops()),
                number::maybe(variant.tokens_per_s()),
            ]);
            row
        };
        Self::new(&head, comparison.variants.iter().map(row))
    }

    fn new(head: &[(&str, bool)], rows: impl Iterator<Item = Vec<String>>) -> Self {
        Self {
            head: head.iter().map(|(name, _)| (*name).to_owned()).collect(),
            rows: rows.collect(),
            right: head.iter().map(|&(_, right)| right).collect(),
        }
    }
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
        0 => "None could be tested: both sides need three seeds that differ.".to_owned(),
        1 => "One test was made.".to_owned(),
        n => format!("{n} tests were made, and p is corrected for that by Holm's method."),
    };
    let place = match comparison.at {
        None => "the last value of each run that counts".to_owned(),
        Some(tokens) => format!("the value of each run that counts after {tokens} tokens"),
    };
    let floor = comparison.resolution.map_or(String::new(), |step| {
        format!(
            " It changes in steps of {}, one question, and no spread is taken to be smaller.",
            number::trimmed(step, 6)
        )
    });
    format!(
        "{}: {place}, mean ± sample standard deviation over seeds; {better} is better.{floor} To \
         the best: the difference of the means, ± half of its 95 % confidence interval. Verdicts \
         are two-sided t-tests of it at 95 %, paired by seed where both sides have the same \
         seeds, else Welch's; with fewer than three seeds on a side there is none. {correction} \
         Within noise means that these seeds cannot tell, not that there is no difference. The \
         best was picked by the same values, so that it is best is not tested.",
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
