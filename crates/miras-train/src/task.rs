//! `eval --task`: asks a trained run the questions of a data set.

use std::fmt::Write;
use std::path::PathBuf;

use indicatif::ProgressBar;
use miras_run::{counted, short_checksums};
use miras_tasks::Cell;
use miras_use::{TaskReport, TaskRequest, Trained, answer};

use crate::{
    measurement::{Measurement, fitted},
    out::{Out, heading},
    task_map,
};

pub(crate) fn eval(
    trained: &Trained,
    request: &TaskRequest,
    path: Option<PathBuf>,
    json: bool,
    out: &mut Out,
) -> anyhow::Result<()> {
    // Nothing is drawn where the error stream is no terminal.
    let bar = ProgressBar::new(0);
    let report = answer(trained, request, &|done, all| {
        bar.set_length(all);
        bar.set_position(done);
    });
    bar.finish_and_clear();
    let report = report?;
    let path = path.unwrap_or_else(|| report.path_in(&trained.folder));
    let measured = Measurement {
        report: &report,
        head: head(&report),
        table: table(&report),
        notes: &[],
        drawing: task_map::svg(&report)?,
    };
    measured.publish(&path, json, out)
}

fn head(report: &TaskReport) -> String {
    format!(
        "run      {} at step {}, memory {}, on {}\n\
         task     {}\n\
         {}",
        report.run,
        report.step,
        report.memory.name(),
        report.device,
        made_of(report),
        match report.tokens {
            None if !report.cells.is_empty() => format!(
                "asked    {} in {}",
                counted(report.questions as u64, "prompt", "prompts"),
                counted(report.cells.len() as u64, "cell", "cells")
            ),
            None => format!(
                "asked    {}",
                counted(report.questions as u64, "question", "questions")
            ),
            Some(tokens) => format!(
                "read     {} in {}",
                counted(tokens as u64, "token", "tokens"),
                counted(report.questions as u64, "text", "texts")
            ),
        },
    )
}

/// The task, its files and what was asked of it.
fn made_of(report: &TaskReport) -> String {
    let mut text = report.task.clone();
    if !report.file.is_empty() {
        let sum = short_checksums(&format!("sha256:{}", report.fingerprint));
        let _ = write!(text, ", {}; {sum}", report.file);
    }
    for (name, value) in &report.options {
        match (&**name, &**value) {
            ("haystack", _) => {}
            (name, "true") => _ = write!(text, ", {name}"),
            (name, value) => _ = write!(text, ", {name} {value}"),
        }
    }
    text
}

fn table(report: &TaskReport) -> String {
    let head = format!("{:<16} {:>12} {:>10}", "metric", "value", "stderr");
    let mut text = format!("\n{}\n", heading(&head));
    for (name, value) in report.metrics() {
        let stderr = report.stderr(name);
        let stderr = stderr.map_or_else(String::new, |stderr| fitted(stderr, 10));
        let line = format!("{name:<16} {} {stderr}", fitted(value, 12));
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{}", line.trim_end());
    }
    if !report.cells.is_empty() {
        text.push('\n');
        by_cell(report, &mut text);
    }
    text.truncate(text.trim_end().len());
    text
}

/// A line for each cell, with what tells it from others and its metrics.
fn by_cell(report: &TaskReport, text: &mut String) {
    let names: Vec<&str> = report.metrics().map(|(name, _)| name).collect();
    let mut head: Vec<String> = Vec::new();
    let lines: Vec<String> = (report.cells.iter())
        .map(|one| {
            let Cell {
                kind,
                length,
                depth,
                distance,
            } = &one.cell;
            let own = [
                ("kind", kind.clone()),
                ("length", length.map(|number| number.to_string())),
                ("depth %", depth.map(|number| format!("{number:.1}"))),
                ("distance", distance.map(|number| number.to_string())),
            ];
            let own = own
                .into_iter()
                .filter_map(|(name, value)| Some((name, value?)));
            let (labels, values): (Vec<_>, Vec<_>) = own.unzip();
            head = labels
                .into_iter()
                .map(|name| format!("{name:>9}"))
                .collect();
            let values = values.into_iter().map(|value| format!("{value:>9}"));
            let measured = names.iter().zip(widths(&names)).map(|(name, width)| {
                (one.measures.get(*name))
                    .map_or_else(|| " ".repeat(width), |value| fitted(*value, width))
            });
            values.chain(measured).collect::<Vec<_>>().join(" ")
        })
        .collect();
    let measured = names
        .iter()
        .zip(widths(&names))
        .map(|(name, width)| format!("{name:>width$}"));
    head.extend(measured);
    let _ = writeln!(text, "{}", heading(&head.join(" ")));
    for line in lines {
        let _ = writeln!(text, "{}", line.trim_end());
    }
}

/// Columns of metrics.
fn widths<'a>(names: &'a [&str]) -> impl Iterator<Item = usize> + 'a {
    names.iter().map(|name| name.len().max(9))
}
