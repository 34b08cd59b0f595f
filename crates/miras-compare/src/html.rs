//! The report: one file with everything in it, for any browser.

mod answer;

use std::collections::BTreeMap;

use maud::{DOCTYPE, Markup, PreEscaped, html};
use miras_run::shell_word;
use serde_json::Value;

use crate::CompareError;
use crate::comparison::label::value_text;
use crate::comparison::{Comparison, Verdict};
use crate::input::Settings;
use crate::number::count;
use crate::plot::Plot;
use crate::table::{Table, footnote};

const STYLE: &str = include_str!("html/style.css");

impl Comparison {
    /// The report as one HTML file. It needs no other file, no network and no script.
    pub fn html(&self) -> Result<String, CompareError> {
        self.html_with(&self.plots())
    }

    pub(crate) fn html_with(&self, plots: &[Plot]) -> Result<String, CompareError> {
        let title = title(self);
        let classes = self.variants.iter().map(|one| class(one.verdict));
        let page = html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    title { (title) }
                    style { (PreEscaped(STYLE)) }
                }
                body {
                    h1 { (title) }
                    p.answer { (answer::answer(self)) }
                    (rows(&Table::verdicts(self), classes))
                    p.note { (footnote(self)) }
                    @if !self.warnings.is_empty() {
                        ul.warnings { @for warning in &self.warnings { li { (warning) } } }
                    }
                    @if !self.notes.is_empty() {
                        h2 { "Notes" }
                        ul { @for note in &self.notes { li { (note) } } }
                    }
                    @for one in Table::more(self) { (table(&one)) }
                    @if let Some(one) = Table::excluded(self) { (table(&one)) }
                    h2 { "Plots" }
                    // The drawing's own text is escaped where it is drawn.
                    @for plot in plots { figure id=(plot.name()) { (PreEscaped(plot.svg()?)) } }
                    @if let Some(one) = Table::differing(self) { (table(&one)) }
                    (settings(self))
                    (origin(self))
                    (table(&Table::runs(self)))
                }
            }
        };
        Ok(page.into_string())
    }
}

fn title(comparison: &Comparison) -> String {
    let sweeps = comparison.sweeps.iter().map(|sweep| &*sweep.name);
    let what = match comparison.sweeps.len() {
        0 => count(comparison.runs().count(), "run"),
        _ => sweeps.collect::<Vec<_>>().join(", "),
    };
    format!("{what}, compared by {}", comparison.metric)
}

/// The CSS class of a row.
fn class(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Best => "best",
        Verdict::WithinNoise => "noise",
        Verdict::Worse => "worse",
        Verdict::OneSeed | Verdict::TwoSeeds | Verdict::NoSpread | Verdict::OtherData => "seed",
        Verdict::Stopped | Verdict::Unmeasured => "unmeasured",
    }
}

fn table(table: &Table) -> Markup {
    html! {
        h2 { (table.title) }
        (rows(table, std::iter::empty()))
    }
}

/// A table whose first rows have these classes.
fn rows(table: &Table, classes: impl Iterator<Item = &'static str>) -> Markup {
    let classes = classes.chain(std::iter::repeat(""));
    html! {
        div.wide {
            table {
                thead { tr { @for column in &table.columns {
                    th.right[column.is_number] { (breakable(&column.name)) }
                } } }
                tbody { @for (row, class) in table.rows.iter().zip(classes) {
                    tr.(class) { @for (cell, column) in row.iter().zip(&table.columns) {
                        td.right[column.is_number] { (breakable(cell)) }
                    } }
                } }
            }
        }
    }
}

/// The settings of all variants and of each.
fn settings(comparison: &Comparison) -> Markup {
    html! {
        h2 { "What was the same" }
        details {
            summary { (comparison.common.len()) " settings" }
            pre { (toml(&comparison.common)) }
        }
        p.note {
            "Seeds, devices, time limits, what is done about steps that are not finite, and how \
             often runs are logged, evaluated and kept are left aside."
        }
        h2 { "Configurations" }
        @for variant in &comparison.variants {
            details {
                summary { (variant.label) }
                pre { (toml(&variant.settings)) }
            }
        }
    }
}

/// Settings as TOML with dotted keys.
fn toml(settings: &Settings) -> String {
    let lines = settings.iter().map(|(key, value)| match value {
        // The escapes of JSON are among those of TOML.
        Value::String(_) | Value::Array(_) => format!("{key} = {value}\n"),
        value => format!("{key} = {}\n", value_text(value)),
    });
    lines.collect()
}

/// The sweeps, the commands that make the runs again, and the data.
fn origin(comparison: &Comparison) -> Markup {
    let records = comparison.runs().filter_map(|run| run.record.as_ref());
    let mut data: BTreeMap<&str, usize> = BTreeMap::new();
    for record in records {
        *data.entry(&record.data).or_default() += 1;
    }
    let commands = comparison
        .sweeps
        .iter()
        .filter(|sweep| !sweep.command.is_empty());
    html! {
        @for sweep in &comparison.sweeps {
            h2 { "Sweep " (sweep.name) }
            p { (count(sweep.trials.len(), "trial")) " in " code { (sweep.path.display()) } }
            @if !sweep.source.is_empty() { pre { (sweep.source) } }
        }
        h2 { "Commands" }
        @for sweep in commands {
            p { "The sweep " (sweep.name) ":" }
            pre { (line(&sweep.command)) }
        }
        @for variant in &comparison.variants {
            details {
                summary { (variant.label) }
                @for run in &variant.runs {
                    @if let Some(start) = run.record.as_ref().and_then(|record| record.starts.first()) {
                        p { (run.name) ":" }
                        pre { (line(&start.provenance.command)) }
                    }
                }
            }
        }
        h2 { "Data" }
        ul { @for (what, runs) in data { li { (breakable(what)) " (" (count(runs, "run")) ")" } } }
    }
}

/// A command as it is typed.
fn line(command: &[String]) -> String {
    let words: Vec<String> = command.iter().map(|word| shell_word(word)).collect();
    words.join(" ")
}

/// A text that may also be broken within words, after the marks that keys and paths are made of:
/// a table must not be wider than its page.
fn breakable(text: &str) -> Markup {
    let words = text.split_inclusive(' ');
    let parts: Vec<String> = words.flat_map(word_parts).collect();
    let is_end = |at: usize| parts[at].ends_with(' ');
    html! {
        @for (at, part) in parts.iter().enumerate() {
            @if at > 0 && !is_end(at - 1) { wbr; }
            (part)
        }
    }
}

/// A word in parts of a few letters at least; numbers are whole.
fn word_parts(word: &str) -> Vec<String> {
    const MARKS: [char; 5] = ['.', '_', '/', '=', '-'];
    /// No part is shorter, and letters without a mark, as of a checksum, are cut at `MAX`.
    const MIN: usize = 4;
    const MAX: usize = 24;
    let count = word.trim_end().chars().count();
    if word.starts_with(|first: char| first.is_ascii_digit() || "+-<±".contains(first)) {
        return vec![word.to_owned()];
    }
    let mut parts = Vec::new();
    let mut part = String::new();
    let mut length = 0;
    for (at, letter) in word.chars().enumerate() {
        part.push(letter);
        length += 1;
        let is_mark = MARKS.contains(&letter) && length >= MIN;
        if count >= at + 1 + MIN && (is_mark || length >= MAX) {
            parts.push(std::mem::take(&mut part));
            length = 0;
        }
    }
    parts.push(part);
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_broken_after_marks_and_numbers_are_not() {
        for (word, expected) in [
            ("algorithm.step_max", vec!["algorithm.", "step_max"]),
            ("tokens/s", vec!["tokens/s"]),
            ("-0.0123", vec!["-0.0123"]),
            ("4.1k", vec!["4.1k"]),
            ("lr=0.003", vec!["lr=0.003"]),
            (
                "decay_of_weights=by_channel",
                vec!["decay_", "of_weights=", "by_channel"],
            ),
        ] {
            assert_eq!(word_parts(word), expected, "{word}");
        }
        let sum = "a".repeat(64);
        assert_eq!(word_parts(&sum).iter().map(String::len).max(), Some(24));
        assert_eq!(
            breakable("memory.depth of all").into_string(),
            "memory.<wbr>depth of all"
        );
    }
}
