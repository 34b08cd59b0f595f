//! Dotted paths such as `memory.init[2].scale`, the names of keys everywhere in
//! this crate. Keys that are not bare in TOML are quoted, so a path is unique.

use std::fmt::Write as _;

use toml::{Table, Value};

/// The path of `key` inside the table at `at`; the top level is the empty path.
pub fn join(at: &str, key: &str) -> String {
    let key = quoted(key);
    if at.is_empty() {
        key
    } else {
        format!("{at}.{key}")
    }
}

/// The path of an array element.
pub fn index(at: &str, index: usize) -> String {
    format!("{at}[{index}]")
}

/// Whether `path` lies strictly inside `parent`.
pub(crate) fn is_inside(path: &str, parent: &str) -> bool {
    parent.is_empty()
        || path
            .strip_prefix(parent)
            .is_some_and(|rest| rest.starts_with(['.', '[']))
}

/// Whether `path` is `parent` or lies inside it.
pub(crate) fn is_at_or_inside(path: &str, parent: &str) -> bool {
    path == parent || is_inside(path, parent)
}

/// A key as TOML writes it: bare where that is allowed, else in quotes.
pub(crate) fn quoted(key: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if !key.is_empty() && key.chars().all(bare) {
        return key.to_owned();
    }
    let mut text = String::from('"');
    for c in key.chars() {
        match c {
            '"' | '\\' => text.extend(['\\', c]),
            c if c.is_control() => {
                // Writing into a string cannot fail.
                let _ = write!(text, "\\u{:04X}", u32::from(c));
            }
            c => text.push(c),
        }
    }
    text.push('"');
    text
}

/// A table with one value, under these keys inside each other; empty without a key.
pub(crate) fn nested(keys: &[String], value: Value) -> Table {
    let Some((first, rest)) = keys.split_first() else {
        return Table::new();
    };
    let inner = if rest.is_empty() {
        value
    } else {
        Value::Table(nested(rest, value))
    };
    Table::from_iter([(first.clone(), inner)])
}

/// The table that a bare kind name stands for.
pub(crate) fn kind_table(name: String) -> Table {
    Table::from_iter([("kind".to_owned(), Value::String(name))])
}

/// Every value of a table that is neither a table nor a list of tables, by its dotted path, in the
/// order of the table.
pub fn flat(table: &Table) -> Vec<(String, Value)> {
    let mut found = Vec::new();
    flatten(table, "", &mut found);
    found
}

fn flatten(table: &Table, at: &str, found: &mut Vec<(String, Value)>) {
    for (key, value) in table {
        let path = join(at, key);
        match value {
            Value::Table(inner) => flatten(inner, &path, found),
            // The entries of a list, such as `[[layers]]`, are named by their numbers.
            Value::Array(items) if !items.is_empty() && items.iter().all(Value::is_table) => {
                for (number, inner) in items.iter().filter_map(Value::as_table).enumerate() {
                    flatten(inner, &join(&path, &number.to_string()), found);
                }
            }
            value => found.push((path, value.clone())),
        }
    }
}
