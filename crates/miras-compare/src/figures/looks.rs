//! Colours and dashes that say what a variant is: colours are values of one key, dashes of
//! another.

use std::cmp::Ordering;

use serde_json::Value;

use crate::comparison::{Comparison, Variant};
use crate::plot::{COLORS, DASHES, Look, MOST};

/// How each variant looks, and in which order they stand in legends.
pub(super) struct Looks {
    /// By rank: the place in the order of the keys' values, and the look.
    all: Vec<(usize, Look)>,
}

impl Looks {
    /// Of those variants that get a picture the last key with few values has the dashes, and the
    /// keys before it have the colours. Where there are too many of them, or variants are called
    /// by their names, each variant has a colour and dash of its own.
    pub(super) fn of(comparison: &Comparison) -> Self {
        let keys = &comparison.shown;
        let measured = comparison.variants.iter();
        let drawn: Vec<&Variant> = measured
            .filter(|one| one.sample.is_some())
            .take(MOST)
            .collect();
        let split = (0..keys.len()).rev().find_map(|at| {
            let dashes = distinct(&drawn, &keys[at..=at]);
            let others: Vec<String> = without(keys, at);
            let colors = distinct(&drawn, &others);
            let fits = !others.is_empty()
                && (2..=DASHES.len()).contains(&dashes.len())
                && (2..=COLORS).contains(&colors.len());
            fits.then(|| (others, vec![keys[at].clone()]))
        });
        let whole = || {
            let colors = distinct(&drawn, keys);
            (!keys.is_empty() && colors.len() <= COLORS).then(|| (keys.clone(), Vec::new()))
        };
        let by_values = split.or_else(whole).map(|(color_keys, dash_keys)| {
            let colors = distinct(&drawn, &color_keys);
            let dashes = distinct(&drawn, &dash_keys);
            move |variant: &Variant| {
                let color = colors
                    .iter()
                    .position(|one| *one == of(variant, &color_keys))?;
                let dash = dashes
                    .iter()
                    .position(|one| *one == of(variant, &dash_keys))?;
                let look = Look {
                    color,
                    dash: DASHES[dash],
                };
                Some((color * DASHES.len() + dash, look))
            }
        });
        let places = distinct(&drawn, keys);
        let all = comparison
            .variants
            .iter()
            .enumerate()
            .map(|(rank, variant)| {
                let found = by_values.as_ref().and_then(|look| look(variant));
                found.unwrap_or_else(|| {
                    let place = places.iter().position(|one| *one == of(variant, keys));
                    let place = place.filter(|_| !keys.is_empty()).unwrap_or(rank);
                    (place, Look::of(place))
                })
            });
        Self { all: all.collect() }
    }

    pub(super) fn look(&self, rank: usize) -> Look {
        self.all[rank].1
    }

    /// The place in a legend.
    pub(super) fn place(&self, rank: usize) -> usize {
        self.all[rank].0
    }
}

/// The keys but for one.
pub(super) fn without(keys: &[String], at: usize) -> Vec<String> {
    let others = keys.iter().enumerate().filter(|&(one, _)| one != at);
    others.map(|(_, key)| key.clone()).collect()
}

pub(super) fn of(variant: &Variant, keys: &[String]) -> Vec<Option<Value>> {
    let values = keys.iter().map(|key| variant.values.get(key).cloned());
    values.collect()
}

/// The combinations of values that there are, sorted: numbers by size, words by letters.
fn distinct(variants: &[&Variant], keys: &[String]) -> Vec<Vec<Option<Value>>> {
    let mut found: Vec<Vec<Option<Value>>> = Vec::new();
    for variant in variants {
        let values = of(variant, keys);
        if !found.contains(&values) {
            found.push(values);
        }
    }
    found.sort_by(|a, b| by_value(a, b));
    found
}

/// The order of combinations of values.
pub(super) fn by_value(a: &[Option<Value>], b: &[Option<Value>]) -> Ordering {
    let mut pairs = a.iter().zip(b);
    let first = pairs
        .find_map(|(a, b)| Some(compare(a.as_ref(), b.as_ref())).filter(|order| order.is_ne()));
    first.unwrap_or(Ordering::Equal)
}

fn compare(a: Option<&Value>, b: Option<&Value>) -> Ordering {
    let number = |value: Option<&Value>| value.and_then(Value::as_f64);
    match (number(a), number(b)) {
        (Some(a), Some(b)) => a.total_cmp(&b),
        (a_number, b_number) => {
            let text = |value: Option<&Value>| value.map(Value::to_string);
            (b_number.is_some().cmp(&a_number.is_some())).then_with(|| text(a).cmp(&text(b)))
        }
    }
}
