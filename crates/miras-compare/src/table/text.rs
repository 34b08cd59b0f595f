//! The tables for a terminal: no line is wider than 80 columns.

use std::borrow::Cow;
use std::fmt::Write as _;

use textwrap::core::Word;
use textwrap::{Options, WordSeparator, WordSplitter};

use super::{Table, footnote};
use crate::comparison::Comparison;

/// The width of a line.
const WIDTH: usize = 80;
/// The space between two columns.
const GAP: usize = 2;
/// The indent of the further lines of a cell.
const INDENT: &str = "  ";
/// The first column is cut into lines of this width if nothing else makes room.
const MIN_FIRST: usize = 24;

impl Comparison {
    /// The tables, footnote, warnings and the runs that do not count, as text of at most 80
    /// columns; only a single word that is longer than a line is not broken.
    pub fn text(&self) -> String {
        let mut text = Table::verdicts(self).text();
        let _ = write!(text, "\n{}", wrapped(&footnote(self), ""));
        if !self.warnings.is_empty() {
            text.push('\n');
        }
        for warning in &self.warnings {
            text += &wrapped(warning, "  ");
        }
        for note in &self.notes {
            text += &wrapped(&format!("note: {note}"), "  ");
        }
        for table in Table::more(self) {
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
}

impl Table {
    /// The table as text of at most 80 columns: cells of words are wrapped, and columns for which
    /// there is still no room follow below, next to a copy of the first column.
    pub fn text(&self) -> String {
        aligned(self)
    }
}

fn aligned(table: &Table) -> String {
    let mut text = String::new();
    let mut rest: Vec<usize> = (1..table.columns.len()).collect();
    loop {
        let mut shown = vec![0];
        while let Some(&next) = rest.first() {
            shown.push(next);
            let least: Vec<usize> = shown.iter().map(|&at| bounds(table, at).0).collect();
            if shown.len() > 2 && total(&least) > WIDTH {
                shown.pop();
                break;
            }
            rest.remove(0);
        }
        text += &columns(table, &shown);
        if rest.is_empty() {
            return text;
        }
        text.push('\n');
    }
}

/// The width of columns side by side.
fn total(widths: &[usize]) -> usize {
    widths.iter().sum::<usize>() + GAP * (widths.len() - 1)
}

/// The least and the greatest width of a column. Numbers are not wrapped; column names are.
fn bounds(table: &Table, at: usize) -> (usize, usize) {
    let cells = || table.rows.iter().map(|row| row[at].as_str());
    let head = name_parts(&table.columns[at].name)
        .map(|part| width(&part))
        .max()
        .unwrap_or(0);
    let whole = cells().map(width).max().unwrap_or(0).max(head);
    if table.columns[at].is_number {
        return (whole, whole);
    }
    let longest_word = |cell: &str| {
        let indents = std::iter::once(0).chain(std::iter::repeat(INDENT.len()));
        cell.split(' ')
            .zip(indents)
            .map(|(word, indent)| width(word) + indent)
            .max()
    };
    let longest = cells()
        .filter_map(longest_word)
        .max()
        .unwrap_or(0)
        .max(head);
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
        lines(
            &table.columns[at].name,
            options(width).word_separator(parts),
        )
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
            let parts = cells
                .iter()
                .zip(shown)
                .zip(&widths)
                .map(|((cell, &at), &width)| {
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
fn wrapped(text: &str, indent: &str) -> String {
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
    use super::super::{number_column, text_column};
    use super::*;

    fn table(label: &str, columns: usize) -> Table {
        let names = (0..columns).map(|at| number_column(&format!("{} reset", 64 << at)));
        let mut row = vec![label.to_owned()];
        row.extend(vec!["2.345 ± 0.012".to_owned(); columns]);
        Table {
            title: String::new(),
            columns: std::iter::once(text_column("variant"))
                .chain(names)
                .collect(),
            rows: vec![row.clone(), row],
        }
    }

    #[test]
    fn tables_of_any_width_fit() {
        let word = "a_word_of_a_hundred_letters_".repeat(4);
        for label in ["depth=1", "depth=1 step_max=0.1 decay=by_channel", &word] {
            for columns in [1, 4, 9, 30] {
                let text = aligned(&table(label, columns));
                let widest = text.lines().map(width).max().unwrap();
                assert!(widest <= WIDTH, "{widest}\n{text}");
                let cells = text.matches("2.345 ± 0.012").count();
                assert_eq!(cells, 2 * columns, "{text}");
                let letters: String = text.split_whitespace().collect();
                assert!(letters.contains("64reset"), "{text}");
            }
        }
    }

    #[test]
    fn a_label_is_wrapped_before_columns_go_below() {
        let text = aligned(&table("depth=1 step_max=0.1 decay=by_channel", 4));
        let lines: Vec<&str> = text.lines().skip(1).take(2).collect();
        let cells = "  2.345 ± 0.012".repeat(4);
        let first = format!("depth=1 step_max=0.1{cells}");
        assert_eq!(lines, [&*first, "  decay=by_channel"]);
    }

    #[test]
    fn a_long_name_is_broken_between_its_words() {
        let text = aligned(&table("step_max-0.01_momentum-0.5_decay-0.98-s1", 4));
        let names = text.lines().skip(1).take(2);
        let names = names.map(|line| line.split("  2.345").next().unwrap().trim_end());
        let names: Vec<&str> = names.collect();
        assert_eq!(names, ["step_max-0.01_momentum-0.5_decay-", "  0.98-s1"]);
    }

    #[test]
    fn prose_is_wrapped_at_words() {
        let text = wrapped(&format!("  first {}", "word ".repeat(30)), "    ");
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines.iter().all(|line| width(line) <= WIDTH), "{text}");
        assert!(lines[0].starts_with("  first word") && lines[1].starts_with("    word"));
        assert_eq!(text.split_whitespace().count(), 31);
    }
}
