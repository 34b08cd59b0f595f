//! The metric against each key in which variants differ.

use serde_json::Value;

use super::{Drawn, file_name, left_out};
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
    let mut lines: Vec<(String, Vec<Dot>)> = Vec::new();
    for variant in &measured {
        let (Some(sample), Some(x)) = (variant.sample, place(&variant.values[key])) else {
            continue;
        };
        let dot = Dot {
            x,
            y: sample.mean,
            std: sample.std,
        };
        let others = others(comparison, variant, key);
        match lines.iter_mut().find(|(label, _)| *label == others) {
            Some((_, dots)) => dots.push(dot),
            None => lines.push((others, vec![dot])),
        }
    }
    let drawn = Drawn {
        left_out: lines.len().saturating_sub(MOST),
        all: lines
            .into_iter()
            .take(MOST)
            .enumerate()
            .map(|(rank, (label, dots))| (rank, label, dots))
            .collect(),
    };
    let legend = drawn.all.iter().filter(|(_, label, _)| !label.is_empty());
    let short = comparison.short();
    let label = short.of(key);
    let mut note = "mean ± standard deviation over seeds".to_owned();
    if drawn.left_out > 0 {
        note = format!(
            "{note}; {}",
            left_out(drawn.left_out).replace("of the table", "of the lines")
        );
    }
    Some(Figure {
        name: format!("metric-by-{}", file_name(key)),
        title: format!("{} against {label}", comparison.metric),
        x: match numbers {
            Some(numbers) => Axis::chosen(key, numbers),
            None => Axis {
                label: key.to_owned(),
                values: Values::Names(names),
                in_logs: false,
            },
        },
        y: Axis::numbers(comparison.metric_label()),
        legend: legend
            .map(|(rank, label, _)| Entry {
                label: label.clone(),
                look: Look::of(*rank),
            })
            .collect(),
        series: drawn
            .all
            .into_iter()
            .map(|(rank, _, dots)| Series {
                look: Look::of(rank),
                dots,
                spread: Spread::Bars,
            })
            .collect(),
        note: Some(note),
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
