//! What trained runs were measured at: by position, by length, by number of pairs.

use std::collections::{BTreeMap, BTreeSet};

use super::dot;
use crate::comparison::{Comparison, Variant};
use crate::input::{Evaluation, Memory};
use crate::plot::{Axis, COLORS, Dash, Dot, Entry, Figure, Look, MOST, Series, Spread};

pub(super) fn figures(comparison: &Comparison) -> Vec<Figure> {
    let mut found = Vec::new();
    let Some(data) = most_common(evaluations(comparison).map(|one| one.data.fingerprint.clone()))
    else {
        return found;
    };
    let same = |one: &&Evaluation| one.data.fingerprint == data;
    found.extend(by_position(comparison, same));
    found.extend(by_length(comparison, same));
    found.extend(by_pairs(comparison, same));
    found
}

fn evaluations(comparison: &Comparison) -> impl Iterator<Item = &Evaluation> {
    let variants = comparison.variants.iter();
    variants
        .flat_map(Variant::counted)
        .flat_map(|run| &run.evaluations)
}

/// The largest among equally common ones.
fn most_common<T: Ord>(values: impl Iterator<Item = T>) -> Option<T> {
    let mut counts = BTreeMap::new();
    for value in values {
        *counts.entry(value).or_insert(0_usize) += 1;
    }
    counts
        .into_iter()
        .max_by_key(|&(_, count)| count)
        .map(|(value, _)| value)
}

/// Means over the runs of a variant that count, by a number: one evaluation a run.
fn means(
    variant: &Variant,
    choose: impl Fn(&&Evaluation) -> bool,
    values: impl Fn(&Evaluation) -> Vec<(f64, f64)>,
) -> Option<Vec<Dot>> {
    let mut at: BTreeMap<u64, (f64, Vec<f64>)> = BTreeMap::new();
    for run in variant.counted() {
        if let Some(one) = run.evaluations.iter().find(&choose) {
            for (x, y) in values(one) {
                at.entry(x.to_bits())
                    .or_insert_with(|| (x, Vec::new()))
                    .1
                    .push(y);
            }
        }
    }
    let dots: Vec<Dot> = at.into_values().filter_map(|(x, ys)| dot(x, &ys)).collect();
    (!dots.is_empty()).then_some(dots)
}

fn by_position(comparison: &Comparison, same: impl Fn(&&Evaluation) -> bool) -> Option<Figure> {
    let measured =
        |one: &&Evaluation| same(one) && one.memory == Memory::Live && !one.by_position.is_empty();
    let length = most_common(
        evaluations(comparison)
            .filter(measured)
            .map(|one| one.length),
    )?;
    let drawn = comparison.drawn(|variant| {
        means(
            variant,
            |one| measured(one) && one.length == length,
            |one| {
                let bins = one.by_position.iter();
                // The first token is at 0, which has no logarithm.
                bins.filter_map(|bin| {
                    Some((((bin.from + bin.to) as f64 / 2.0).max(0.5), bin.loss?))
                })
                .collect()
            },
        )
    });
    Some(Figure {
        name: "loss-by-position".to_owned(),
        title: "loss by position in the context".to_owned(),
        x: Axis::numbers("position (tokens read before)").in_logs(),
        y: Axis::numbers("loss (nats)"),
        legend: drawn.legend(),
        note: drawn.note(&format!("rows of {length} tokens, memory live")),
        series: series(drawn.all),
    })
}

fn by_pairs(comparison: &Comparison, same: impl Fn(&&Evaluation) -> bool) -> Option<Figure> {
    let measured =
        |one: &&Evaluation| same(one) && one.memory == Memory::Live && !one.by_pairs.is_empty();
    let length = most_common(
        evaluations(comparison)
            .filter(measured)
            .map(|one| one.length),
    )?;
    let mut loads = Vec::new();
    let drawn = comparison.drawn(|variant| {
        means(
            variant,
            |one| measured(one) && one.length == length,
            |one| {
                let pairs = one.by_pairs.iter();
                pairs
                    .filter_map(|load| Some((load.pairs as f64, load.accuracy?)))
                    .collect()
            },
        )
    });
    for (_, _, dots) in &drawn.all {
        loads.extend(dots.iter().map(|dot| dot.x));
    }
    Some(Figure {
        name: "accuracy-by-pairs".to_owned(),
        title: "accuracy of recall by load".to_owned(),
        x: Axis::chosen("pairs to remember", loads),
        y: Axis::numbers("accuracy"),
        legend: drawn.legend(),
        note: drawn.note(&format!("rows of {length} tokens, memory live")),
        series: series(drawn.all),
    })
}

/// A line a variant and sort of memory; a figure if there are two lengths.
fn by_length(comparison: &Comparison, same: impl Fn(&&Evaluation) -> bool) -> Option<Figure> {
    let lengths: BTreeSet<u64> = evaluations(comparison)
        .filter(&same)
        .map(|one| one.length)
        .collect();
    if lengths.len() < 2 {
        return None;
    }
    let in_bits = evaluations(comparison)
        .filter(&same)
        .all(|one| one.bits_per_byte.is_some());
    let value = |one: &Evaluation| if in_bits { one.bits_per_byte } else { one.loss };
    let ways: BTreeSet<Memory> = evaluations(comparison)
        .filter(&same)
        .map(|one| one.memory)
        .collect();
    let mut kinds = vec![
        (Memory::Live, Dash::Solid),
        (Memory::Frozen, Dash::Dashed),
        (Memory::Reset, Dash::Dotted),
    ];
    kinds.retain(|(memory, _)| ways.contains(memory));
    let is_by_memory = kinds.len() > 1;
    // Where dashes are for the memory, there are as many variants as colours.
    let most = if is_by_memory { COLORS } else { MOST };
    let drawn = comparison.first(most, |variant| {
        let lines: Vec<(Dash, Vec<Dot>)> = kinds
            .iter()
            .map(|&(memory, dash)| {
                let at = |&length: &u64| {
                    let choose = |one: &&Evaluation| {
                        same(one) && (one.length, one.memory) == (length, memory)
                    };
                    let values: Vec<f64> = variant
                        .counted()
                        .filter_map(|run| run.evaluations.iter().find(choose).and_then(value))
                        .collect();
                    dot(length as f64, &values)
                };
                (dash, lengths.iter().filter_map(at).collect())
            })
            .filter(|(_, dots): &(_, Vec<Dot>)| !dots.is_empty())
            .collect();
        (!lines.is_empty()).then_some(lines)
    });
    let mut legend = drawn.legend();
    if is_by_memory {
        for entry in &mut legend {
            entry.look.dash = Dash::Solid;
        }
        legend.extend(kinds.iter().map(|&(memory, dash)| Entry {
            label: format!("memory {memory}"),
            look: Look {
                color: COLORS - 1,
                dash,
            },
        }));
    }
    let note = drawn.note("");
    let lines = drawn.all.into_iter().flat_map(|(rank, _, lines)| {
        lines.into_iter().map(move |(dash, dots)| Series {
            look: if is_by_memory {
                Look {
                    dash,
                    ..Look::of(rank)
                }
            } else {
                Look::of(rank)
            },
            dots,
            spread: Spread::Bars,
        })
    });
    Some(Figure {
        name: "loss-by-length".to_owned(),
        title: format!(
            "{} by length of evaluation",
            if in_bits { "bits per byte" } else { "loss" }
        ),
        x: Axis::chosen(
            "tokens a row",
            lengths.iter().map(|&one| one as f64).collect(),
        )
        .in_logs(),
        y: Axis::numbers(if in_bits {
            "bits per byte"
        } else {
            "loss (nats)"
        }),
        series: lines.collect(),
        legend,
        note,
    })
}

fn series(drawn: Vec<(usize, String, Vec<Dot>)>) -> Vec<Series> {
    let lines = drawn.into_iter().map(|(rank, _, dots)| Series {
        look: Look::of(rank),
        dots,
        spread: Spread::Band,
    });
    lines.collect()
}
