//! Tests of variants against each other: verdicts against the best, and contrasts, the effect of a
//! key that has two values, all else equal.

use std::collections::{BTreeMap, BTreeSet};

use miras_sweep::KeyNames;
use serde_json::Value;

use crate::run::Run;
use crate::settings::{label, value_text};
use crate::statistics::{Difference, significances};
use crate::variant::{Variant, Verdict};

/// Sets the verdicts of variants that are sorted, best first; `resolution` is that of the metric.
pub(crate) fn assign(variants: &mut [Variant], resolution: f64) {
    for variant in &mut *variants {
        if variant.runs.iter().any(|run| run.stopped_on().is_some()) {
            variant.verdict = Verdict::Stopped;
        }
    }
    let Some((best, others)) = variants.split_first_mut() else {
        return;
    };
    let Some(sample) = best.sample else {
        return;
    };
    best.verdict = Verdict::Best;
    let (values, data) = (best.by_seed(), data_of(best));
    for variant in &mut *others {
        let Some(own) = variant.sample else { continue };
        if data_of(variant) != data {
            variant.verdict = Verdict::OtherData;
            continue;
        }
        variant.verdict = Verdict::untested(own.n.min(sample.n));
        variant.difference = Difference::of(&variant.by_seed(), &values, resolution);
    }
    let differences = others.iter().filter_map(|variant| variant.difference);
    let significances = significances(differences);
    let tested = others
        .iter_mut()
        .filter(|variant| variant.difference.is_some());
    for (variant, (p, is_significant)) in tested.zip(significances) {
        variant.p_holm = Some(p);
        variant.verdict = if is_significant {
            Verdict::Worse
        } else {
            Verdict::WithinNoise
        };
    }
}

/// The data of the runs that count, by content or generator.
fn data_of(variant: &Variant) -> BTreeSet<String> {
    variant.counted().filter_map(Run::data).collect()
}

/// The effect of a key that has two values.
#[derive(Debug, Clone)]
pub struct Contrast {
    /// The key.
    pub key: String,
    /// Its values: differences are those of the second less the first.
    pub values: [String; 2],
    /// One pair for each combination of the other keys that has both values.
    pub pairs: Vec<Pair>,
}

/// Two variants that differ in one key.
#[derive(Debug, Clone)]
pub struct Pair {
    /// The other keys, which are the same.
    pub label: String,
    /// The second value's mean less the first one's, if it can be tested.
    pub difference: Option<Difference>,
    /// The same without a confidence interval.
    pub mean: f64,
    /// Seeds of the one that has fewer.
    pub seeds: usize,
    /// Its p, corrected for the number of pairs by Holm's method.
    pub p_holm: Option<f64>,
    /// Whether the difference is significant.
    pub is_significant: bool,
}

impl Pair {
    /// The verdict as text.
    pub(crate) fn verdict(&self) -> String {
        match (self.difference, self.is_significant) {
            (None, _) => Verdict::untested(self.seeds).to_string(),
            (Some(_), true) => "different".to_owned(),
            (Some(_), false) => Verdict::WithinNoise.to_string(),
        }
    }
}

/// The contrasts of all shown keys, if there are several.
pub(crate) fn contrasts(
    variants: &[Variant],
    shown: &[String],
    names: &KeyNames,
    resolution: f64,
) -> Vec<Contrast> {
    if shown.len() < 2 {
        return Vec::new();
    }
    let measured = variants.iter().filter(|variant| variant.sample.is_some());
    let measured: Vec<&Variant> = measured.collect();
    let contrasts = shown.iter().filter_map(|key| {
        let others: Vec<String> = shown.iter().filter(|one| *one != key).cloned().collect();
        let values = two_values(&measured, key)?;
        let mut rows: BTreeMap<String, [Option<&Variant>; 2]> = BTreeMap::new();
        for variant in &measured {
            let row = rows
                .entry(label(names, &variant.values, &others))
                .or_default();
            row[usize::from(variant.values.get(key) == Some(values[1]))] = Some(variant);
        }
        let pairs = rows
            .into_iter()
            .filter_map(|(label, pair)| pair_of(label, pair, resolution));
        let mut pairs: Vec<Pair> = pairs.collect();
        let significances = significances(pairs.iter().filter_map(|pair| pair.difference));
        let tested = pairs.iter_mut().filter(|pair| pair.difference.is_some());
        for (pair, (p, is_significant)) in tested.zip(significances) {
            (pair.p_holm, pair.is_significant) = (Some(p), is_significant);
        }
        (!pairs.is_empty()).then(|| Contrast {
            key: key.clone(),
            values: values.map(value_text),
            pairs,
        })
    });
    contrasts.collect()
}

/// The two values of a key, numbers by size; `None` if it has more or fewer, or a variant lacks it.
fn two_values<'a>(variants: &[&'a Variant], key: &str) -> Option<[&'a Value; 2]> {
    let mut values: Vec<&Value> = Vec::new();
    for variant in variants {
        let value = variant.values.get(key)?;
        if !values.contains(&value) {
            values.push(value);
        }
    }
    let [first, second] = <[&Value; 2]>::try_from(values).ok()?;
    match (first.as_f64(), second.as_f64()) {
        (Some(a), Some(b)) if a > b => Some([second, first]),
        _ => Some([first, second]),
    }
}

fn pair_of(label: String, pair: [Option<&Variant>; 2], resolution: f64) -> Option<Pair> {
    let [one, other] = [pair[0]?, pair[1]?];
    let (own, others) = (one.sample?, other.sample?);
    Some(Pair {
        label,
        difference: Difference::of(&other.by_seed(), &one.by_seed(), resolution),
        mean: others.mean - own.mean,
        seeds: others.n.min(own.n),
        p_holm: None,
        is_significant: false,
    })
}
