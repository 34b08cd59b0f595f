//! From a failure to read a value to an error with a place and help.

use toml::Value;

use crate::{
    decode::{Failure, sort_of},
    error::ConfigError,
    flag::quoted_flag,
    hints::Hints,
    marks::Marks,
    path,
    problem::Problem,
    suggest,
};

/// `elsewhere` are keys of the table at the failure's path that are read by something else than
/// its type.
pub(crate) fn explain(
    failure: Failure,
    marks: &Marks,
    hints: &Hints,
    elsewhere: Vec<&str>,
) -> ConfigError {
    let Failure { path, problem } = failure;
    let message = problem.to_string();
    match problem {
        Problem::UnknownField { name, known } => {
            unknown_field((&path, &name), known, elsewhere, marks, hints)
        }
        Problem::UnknownVariant { name, known } => {
            // In `{ name = ... }` it is a key, in `"name"` the value.
            let key = path::join(&path, &name);
            let error = if marks.get(&key).is_some() {
                marks.key_error(&key, message)
            } else {
                marks.value_error(&path, message)
            };
            error.help(suggest::help(&name, known))
        }
        Problem::MissingField(name) => {
            let table = match path.as_str() {
                "" => "the top".to_owned(),
                path => format!("`{path}`"),
            };
            let help = format!("add `{name} = ...` to {table}");
            marks.value_error(&path, message).help(help)
        }
        Problem::Unfit { .. } | Problem::NameAlone | Problem::Other(_) => {
            marks.value_error(&path, message)
        }
    }
}

/// Values that may be meant by `found` at `path`, and how to write them. The caller checks which
/// of them fit.
pub(crate) fn other_readings(found: &Value, path: &str, marks: &Marks) -> Vec<(Value, String)> {
    let value = match found {
        Value::String(text) => text.replace([',', '_', ' '], "").parse().ok(),
        other => Some(other.clone()),
    };
    let number = value.as_ref().and_then(Value::as_float);
    // Larger whole numbers are not exact in floating point.
    let whole = number.filter(|number| number.fract() == 0.0 && number.abs() < 1e15);
    let whole = whole.map(|number| Value::Integer(number as i64));
    let mut readings: Vec<_> = (whole.into_iter().chain(value))
        .map(|value| (value.clone(), format!("write it as {value}")))
        .collect();
    if !matches!(found, Value::String(_) | Value::Array(_) | Value::Table(_))
        && let Some(text) = marks.text(path)
    {
        let quoted = Value::String(text.to_owned());
        let help = if marks.is_flag(path) {
            let flag = quoted_flag(path, text);
            format!("quote it for TOML and for the shell: {flag}")
        } else {
            format!("write it in quotes: {quoted}")
        };
        readings.push((quoted, help));
    }
    readings
}

/// The error for another sort of value where a table belongs.
pub(crate) fn not_a_table(value: &Value, path: &str, marks: &Marks) -> ConfigError {
    let problem = Problem::unfit("a table", sort_of(value));
    let help = value
        .as_str()
        .map(|name| format!("to choose a kind, write `{path}.kind = {name:?}`"));
    marks.value_error(path, problem.to_string()).help(help)
}

/// Keys from `elsewhere` are suggested too, and are listed if `known` is empty.
fn unknown_field(
    (table, name): (&str, &str),
    known: &[&str],
    mut elsewhere: Vec<&str>,
    marks: &Marks,
    hints: &Hints,
) -> ConfigError {
    elsewhere.sort_unstable();
    elsewhere.dedup();
    let listed = if known.is_empty() { &elsewhere } else { known };
    let message = format!(
        "unknown field `{name}`, expected {}",
        suggest::one_of(listed)
    );
    let candidates = [known, &elsewhere].concat();
    let path = path::join(table, name);
    let error = marks
        .key_error(&path, message)
        .help(hints.help(&path, name, &candidates));
    if name == "kind" && marks.is_assigned(&path) {
        error.or_help(|| format!("a bare word for the table `{table}` names its kind"))
    } else {
        error
    }
}
