//! What the memories of each layer report, at the end of training.

use std::collections::{BTreeMap, BTreeSet};

use super::{dot, file_name};
use crate::comparison::{Comparison, Variant};
use crate::plot::{Axis, Dot, Figure, Spread};

/// A figure for each `memory/LAYER/NAME`.
pub(super) fn figures(comparison: &Comparison) -> Vec<Figure> {
    let counted = comparison.variants.iter().flat_map(Variant::counted);
    let tags = counted
        .flat_map(|run| &run.points)
        .flat_map(|point| point.values.keys());
    let mut layers: BTreeMap<&str, BTreeSet<u32>> = BTreeMap::new();
    for (layer, name) in tags.filter_map(|tag| parts(tag)) {
        layers.entry(name).or_default().insert(layer);
    }
    layers
        .into_iter()
        .map(|(name, layers)| {
            let drawn = comparison.drawn(|variant| {
                let dots: Vec<Dot> = layers
                    .iter()
                    .filter_map(|&layer| at(variant, layer, name))
                    .collect();
                (!dots.is_empty()).then_some(dots)
            });
            let words = name.replace('_', " ");
            // Bars of many variants would reach into the next layer.
            let spread = if layers.len() > 6 {
                Spread::Band
            } else {
                Spread::Bars
            };
            Figure {
                name: format!("memory-{}", file_name(name)),
                title: format!("memory: {words} by layer"),
                x: Axis::chosen(
                    "layer",
                    layers.iter().map(|&layer| f64::from(layer)).collect(),
                ),
                y: Axis::numbers(words),
                legend: drawn.legend(),
                note: drawn.note("last value logged in training"),
                series: drawn.series(spread),
            }
        })
        .collect()
}

fn at(variant: &Variant, layer: u32, name: &str) -> Option<Dot> {
    let tag = format!("memory/{layer}/{name}");
    let values: Vec<f64> = variant
        .counted()
        .filter_map(|run| run.last(&tag))
        .filter(|value| value.is_finite())
        .collect();
    dot(f64::from(layer), &values)
}

/// Layer and name of a tag.
fn parts(tag: &str) -> Option<(u32, &str)> {
    let (layer, name) = tag.strip_prefix("memory/")?.split_once('/')?;
    Some((layer.parse().ok()?, name))
}
