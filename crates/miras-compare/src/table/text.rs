//! The table for a terminal: no line is wider than 80 columns.

use std::fmt::Write as _;

use super::fit::{aligned, wrapped};
use super::more;
use super::rows::{Table, excluded, footnote};
use crate::comparison::Comparison;

impl Comparison {
    /// The tables, footnote, warnings and the runs that do not count, as text of at most 80
    /// columns; only a single word that is longer than a line is not broken.
    pub fn text(&self) -> String {
        let mut text = aligned(&Table::verdicts(self));
        let _ = write!(text, "\n{}", wrapped(&footnote(self), 0));
        if !self.warnings.is_empty() {
            text.push('\n');
        }
        for warning in &self.warnings {
            text += &wrapped(warning, 2);
        }
        for note in &self.notes {
            let _ = writeln!(text, "{}", wrapped(&format!("note: {note}"), 2).trim_end());
        }
        for (title, table) in more::tables(self) {
            let _ = write!(text, "\n{}{}", wrapped(&title, 2), aligned(&table));
        }
        let excluded = excluded(self);
        if !excluded.is_empty() {
            let _ = writeln!(text, "\nnot counted:");
        }
        for [variant, run, seed, why] in excluded {
            text += &wrapped(&format!("  {run} ({variant}, seed {seed}): {why}"), 4);
        }
        text
    }
}
