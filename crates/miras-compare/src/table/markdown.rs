//! The table for a document.

use std::fmt::Write as _;

use super::more;
use super::rows::{Table, excluded, footnote};
use crate::comparison::Comparison;

impl Comparison {
    /// The table, its footnote, warnings and the runs that do not count, as Markdown.
    pub fn markdown(&self) -> String {
        let mut text = String::new();
        write(&mut text, &Table::verdicts(self));
        let _ = writeln!(text, "\n{}", escaped(&footnote(self)));
        if !self.warnings.is_empty() {
            text.push('\n');
        }
        for warning in &self.warnings {
            let _ = writeln!(text, "- {}", escaped(warning));
        }
        for (title, table) in more::tables(self) {
            let _ = writeln!(text, "\n{}\n", escaped(&title));
            write(&mut text, &table);
        }
        let excluded = excluded(self);
        if !excluded.is_empty() {
            text.push_str("\nNot counted:\n\n");
            line(
                &mut text,
                &["variant", "run", "seed", "why"].map(str::to_owned),
            );
            text.push_str("| --- | --- | --: | --- |\n");
        }
        for row in excluded {
            line(&mut text, &row);
        }
        text
    }
}

fn write(text: &mut String, table: &Table) {
    line(text, &table.head);
    let rules = table.right.iter();
    let rules: Vec<_> = rules
        .map(|&right| if right { "--:" } else { "---" })
        .collect();
    let _ = writeln!(text, "| {} |", rules.join(" | "));
    for row in &table.rows {
        line(text, row);
    }
}

fn line(text: &mut String, cells: &[String]) {
    let cells: Vec<_> = cells.iter().map(|cell| escaped(cell)).collect();
    let _ = writeln!(text, "| {} |", cells.join(" | "));
}

/// Without what Markdown would take for its own.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    for letter in text.chars() {
        match letter {
            '\n' | '\r' => out.push(' '),
            '|' | '*' | '_' | '`' | '<' | '[' | '\\' => out.extend(['\\', letter]),
            _ => out.push(letter),
        }
    }
    out
}
