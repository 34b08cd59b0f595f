//! What a sweep would do.

use std::collections::BTreeSet;

use miras_compare::Table;
use miras_device::{SystemMemory, gib};
use miras_run::counted;
use miras_sweep::Expanded;

use crate::bytes::{bytes, short};

/// `1 trial`, `2 trials`.
pub(crate) fn trials(count: usize) -> String {
    counted(count as u64, "trial", "trials")
}

/// The trials with what they take, for `--dry-run`.
pub(crate) fn table(expanded: &Expanded) -> String {
    let last = expanded.rungs.len() - 1;
    let head = [
        ("trial", false),
        ("steps", true),
        ("tokens", true),
        ("parameters", true),
        ("of memory", true),
        ("state", true),
        ("FLOPs", true),
        ("matched", false),
        ("id", false),
    ];
    let rows = expanded.trials.iter().map(|(trial, _)| {
        let matched: Vec<String> = (trial.matched.iter())
            .map(|(key, value)| format!("{key}={value}"))
            .collect();
        let steps: Vec<String> = trial.steps.iter().map(u64::to_string).collect();
        vec![
            trial.name.clone(),
            steps.join(" > "),
            trial.tokens(last).to_string(),
            trial.cost.parameters.to_string(),
            trial.cost.memory_parameters.to_string(),
            bytes(trial.cost.state_bytes),
            short(trial.flops(last)),
            matched.join(" "),
            trial.id.clone(),
        ]
    });
    Table::new(&head, rows.collect()).text()
}

/// How much the trials are together, and what there is to say of them.
pub(crate) fn summary(expanded: &Expanded, jobs: u16) -> String {
    let mut text = total(expanded);
    for note in notes(expanded, jobs) {
        text.push_str("\nnote: ");
        text.push_str(&note);
    }
    text
}

/// How much it is, all together.
fn total(expanded: &Expanded) -> String {
    let mut lines = Vec::new();
    if expanded.rungs.len() > 1 {
        for (rung, count) in trials_on_rungs(expanded).into_iter().enumerate() {
            let tokens = expanded.trials[0].0.tokens(rung);
            lines.push(format!(
                "rung {}: {count} trials to {tokens} tokens",
                rung + 1
            ));
        }
    }
    let approximately = if expanded.rungs.len() > 1 {
        "about "
    } else {
        ""
    };
    lines.push(format!(
        "{}, {approximately}{} FLOPs of training",
        trials(expanded.trials.len()),
        short(flops(expanded))
    ));
    lines.join("\n")
}

/// How many trials get to each rung.
fn trials_on_rungs(expanded: &Expanded) -> Vec<usize> {
    let all = expanded.trials.iter().map(|(trial, _)| trial);
    let points: BTreeSet<usize> = all.clone().map(|trial| trial.point).collect();
    let mut here = all.count();
    let counts = expanded.rungs.iter().map(|budget| {
        if let Some(best) = budget.best {
            here = here.min(here * best / points.len().max(1)).max(1);
        }
        here
    });
    counts.collect()
}

/// Floating point operations of training; on further rungs those of a mean trial for each.
pub(crate) fn flops(expanded: &Expanded) -> f64 {
    let (mut flops, mut before) = (0.0, 0.0);
    for (rung, count) in trials_on_rungs(expanded).into_iter().enumerate() {
        let all = expanded.trials.iter().map(|(trial, _)| trial.flops(rung));
        let mean = all.sum::<f64>() / expanded.trials.len() as f64;
        flops += (mean - before) * count as f64;
        before = mean;
    }
    flops
}

/// What there is to say of trials, and of combinations that are no trial; `jobs` trials are
/// trained at a time.
pub(crate) fn notes(expanded: &Expanded, jobs: u16) -> Vec<String> {
    let mut notes: Vec<String> = expanded.notes.iter().map(ToString::to_string).collect();
    notes.extend((expanded.unfit.iter()).map(|note| format!("not to be trained here: {note}")));
    notes.extend(memory(expanded, jobs));
    if !expanded.follow.is_empty() {
        notes.push(format!(
            "not the same in all trials either, as defaults of what is swept: {}",
            expanded.follow.join(", ")
        ));
    }
    if expanded.repeated > 0 {
        let left_out = trials(expanded.repeated);
        notes.push(format!(
            "{left_out} left out: another has the same configuration"
        ));
    }
    if !expanded.skipped.is_empty() {
        let listed: Vec<String> = (expanded.skipped.iter())
            .map(|skip| format!("\n  {}: {}", skip.label, skip.error.message()))
            .collect();
        notes.push(format!(
            "combinations left out, which are no valid configuration: {}{}",
            expanded.skipped.len(),
            listed.concat()
        ));
    }
    notes
}

/// Whether the largest trials fit into what memory there is.
fn memory(expanded: &Expanded, jobs: u16) -> Option<String> {
    let (label, bytes) = expanded.largest.as_ref()?;
    let available = SystemMemory::read()?.available;
    let at_a_time = (u64::from(jobs)).min(expanded.trials.len() as u64);
    if bytes.saturating_mul(at_a_time) <= available {
        return None;
    }
    let together = match at_a_time {
        1 => String::new(),
        n => format!(", {n} of them at a time"),
    };
    Some(format!(
        "{label}: training is estimated to take {:.1} GiB of memory{together}, and {:.1} GiB are available",
        gib(*bytes),
        gib(available)
    ))
}
