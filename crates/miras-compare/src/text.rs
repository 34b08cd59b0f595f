//! The tables for a terminal: no line is wider than 80 columns.

use std::borrow::Cow;

use textwrap::core::Word;
use textwrap::{Options, WordSeparator, WordSplitter};

use crate::table::Table;

/// The width of a line.
const WIDTH: usize = 80;
/// The space between two columns.
const GAP: usize = 2;
/// The indent of the further lines of a cell.
const INDENT: &str = "  ";
/// The first column is cut into lines of this width if nothing else makes room.
const MIN_FIRST: usize = 24;

impl Table {
    /// The table as text of at most 80 columns: cells of words are wrapped, and columns for which
    /// there is still no room follow below, next to a copy of the first column.
    pub fn text(&self) -> String {
        let least: Vec<usize> = (0..self.columns.len())
            .map(|at| bounds(self, at).0)
            .collect();
        // The columns of each part.
        let mut parts = vec![vec![0]];
        for at in 1..self.columns.len() {
            let shown = parts.last().into_iter().flatten().chain([&at]);
            let widths: Vec<usize> = shown.map(|&at| least[at]).collect();
            match parts.last_mut() {
                Some(part) if widths.len() <= 2 || total(&widths) <= WIDTH => part.push(at),
                _ => parts.push(vec![0, at]),
            }
        }
        let parts: Vec<String> = parts.iter().map(|part| columns(self, part)).collect();
        parts.join("\n")
    }
}

/// The width of columns side by side.
fn total(widths: &[usize]) -> usize {
    widths.iter().sum::<usize>() + GAP * (widths.len() - 1)
}

/// The least and the greatest width of a column. Numbers are not wrapped; column names are.
fn bounds(table: &Table, at: usize) -> (usize, usize) {
    let cells = || table.rows.iter().map(|row| row[at].as_str());
    let parts = name_parts(&table.columns[at].name).map(|part| width(&part));
    let head = parts.max().unwrap_or(0);
    let whole = cells().map(width).max().unwrap_or(0).max(head);
    if table.columns[at].is_number {
        return (whole, whole);
    }
    let words = cells().flat_map(|cell| {
        let indents = std::iter::once(0).chain(std::iter::repeat(INDENT.len()));
        (cell.split(' ').zip(indents)).map(|(word, indent)| width(word) + indent)
    });
    let longest = words.max().unwrap_or(0).max(head);
    let least = match at {
        0 => longest.min(MIN_FIRST.max(head)),
        _ => longest,
    };
    (least, whole)
}

fn columns(table: &Table, shown: &[usize]) -> String {
    let bounds: Vec<(usize, usize)> = shown.iter().map(|&at| bounds(table, at)).collect();
    let mut widths: Vec<usize> = bounds.iter().map(|&(_, whole)| whole).collect();
    // The widest of the columns that can be wrapped is narrowed until the line fits.
    while total(&widths) > WIDTH {
        let can = (0..widths.len()).filter(|&at| widths[at] > bounds[at].0);
        let Some(widest) = can.max_by_key(|&at| widths[at]) else {
            break;
        };
        widths[widest] -= 1;
    }
    let names = shown.iter().zip(&widths).map(|(&at, &width)| {
        let parts = WordSeparator::Custom(|name| Box::new(name_parts(name)));
        let options = options(width).word_separator(parts);
        lines(&table.columns[at].name, options)
    });
    let mut names: Vec<Vec<String>> = names.collect();
    // Names are aligned at their last line.
    let height = names.iter().map(Vec::len).max().unwrap_or(0);
    for name in &mut names {
        name.splice(0..0, vec![String::new(); height - name.len()]);
    }
    let rows = table.rows.iter().map(|row| {
        let cells = shown.iter().zip(&widths).map(|(&at, &width)| {
            if table.columns[at].is_number {
                vec![row[at].clone()]
            } else {
                cell_lines(&row[at], width)
            }
        });
        cells.collect()
    });
    let mut text = String::new();
    for cells in std::iter::once(names).chain(rows) {
        for line in 0..cells.iter().map(Vec::len).max().unwrap_or(0) {
            let cells = cells.iter().zip(shown).zip(&widths);
            let parts = cells.map(|((cell, &at), &width)| {
                let part = cell.get(line).map_or("", |line| line);
                if table.columns[at].is_number {
                    format!("{part:>width$}")
                } else {
                    format!("{part:<width$}")
                }
            });
            text += parts.collect::<Vec<_>>().join(&" ".repeat(GAP)).trim_end();
            text.push('\n');
        }
    }
    text
}

/// The parts of a column's name between which it may be broken.
fn name_parts(name: &str) -> impl Iterator<Item = Word<'_>> {
    name.split_inclusive([' ', '/', '_']).map(Word::from)
}

/// A cell in lines; a word that is longer than a line is broken at its marks.
fn cell_lines(cell: &str, columns: usize) -> Vec<String> {
    let options = options(columns).subsequent_indent(INDENT);
    let is_long = |word| width(word) + INDENT.len() > columns;
    if !cell.split(' ').any(is_long) {
        return lines(cell, options);
    }
    let parts = WordSeparator::Custom(|cell| {
        let parts = cell.split_inclusive([' ', '_', '-', '/']);
        Box::new(parts.map(Word::from))
    });
    lines(cell, options.word_separator(parts))
}

fn options<'a>(width: usize) -> Options<'a> {
    Options::new(width).word_splitter(WordSplitter::NoHyphenation)
}

fn lines(text: &str, options: Options) -> Vec<String> {
    let lines = textwrap::wrap(text, options).into_iter();
    lines.map(Cow::into_owned).collect()
}

/// Prose in lines, each with its end; all lines but the first are indented. Words are not broken.
pub(crate) fn wrapped(text: &str, indent: &str) -> String {
    textwrap::fill(
        text,
        options(WIDTH).break_words(false).subsequent_indent(indent),
    ) + "\n"
}

fn width(text: &str) -> usize {
    text.chars().count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prose_is_wrapped_at_words() {
        let text = wrapped(&format!("  first {}", "word ".repeat(30)), "    ");
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines.iter().all(|line| width(line) <= WIDTH), "{text}");
        assert!(lines[0].starts_with("  first word") && lines[1].starts_with("    word"));
        assert_eq!(text.split_whitespace().count(), 31);
    }
}
