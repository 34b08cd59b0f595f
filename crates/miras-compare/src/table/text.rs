//! The table for a terminal.

use std::fmt::Write as _;

use super::more;
use super::rows::{Table, excluded, footnote};
use crate::comparison::Comparison;

impl Comparison {
    /// The table, its footnote, warnings and the runs that do not count, as text.
    pub fn text(&self) -> String {
        let mut text = aligned(&Table::of(self));
        let _ = writeln!(text, "\n{}", footnote(self));
        for warning in &self.warnings {
            let _ = writeln!(text, "{warning}");
        }
        for note in &self.notes {
            let _ = writeln!(text, "note: {note}");
        }
        for (title, table) in more::tables(self) {
            let _ = write!(text, "\n{title}\n{}", aligned(&table));
        }
        let excluded = excluded(self);
        if !excluded.is_empty() {
            let _ = writeln!(text, "\nnot counted:");
        }
        for [variant, run, seed, why] in excluded {
            let _ = writeln!(text, "  {run} ({variant}, seed {seed}): {why}");
        }
        text
    }
}

fn aligned(table: &Table) -> String {
    let mut text = String::new();
    let widths: Vec<usize> = (0..table.head.len())
        .map(|at| {
            let cells = table.rows.iter().map(|row| width(&row[at]));
            cells.chain([width(&table.head[at])]).max().unwrap_or(0)
        })
        .collect();
    for row in std::iter::once(&table.head).chain(&table.rows) {
        let cells: Vec<String> = row
            .iter()
            .enumerate()
            .map(|(at, cell)| {
                let space = " ".repeat(widths[at] - width(cell));
                if table.right[at] {
                    space + cell
                } else {
                    cell.clone() + &space
                }
            })
            .collect();
        let _ = writeln!(text, "{}", cells.join("  ").trim_end());
    }
    text
}

fn width(text: &str) -> usize {
    text.chars().count()
}
