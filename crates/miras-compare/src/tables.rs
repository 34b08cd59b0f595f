//! The tables of a comparison, for all outputs.

use std::collections::BTreeSet;

use miras_run::{Cost, Goal, Start};

use crate::comparison::Comparison;
use crate::evaluation::MemoryMode;
use crate::number::{self, UNKNOWN};
use crate::run::Run;
use crate::settings::{label, value_text};
use crate::statistics::Sample;
use crate::table::{Table, TableOf};
use crate::variant::{Variant, Verdict};
use crate::verdict::Contrast;
use miras_run::Memory;

/// How many keys besides those of the label are named in a row.
const MAX_ALSO: usize = 3;

/// The variants, best first, with their verdicts.
pub(crate) fn verdicts(comparison: &Comparison) -> Table {
    of_variants(comparison, "verdicts")
        .number("seeds", |one| {
            one.sample.map_or(0, |sample| sample.n).to_string()
        })
        .number(&comparison.metric, |one| number::sample(one.sample))
        .number("to the best", |one| to_the_best(comparison, one))
        .number("p", |one| one.p_holm.map_or(String::new(), number::p))
        .text("verdict", |one| one.verdict.to_string())
        .number("not counted", |one| one.excluded().to_string())
        .build()
}

/// The tables below the verdicts: costs, contrasts, and results by length.
pub(crate) fn more(comparison: &Comparison) -> Vec<Table> {
    let mut tables = vec![costs(comparison)];
    let contrasts = comparison.contrasts.iter();
    tables.extend(contrasts.map(|one| contrast(comparison, one)));
    tables.extend(lengths(comparison));
    tables
}

fn of_variants<'a>(comparison: &'a Comparison, title: &str) -> TableOf<&'a Variant> {
    TableOf::new(title, &comparison.variants).text("variant", |one| &*one.label)
}

fn costs(comparison: &Comparison) -> Table {
    let mut table = of_variants(comparison, "what they take");
    if comparison.variants.iter().any(|one| !one.also.is_empty()) {
        table = table.text("also differs", |one| also(comparison, one));
    }
    let cost = |one: &Variant, of: fn(Cost) -> u64| {
        number::or_unknown(one.cost().map(|cost| of(cost) as f64))
    };
    table
        .number("parameters", |one| cost(one, |cost| cost.parameters))
        .number("of memory", |one| cost(one, |cost| cost.memory_parameters))
        .number("state bytes", |one| {
            one.cost().map_or(UNKNOWN.to_owned(), state)
        })
        .number("tokens", |one| number::or_unknown(one.tokens()))
        .number("FLOPs", |one| number::or_unknown(one.flops()))
        .number("tokens/s", |one| number::or_unknown(one.tokens_per_s()))
        .build()
}

fn contrast(comparison: &Comparison, contrast: &Contrast) -> Table {
    let [one, other] = &contrast.values;
    let key = comparison.key_names().of(&contrast.key).to_owned();
    let title = format!("{key}: {other} against {one}, all else equal");
    let less = format!("{} at {other} less at {one}", comparison.metric);
    TableOf::new(title, &contrast.pairs)
        .text("at", |pair| &*pair.label)
        .number(&less, |pair| match pair.difference {
            Some(difference) => number::difference(difference),
            None => number::signed(pair.mean),
        })
        .number("p", |pair| pair.p_holm.map_or(String::new(), number::p))
        .text("verdict", |pair| pair.verdict())
        .build()
}

/// The results of evaluations, if there are several lengths or memory modes: in bits per byte if
/// all of them are of text.
fn lengths(comparison: &Comparison) -> Option<Table> {
    let all = || comparison.counted().flat_map(|run| &run.evaluations);
    let at: BTreeSet<(MemoryMode, u64)> = all().map(|one| (one.mode(), one.length)).collect();
    if at.len() < 2 {
        return None;
    }
    let in_bits = all().all(|one| one.bits_per_byte.is_some());
    let unit = if in_bits { "bits a byte" } else { "loss" };
    let modes: BTreeSet<MemoryMode> = at.iter().map(|(mode, _)| *mode).collect();
    let measured = comparison
        .variants
        .iter()
        .filter(|one| one.sample.is_some());
    let mut table = TableOf::new(format!("{unit} by tokens a row"), measured)
        .text("variant", |one| &*one.label);
    for (mode, length) in at {
        let name = match modes.len() {
            1 => length.to_string(),
            _ => format!("{length} {mode}"),
        };
        table = table.number(&name, |variant| {
            let values = variant.counted().filter_map(|run| {
                let mut evaluations = run.evaluations.iter();
                let one = evaluations.find(|one| (one.mode(), one.length) == (mode, length))?;
                one.value(in_bits)
            });
            number::sample(Sample::of(&values.collect::<Vec<_>>()))
        });
    }
    Some(table.build())
}

/// The runs that do not count, if any.
pub(crate) fn excluded(comparison: &Comparison) -> Option<Table> {
    comparison.excluded().next()?;
    let table = TableOf::new("Not counted", comparison.excluded())
        .text("variant", |(variant, _)| &*variant.label)
        .text("run", |(_, run)| &*run.name)
        .number("seed", |(_, run)| run.seed.to_string())
        .text("why", |(_, run)| run.excluded.clone().unwrap_or_default());
    Some(table.build())
}

/// The values of the keys that differ, if any.
pub(crate) fn differing(comparison: &Comparison) -> Option<Table> {
    let mut table = of_variants(comparison, "What differs");
    for key in &comparison.differing {
        table = table.text(key, |one| {
            one.settings.get(key).map_or(UNKNOWN.to_owned(), value_text)
        });
    }
    (!comparison.differing.is_empty()).then(|| table.build())
}

/// When and where each run was trained.
pub(crate) fn runs(comparison: &Comparison) -> Table {
    fn starts(run: &Run) -> &[Start] {
        run.record.as_ref().map_or(&[], |record| &record.starts)
    }
    let first =
        |run: &Run, of: fn(&Start) -> String| starts(run).first().map_or(UNKNOWN.to_owned(), of);
    let last =
        |run: &Run, of: fn(&Start) -> String| starts(run).last().map_or(UNKNOWN.to_owned(), of);
    TableOf::new("Runs", comparison.runs())
        .text("run", |run| &*run.name)
        .text("seed", |run| run.seed.to_string())
        .text("status", |run| run.state.to_string())
        .text("started", |run| {
            first(run, |start| start.provenance.time.clone())
        })
        .text("last start", |run| {
            last(run, |start| start.provenance.time.clone())
        })
        .text("device", |run| last(run, |start| start.device.clone()))
        .text("commit", |run| last(run, commit))
        .text("versions", |run| last(run, versions))
        .build()
}

/// What other programs read of each run. What is not known is an empty cell.
pub(crate) fn csv(comparison: &Comparison) -> Table {
    fn or_empty(value: Option<impl ToString>) -> String {
        value.map_or(String::new(), |value| value.to_string())
    }
    let metric = &comparison.metric;
    let mut table = TableOf::new("", comparison.variants_and_runs())
        .text("variant", |(variant, _)| &*variant.label)
        .text("run", |(_, run)| &*run.name)
        .text("seed", |(_, run)| run.seed.to_string())
        .text("status", |(_, run)| run.state.to_string())
        .text("counted", |(_, run)| run.value.is_some().to_string())
        .text("why_not", |(_, run)| {
            run.excluded.clone().unwrap_or_default()
        });
    for key in &comparison.differing {
        table = table.text(key, |(variant, run)| {
            let value = run.settings.get(key).or_else(|| variant.settings.get(key));
            or_empty(value.map(value_text))
        });
    }
    table = table
        .text(metric, |(_, run)| {
            or_empty(run.value.or_else(|| run.last(metric)))
        })
        .text(&format!("best {metric}"), |(_, run)| {
            or_empty(run.best(metric, comparison.goal))
        })
        .text("tokens", |(_, run)| or_empty(run.compared_tokens()))
        .text("steps", |(_, run)| or_empty(run.compared_steps()))
        .text("seconds", |(_, run)| or_empty(run.compared_seconds()))
        .text("tokens_per_s", |(_, run)| or_empty(run.tokens_per_s()))
        .text("parameters", |(_, run)| {
            or_empty(run.cost.map(|cost| cost.parameters))
        })
        .text("memory_parameters", |(_, run)| {
            or_empty(run.cost.map(|cost| cost.memory_parameters))
        })
        .text("state_bytes", |(_, run)| {
            or_empty(run.cost.map(|cost| cost.state_bytes))
        })
        .text("flops", |(_, run)| or_empty(run.flops()));
    let evaluations = comparison.runs().flat_map(|run| &run.evaluations);
    let evaluated: BTreeSet<_> = evaluations.map(|one| (one.length, one.memory)).collect();
    for at in evaluated {
        let name = match at {
            (length, Memory::Live) => format!("loss@{length}"),
            (length, memory) => format!("loss@{length}/{memory}"),
        };
        table = table.text(&name, |(_, run)| {
            let mut evaluations = run.evaluations.iter();
            let one = evaluations.find(|one| (one.length, one.memory) == at);
            or_empty(one.and_then(|one| one.loss))
        });
    }
    table.build()
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
    let tree = start.provenance.built_from.as_ref();
    tree.map_or(UNKNOWN.to_owned(), number::commit)
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
         seeds, else Welch's; with fewer than three seeds on a side no test is made. {correction} \
         Within noise means that these seeds cannot tell, not that there is no difference. The \
         best was picked by the same values, so that it is best is not tested.",
        comparison.metric
    )
}
