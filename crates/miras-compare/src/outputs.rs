//! A comparison as text, Markdown and CSV, and all outputs in a folder.

use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use miras_run::{RunError, write_atomic};

use crate::CompareError;
use crate::comparison::Comparison;
use crate::table::Table;
use crate::tables;
use crate::text::wrapped;

impl Comparison {
    /// The tables, footnote, warnings and the runs that do not count, as text of at most 80
    /// columns; only a single word that is longer than a line is not broken.
    pub fn text(&self) -> String {
        let mut text = tables::verdicts(self).text();
        let _ = write!(text, "\n{}", wrapped(&tables::footnote(self), ""));
        if !self.warnings.is_empty() {
            text.push('\n');
        }
        for warning in &self.warnings {
            text += &wrapped(warning, "  ");
        }
        for note in &self.notes {
            text += &wrapped(&format!("note: {note}"), "  ");
        }
        for table in tables::more(self) {
            let _ = write!(text, "\n{}{}", wrapped(&table.title, "  "), table.text());
        }
        for (n, (variant, run)) in self.excluded().enumerate() {
            if n == 0 {
                text += "\nnot counted:\n";
            }
            let (label, why) = (&variant.label, run.excluded.as_deref().unwrap_or_default());
            let line = format!("  {} ({label}, seed {}): {why}", run.name, run.seed);
            text += &wrapped(&line, "    ");
        }
        text
    }

    /// The table, its footnote, warnings and the runs that do not count, as Markdown.
    pub fn markdown(&self) -> String {
        let mut text = tables::verdicts(self).markdown();
        let _ = writeln!(text, "\n{}", escaped(&tables::footnote(self)));
        list(&mut text, "\n", &self.warnings);
        list(&mut text, "\nNotes:\n\n", &self.notes);
        for table in tables::more(self) {
            let _ = write!(text, "\n{}\n\n{}", escaped(&table.title), table.markdown());
        }
        if let Some(table) = tables::excluded(self) {
            let _ = write!(text, "\n{}:\n\n{}", table.title, table.markdown());
        }
        text
    }

    /// One row per run: what it is, how it ended, what it took and what it was measured at.
    ///
    /// What is not known is an empty cell.
    pub fn csv(&self) -> Result<String, CompareError> {
        let table = tables::csv(self);
        let write = || -> Result<String, Box<dyn Error>> {
            let mut writer = csv::Writer::from_writer(Vec::new());
            writer.write_record(table.columns.iter().map(|column| &column.name))?;
            for row in &table.rows {
                writer.write_record(row)?;
            }
            Ok(String::from_utf8(writer.into_inner()?)?)
        };
        write().map_err(CompareError::render("the CSV"))
    }

    /// Writes `results.csv`, `results.json`, `results.md`, `report.html` and, in `plots/`, every
    /// plot as SVG. The folder is made if it is not there; files of these names are
    /// replaced, each whole, and others are left alone.
    ///
    /// Returns the files.
    pub fn write(&self, folder: &Path) -> Result<Vec<PathBuf>, CompareError> {
        let pictures = folder.join("plots");
        fs::create_dir_all(&pictures).map_err(RunError::io("make", &pictures))?;
        let plots = self.plots();
        let mut files = vec![
            (folder.join("results.csv"), self.csv()?),
            (folder.join("results.json"), self.json()),
            (folder.join("results.md"), self.markdown()),
            (folder.join("report.html"), self.html_with(&plots)?),
        ];
        for plot in &plots {
            files.push((pictures.join(format!("{}.svg", plot.name())), plot.svg()?));
        }
        for (path, text) in &files {
            write_atomic(path, text.as_bytes())?;
        }
        Ok(files.into_iter().map(|(path, _)| path).collect())
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
