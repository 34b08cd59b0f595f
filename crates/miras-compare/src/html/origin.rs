//! Where the runs come from, and how to make them again.

use std::collections::BTreeMap;

use maud::{Markup, html};
use miras_run::shell_word;

use super::breakable;
use crate::comparison::Comparison;
use crate::table::number::{UNKNOWN, count};

pub(super) fn sweeps(comparison: &Comparison) -> Markup {
    html! {
        @for sweep in &comparison.sweeps {
            h2 { "Sweep " (sweep.name) }
            p { (count(sweep.trials.len(), "trial")) " in " code { (sweep.path.display()) } }
            @if !sweep.source.is_empty() { pre { (sweep.source) } }
        }
    }
}

pub(super) fn commands(comparison: &Comparison) -> Markup {
    html! {
        h2 { "Commands" }
        @for sweep in comparison.sweeps.iter().filter(|sweep| !sweep.command.is_empty()) {
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
    }
}

fn line(command: &[String]) -> String {
    let words: Vec<String> = command.iter().map(|word| shell_word(word)).collect();
    words.join(" ")
}

pub(super) fn data(comparison: &Comparison) -> Markup {
    let mut data: BTreeMap<&str, usize> = BTreeMap::new();
    for record in comparison.runs().filter_map(|run| run.record.as_ref()) {
        *data.entry(&record.data).or_default() += 1;
    }
    html! {
        h2 { "Data" }
        ul { @for (what, runs) in data { li { (breakable(what)) " (" (count(runs, "run")) ")" } } }
    }
}

pub(super) fn starts(comparison: &Comparison) -> Markup {
    html! {
        h2 { "Runs" }
        div.wide {
            table {
                thead { tr {
                    @for name in ["run", "seed", "status", "started", "last start", "device", "commit", "versions"] {
                        th { (name) }
                    }
                } }
                tbody { @for run in comparison.runs() {
                    @let starts = run.record.as_ref().map(|record| record.starts.as_slice()).unwrap_or_default();
                    tr {
                        td { (breakable(&run.name)) }
                        td { (run.seed) }
                        td { (run.state) }
                        @for start in [starts.first(), starts.last()] {
                            td { (start.map_or(UNKNOWN, |start| &start.provenance.time)) }
                        }
                        td { (starts.last().map_or(UNKNOWN, |start| &start.device)) }
                        td { (starts.last().map_or_else(|| UNKNOWN.to_owned(), commit)) }
                        td { (starts.last().map_or_else(|| UNKNOWN.to_owned(), versions)) }
                    }
                } }
            }
        }
    }
}

fn commit(start: &miras_run::Start) -> String {
    start.provenance.built_from.as_ref().map_or_else(
        || UNKNOWN.to_owned(),
        |tree| {
            let short: String = tree.commit.chars().take(10).collect();
            if tree.dirty {
                format!("{short}, changed")
            } else {
                short
            }
        },
    )
}

fn versions(start: &miras_run::Start) -> String {
    let versions = start.provenance.versions.iter();
    let words: Vec<String> = versions
        .map(|(name, version)| format!("{name} {version}"))
        .collect();
    words.join(", ")
}
