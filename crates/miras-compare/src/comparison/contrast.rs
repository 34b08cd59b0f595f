//! Keys of two values: what the one does against the other, all else equal.

use std::collections::BTreeMap;

use miras_sweep::Short;
use serde_json::Value;

use super::label::in_words;
use super::statistics::Difference;
use super::{Variant, Verdict, verdict};

/// A key that has two values, and what changes with it.
#[derive(Debug, Clone)]
pub struct Contrast {
    /// The key.
    pub key: String,
    /// Its values, in words: the difference is that of the second less the first.
    pub values: [String; 2],
    /// One for each combination of the other keys that has both.
    pub pairs: Vec<Pair>,
}

/// Two variants that differ in one key.
#[derive(Debug, Clone)]
pub struct Pair {
    /// What they have in common.
    pub label: String,
    /// The second value's mean less the first one's, if that can be tested.
    pub difference: Option<Difference>,
    /// The same without its interval.
    pub mean: f64,
    /// Seeds of the one that has fewer.
    pub seeds: usize,
    /// Its p, corrected for the number of pairs by Holm's method.
    pub p_holm: Option<f64>,
    /// Whether it is told from nothing.
    pub is_told: bool,
}

impl Pair {
    /// What may be said of the difference, in words.
    pub(crate) fn verdict(&self) -> String {
        match (self.difference, self.is_told) {
            (None, _) => Verdict::untested(self.seeds).to_string(),
            (Some(_), true) => "different".to_owned(),
            (Some(_), false) => Verdict::WithinNoise.to_string(),
        }
    }
}

/// All that the shown keys have to offer, if they are more than one.
pub(super) fn find(
    variants: &[Variant],
    shown: &[String],
    short: &Short,
    resolution: f64,
) -> Vec<Contrast> {
    if shown.len() < 2 {
        return Vec::new();
    }
    let contrasts = shown
        .iter()
        .filter_map(|key| of_key(variants, key, (shown, short), resolution));
    contrasts.collect()
}

fn of_key(
    variants: &[Variant],
    key: &str,
    (shown, short): (&[String], &Short),
    resolution: f64,
) -> Option<Contrast> {
    let mut values: Vec<&Value> = Vec::new();
    for variant in variants.iter().filter(|one| one.sample.is_some()) {
        let value = variant.values.get(key)?;
        if !values.contains(&value) {
            values.push(value);
        }
    }
    let [first, second] = <[&Value; 2]>::try_from(values).ok()?;
    let (first, second) = match (first.as_f64(), second.as_f64()) {
        (Some(a), Some(b)) if a > b => (second, first),
        _ => (first, second),
    };
    let others = |variant: &Variant| -> Vec<Option<String>> {
        let rest = shown.iter().filter(|other| *other != key);
        rest.map(|other| variant.values.get(other).map(in_words))
            .collect()
    };
    let mut rows: BTreeMap<Vec<Option<String>>, [Option<&Variant>; 2]> = BTreeMap::new();
    for variant in variants.iter().filter(|one| one.sample.is_some()) {
        let at = usize::from(variant.values.get(key) == Some(second));
        rows.entry(others(variant)).or_default()[at] = Some(variant);
    }
    let mut pairs: Vec<Pair> = (rows.into_iter())
        .filter_map(|(others, pair)| {
            let [one, other] = [pair[0]?, pair[1]?];
            let keys = shown.iter().filter(|other| *other != key);
            let words = keys
                .zip(others)
                .filter_map(|(key, value)| Some(format!("{}={}", short.of(key), value?)));
            Some(Pair {
                label: words.collect::<Vec<_>>().join(" "),
                difference: Difference::of(&other.by_seed(), &one.by_seed(), resolution),
                mean: other.sample?.mean - one.sample?.mean,
                seeds: other.sample?.n.min(one.sample?.n),
                p_holm: None,
                is_told: false,
            })
        })
        .collect();
    if pairs.is_empty() {
        return None;
    }
    let tested: Vec<Difference> = pairs.iter().filter_map(|pair| pair.difference).collect();
    let tested_pairs = pairs.iter_mut().filter(|pair| pair.difference.is_some());
    for (pair, (p, is_told)) in tested_pairs.zip(verdict::tell(&tested)) {
        (pair.p_holm, pair.is_told) = (Some(p), is_told);
    }
    Some(Contrast {
        key: key.to_owned(),
        values: [first, second].map(in_words),
        pairs,
    })
}
