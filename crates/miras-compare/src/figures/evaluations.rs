//! What trained runs were measured at: by position, by length, by number of pairs.

use std::collections::{BTreeMap, BTreeSet};

use super::dot;
use crate::comparison::{Comparison, Variant};
use crate::input::{Evaluation, Memory, Run, Way};
use crate::plot::{Axis, COLORS, Dash, Dot, Entry, Figure, Look, MOST, Series, Spread};

pub(super) fn figures(comparison: &Comparison) -> Vec<Figure> {
    let mut found = Vec::new();
    let Some(data) = most_common(evaluations(comparison).map(|(run, one)| run.measured_on(one)))
    else {
        return found;
    };
    // Seeds of generated data are rows of the same data.
    let same = |run: &Run, one: &Evaluation| run.measured_on(one) == data;
    found.extend(by_position(comparison, same));
    found.extend(by_length(comparison, same));
    found.extend(by_pairs(comparison, same));
    found
}

fn evaluations(comparison: &Comparison) -> impl Iterator<Item = (&Run, &Evaluation)> {
    let runs = comparison.variants.iter().flat_map(Variant::counted);
    runs.flat_map(|run| run.evaluations.iter().map(move |one| (run, one)))
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
    choose: impl Fn(&Run, &Evaluation) -> bool,
    values: impl Fn(&Evaluation) -> Vec<(f64, f64)>,
) -> Option<Vec<Dot>> {
    let mut at: BTreeMap<u64, (f64, Vec<f64>)> = BTreeMap::new();
    for run in variant.counted() {
        if let Some(one) = run.evaluations.iter().find(|one| choose(run, one)) {
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

fn by_position(
    comparison: &Comparison,
    same: impl Fn(&Run, &Evaluation) -> bool,
) -> Option<Figure> {
    let measured = |run: &Run, one: &Evaluation| {
        same(run, one) && one.memory == Memory::Live && !one.by_position.is_empty()
    };
    let at = most_common(
        evaluations(comparison)
            .filter(|(run, one)| measured(run, one))
            .map(|(_, one)| (one.length, one.way())),
    )?;
    let drawn = comparison.drawn(|variant| {
        means(
            variant,
            |run, one| measured(run, one) && (one.length, one.way()) == at,
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
        note: drawn.note(&format!("rows of {} tokens, memory {}", at.0, at.1)),
        series: drawn.series(Spread::Band),
    })
}

fn by_pairs(comparison: &Comparison, same: impl Fn(&Run, &Evaluation) -> bool) -> Option<Figure> {
    let measured = |run: &Run, one: &Evaluation| {
        same(run, one) && one.memory == Memory::Live && !one.by_pairs.is_empty()
    };
    let at = most_common(
        evaluations(comparison)
            .filter(|(run, one)| measured(run, one))
            .map(|(_, one)| (one.length, one.way())),
    )?;
    let mut loads = Vec::new();
    let drawn = comparison.drawn(|variant| {
        means(
            variant,
            |run, one| measured(run, one) && (one.length, one.way()) == at,
            |one| {
                let pairs = one.by_pairs.iter();
                pairs
                    .filter_map(|load| Some((load.pairs as f64, load.accuracy?)))
                    .collect()
            },
        )
    });
    for one in &drawn.all {
        loads.extend(one.what.iter().map(|dot| dot.x));
    }
    Some(Figure {
        name: "accuracy-by-pairs".to_owned(),
        title: "accuracy of recall by load".to_owned(),
        x: Axis::chosen("pairs to remember", loads),
        y: Axis::numbers("accuracy"),
        legend: drawn.legend(),
        note: drawn.note(&format!("rows of {} tokens, memory {}", at.0, at.1)),
        series: drawn.series(Spread::Band),
    })
}

/// Lines of what is carried have a dash of their own, whatever memories do.
fn dash(way: Way) -> Dash {
    match way.memory {
        _ if way.carried => Dash::Mixed,
        Memory::Live => Dash::Solid,
        Memory::Frozen => Dash::Dashed,
        Memory::Reset => Dash::Dotted,
    }
}

/// A line a variant and way of the memory; a figure if there are two lengths.
fn by_length(comparison: &Comparison, same: impl Fn(&Run, &Evaluation) -> bool) -> Option<Figure> {
    let all = || {
        let of_data = evaluations(comparison).filter(|(run, one)| same(run, one));
        of_data.map(|(_, one)| one)
    };
    let lengths: BTreeSet<u64> = all().map(|one| one.length).collect();
    if lengths.len() < 2 {
        return None;
    }
    let in_bits = all().all(|one| one.bits_per_byte.is_some());
    let value = |one: &Evaluation| if in_bits { one.bits_per_byte } else { one.loss };
    let ways: BTreeSet<Way> = all().map(Evaluation::way).collect();
    let is_by_memory = ways.len() > 1;
    // Where dashes are for the memory, there are as many variants as colours.
    let most = if is_by_memory { COLORS } else { MOST };
    let mut drawn = comparison.first(most, |variant| {
        let lines: Vec<(Dash, Vec<Dot>)> = ways
            .iter()
            .map(|&way| {
                let at = |&length: &u64| {
                    let choose = |run: &Run, one: &Evaluation| {
                        same(run, one) && (one.length, one.way()) == (length, way)
                    };
                    let values: Vec<f64> = variant
                        .counted()
                        .filter_map(|run| {
                            let mut all = run.evaluations.iter();
                            all.find(|one| choose(run, one)).and_then(value)
                        })
                        .collect();
                    dot(length as f64, &values)
                };
                (dash(way), lengths.iter().filter_map(at).collect())
            })
            .filter(|(_, dots): &(_, Vec<Dot>)| !dots.is_empty())
            .collect();
        (!lines.is_empty()).then_some(lines)
    });
    if is_by_memory {
        drawn.own_colors();
    }
    let mut legend = drawn.legend();
    if is_by_memory {
        legend.extend(ways.iter().map(|&way| Entry {
            label: format!("memory {way}"),
            look: Look {
                color: COLORS - 1,
                dash: dash(way),
            },
        }));
    }
    let note = drawn.note("");
    let lines = drawn.all.into_iter().flat_map(|one| {
        let own = one.look;
        one.what.into_iter().map(move |(dash, dots)| Series {
            look: Look {
                dash: if is_by_memory { dash } else { own.dash },
                ..own
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
