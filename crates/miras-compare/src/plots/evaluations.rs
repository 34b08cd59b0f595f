//! What trained runs were evaluated at: loss by position and by length, accuracy by number of
//! pairs.

use std::collections::{BTreeMap, BTreeSet};

use super::{Lines, point};
use crate::comparison::{Comparison, Variant};
use crate::input::{Evaluation, Memory, MemoryMode, Run};
use crate::plot::{Axis, COLORS, Dash, DataPoint, LegendEntry, LineStyle, MAX_VARIANTS};
use crate::plot::{Plot, Series, Spread};

/// The data that most evaluations are of: its checksum or generator.
type Data = Option<String>;

pub(super) fn plots(comparison: &Comparison) -> Vec<Plot> {
    let all = comparison.counted().flat_map(|run| {
        let evaluations = run.evaluations.iter();
        evaluations.map(|one| run.measured_on(one))
    });
    let Some(data) = most_common(all) else {
        return Vec::new();
    };
    let plots = [
        by_position(comparison, &data),
        by_length(comparison, &data),
        by_pairs(comparison, &data),
    ];
    plots.into_iter().flatten().collect()
}

fn of_data<'a>(run: &'a Run, data: &'a Data) -> impl Iterator<Item = &'a Evaluation> {
    let evaluations = run.evaluations.iter();
    evaluations.filter(move |one| run.measured_on(one) == *data)
}

/// The largest among equally common ones.
fn most_common<T: Ord>(values: impl Iterator<Item = T>) -> Option<T> {
    let mut counts = BTreeMap::new();
    for value in values {
        *counts.entry(value).or_insert(0_usize) += 1;
    }
    let most = counts.into_iter().max_by_key(|&(_, count)| count);
    most.map(|(value, _)| value)
}

/// The parts of evaluations of live memories, such as positions, at the length that most
/// evaluations have.
fn parts(
    comparison: &Comparison,
    data: &Data,
    of: impl Fn(&Evaluation) -> Vec<(f64, f64)>,
) -> Option<Lines<Vec<DataPoint>>> {
    let is_live = |one: &&Evaluation| one.memory == Memory::Live && !of(one).is_empty();
    let live = comparison
        .counted()
        .flat_map(|run| of_data(run, data))
        .filter(is_live);
    let (length, mode) = most_common(live.map(|one| (one.length, one.mode())))?;
    let mut lines = comparison.lines(MAX_VARIANTS, |variant| {
        let mut seeds: BTreeMap<u64, Vec<f64>> = BTreeMap::new();
        for run in variant.counted() {
            let mut evaluations = of_data(run, data).filter(is_live);
            let one = evaluations.find(|one| (one.length, one.mode()) == (length, mode));
            for (x, y) in one.map(&of).unwrap_or_default() {
                seeds.entry(x.to_bits()).or_default().push(y);
            }
        }
        let points = seeds.into_iter();
        let points: Vec<_> = points
            .filter_map(|(x, ys)| point(f64::from_bits(x), &ys))
            .collect();
        (!points.is_empty()).then_some(points)
    });
    let rows = format!("rows of {length} tokens, memory {mode}");
    lines.notes.insert(0, rows);
    Some(lines)
}

fn by_position(comparison: &Comparison, data: &Data) -> Option<Plot> {
    let lines = parts(comparison, data, |one| {
        let bins = one.by_position.iter();
        // The first token is at 0, which has no logarithm.
        let middle = |from: u64, to: u64| ((from + to) as f64 / 2.0).max(0.5);
        bins.filter_map(|bin| Some((middle(bin.from, bin.to), bin.loss?)))
            .collect()
    })?;
    let x = Axis::numbers("position (tokens read before)").log();
    let title = "loss by position in the context".to_owned();
    let y = Axis::numbers("loss (nats)");
    Some(lines.plot("loss-by-position".to_owned(), title, x, y, Spread::Band))
}

fn by_pairs(comparison: &Comparison, data: &Data) -> Option<Plot> {
    let lines = parts(comparison, data, |one| {
        let loads = one.by_pairs.iter();
        loads
            .filter_map(|load| Some((load.pairs as f64, load.accuracy?)))
            .collect()
    })?;
    let points = lines.all.iter().flat_map(|line| &line.data);
    let x = Axis::chosen("pairs to remember", points.map(|point| point.x).collect());
    let title = "accuracy of recall by load".to_owned();
    let y = Axis::numbers("accuracy");
    Some(lines.plot("accuracy-by-pairs".to_owned(), title, x, y, Spread::Band))
}

/// One line for each variant and memory mode, if there are several lengths.
fn by_length(comparison: &Comparison, data: &Data) -> Option<Plot> {
    let all = || comparison.counted().flat_map(|run| of_data(run, data));
    let lengths: BTreeSet<u64> = all().map(|one| one.length).collect();
    if lengths.len() < 2 {
        return None;
    }
    let in_bits = all().all(|one| one.bits_per_byte.is_some());
    let modes: BTreeSet<MemoryMode> = all().map(Evaluation::mode).collect();
    let points = |variant: &Variant, mode: MemoryMode| -> Vec<DataPoint> {
        let points = lengths.iter().filter_map(|&length| {
            let values = variant.counted().filter_map(|run| {
                let mut evaluations = of_data(run, data);
                let one = evaluations.find(|one| (one.length, one.mode()) == (length, mode))?;
                one.value(in_bits)
            });
            point(length as f64, &values.collect::<Vec<_>>())
        });
        points.collect()
    };
    let is_by_memory = modes.len() > 1;
    // Where dashes stand for the memory, there are as many variants as colours.
    let max = if is_by_memory { COLORS } else { MAX_VARIANTS };
    let mut lines = comparison.lines(max, |variant| {
        let lines = modes.iter().map(|&mode| (mode, points(variant, mode)));
        let lines: Vec<_> = lines.filter(|(_, points)| !points.is_empty()).collect();
        (!lines.is_empty()).then_some(lines)
    });
    if is_by_memory {
        lines.distinguish_by_color();
    }
    let mut legend = lines.legend();
    if is_by_memory {
        legend.extend(modes.iter().map(|&mode| LegendEntry {
            label: format!("memory {mode}"),
            style: LineStyle {
                color: COLORS - 1,
                dash: dash(mode),
            },
        }));
    }
    let mut series = Vec::new();
    for line in lines.all {
        series.extend(line.data.into_iter().map(|(mode, points)| Series {
            style: LineStyle {
                dash: if is_by_memory {
                    dash(mode)
                } else {
                    line.style.dash
                },
                ..line.style
            },
            points,
            spread: Spread::ErrorBars,
        }));
    }
    let (what, unit) = if in_bits {
        ("bits per byte", "bits per byte")
    } else {
        ("loss", "loss (nats)")
    };
    let chosen = lengths.iter().map(|&length| length as f64).collect();
    Some(Plot {
        name: "loss-by-length".to_owned(),
        title: format!("{what} by length of evaluation"),
        notes: lines.notes,
        x: Axis::chosen("tokens a row", chosen).log(),
        y: Axis::numbers(unit),
        series,
        legend,
    })
}

/// Memories that are carried from row to row have a dash of their own.
fn dash(mode: MemoryMode) -> Dash {
    match mode.memory {
        _ if mode.carried => Dash::LongDashed,
        Memory::Live => Dash::Solid,
        Memory::Frozen => Dash::Dashed,
        Memory::Reset => Dash::Dotted,
    }
}
