//! What a sweep would do.

use miras_sweep::Expanded;

use super::trials;
use crate::bytes::{bytes, short};

/// The trials with what they take, for `--dry-run`.
pub(crate) fn text(expanded: &Expanded) -> String {
    let last = expanded.rungs.len() - 1;
    let mut rows = vec![[
        "trial".to_owned(),
        "id".to_owned(),
        "steps".to_owned(),
        "tokens".to_owned(),
        "parameters".to_owned(),
        "of memory".to_owned(),
        "state".to_owned(),
        "FLOPs".to_owned(),
        "matched".to_owned(),
    ]];
    for (trial, _) in &expanded.trials {
        let matched: Vec<String> = (trial.matched.iter())
            .map(|(key, value)| format!("{key}={value}"))
            .collect();
        let steps: Vec<String> = trial.steps.iter().map(u64::to_string).collect();
        rows.push([
            trial.name.clone(),
            trial.id.clone(),
            steps.join(" > "),
            trial.tokens(last).to_string(),
            trial.cost.parameters.to_string(),
            trial.cost.memory_parameters.to_string(),
            bytes(trial.cost.state_bytes),
            short(trial.flops(last)),
            matched.join(" "),
        ]);
    }
    let mut text = aligned(&rows);
    text.push('\n');
    text.push_str(&total(expanded));
    for note in notes(expanded) {
        text.push('\n');
        text.push_str(&note);
    }
    text
}

/// How much it is, all together.
fn total(expanded: &Expanded) -> String {
    let all = expanded.trials.iter().map(|(trial, _)| trial);
    let mut flops = 0.0;
    let mut lines = Vec::new();
    let mut here = all.clone().count();
    let mut before = 0.0;
    for (rung, budget) in expanded.rungs.iter().enumerate() {
        if let Some(best) = budget.best {
            let points: std::collections::BTreeSet<usize> =
                all.clone().map(|trial| trial.point).collect();
            here = here.min(here * best / points.len().max(1)).max(1);
        }
        let sum: f64 = all.clone().map(|trial| trial.flops(rung)).sum();
        let mean = sum / expanded.trials.len() as f64;
        flops += (mean - before) * here as f64;
        before = mean;
        if expanded.rungs.len() > 1 {
            let tokens = expanded.trials[0].0.tokens(rung);
            lines.push(format!(
                "rung {}: {here} trials to {tokens} tokens",
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
        short(flops)
    ));
    lines.join("\n")
}

/// What there is to say of combinations that are no trial.
pub(crate) fn notes(expanded: &Expanded) -> Vec<String> {
    let mut notes = Vec::new();
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
        notes.push(format!(
            "combinations left out, which are no valid configuration: {}",
            expanded.skipped.len()
        ));
        notes.extend(
            (expanded.skipped.iter())
                .map(|skip| format!("  {}: {}", skip.label, skip.error.message())),
        );
    }
    notes
}

fn aligned<const N: usize>(rows: &[[String; N]]) -> String {
    let widths: Vec<usize> = (0..N)
        .map(|at| {
            rows.iter()
                .map(|row| row[at].chars().count())
                .max()
                .unwrap_or(0)
        })
        .collect();
    let lines = rows.iter().map(|row| {
        let cells: Vec<String> = (row.iter().zip(&widths))
            .map(|(cell, &width)| format!("{cell:width$}"))
            .collect();
        cells.join("  ").trim_end().to_owned() + "\n"
    });
    lines.collect()
}
