//! In what the compared runs were not treated alike.

use std::collections::{BTreeMap, BTreeSet};

use super::Variant;
use crate::input::Run;
use crate::table::number;

/// Parameters may differ by this much and count as equal.
const TOLERANCE: f64 = 0.02;
/// Keys that decide how much text an evaluation reads.
const MEASURE: [&str; 2] = ["eval.batches", "eval.tokens"];
/// So many runs or files are named in a line.
const NAMED: usize = 6;

pub(super) fn find(
    variants: &[Variant],
    differing: &[String],
    metric: &str,
    at: Option<u64>,
) -> Vec<String> {
    let mut found = Vec::new();
    let counted = || variants.iter().flat_map(Variant::counted);

    if let Some(tokens) = at {
        found.push(compared_at(variants, tokens));
    }
    if let Some(range) = range(variants, |run| Some(run.compared_tokens()? as f64), 0.0) {
        found.push(format!("not equal: tokens of training, {range}"));
    }
    let parameters = |run: &Run| Some(run.cost?.parameters as f64);
    if let Some(range) = range(variants, parameters, TOLERANCE) {
        found.push(format!("not equal: parameters, {range}"));
    }
    let data: BTreeSet<String> = counted().filter_map(Run::data).collect();
    if data.len() > 1 {
        found.push(format!("not equal: data ({})", several(&data)));
    }
    found.extend(left_out(variants));
    let measured: Vec<_> = differing
        .iter()
        .filter(|key| MEASURE.contains(&key.as_str()) || key.starts_with("data."))
        // Other text is named by its checksum above.
        .filter(|key| *key != "data.path")
        .map(String::as_str)
        .collect();
    if !measured.is_empty() {
        found.push(format!(
            "not equal: {}, so {metric} is not of the same thing everywhere",
            measured.join(", ")
        ));
    }
    let all = variants.iter().flat_map(|variant| &variant.runs);
    let without: Vec<_> = all
        .filter(|run| run.is_complete() && run.last(metric).is_none())
        .map(|run| run.name.as_str())
        .collect();
    if !without.is_empty() {
        found.push(format!("not equal: no {metric} in {}", without.join(", ")));
    }
    for run in counted() {
        let (skipped, steps) = (run.skipped(), run.steps().unwrap_or_default());
        if skipped > 0 {
            let name = &run.name;
            found.push(format!("skipped: {skipped} of the {steps} steps of {name}"));
        }
        if let Some(step) = run.cut_off_after() {
            found.push(format!(
                "incomplete: metrics.jsonl of {} lacks what was logged after step {step} of \
                 {steps}; its last values are those of summary.json",
                run.name
            ));
        }
    }
    let all = variants.iter().flat_map(|variant| &variant.runs);
    for run in all.filter(|run| run.is_torn && run.summary.is_none()) {
        found.push(format!(
            "incomplete: metrics.jsonl of {} ends in a torn line after step {}, and there is no \
             summary.json: what it logged last and how it ended are not known",
            run.name,
            run.steps().unwrap_or_default()
        ));
    }
    let starts = || {
        counted()
            .filter_map(|run| run.record.as_ref())
            .flat_map(|one| &one.starts)
    };
    let devices: BTreeSet<_> = starts().map(|start| start.device.as_str()).collect();
    if devices.len() > 1 {
        let devices: Vec<_> = devices.into_iter().collect();
        found.push(format!(
            "not equal: devices ({}), so speeds and seconds do not compare",
            devices.join(", ")
        ));
    }
    let code: BTreeSet<_> = starts()
        .filter_map(|start| start.provenance.built_from.as_ref())
        .map(|tree| cut(&tree.commit, 10) + if tree.dirty { ", changed" } else { "" })
        .collect();
    if code.len() > 1 {
        let code: Vec<_> = code.into_iter().collect();
        found.push(format!(
            "not equal: commits of the program ({})",
            code.join("; ")
        ));
    }
    found
}

/// The least and the greatest number, with whose they are, if they differ by more than the
/// tolerance.
fn range(variants: &[Variant], of: impl Fn(&Run) -> Option<f64>, tolerance: f64) -> Option<String> {
    let mut whose = BTreeMap::new();
    for variant in variants {
        for value in variant.counted().filter_map(&of) {
            // The bits of numbers that are not negative are in the order of the numbers.
            whose
                .entry(value.max(0.0).to_bits())
                .or_insert(variant.label.as_str());
        }
    }
    let (least, one) = whose.first_key_value()?;
    let (greatest, other) = whose.last_key_value()?;
    let (least, greatest) = (f64::from_bits(*least), f64::from_bits(*greatest));
    (greatest > least * (1.0 + tolerance)).then(|| {
        format!(
            "{} ({one}) to {} ({other})",
            number::short(least),
            number::short(greatest)
        )
    })
}

/// Where runs are compared that have not all come to their end.
fn compared_at(variants: &[Variant], tokens: u64) -> String {
    let counted = variants.iter().flat_map(Variant::counted);
    let mut short: Vec<String> = counted
        .filter(|run| run.may_go_on())
        .map(|run| format!("{} is {}", run.name, run.state))
        .collect();
    let more = short.len().saturating_sub(NAMED);
    short.truncate(NAMED);
    if more > 0 {
        short.push(format!("{more} more"));
    }
    let why = if short.is_empty() {
        String::new()
    } else {
        format!(" ({})", short.join(", "))
    };
    format!("compared after {tokens} tokens of training, not at the end{why}")
}

/// Checksums or settings, one after the other.
fn several(all: &BTreeSet<String>) -> String {
    // A checksum is known by its beginning, and settings are words.
    let brief = |one: &String| {
        if one.contains("sha256") {
            cut(one, 24)
        } else {
            one.clone()
        }
    };
    all.iter().map(brief).collect::<Vec<_>>().join(", ")
}

/// The beginning of a text.
fn cut(text: &str, most: usize) -> String {
    text.chars().take(most).collect()
}

/// The reports of evaluations that are not compared, a line for each reason.
fn left_out(variants: &[Variant]) -> Vec<String> {
    let mut by_reason: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for run in variants.iter().flat_map(|variant| &variant.runs) {
        for one in &run.left_out {
            let file = format!("{}/{}", run.name, one.file);
            by_reason.entry(&one.why).or_default().push(file);
        }
    }
    let lines = by_reason.into_iter().map(|(why, mut files)| {
        files.sort();
        let more = files.len().saturating_sub(NAMED);
        files.truncate(NAMED);
        let list = files.join(", ");
        let more = match more {
            0 => String::new(),
            _ => format!(" and {more} more"),
        };
        format!("left out: {list}{more}: it {why}")
    });
    lines.collect()
}
