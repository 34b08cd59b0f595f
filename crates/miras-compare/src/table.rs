//! The tables of a comparison, and all its outputs that are text.

mod csv;
mod json;
mod markdown;
mod text;

use std::collections::BTreeSet;
use std::iter::once;

use miras_run::{Goal, Start};

use crate::comparison::label::{label, value_text};
use crate::comparison::{Comparison, Contrast, Sample, Variant, Verdict};
use crate::input::{Cost, MemoryMode};
use crate::number::{self, UNKNOWN};

/// How many keys besides those of the label are named in a row.
const MAX_ALSO: usize = 3;

/// A table of text.
#[derive(Debug)]
pub struct Table {
    pub(crate) title: String,
    pub(crate) columns: Vec<Column>,
    pub(crate) rows: Vec<Vec<String>>,
}

#[derive(Debug, Clone)]
pub(crate) struct Column {
    pub(crate) name: String,
    /// Numbers are aligned at the right and never wrapped.
    pub(crate) is_number: bool,
}

fn text_column(name: &str) -> Column {
    Column {
        name: name.to_owned(),
        is_number: false,
    }
}

fn number_column(name: &str) -> Column {
    Column {
        name: name.to_owned(),
        is_number: true,
    }
}

impl Table {
    /// A table without a title; each column has a name and whether it is one of numbers.
    pub fn new(columns: &[(&str, bool)], rows: Vec<Vec<String>>) -> Self {
        let columns = columns.iter().map(|&(name, is_number)| {
            if is_number {
                number_column(name)
            } else {
                text_column(name)
            }
        });
        Self {
            title: String::new(),
            columns: columns.collect(),
            rows,
        }
    }

    /// The variants, best first, with their verdicts.
    pub(crate) fn verdicts(comparison: &Comparison) -> Self {
        let row = |variant: &Variant| {
            vec![
                variant.label.clone(),
                variant.sample.map_or(0, |sample| sample.n).to_string(),
                number::sample(variant.sample),
                to_the_best(comparison, variant),
                variant.p_holm.map_or(String::new(), number::p),
                variant.verdict.to_string(),
                variant.excluded().to_string(),
            ]
        };
        Self {
            title: "verdicts".to_owned(),
            columns: vec![
                text_column("variant"),
                number_column("seeds"),
                number_column(&comparison.metric),
                number_column("to the best"),
                number_column("p"),
                text_column("verdict"),
                number_column("not counted"),
            ],
            rows: comparison.variants.iter().map(row).collect(),
        }
    }

    /// The tables below the verdicts: costs, contrasts, and results by length.
    pub(crate) fn more(comparison: &Comparison) -> Vec<Self> {
        let contrasts = comparison.contrasts.iter();
        let contrasts = contrasts.map(|contrast| Self::contrast(comparison, contrast));
        once(Self::costs(comparison))
            .chain(contrasts)
            .chain(Self::lengths(comparison))
            .collect()
    }

    fn costs(comparison: &Comparison) -> Self {
        let has_also = comparison.variants.iter().any(|one| !one.also.is_empty());
        let whole = |value: Option<u64>| number::or_unknown(value.map(|value| value as f64));
        let row = |variant: &Variant| {
            let cost = variant.cost();
            let mut row = vec![variant.label.clone()];
            row.extend(has_also.then(|| also(comparison, variant)));
            row.extend([
                whole(cost.map(|cost| cost.parameters)),
                whole(cost.map(|cost| cost.memory_parameters)),
                cost.map_or(number::or_unknown(None), state),
                number::or_unknown(variant.tokens()),
                number::or_unknown(variant.flops()),
                number::or_unknown(variant.tokens_per_s()),
            ]);
            row
        };
        let mut columns = vec![text_column("variant")];
        columns.extend(has_also.then(|| text_column("also differs")));
        columns.extend(["parameters", "of memory", "state bytes"].map(number_column));
        columns.extend(["tokens", "FLOPs", "tokens/s"].map(number_column));
        Self {
            title: "what they take".to_owned(),
            columns,
            rows: comparison.variants.iter().map(row).collect(),
        }
    }

    fn contrast(comparison: &Comparison, contrast: &Contrast) -> Self {
        let rows = contrast.pairs.iter().map(|pair| {
            let difference = pair.difference;
            let difference =
                difference.map_or_else(|| number::signed(pair.mean), number::difference);
            let p = pair.p_holm.map_or(String::new(), number::p);
            vec![pair.label.clone(), difference, p, pair.verdict()]
        });
        let [one, other] = &contrast.values;
        let key = comparison.key_names().of(&contrast.key);
        let less = format!("{} at {other} less at {one}", comparison.metric);
        Self {
            title: format!("{key}: {other} against {one}, all else equal"),
            columns: vec![
                text_column("at"),
                number_column(&less),
                number_column("p"),
                text_column("verdict"),
            ],
            rows: rows.collect(),
        }
    }

    /// The results of evaluations, if there are several lengths or memory modes: in bits per
    /// byte if all of them are of text.
    fn lengths(comparison: &Comparison) -> Option<Self> {
        let all = || comparison.counted().flat_map(|run| &run.evaluations);
        let at: BTreeSet<(MemoryMode, u64)> = all().map(|one| (one.mode(), one.length)).collect();
        if at.len() < 2 {
            return None;
        }
        let in_bits = all().all(|one| one.bits_per_byte.is_some());
        let measured = comparison
            .variants
            .iter()
            .filter(|one| one.sample.is_some());
        let rows = measured.map(|variant| {
            let cells = at.iter().map(|&(mode, length)| {
                let values = variant.counted().filter_map(|run| {
                    let mut evaluations = run.evaluations.iter();
                    let one = evaluations.find(|one| (one.mode(), one.length) == (mode, length))?;
                    one.value(in_bits)
                });
                number::sample(Sample::of(&values.collect::<Vec<_>>()))
            });
            once(variant.label.clone()).chain(cells).collect()
        });
        let modes: BTreeSet<MemoryMode> = at.iter().map(|(mode, _)| *mode).collect();
        let columns = at.iter().map(|(mode, length)| match modes.len() {
            1 => number_column(&length.to_string()),
            _ => number_column(&format!("{length} {mode}")),
        });
        let unit = if in_bits { "bits a byte" } else { "loss" };
        Some(Self {
            title: format!("{unit} by tokens a row"),
            columns: once(text_column("variant")).chain(columns).collect(),
            rows: rows.collect(),
        })
    }

    /// The runs that do not count, if any.
    pub(crate) fn excluded(comparison: &Comparison) -> Option<Self> {
        let rows = comparison.excluded().map(|(variant, run)| {
            let why = run.excluded.clone().unwrap_or_default();
            vec![
                variant.label.clone(),
                run.name.clone(),
                run.seed.to_string(),
                why,
            ]
        });
        let rows: Vec<_> = rows.collect();
        (!rows.is_empty()).then(|| Self {
            title: "Not counted".to_owned(),
            columns: vec![
                text_column("variant"),
                text_column("run"),
                number_column("seed"),
                text_column("why"),
            ],
            rows,
        })
    }

    /// The values of the keys that differ, if any.
    pub(crate) fn differing(comparison: &Comparison) -> Option<Self> {
        let keys = &comparison.differing;
        let row = |variant: &Variant| {
            let cell = |key| {
                variant
                    .settings
                    .get(key)
                    .map_or(UNKNOWN.to_owned(), value_text)
            };
            once(variant.label.clone())
                .chain(keys.iter().map(cell))
                .collect()
        };
        (!keys.is_empty()).then(|| Self {
            title: "What differs".to_owned(),
            columns: once("variant")
                .chain(keys.iter().map(|key| &**key))
                .map(text_column)
                .collect(),
            rows: comparison.variants.iter().map(row).collect(),
        })
    }

    /// When and where each run was trained.
    pub(crate) fn runs(comparison: &Comparison) -> Self {
        let rows = comparison.runs().map(|run| {
            let starts = run.record.as_ref().map_or(&[][..], |record| &record.starts);
            let (first, last) = (starts.first(), starts.last());
            let cell = |start: Option<&Start>, text: fn(&Start) -> String| {
                start.map_or(UNKNOWN.to_owned(), text)
            };
            vec![
                run.name.clone(),
                run.seed.to_string(),
                run.state.to_string(),
                cell(first, |start| start.provenance.time.clone()),
                cell(last, |start| start.provenance.time.clone()),
                cell(last, |start| start.device.clone()),
                cell(last, commit),
                cell(last, versions),
            ]
        });
        let names = [
            "run",
            "seed",
            "status",
            "started",
            "last start",
            "device",
            "commit",
            "versions",
        ];
        Self {
            title: "Runs".to_owned(),
            columns: names.map(text_column).into(),
            rows: rows.collect(),
        }
    }
}

/// Bytes of state, and how many each token of the past adds.
fn state(cost: Cost) -> String {
    let fixed = number::short(cost.state_bytes as f64);
    match cost.state_bytes_per_token {
        0 => fixed,
        more => format!("{fixed} + {}/token", number::short(more as f64)),
    }
}

fn to_the_best(comparison: &Comparison, variant: &Variant) -> String {
    let best = comparison.variants.first().and_then(|best| best.sample);
    match (variant.verdict, variant.difference, variant.sample, best) {
        (Verdict::Best, ..) => String::new(),
        (_, Some(difference), ..) => number::difference(difference),
        (_, None, Some(own), Some(best)) => number::signed(own.mean - best.mean),
        _ => UNKNOWN.to_owned(),
    }
}

fn also(comparison: &Comparison, variant: &Variant) -> String {
    let keys: Vec<String> = variant.also.keys().take(MAX_ALSO).cloned().collect();
    let text = label(&comparison.key_names(), &variant.also, &keys);
    match variant.also.len().saturating_sub(MAX_ALSO) {
        0 => text,
        more => format!("{text} +{}", number::count(more, "key")),
    }
}

fn commit(start: &Start) -> String {
    let Some(tree) = &start.provenance.built_from else {
        return UNKNOWN.to_owned();
    };
    let short: String = tree.commit.chars().take(10).collect();
    short + if tree.dirty { ", changed" } else { "" }
}

fn versions(start: &Start) -> String {
    let versions = start.provenance.versions.iter();
    let words: Vec<String> = versions
        .map(|(name, version)| format!("{name} {version}"))
        .collect();
    words.join(", ")
}

/// How the table of verdicts is to be read.
pub(crate) fn footnote(comparison: &Comparison) -> String {
    let better = match comparison.goal {
        Goal::Lower => "lower",
        Goal::Higher => "higher",
    };
    let variants = comparison.variants.iter();
    let correction = match variants.filter(|one| one.p_holm.is_some()).count() {
        0 => "None could be tested: both sides need three seeds that differ.".to_owned(),
        1 => "One test was made.".to_owned(),
        n => format!("{n} tests were made, and p is corrected for that by Holm's method."),
    };
    let place = match comparison.at {
        None => "the last value of each run that counts".to_owned(),
        Some(tokens) => format!("the value of each run that counts after {tokens} tokens"),
    };
    let floor = comparison.resolution.map_or(String::new(), |step| {
        format!(
            " It changes in steps of {}, one question, and no spread is taken to be smaller.",
            number::trimmed(step, 6)
        )
    });
    format!(
        "{}: {place}, mean ± sample standard deviation over seeds; {better} is better.{floor} To \
         the best: the difference of the means, ± half of its 95 % confidence interval. Verdicts \
         are two-sided t-tests of it at 95 %, paired by seed where both sides have the same \
         seeds, else Welch's; with fewer than three seeds on a side there is none. {correction} \
         Within noise means that these seeds cannot tell, not that there is no difference. The \
         best was picked by the same values, so that it is best is not tested.",
        comparison.metric
    )
}
