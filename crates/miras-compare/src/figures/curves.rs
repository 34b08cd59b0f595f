//! The metric in the course of training.

use std::collections::BTreeMap;

use super::dot;
use crate::comparison::{Comparison, Sample, Variant};
use crate::input::{Point, Run};
use crate::plot::{Axis, Dot, Figure, Spread};

/// Against tokens, operations and seconds.
pub(super) fn figures(comparison: &Comparison) -> Vec<Figure> {
    type Along = fn(&Run, &Point) -> Option<f64>;
    let ways: [(&str, &str, Along); 3] = [
        ("tokens", "tokens of training", |_, point| {
            Some(point.tokens as f64)
        }),
        ("flops", "FLOPs of training", |run, point| {
            Some(point.tokens as f64 * run.cost?.flops_per_token)
        }),
        ("seconds", "seconds of training", |_, point| point.seconds),
    ];
    ways.into_iter()
        .map(|(name, label, along)| {
            let drawn = comparison.drawn(|variant| curve(variant, &comparison.metric, along));
            Figure {
                name: format!("metric-by-{name}"),
                title: format!("{} by {label}", comparison.metric),
                x: Axis::numbers(label),
                y: Axis::numbers(comparison.metric_label()),
                legend: drawn.legend(),
                note: drawn.note(""),
                series: drawn.series(Spread::Band),
            }
        })
        .collect()
}

/// The mean over the runs that count, where all of them were evaluated; if there is no such
/// place, that of the run that was evaluated most.
fn curve(
    variant: &Variant,
    metric: &str,
    along: impl Fn(&Run, &Point) -> Option<f64>,
) -> Option<Vec<Dot>> {
    let mut places: BTreeMap<u64, Vec<(f64, f64)>> = BTreeMap::new();
    let mut longest: Vec<Dot> = Vec::new();
    let mut runs = 0;
    for run in variant.counted() {
        runs += 1;
        let mut own = BTreeMap::new();
        for point in &run.points {
            if let Some(&y) = point.values.get(metric)
                && let Some(x) = along(run, point)
                && y.is_finite()
            {
                own.insert(point.tokens, (x, y));
            }
        }
        if own.len() > longest.len() {
            longest = own
                .values()
                .map(|&(x, y)| Dot {
                    x,
                    y,
                    std: None,
                    seeds: Vec::new(),
                })
                .collect();
        }
        for (tokens, place) in own {
            places.entry(tokens).or_default().push(place);
        }
    }
    let shared = places.into_values().filter(|values| values.len() == runs);
    let mut dots: Vec<Dot> = shared
        .filter_map(|values| {
            let (xs, ys): (Vec<f64>, Vec<f64>) = values.into_iter().unzip();
            dot(Sample::of(&xs)?.mean, &ys)
        })
        .collect();
    // The seeds of each place would hide the line.
    for dot in dots.iter_mut().rev().skip(1) {
        dot.seeds.clear();
    }
    let dots = if dots.is_empty() { longest } else { dots };
    (!dots.is_empty()).then_some(dots)
}
