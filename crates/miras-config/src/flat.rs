//! Tables as lists of dotted keys.

use toml::{Table, Value};

use crate::path;

/// Every value of a table that is no table itself, by its dotted path and in the table's order.
pub fn flat(table: &Table) -> Vec<(String, Value)> {
    let mut found = Vec::new();
    flatten(table, "", &mut found);
    found
}

fn flatten(table: &Table, at: &str, found: &mut Vec<(String, Value)>) {
    for (key, value) in table {
        let path = path::join(at, key);
        match value {
            Value::Table(inner) => flatten(inner, &path, found),
            value => found.push((path, value.clone())),
        }
    }
}
