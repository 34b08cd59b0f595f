//! From a failure to read a value to an error with a place and help.

use toml::Value;

use crate::{
    decode::{Failure, sort_of},
    error::ConfigError,
    flag::quoted_flag,
    hints::Hints,
    marks::Marks,
    path,
    problem::{Problem, Scalar},
    suggest,
};

/// `elsewhere` are keys of the table at the failure's path that its type does not
/// know, because something else takes them.
pub(crate) fn explain(
    failure: Failure,
    marks: &Marks,
    hints: &Hints,
    elsewhere: Vec<&str>,
) -> ConfigError {
    let Failure { path, problem } = failure;
    let message = problem.to_string();
    let wants_text = problem.wants_text();
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
        Problem::Unfit {
            expected, scalar, ..
        } => {
            let help = if wants_text {
                in_quotes(&path, marks)
            } else {
                scalar.and_then(|scalar| as_number(&expected, &scalar))
            };
            marks.value_error(&path, message).help(help)
        }
        Problem::Other(_) => marks.value_error(&path, message),
    }
}

/// How to write as text what stands at `path`.
fn in_quotes(path: &str, marks: &Marks) -> Option<String> {
    let text = marks.text(path)?;
    Some(if marks.is_flag(path) {
        format!(
            "quote it for TOML and for the shell: {}",
            quoted_flag(path, text)
        )
    } else {
        format!("write it in quotes: {}", Value::String(text.to_owned()))
    })
}

/// How to write the number that was meant, where an integer or a number belongs.
fn as_number(expected: &str, found: &Scalar) -> Option<String> {
    let wants_integer = expected.starts_with("an integer");
    if !wants_integer && !expected.starts_with("a number") {
        return None;
    }
    let meant = match found {
        Scalar::Number(number) => *number,
        Scalar::Text(text) => text.replace([',', '_', ' '], "").parse().ok()?,
        Scalar::Other => return None,
    };
    // Larger ones are not exact as floating-point numbers.
    let is_whole = meant.fract() == 0.0 && meant.abs() < 1e15;
    match found {
        _ if wants_integer && is_whole => Some(format!("write it as {meant:.0}")),
        Scalar::Text(_) if !wants_integer && meant.is_finite() => {
            Some(format!("write it without quotes and commas: {meant}"))
        }
        _ => None,
    }
}

/// The error for another sort of value where a table has to be.
pub(crate) fn not_a_table(value: &Value, path: &str, marks: &Marks) -> ConfigError {
    let problem = Problem::unfit("a table", sort_of(value));
    let help = value
        .as_str()
        .map(|name| format!("to choose a kind, write `{path}.kind = {name:?}`"));
    marks.value_error(path, problem.to_string()).help(help)
}

/// Keys from `elsewhere` make good suggestions, and are listed if `known` is empty.
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
