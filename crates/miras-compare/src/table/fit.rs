//! Text that fits a terminal: tables in columns, and prose that is wrapped at words.

use super::rows::Table;

/// Columns of a line.
const WIDTH: usize = 80;
/// Between two columns.
const GAP: usize = 2;
/// How far the further lines of a cell are moved to the right.
const INDENT: usize = 2;
/// A first column is cut into lines of this width, if nothing else makes room.
const NARROW: usize = 24;

/// A table with aligned columns. Cells of words are wrapped to make it fit; columns for which
/// there is no room all the same follow below, beside the first column again.
pub(super) fn aligned(table: &Table) -> String {
    let mut text = String::new();
    let mut rest: Vec<usize> = (1..table.head.len()).collect();
    loop {
        let mut shown = vec![0];
        while let Some(&next) = rest.first() {
            shown.push(next);
            if shown.len() > 2 && narrowest(table, &shown) > WIDTH {
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

/// The width of these columns with all cells of words wrapped.
fn narrowest(table: &Table, shown: &[usize]) -> usize {
    let widths = shown.iter().map(|&at| bounds(table, at).0 + GAP);
    widths.sum::<usize>() - GAP
}

/// The least and the greatest width of a column. Numbers are not wrapped; names of columns are.
fn bounds(table: &Table, at: usize) -> (usize, usize) {
    let cells = || table.rows.iter().map(|row| row[at].as_str());
    let head = pieces(&table.head[at]).map(width).max().unwrap_or(0);
    let whole = cells().map(width).max().unwrap_or(0).max(head);
    if table.right[at] {
        return (whole, whole);
    }
    let words = |cell: &str| -> Option<usize> {
        let mut parts = cell.split(' ').map(width);
        let first = parts.next()?;
        Some(parts.map(|part| part + INDENT).fold(first, usize::max))
    };
    let longest = cells().filter_map(words).max().unwrap_or(0).max(head);
    let least = if at == 0 {
        longest.min(NARROW.max(head))
    } else {
        longest
    };
    (least, whole)
}

fn columns(table: &Table, shown: &[usize]) -> String {
    let bounds: Vec<(usize, usize)> = shown.iter().map(|&at| bounds(table, at)).collect();
    let mut widths: Vec<usize> = bounds.iter().map(|&(_, whole)| whole).collect();
    let total = |widths: &[usize]| widths.iter().sum::<usize>() + GAP * (widths.len() - 1);
    // The widest of those that can be wrapped gives way, until the line fits.
    while total(&widths) > WIDTH {
        let can = (0..widths.len()).filter(|&at| widths[at] > bounds[at].0);
        let Some(widest) = can.max_by_key(|&at| widths[at]) else {
            break;
        };
        widths[widest] -= 1;
    }
    let mut text = String::new();
    for row in std::iter::once(&table.head).chain(&table.rows) {
        let is_head = std::ptr::eq(row, &raw const table.head);
        let cells: Vec<Vec<String>> = shown
            .iter()
            .zip(&widths)
            .map(|(&at, &width)| match (is_head, table.right[at]) {
                (true, _) => joined(pieces(&row[at]), width, 0),
                (false, true) => vec![row[at].clone()],
                (false, false) => joined(row[at].split_inclusive(' '), width, INDENT),
            })
            .collect();
        let height = cells.iter().map(Vec::len).max().unwrap_or(1);
        for line in 0..height {
            let parts: Vec<String> = (shown.iter().zip(&widths).zip(&cells))
                .map(|((&at, &wide), cell)| {
                    // The head stands on its last line.
                    let line = if is_head {
                        (line + cell.len()).checked_sub(height)
                    } else {
                        Some(line)
                    };
                    let part = line.and_then(|line| cell.get(line)).map_or("", |one| one);
                    let space = " ".repeat(wide.saturating_sub(width(part)));
                    if table.right[at] {
                        space + part
                    } else {
                        part.to_owned() + &space
                    }
                })
                .collect();
            text += parts.join(&" ".repeat(GAP)).trim_end();
            text.push('\n');
        }
    }
    text
}

/// Pieces between which the name of a column may be broken.
fn pieces(name: &str) -> impl Iterator<Item = &str> {
    name.split_inclusive([' ', '/', '_'])
}

/// Pieces put together to lines of a width; the further ones are indented. What is longer than a
/// line is broken.
fn joined<'a>(pieces: impl Iterator<Item = &'a str>, most: usize, indent: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for piece in pieces {
        let is_first = lines.len() == 1;
        let line = lines.last_mut();
        let Some(line) = line else { break };
        let room = width(line) + width(piece.trim_end()) <= most;
        let is_blank = line.trim().is_empty();
        if room {
            line.push_str(piece);
            continue;
        }
        let mut next = if is_blank && is_first {
            lines.pop();
            String::new()
        } else {
            " ".repeat(indent)
        };
        for letter in piece.chars() {
            if width(&next) >= most.max(indent + 1) && letter != ' ' {
                lines.push(std::mem::replace(&mut next, " ".repeat(indent)));
            }
            next.push(letter);
        }
        lines.push(next);
    }
    lines
        .iter()
        .map(|line| line.trim_end().to_owned())
        .collect()
}

/// Prose in lines, each with its end, wrapped at words; `indent` moves all lines but the first.
pub(super) fn wrapped(text: &str, indent: usize) -> String {
    let mut out = String::new();
    let lead = text.len() - text.trim_start().len();
    let mut line = text[..lead].to_owned();
    let mut is_empty = true;
    for word in text.split_whitespace() {
        if !is_empty && width(&line) + 1 + width(word) > WIDTH {
            out += line.trim_end();
            out.push('\n');
            line = " ".repeat(indent);
            is_empty = true;
        }
        if !is_empty {
            line.push(' ');
        }
        line += word;
        is_empty = false;
    }
    out += line.trim_end();
    out.push('\n');
    out
}

fn width(text: &str) -> usize {
    text.chars().count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(label: &str, columns: usize) -> Table {
        let mut head = vec!["variant".to_owned()];
        let mut row = vec![label.to_owned()];
        for at in 0..columns {
            head.push(format!("{} reset", 64 << at));
            row.push("2.345 ± 0.012".to_owned());
        }
        Table {
            right: (0..=columns).map(|at| at > 0).collect(),
            rows: vec![row.clone(), row],
            head,
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
    fn prose_is_wrapped_at_words() {
        let text = wrapped(&format!("  first {}", "word ".repeat(30)), 4);
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines.iter().all(|line| width(line) <= WIDTH), "{text}");
        assert!(lines[0].starts_with("  first word") && lines[1].starts_with("    word"));
        assert_eq!(text.split_whitespace().count(), 31);
        assert_eq!(wrapped("", 2), "\n");
    }
}
