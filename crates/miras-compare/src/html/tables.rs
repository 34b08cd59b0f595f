//! The table, what is said under it, and the runs that do not count.

use maud::{Markup, html};

use super::breakable;
use crate::comparison::{Comparison, Verdict};
use crate::table::more;
use crate::table::rows::{self, Table};

pub(super) fn variants(comparison: &Comparison) -> Markup {
    let classes = comparison.variants.iter().map(|one| class(one.verdict));
    html! {
        (markup(&Table::verdicts(comparison), classes))
        p.note { (rows::footnote(comparison)) }
    }
}

/// A table whose rows have these classes, as far as they go.
fn markup(table: &Table, classes: impl Iterator<Item = &'static str>) -> Markup {
    let classes = classes.chain(std::iter::repeat(""));
    html! {
        div.wide {
            table {
                thead { tr { @for (name, &right) in table.head.iter().zip(&table.right) {
                    th.right[right] { (breakable(name)) }
                } } }
                tbody { @for (row, class) in table.rows.iter().zip(classes) {
                    tr.(class) {
                        @for (cell, &right) in row.iter().zip(&table.right) {
                            td.right[right] { (breakable(cell)) }
                        }
                    }
                } }
            }
        }
    }
}

fn class(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Best => "best",
        Verdict::WithinNoise => "noise",
        Verdict::Worse => "worse",
        Verdict::OneSeed | Verdict::TwoSeeds | Verdict::NoSpread | Verdict::OtherData => "seed",
        Verdict::Stopped | Verdict::Unmeasured => "unmeasured",
    }
}

/// The further tables.
pub(super) fn more(comparison: &Comparison) -> Markup {
    html! {
        @for (title, table) in more::tables(comparison) {
            h2 { (title) }
            (markup(&table, std::iter::empty()))
        }
    }
}

pub(super) fn warnings(comparison: &Comparison) -> Markup {
    html! {
        @if !comparison.warnings.is_empty() {
            ul.warnings { @for warning in &comparison.warnings { li { (warning) } } }
        }
    }
}

pub(super) fn notes(comparison: &Comparison) -> Markup {
    html! {
        @if !comparison.notes.is_empty() {
            h2 { "Notes" }
            ul { @for note in &comparison.notes { li { (note) } } }
        }
    }
}

pub(super) fn excluded(comparison: &Comparison) -> Markup {
    let excluded = rows::excluded(comparison);
    html! {
        @if !excluded.is_empty() {
            h2 { "Not counted" }
            div.wide {
                table {
                    thead { tr { th { "variant" } th { "run" } th { "seed" } th { "why" } } }
                    tbody { @for row in &excluded { tr { @for cell in row { td { (breakable(cell)) } } } } }
                }
            }
        }
    }
}
