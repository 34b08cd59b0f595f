//! The report: one file with everything in it, for any browser.

use std::collections::BTreeMap;

use maud::{DOCTYPE, Markup, PreEscaped, html};
use miras_run::{Goal, shell_word};
use serde_json::Value;

use crate::CompareError;
use crate::comparison::Comparison;
use crate::number::{self, count};
use crate::plot::Plot;
use crate::settings::{Settings, value_text};
use crate::table::Table;
use crate::tables;
use crate::variant::Verdict;

const STYLE: &str = include_str!("style.css");

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
                    p.answer { (answer(self)) }
                    (rows(&tables::verdicts(self), classes))
                    p.note { (tables::footnote(self)) }
                    @if !self.warnings.is_empty() {
                        ul.warnings { @for warning in &self.warnings { li { (warning) } } }
                    }
                    @if !self.notes.is_empty() {
                        h2 { "Notes" }
                        ul { @for note in &self.notes { li { (note) } } }
                    }
                    @for one in tables::more(self) { (table(&one)) }
                    @if let Some(one) = tables::excluded(self) { (table(&one)) }
                    h2 { "Plots" }
                    // The drawing's own text is escaped where it is drawn.
                    @for plot in plots { figure id=(plot.name()) { (PreEscaped(plot.svg()?)) } }
                    @if let Some(one) = tables::differing(self) { (table(&one)) }
                    (settings(self))
                    (origin(self))
                    (table(&tables::runs(self)))
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

/// A paragraph: what is best, how many variants cannot be told from it, and what to mind.
fn answer(comparison: &Comparison) -> String {
    let metric = &comparison.metric;
    let best = comparison.variants.first();
    let Some((best, sample)) = best.and_then(|best| Some((best, best.sample?))) else {
        return format!("No run counts, so nothing is known of {metric}.");
    };
    let better = match comparison.goal {
        Goal::Lower => "lower",
        Goal::Higher => "higher",
    };
    let mut words = vec![format!(
        "Best by {metric} ({better} is better): {}, {} over {}.",
        best.label,
        number::sample(Some(sample)),
        count(sample.n, "seed")
    )];
    let mut counts: BTreeMap<Verdict, usize> = BTreeMap::new();
    for other in &comparison.variants[1..] {
        *counts.entry(other.verdict).or_default() += 1;
    }
    let parts: Vec<String> = (counts.into_iter())
        .map(|(verdict, n)| format!("{n} {}", clause(n, verdict)))
        .collect();
    let others = comparison.variants.len() - 1;
    if others > 0 {
        let others = count(others, "other");
        words.push(format!("Of {others}, {}.", parts.join("; ")));
    }
    match comparison.excluded().count() {
        0 => {}
        1 => words.push("1 run is not counted.".to_owned()),
        n => words.push(format!("{n} runs are not counted.")),
    }
    if let Some(tokens) = comparison.at {
        words.push(format!(
            "Runs are compared after {tokens} tokens of training, not at their ends."
        ));
    }
    if !comparison.warnings.is_empty() {
        words.push("The runs were not all treated alike; see below the table.".to_owned());
    }
    words.join(" ")
}

/// The clause on `n` variants with a verdict.
fn clause(n: usize, verdict: Verdict) -> String {
    let [is, was, has] = match n {
        1 => ["is", "was", "has"],
        _ => ["are", "were", "have"],
    };
    let why = match verdict {
        Verdict::Best => return format!("{is} best"),
        Verdict::Worse => return format!("{is} worse"),
        Verdict::OtherData => return format!("{was} trained or measured on other data"),
        Verdict::Stopped => return format!("{was} stopped on an earlier rung"),
        Verdict::Unmeasured => return format!("{has} no run that counts"),
        Verdict::WithinNoise => " by these seeds",
        Verdict::OneSeed => ", for one side has one seed",
        Verdict::TwoSeeds => ", for one side has two seeds",
        Verdict::NoSpread => ", for the difference is the same with all seeds",
    };
    format!("cannot be told from it{why}")
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

/// A text that may also be broken within words, after the marks that keys and paths are made of and
/// before a letter: a table must not be wider than its page.
fn breakable(text: &str) -> Markup {
    let is_break = |at: &usize| {
        text[..*at].ends_with(['.', '_', '/', '=', '-'])
            && text[*at..].starts_with(char::is_alphabetic)
    };
    let breaks = text.char_indices().map(|(at, _)| at).filter(is_break);
    let mut rest = 0;
    html! {
        @for at in breaks {
            (text[std::mem::replace(&mut rest, at)..at]) wbr;
        }
        (text[rest..])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_broken_after_marks_and_numbers_are_not() {
        for (text, expected) in [
            ("memory.depth of all", "memory.<wbr>depth of all"),
            ("step_max=by_channel", "step_<wbr>max=<wbr>by_<wbr>channel"),
            ("lr=0.003 4.1k -0.0123 e-5", "lr=0.003 4.1k -0.0123 e-5"),
        ] {
            assert_eq!(breakable(text).into_string(), expected);
        }
    }
}
