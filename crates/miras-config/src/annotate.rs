//! Writing the settled configuration, each line with its origin.

use std::fmt::Write as _;

use toml::{Table, Value};

use crate::{list::entry_path, origin::Origins, path};

/// Longer lines do not count for the column of the comments.
const MAX_ALIGNED_WIDTH: usize = 48;

/// Writes a table as TOML in which each key has its origin as a comment; plain TOML if there are
/// no origins. Keys without a value are comments. The text parses as the same table.
pub fn annotated(resolved: &Table, origins: &Origins) -> String {
    let mut text = String::new();
    write_table(&mut text, resolved, "", "", origins);
    text
}

/// `name` is what a header says; `at` is the path, which also counts the tables
/// of an array.
fn write_table(text: &mut String, table: &Table, name: &str, at: &str, origins: &Origins) {
    let is_line = |value: &Value| !value.is_table() && tables(value).is_none();
    let lines: Vec<(String, String)> = table
        .iter()
        .filter(|(_, value)| is_line(value))
        .map(|(key, value)| {
            let line = format!("{} = {value}", path::quoted(key));
            (line, path::join(at, key))
        })
        .collect();
    let width = lines
        .iter()
        .map(|(line, _)| line.chars().count())
        .filter(|&width| width <= MAX_ALIGNED_WIDTH)
        .max()
        .unwrap_or(0);
    for (line, path) in lines {
        if origins.is_empty() {
            text.push_str(&line);
        } else {
            let origin = origins
                .of(&path)
                .map_or("default".to_owned(), |origin| origin.to_string());
            // A line break would end the comment.
            let origin = origin.replace(char::is_control, " ");
            // Writing into a string cannot fail.
            let _ = write!(text, "{line:width$}  # {origin}");
        }
        text.push('\n');
    }
    for key in origins.unset_in(at) {
        let line = format!("# {key} =");
        let _ = writeln!(text, "{line:width$}  # not set");
    }

    let is_top = at.is_empty();
    for (key, value) in table {
        let name = path::join(name, key);
        let at = path::join(at, key);
        if let Value::Table(inner) = value {
            // A table that only holds tables needs no header of its own.
            if inner.is_empty() || inner.values().any(is_line) {
                header(text, &format!("[{name}]"));
            }
            write_table(text, inner, &name, &at, origins);
        }
        for (number, inner) in tables(value).into_iter().flatten().enumerate() {
            header(text, &format!("[[{name}]]"));
            // The entries of a list at the top are named by their numbers.
            let at = if is_top {
                entry_path(&at, number)
            } else {
                path::index(&at, number)
            };
            write_table(text, inner, &name, &at, origins);
        }
    }
}

fn header(text: &mut String, header: &str) {
    if !text.is_empty() {
        text.push('\n');
    }
    text.push_str(header);
    text.push('\n');
}

/// The tables of an array that holds tables only.
fn tables(value: &Value) -> Option<Vec<&Table>> {
    let items = value.as_array().filter(|items| !items.is_empty())?;
    items.iter().map(Value::as_table).collect()
}
