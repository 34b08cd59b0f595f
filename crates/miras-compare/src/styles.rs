//! Which colour and dash each variant has: colours stand for the values of some keys, dashes for
//! those of another one.

use std::cmp::Ordering;

use serde_json::Value;

use crate::comparison::Comparison;
use crate::plot::{COLORS, DASHES, LineStyle, MAX_VARIANTS};
use crate::variant::Variant;

/// The values of some keys; `None` where a variant lacks the key.
type Values<'a> = Vec<Option<&'a Value>>;

/// The place in legends and the style of each variant.
///
/// Of the variants that are drawn, the last key with few values has the dashes, and the other
/// keys have the colours. Where they have too many values, or variants have the names of runs as
/// labels, each variant has a colour and dash of its own.
pub(crate) fn of(comparison: &Comparison) -> Vec<(usize, LineStyle)> {
    let keys = &comparison.shown;
    let measured = comparison
        .variants
        .iter()
        .filter(|one| one.sample.is_some());
    let drawn: Vec<&Variant> = measured.take(MAX_VARIANTS).collect();
    let split = (0..keys.len()).rev().find_map(|at| {
        let mut others = keys.clone();
        let dashed = vec![others.remove(at)];
        let (dashes, colors) = (distinct(&drawn, &dashed), distinct(&drawn, &others));
        let fits = !others.is_empty()
            && (2..=DASHES.len()).contains(&dashes.len())
            && (2..=COLORS).contains(&colors.len());
        fits.then_some((others, dashed))
    });
    let places = distinct(&drawn, keys);
    let undashed = !keys.is_empty() && places.len() <= COLORS;
    let by_keys = split.or(undashed.then(|| (keys.clone(), Vec::new())));
    let by_values = by_keys.map(|(colored, dashed)| {
        let (colors, dashes) = (distinct(&drawn, &colored), distinct(&drawn, &dashed));
        move |variant: &Variant| {
            let color = position(&colors, variant, &colored)?;
            let dash = position(&dashes, variant, &dashed)?;
            let style = LineStyle {
                color,
                dash: DASHES[dash],
            };
            Some((color * DASHES.len() + dash, style))
        }
    });
    let styles = comparison.variants.iter().enumerate();
    let styles = styles.map(|(rank, variant)| {
        let found = by_values.as_ref().and_then(|style| style(variant));
        found.unwrap_or_else(|| {
            let place = position(&places, variant, keys).filter(|_| !keys.is_empty());
            let place = place.unwrap_or(rank);
            (place, LineStyle::nth(place))
        })
    });
    styles.collect()
}

pub(crate) fn values<'a>(variant: &'a Variant, keys: &[String]) -> Values<'a> {
    keys.iter().map(|key| variant.values.get(key)).collect()
}

fn position(all: &[Values], variant: &Variant, keys: &[String]) -> Option<usize> {
    let own = values(variant, keys);
    all.iter().position(|one| *one == own)
}

/// The combinations of values that there are, sorted by [`by_value`].
pub(crate) fn distinct<'a>(variants: &[&'a Variant], keys: &[String]) -> Vec<Values<'a>> {
    let mut found: Vec<_> = variants
        .iter()
        .map(|variant| values(variant, keys))
        .collect();
    found.sort_by(by_value);
    found.dedup();
    found
}

/// Numbers by size, then all others by their text.
pub(crate) fn by_value(a: &Values, b: &Values) -> Ordering {
    let compare = |(a, b): (Option<&Value>, Option<&Value>)| {
        let number = |value: Option<&Value>| value.and_then(Value::as_f64);
        match (number(a), number(b)) {
            (Some(a), Some(b)) => a.total_cmp(&b),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => a.map(Value::to_string).cmp(&b.map(Value::to_string)),
        }
    };
    let mut orders = a.iter().copied().zip(b.iter().copied()).map(compare);
    orders
        .find(|order| order.is_ne())
        .unwrap_or(Ordering::Equal)
}
