//! The metric against each key in which variants differ.

use serde_json::Value;

use super::{dot, file_name, left_out, looks};
use crate::comparison::Comparison;
use crate::comparison::Variant;
use crate::comparison::label::in_words;
use crate::plot::{Axis, Dot, Entry, Figure, Look, MOST, Series, Spread, Values};

/// One figure a key of the labels.
pub(super) fn figures(comparison: &Comparison) -> Vec<Figure> {
    comparison
        .shown
        .iter()
        .filter_map(|key| figure(comparison, key))
        .collect()
}

fn figure(comparison: &Comparison, key: &str) -> Option<Figure> {
    let measured: Vec<&Variant> = comparison
        .variants
        .iter()
        .filter(|one| one.sample.is_some() && one.values.contains_key(key))
        .collect();
    let mut values: Vec<&Value> = Vec::new();
    for variant in &measured {
        let value = &variant.values[key];
        if !values.contains(&value) {
            values.push(value);
        }
    }
    if values.len() < 2 {
        return None;
    }
    let numbers: Option<Vec<f64>> = values.iter().map(|value| value.as_f64()).collect();
    let mut names: Vec<String> = values.iter().map(|value| in_words(value)).collect();
    names.sort();
    let place = |value: &Value| match &numbers {
        Some(_) => value.as_f64(),
        None => names
            .iter()
            .position(|name| *name == in_words(value))
            .map(|at| at as f64),
    };

    // Best first, as the variants are.
    let shown = &comparison.shown;
    let at = shown.iter().position(|one| one == key).unwrap_or_default();
    let rest = looks::without(shown, at);
    let mut lines: Vec<(&Variant, Vec<Dot>)> = Vec::new();
    for variant in &measured {
        let Some(x) = place(&variant.values[key]) else {
            continue;
        };
        let values: Vec<f64> = variant.counted().filter_map(|run| run.value).collect();
        let Some(dot) = dot(x, &values) else { continue };
        let others = looks::of(variant, &rest);
        let mut known = lines.iter_mut();
        match known.find(|(first, _)| looks::of(first, &rest) == others) {
            Some((_, dots)) => dots.push(dot),
            None => lines.push((variant, vec![dot])),
        }
    }
    let missing = lines.len().saturating_sub(MOST);
    lines.truncate(MOST);
    lines.sort_by(|(a, _), (b, _)| looks::by_value(&looks::of(a, &rest), &looks::of(b, &rest)));
    let short = comparison.short();
    let label = short.of(key);
    let note = left_out(missing).replace("of the table", "of the lines");
    Some(Figure {
        name: format!("metric-by-{}", file_name(key)),
        title: format!("{} by {label}", comparison.metric),
        x: match numbers {
            Some(numbers) => Axis::chosen(key, numbers),
            None => Axis {
                label: key.to_owned(),
                values: Values::Names(names),
                in_logs: false,
            },
        },
        y: Axis::numbers(comparison.metric_label()),
        legend: (lines.iter().enumerate())
            .map(|(place, (variant, _))| Entry {
                label: others(comparison, variant, key),
                look: Look::of(place),
            })
            .filter(|entry| !entry.label.is_empty())
            .collect(),
        series: lines
            .into_iter()
            .enumerate()
            .map(|(place, (_, dots))| Series {
                look: Look::of(place),
                dots,
                spread: Spread::Bars,
            })
            .collect(),
        note: (!note.is_empty()).then_some(note),
    })
}

/// The other keys of the label, in words.
fn others(comparison: &Comparison, variant: &Variant, key: &str) -> String {
    let short = comparison.short();
    let others = comparison.shown.iter().filter(|other| *other != key);
    let words: Vec<String> = others
        .filter_map(|other| {
            let value = variant.values.get(other)?;
            Some(format!("{}={}", short.of(other), in_words(value)))
        })
        .collect();
    words.join(" ")
}
