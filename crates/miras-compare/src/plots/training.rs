//! What was logged in training: the metric over time, and the memories of each layer at the end.

use std::collections::{BTreeMap, BTreeSet};

use super::{file_name, point};
use crate::comparison::{Comparison, Sample, Variant};
use crate::input::{Point, Run};
use crate::plot::{Axis, DataPoint, MAX_VARIANTS, Plot, Spread};

/// The metric by tokens, operations and seconds.
pub(super) fn curves(comparison: &Comparison) -> Vec<Plot> {
    type X = fn(&Run, &Point) -> Option<f64>;
    let axes: [(&str, &str, X); 3] = [
        ("tokens", "tokens of training", |_, point| {
            Some(point.tokens as f64)
        }),
        ("flops", "FLOPs of training", |run, point| {
            Some(point.tokens as f64 * run.cost?.flops_per_token)
        }),
        ("seconds", "seconds of training", |_, point| point.seconds),
    ];
    let metric = &comparison.metric;
    let plots = axes.map(|(name, label, x)| {
        let lines = comparison.lines(MAX_VARIANTS, |variant| curve(variant, metric, x));
        let (x, y) = (Axis::numbers(label), comparison.metric_axis());
        let title = format!("{metric} by {label}");
        lines.plot(format!("metric-by-{name}"), title, x, y, Spread::Band)
    });
    plots.into()
}

/// The mean over the runs that count, where all of them were evaluated; if there is no such
/// place, the curve of the run that was evaluated most often.
fn curve(
    variant: &Variant,
    metric: &str,
    x: impl Fn(&Run, &Point) -> Option<f64>,
) -> Option<Vec<DataPoint>> {
    let curves = variant.counted().map(|run| {
        let points = run.points.iter().filter_map(|point| {
            let y = point.values.get(metric).filter(|y| y.is_finite())?;
            Some((point.tokens, (x(run, point)?, *y)))
        });
        points.collect()
    });
    let curves: Vec<BTreeMap<u64, (f64, f64)>> = curves.collect();
    let longest = curves.iter().rev().max_by_key(|curve| curve.len())?;
    let shared = longest.keys().filter_map(|tokens| {
        let values: Option<Vec<_>> = curves.iter().map(|curve| curve.get(tokens)).collect();
        let (xs, ys): (Vec<f64>, Vec<f64>) = values?.into_iter().copied().unzip();
        point(Sample::of(&xs)?.mean, &ys)
    });
    let mut points: Vec<DataPoint> = shared.collect();
    if points.is_empty() {
        let alone = longest.values().filter_map(|&(x, y)| point(x, &[y]));
        points = alone.collect();
    }
    // Rings at each point would hide the line.
    for point in points.iter_mut().rev().skip(1) {
        point.seeds.clear();
    }
    (!points.is_empty()).then_some(points)
}

/// A plot for each `memory/LAYER/NAME`: the last values, by layer.
pub(super) fn memories(comparison: &Comparison) -> Vec<Plot> {
    let points = comparison.counted().flat_map(|run| &run.points);
    let mut layers: BTreeMap<&str, BTreeSet<u32>> = BTreeMap::new();
    for tag in points.flat_map(|point| point.values.keys()) {
        if let Some((layer, name)) = layer_and_name(tag) {
            layers.entry(name).or_default().insert(layer);
        }
    }
    let plots = layers.into_iter().map(|(name, layers)| {
        let mut lines = comparison.lines(MAX_VARIANTS, |variant| {
            let points = layers.iter().filter_map(|layer| {
                let tag = format!("memory/{layer}/{name}");
                let values = variant.counted().filter_map(|run| run.last(&tag));
                let values: Vec<f64> = values.filter(|value| value.is_finite()).collect();
                point(f64::from(*layer), &values)
            });
            let points: Vec<DataPoint> = points.collect();
            (!points.is_empty()).then_some(points)
        });
        let words = name.replace('_', " ");
        let title = format!("memory: {words} by layer");
        let x = Axis::chosen(
            "layer",
            layers.iter().map(|&layer| f64::from(layer)).collect(),
        );
        // With many layers, error bars would reach into the next one.
        let spread = match layers.len() {
            0..=6 => Spread::ErrorBars,
            _ => Spread::Band,
        };
        let name = format!("memory-{}", file_name(name));
        let note = "last value logged in training";
        lines.notes.insert(0, note.to_owned());
        lines.plot(name, title, x, Axis::numbers(words), spread)
    });
    plots.collect()
}

fn layer_and_name(tag: &str) -> Option<(u32, &str)> {
    let (layer, name) = tag.strip_prefix("memory/")?.split_once('/')?;
    Some((layer.parse().ok()?, name))
}
