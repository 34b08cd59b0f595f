//! `eval`: measures a trained run.

use std::fmt::Write;

use indicatif::ProgressBar;
use miras_registry::Registry;
use miras_run::{counted, short_checksums};
use miras_spec::Details;
use miras_use::{EvalRequest, Measured, Report, TaskRequest, evaluate_watched};

use crate::{
    measurement::{Measurement, fitted},
    out::{Out, heading},
    task, trained,
    use_args::{EvalArgs, TaskFile},
};

pub(crate) fn eval(args: EvalArgs, registry: &Registry, out: &mut Out) -> anyhow::Result<()> {
    let trained = trained::open(&args.which, registry)?;
    if let Some(TaskFile { kind, path }) = args.task {
        let request = TaskRequest {
            kind,
            options: args.made.options(path),
            limit: args.limit,
            window: args.length,
            stride: args.stride,
            memory: trained.memory(args.memory),
        };
        return task::eval(&trained, &request, args.out, args.json, out);
    }
    let request = EvalRequest {
        data: args.data,
        length: args.length,
        batch: args.batch,
        size: args.tokens.or(args.batches),
        part: args.part,
        stretches: args.stretches.map(|count| count as u64),
        memory: args.memory,
        state: args.state,
        sets: args.set,
        pairs: args.pairs,
        gaps: args.gaps,
        ngram: args.ngram,
    };
    // Nothing is drawn where the error stream is no terminal.
    let bar = ProgressBar::new(0);
    let report = evaluate_watched(&trained, &request, &|done, all| {
        bar.set_length(all);
        bar.set_position(done);
    });
    bar.finish_and_clear();
    let report = report?;
    let path = args.out.unwrap_or_else(|| report.path_in(&trained.folder));
    let measured = Measurement {
        report: &report,
        head: head(&report),
        table: table(&report),
        notes: &report.notes,
        drawing: None,
    };
    measured.publish(&path, args.json, out)
}

/// What was read, and what the memories of each row started from.
fn read(report: &Report) -> String {
    let rows = format!(
        "{} of {}",
        counted(report.rows, "row", "rows"),
        counted(report.length as u64, "token", "tokens")
    );
    // Generated rows, and sequences with a class each, have no text around them.
    let is_alone = report.data.generator.is_some() || report.details.classes.is_some();
    let rows = if is_alone {
        rows
    } else {
        format!(
            "{rows} in {}",
            counted(report.stretches, "stretch", "stretches")
        )
    };
    match &report.state {
        Some(state) => format!(
            "{rows}, each row from {} at position {}",
            state.path, state.position
        ),
        None if report.carried => {
            format!("{rows}; memories are carried from row to row, as in training")
        }
        None => rows,
    }
}

/// What was measured on what.
fn head(report: &Report) -> String {
    format!(
        "run      {} at step {}, memory {}, on {}\n\
         data     {}; {}\n\
         read     {}",
        report.run,
        report.step,
        report.memory.name(),
        report.device,
        report.data.name,
        short_checksums(&report.data.fingerprint),
        read(report),
    )
}

fn table(report: &Report) -> String {
    let mut text = String::new();
    let positions = report.by_position.iter().map(|one| {
        let range = format!("{} to {}", one.from, one.to);
        (range, &one.measured)
    });
    let all = std::iter::once(("all".to_owned(), &report.measured));
    let of_positions = match &report.details.forecasts {
        Some(_) => "step ahead",
        None => "position",
    };
    part(&mut text, of_positions, positions.chain(all));
    of_classes(&mut text, &report.details);
    of_forecasts(&mut text, &report.details);
    if !report.write_rates.is_empty() {
        let head = format!(
            "{:<14} {:>10} {:>20}",
            "layer", "write rate", "written of 1,000"
        );
        let _ = writeln!(text, "\n{}", heading(&head));
    }
    for one in &report.write_rates {
        let (layer, rate, written) = (one.layer, one.write_rate, one.written_per_1000);
        let _ = writeln!(text, "{layer:<14} {rate:>10.4} {written:>20.1}");
    }
    let pairs = report
        .by_pairs
        .iter()
        .map(|one| (one.pairs.to_string(), &one.measured));
    part(&mut text, "pairs", pairs);
    let gaps = report
        .by_gap
        .iter()
        .map(|one| (one.gap.to_string(), &one.measured));
    part(&mut text, "gap", gaps);
    let occurrences = report.by_occurrence.iter().map(|one| {
        let name = format!("{} {}-gram", one.occurrence.name(), one.ngram);
        (name, &one.measured)
    });
    part(&mut text, "end of a", occurrences);
    text.truncate(text.trim_end().len());
    text
}

/// A label on one line, cut if it is long.
fn shown(label: &str) -> String {
    const MOST: usize = 14;
    let label = label.escape_debug().to_string();
    if label.chars().count() <= MOST {
        return label;
    }
    label.chars().take(MOST - 1).chain(['…']).collect()
}

/// How rows of each class were answered, and the answers of each class.
fn of_classes(text: &mut String, details: &Details) {
    let Some(classes) = &details.classes else {
        return;
    };
    let head = format!(
        "{:<14} {:>9} {:>9} {:>9} {:>9}",
        "class", "rows", "answers", "recall", "precision"
    );
    // Writing to a string cannot fail.
    let _ = writeln!(text, "\n{}", heading(&head));
    for (class, (label, row)) in classes.labels.iter().zip(&classes.confusion).enumerate() {
        let rows: u64 = row.iter().sum();
        let answers: u64 = classes.confusion.iter().map(|row| row[class]).sum();
        let share = |of: u64| match of {
            0 => format!("{:>9}", "–"),
            of => fitted(row[class] as f64 / of as f64, 9),
        };
        let (recall, precision) = (share(rows), share(answers));
        let label = shown(label);
        let _ = writeln!(
            text,
            "{label:<14} {rows:>9} {answers:>9} {recall} {precision}"
        );
    }
    for (name, value) in [
        ("Matthews correlation", details.mcc),
        ("standard error of the accuracy", details.accuracy_stderr),
    ] {
        if let Some(value) = value {
            let _ = writeln!(text, "{name}: {value:.4}");
        }
    }
}

/// What forecasts miss, beside what is reached without a model.
fn of_forecasts(text: &mut String, details: &Details) {
    let Some(found) = &details.forecasts else {
        return;
    };
    let head = format!("{:<14} {:>9} {:>9}", "forecast", "mse", "mae");
    // Writing to a string cannot fail.
    let _ = writeln!(text, "\npart of the series: {}", found.part);
    let _ = writeln!(text, "{}", heading(&head));
    let model = ("model", found.mse, found.mae);
    let others = (found.baselines.iter()).map(|one| (&*one.name, one.errors.mse, one.errors.mae));
    for (name, mse, mae) in std::iter::once(model).chain(others) {
        let _ = writeln!(text, "{name:<14} {} {}", fitted(mse, 9), fitted(mae, 9));
    }
    if let (Some(mse), Some(mae)) = (found.mse_stderr, found.mae_stderr) {
        let _ = writeln!(
            text,
            "standard errors over {} windows, which overlap: mse {mse:.4}, mae {mae:.4} or more",
            found.windows
        );
    }
}

/// Lines below a head of their own, with the columns that the first has; nothing without a line.
fn part<'a>(text: &mut String, name: &str, lines: impl Iterator<Item = (String, &'a Measured)>) {
    let mut lines = lines.peekable();
    let Some((_, first)) = lines.peek() else {
        return;
    };
    let names: Vec<String> = (columns(first).into_iter())
        .filter(|(.., value)| value.is_some())
        .map(|(name, width, _)| format!(" {name:>width$}"))
        .collect();
    let head = format!("{name:<14} {:>9}{}", "scored", names.concat());
    // Writing to a string cannot fail.
    let _ = writeln!(text, "\n{}", heading(&head));
    for (name, measured) in lines {
        let _ = writeln!(text, "{}", line(&name, measured));
    }
}

/// The numbers that targets have, with the widths of their columns.
fn columns(measured: &Measured) -> [(&'static str, usize, Option<f64>); 5] {
    [
        ("loss", 9, Some(measured.loss)),
        ("perplexity", 11, measured.perplexity),
        ("bits/byte", 10, measured.bits_per_byte),
        ("bits/base", 10, measured.bits_per_base),
        ("accuracy", 9, measured.accuracy),
    ]
}

fn line(name: &str, measured: &Measured) -> String {
    let values: Vec<String> = (columns(measured).into_iter())
        .filter_map(|(_, width, value)| Some(format!(" {}", fitted(value?, width))))
        .collect();
    format!("{name:<14} {:>9}{}", measured.tokens, values.concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_any_size_leave_a_line_its_width() {
        for loss in [0.0, 6.0194, 50.0, 709.0, 1e30, f64::INFINITY] {
            let measured = Measured {
                tokens: 999_999_999,
                loss,
                perplexity: Some(loss.exp()),
                bits_per_byte: Some(loss / std::f64::consts::LN_2),
                bits_per_base: None,
                accuracy: Some(0.25),
            };
            let line = line("8388608 to 16777215", &measured);
            assert!(line.chars().count() <= 72, "{line}");
            assert!(line.ends_with("    0.2500"), "{line}");
        }
    }
}
