//! `eval --task`: asks a trained run the questions of a data set.

use std::fmt::Write;
use std::path::PathBuf;

use indicatif::ProgressBar;
use miras_run::{counted, short_checksums};
use miras_use::{TaskReport, TaskRequest, Trained, answer};

use crate::{
    measurement::{Measurement, fitted},
    out::{Out, heading},
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
    };
    measured.publish(&path, json, out)
}

fn head(report: &TaskReport) -> String {
    format!(
        "run      {} at step {}, memory {}, on {}\n\
         task     {}, {}; {}\n\
         {}",
        report.run,
        report.step,
        report.memory.name(),
        report.device,
        report.task,
        report.file,
        short_checksums(&format!("sha256:{}", report.fingerprint)),
        match report.tokens {
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
    text.truncate(text.trim_end().len());
    text
}
