//! The metric in the course of training.

use std::collections::BTreeMap;

use super::dot;
use crate::comparison::{Comparison, Sample, Variant};
use crate::input::{Point, Run};
use crate::plot::{Axis, Dot, Figure, Look, Series, Spread};

/// Against tokens, operations and seconds.
pub(super) fn figures(comparison: &Comparison) -> Vec<Figure> {
    type Along = fn(&Run, &Point) -> Option<f64>;
    let ways: [(&str, &str, &str, Along); 3] = [
        ("tokens", "tokens", "tokens of training", |_, point| {
            Some(point.tokens as f64)
        }),
        (
            "flops",
            "operations",
            "training FLOPs (forward and backward)",
            |run, point| Some(point.tokens as f64 * run.cost?.flops_per_token),
        ),
        ("seconds", "time", "seconds of training", |_, point| {
            point.seconds
        }),
    ];
    ways.into_iter()
        .map(|(name, word, label, along)| {
            let drawn = comparison.drawn(|variant| curve(variant, &comparison.metric, along));
            let has_spread = drawn
                .all
                .iter()
                .any(|(_, _, dots)| dots.iter().any(|dot| dot.std.is_some()));
            Figure {
                name: format!("metric-by-{name}"),
                title: format!("{} against {word}", comparison.metric),
                x: Axis::numbers(label),
                y: Axis::numbers(comparison.metric_label()),
                legend: drawn.legend(),
                note: drawn.note(if has_spread {
                    "mean ± standard deviation over seeds"
                } else {
                    ""
                }),
                series: drawn
                    .all
                    .into_iter()
                    .map(|(rank, _, dots)| Series {
                        look: Look::of(rank),
                        dots,
                        spread: Spread::Band,
                    })
                    .collect(),
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
                .map(|&(x, y)| Dot { x, y, std: None })
                .collect();
        }
        for (tokens, place) in own {
            places.entry(tokens).or_default().push(place);
        }
    }
    let shared = places.into_values().filter(|values| values.len() == runs);
    let dots: Vec<Dot> = shared
        .filter_map(|values| {
            let (xs, ys): (Vec<f64>, Vec<f64>) = values.into_iter().unzip();
            dot(Sample::of(&xs)?.mean, &ys)
        })
        .collect();
    let dots = if dots.is_empty() { longest } else { dots };
    (!dots.is_empty()).then_some(dots)
}
