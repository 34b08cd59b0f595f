//! The tables for a document.

use std::fmt::Write as _;

use super::{Table, footnote};
use crate::comparison::Comparison;

impl Comparison {
    /// The table, its footnote, warnings and the runs that do not count, as Markdown.
    pub fn markdown(&self) -> String {
        let mut text = Table::verdicts(self).markdown();
        let _ = writeln!(text, "\n{}", escaped(&footnote(self)));
        list(&mut text, "\n", &self.warnings);
        list(&mut text, "\nNotes:\n\n", &self.notes);
        for table in Table::more(self) {
            let _ = write!(text, "\n{}\n\n{}", escaped(&table.title), table.markdown());
        }
        if let Some(table) = Table::excluded(self) {
            let _ = write!(text, "\n{}:\n\n{}", table.title, table.markdown());
        }
        text
    }
}

impl Table {
    fn markdown(&self) -> String {
        let line = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
        let names = self.columns.iter().map(|column| escaped(&column.name));
        let rules = self.columns.iter();
        let rules = rules.map(|column| if column.is_number { "--:" } else { "---" });
        let mut text = line(names.collect()) + &line(rules.map(str::to_owned).collect());
        for row in &self.rows {
            text += &line(row.iter().map(|cell| escaped(cell)).collect());
        }
        text
    }
}

fn list<T: ToString>(text: &mut String, head: &str, lines: &[T]) {
    if !lines.is_empty() {
        text.push_str(head);
    }
    for line in lines {
        let _ = writeln!(text, "- {}", escaped(&line.to_string()));
    }
}

/// Escapes the marks of Markdown.
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
