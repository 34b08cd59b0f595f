//! What was measured, on the output and in a file.

use std::path::Path;

use anyhow::Context;
use miras_run::write_atomic;
use serde::Serialize;

use crate::out::{Out, eprint_line};

/// A report, and how it is told.
pub(crate) struct Measurement<'a, R> {
    /// The content of the file.
    pub(crate) report: &'a R,
    /// What was measured on what.
    pub(crate) head: String,
    /// The numbers.
    pub(crate) table: String,
    /// What the user should know of it.
    pub(crate) notes: &'a [String],
    /// A drawing of it, saved beside the report.
    pub(crate) drawing: Option<String>,
}

impl<R: Serialize> Measurement<'_, R> {
    /// Prints the report, as JSON or as text, and saves it.
    pub(crate) fn publish(&self, path: &Path, json: bool, out: &mut Out) -> anyhow::Result<()> {
        let mut content =
            serde_json::to_string_pretty(self.report).context("cannot put the report in JSON")?;
        content.push('\n');
        // Neither a full disk nor a closed output may cost the other one what was measured.
        let shown = if json {
            out.text(&content)
        } else {
            out.prose(&self.head).and_then(|()| out.text(&self.table))
        };
        for note in self.notes {
            eprint_line(format!("note: {note}"));
        }
        write_atomic(path, content.as_bytes()).with_context(|| {
            format!(
                "the report {} is not saved (what was measured is above; --out FILE saves it elsewhere)",
                path.display()
            )
        })?;
        let drawing = self
            .drawing
            .as_ref()
            .map(|text| (path.with_extension("svg"), text));
        if let Some((path, text)) = &drawing {
            write_atomic(path, text.as_bytes())
                .with_context(|| format!("the drawing {} is not saved", path.display()))?;
        }
        shown?;
        if json {
            return Ok(());
        }
        let drawing = drawing.map_or_else(String::new, |(path, _)| {
            format!("\ndrawing in {}", path.display())
        });
        out.prose(&format!("{drawing}\nreport in {}", path.display()))
    }
}

/// A number in so many columns, with four digits behind the point unless it is too large for that.
pub(crate) fn fitted(value: f64, columns: usize) -> String {
    let plain = format!("{value:.4}");
    if plain.len() <= columns {
        return format!("{plain:>columns$}");
    }
    format!("{:>columns$}", format!("{value:.2e}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_that_is_too_long_has_an_exponent() {
        assert_eq!(fitted(411.3118, 11), "   411.3118");
        assert_eq!(fitted(5.184_7e21, 11), "    5.18e21");
    }
}
