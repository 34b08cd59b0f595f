//! In what the compared runs were not treated alike.

use std::collections::{BTreeMap, BTreeSet};

use crate::number;
use crate::rows;
use crate::run::Run;
use crate::variant::Variant;

/// Parameters may differ by this share and count as equal.
const TOLERANCE: f64 = 0.02;
/// Keys that decide how much text an evaluation reads.
const AMOUNT: [&str; 2] = ["eval.batches", "eval.tokens"];
/// Keys that decide what is asked of a model.
const ASKED: [&str; 3] = ["task.kind", "task.horizon", "task.patch"];
/// The most runs or files that are named in a line.
const MAX_NAMED: usize = 6;

pub(crate) fn find(
    variants: &[Variant],
    differing: &[String],
    metric: &str,
    at: Option<u64>,
) -> Vec<String> {
    let counted = || variants.iter().flat_map(Variant::counted);
    let mut found = Vec::from_iter(at.map(|tokens| compared_at(counted(), tokens)));
    if let Some(range) = range(variants, |run| Some(run.compared_tokens()? as f64), 0.0) {
        found.push(format!("not equal: tokens of training, {range}"));
    }
    let parameters = |run: &Run| Some(run.cost?.parameters as f64);
    if let Some(range) = range(variants, parameters, TOLERANCE) {
        found.push(format!("not equal: parameters, {range}"));
    }
    if let Some(data) = several(counted().filter_map(Run::data).map(brief), ", ") {
        found.push(format!("not equal: data ({data})"));
    }
    found.extend(excluded_reports(variants));
    let measured = differing.iter().filter(|key| {
        // Other text is named by its checksum above, validation has no needles, and reports on rows
        // that count are of one text with one share of noise.
        *key != "data.path"
            && (*key != "data.corrupt" || !metric.starts_with(rows::PREFIX))
            && (*key != "data.needles" || metric.starts_with("train/"))
            && (key.starts_with("data.") || [&AMOUNT[..], &ASKED].concat().contains(&&***key))
    });
    let measured: Vec<&str> = measured.map(String::as_str).collect();
    if !measured.is_empty() {
        let keys = measured.join(", ");
        found.push(format!(
            "not equal: {keys}, so {metric} is not of the same thing everywhere"
        ));
    }
    let all = variants.iter().flat_map(|variant| &variant.runs);
    let without = all.filter(|run| run.is_complete() && run.last(metric).is_none());
    let without: Vec<&str> = without.map(|run| &*run.name).collect();
    if !without.is_empty() {
        found.push(format!("not equal: no {metric} in {}", without.join(", ")));
    }
    for run in counted() {
        let (skipped, steps, name) = (run.skipped(), run.steps().unwrap_or_default(), &run.name);
        if skipped > 0 {
            found.push(format!("skipped: {skipped} of the {steps} steps of {name}"));
        }
        if let Some(step) = run.truncated_after() {
            found.push(format!(
                "incomplete: metrics.jsonl of {name} lacks what was logged after step {step} of \
                 {steps}; its last values are those of summary.json"
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
    let records = counted().filter_map(|run| run.record.as_ref());
    let starts: Vec<_> = records.flat_map(|record| &record.starts).collect();
    if let Some(devices) = several(starts.iter().map(|start| start.device.clone()), ", ") {
        found.push(format!(
            "not equal: devices ({devices}), so speeds and seconds do not compare"
        ));
    }
    let trees = starts
        .iter()
        .filter_map(|start| start.provenance.built_from.as_ref());
    if let Some(commits) = several(trees.map(number::commit), "; ") {
        found.push(format!("not equal: commits of the program ({commits})"));
    }
    found
}

/// The least and the greatest number and the variants that have them, if they differ by more than
/// the tolerance.
fn range(variants: &[Variant], of: impl Fn(&Run) -> Option<f64>, tolerance: f64) -> Option<String> {
    let values = variants.iter().flat_map(|variant| {
        let values = variant.counted().filter_map(&of);
        values.map(move |value| (value, &variant.label))
    });
    let values: Vec<_> = values.collect();
    let by_size = |a: &&(f64, _), b: &&(f64, _)| a.0.total_cmp(&b.0);
    let (least, one) = values.iter().min_by(by_size)?;
    // The first one of equal ones.
    let (greatest, other) = values.iter().rev().max_by(by_size)?;
    (*greatest > least * (1.0 + tolerance)).then(|| {
        let (least, greatest) = (number::short(*least), number::short(*greatest));
        format!("{least} ({one}) to {greatest} ({other})")
    })
}

/// Says at which tokens runs are compared, and which of them are not at their end.
fn compared_at<'a>(counted: impl Iterator<Item = &'a Run>, tokens: u64) -> String {
    let early = counted.filter(|run| run.can_continue());
    let early = early
        .map(|run| format!("{} is {}", run.name, run.state))
        .collect();
    let why = match named(early, ", ") {
        none if none.is_empty() => none,
        runs => format!(" ({runs})"),
    };
    format!("compared after {tokens} tokens of training, not at the end{why}")
}

/// The different ones of some texts, if there are several.
fn several(all: impl Iterator<Item = String>, separator: &str) -> Option<String> {
    let all: BTreeSet<String> = all.collect();
    (all.len() > 1).then(|| Vec::from_iter(all).join(separator))
}

/// The beginning of a checksum; settings of a generator as they are.
fn brief(data: String) -> String {
    if data.contains("sha256") {
        data.chars().take(24).collect()
    } else {
        data
    }
}

/// The first few names, and how many more there are.
fn named(mut names: Vec<String>, last: &str) -> String {
    let more = names.len().saturating_sub(MAX_NAMED);
    names.truncate(MAX_NAMED);
    let names = names.join(", ");
    match more {
        0 => names,
        more => format!("{names}{last}{more} more"),
    }
}

/// The reports of evaluations that are not compared, a line for each reason.
fn excluded_reports(variants: &[Variant]) -> Vec<String> {
    let mut by_reason: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for run in variants.iter().flat_map(|variant| &variant.runs) {
        for one in &run.excluded_reports {
            let file = format!("{}/{}", run.name, one.file);
            by_reason.entry(&one.why).or_default().push(file);
        }
    }
    let lines = by_reason.into_iter().map(|(why, mut files)| {
        files.sort();
        format!("left out: {}: it {why}", named(files, " and "))
    });
    lines.collect()
}
