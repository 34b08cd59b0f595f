//! The metric by each key of the labels.

use serde_json::Value;

use super::styles::{by_value, distinct, values};
use super::{file_name, left_out, point};
use crate::comparison::label::{label, value_text};
use crate::comparison::{Comparison, Variant};
use crate::plot::{Axis, DataPoint, LegendEntry, LineStyle, MAX_VARIANTS, Plot, Series};
use crate::plot::{Spread, Values};

pub(super) fn plots(comparison: &Comparison) -> Vec<Plot> {
    let keys = comparison.shown.iter();
    keys.filter_map(|key| plot(comparison, key)).collect()
}

/// One line for each combination of the other keys.
fn plot(comparison: &Comparison, key: &String) -> Option<Plot> {
    let variants = comparison.variants.iter();
    let measured = variants.filter(|one| one.sample.is_some() && one.values.contains_key(key));
    let measured: Vec<&Variant> = measured.collect();
    let found = distinct(&measured, std::slice::from_ref(key));
    let found: Vec<&Value> = found.into_iter().flatten().flatten().collect();
    if found.len() < 2 {
        return None;
    }
    let numbers: Option<Vec<f64>> = found.iter().map(|value| value.as_f64()).collect();
    let x = |value: &Value| match &numbers {
        Some(_) => value.as_f64(),
        None => found
            .iter()
            .position(|one| *one == value)
            .map(|at| at as f64),
    };
    let others = comparison.shown.iter().filter(|other| *other != key);
    let others: Vec<String> = others.cloned().collect();
    // Best first, as the variants are.
    let mut lines: Vec<(&Variant, Vec<DataPoint>)> = Vec::new();
    for variant in &measured {
        let results: Vec<f64> = variant.by_seed().into_values().collect();
        let Some(point) = x(&variant.values[key]).and_then(|x| point(x, &results)) else {
            continue;
        };
        let own = values(variant, &others);
        let mut known = lines.iter_mut();
        match known.find(|(first, _)| values(first, &others) == own) {
            Some((_, points)) => points.push(point),
            None => lines.push((variant, vec![point])),
        }
    }
    let notes = left_out(lines.len().saturating_sub(MAX_VARIANTS), "lines");
    lines.truncate(MAX_VARIANTS);
    lines.sort_by(|(a, _), (b, _)| by_value(&values(a, &others), &values(b, &others)));
    let names = comparison.key_names();
    let legend = lines
        .iter()
        .enumerate()
        .map(|(n, (variant, _))| LegendEntry {
            label: label(&names, &variant.values, &others),
            style: LineStyle::nth(n),
        });
    let legend = legend.filter(|entry| !entry.label.is_empty()).collect();
    let series = lines
        .into_iter()
        .enumerate()
        .map(|(n, (_, points))| Series {
            style: LineStyle::nth(n),
            points,
            spread: Spread::ErrorBars,
        });
    let texts = || found.iter().map(|value| value_text(value)).collect();
    Some(Plot {
        name: format!("metric-by-{}", file_name(key)),
        title: format!("{} by {}", comparison.metric, names.of(key)),
        notes: Vec::from_iter(notes),
        x: match numbers.clone() {
            Some(numbers) => Axis::chosen(key, numbers),
            None => Axis::new(key, Values::Names(texts())),
        },
        y: comparison.metric_axis(),
        legend,
        series: series.collect(),
    })
}
