//! `--set a.b.c=VALUE`.

use std::{collections::BTreeMap, ops::Range};

use toml::{
    Value,
    de::{DeTable, DeValue},
};

use crate::{
    error::ConfigError,
    flag::{FLAG, quoted_flag},
    layer::{self, Kind, Layer, Source, Spans},
    path,
};

/// Reads one assignment as a layer.
pub(crate) fn parse(assignment: &str) -> Result<Layer, ConfigError> {
    let source = Source {
        name: FLAG.to_owned(),
        text: assignment.to_owned(),
        kind: Kind::Set,
        place: None,
    };
    let Some(equals) = find_equals(assignment) else {
        return Err(ConfigError::new("expected KEY=VALUE")
            .at(source.excerpt(&(0..assignment.len())), "")
            .help("for example `--set memory.kind=matrix`".to_owned()));
    };
    let keys = parse_key(&source, equals)?;
    of_keys(source, keys, equals + 1)
}

/// Reads the content of another flag, the value of one key, as a layer.
pub(crate) fn content(flag: &str, path: &str, value: &str) -> Result<Layer, ConfigError> {
    let source = Source {
        name: flag.to_owned(),
        text: value.to_owned(),
        kind: Kind::BuiltIn,
        place: None,
    };
    let all = 0..value.len();
    let keys = path.split('.').map(|key| (key.to_owned(), all.clone()));
    of_keys(source, keys.collect(), 0)
}

/// The layer of keys inside each other and the value that starts at `start`.
fn of_keys(
    source: Source,
    keys: Vec<(String, Range<usize>)>,
    start: usize,
) -> Result<Layer, ConfigError> {
    let mut spans = BTreeMap::new();
    let mut at = String::new();
    for (key, span) in &keys {
        at = path::join(&at, key);
        spans.insert(at.clone(), Spans::new(span.clone(), span.clone()));
    }
    let value = parse_value(&source, start, &at, &mut spans)?;
    let keys: Vec<String> = keys.into_iter().map(|(key, _)| key).collect();
    let table = path::nested(&keys, value);
    Ok(Layer {
        source,
        table,
        spans,
    })
}

/// The first `=` that is not part of a quoted key.
fn find_equals(text: &str) -> Option<usize> {
    let mut quote = None;
    text.char_indices().find_map(|(offset, c)| {
        match (quote, c) {
            (None, '=') => return Some(offset),
            (None, '"' | '\'') => quote = Some(c),
            (Some(open), c) if open == c => quote = None,
            _ => {}
        }
        None
    })
}

/// The names in a dotted key and their spans.
fn parse_key(source: &Source, end: usize) -> Result<Vec<(String, Range<usize>)>, ConfigError> {
    let text = &source.text[..end];
    // With a value the key is a document that can be parsed.
    let document = format!("{text}=0");
    let mut keys = Vec::new();
    // More lines could hold headers, and so more than one key.
    if !text.contains('\n')
        && let Ok(root) = DeTable::parse(&document)
    {
        let mut next = root.get_ref().iter().next();
        while let Some((key, value)) = next {
            keys.push((key.get_ref().to_string(), key.span()));
            next = value.get_ref().as_table().and_then(|t| t.iter().next());
        }
    }
    if keys.is_empty() {
        let key = text.trim();
        let start = text.len() - text.trim_start().len();
        let message = if key.is_empty() {
            "a key is missing before `=`".to_owned()
        } else {
            format!("`{key}` is no key")
        };
        return Err(ConfigError::new(message)
            .at(source.excerpt(&(start..start + key.len())), "")
            .help("a key is names joined by dots, like `memory.kind`".to_owned()));
    }
    Ok(keys)
}

/// Reads the value that starts at `start` and notes its spans under `path`.
fn parse_value(
    source: &Source,
    start: usize,
    path: &str,
    spans: &mut BTreeMap<String, Spans>,
) -> Result<Value, ConfigError> {
    let rest = &source.text[start..];
    let text = rest.trim();
    let start = start + rest.len() - rest.trim_start().len();
    let span = start..start + text.len();
    if text.is_empty() {
        return Err(
            ConfigError::new("a value is missing after `=`").at(source.excerpt(&span), path)
        );
    }
    let key = spans.get(path).map_or(0..0, |spans| spans.key.clone());
    match DeValue::parse(text) {
        Ok(value) => {
            layer::collect(&value, path, key, start, spans);
            text.parse()
                .map_err(|error| layer::syntax_error(source, &error, start))
        }
        // A word that begins like a TOML value is meant as one. Any other word is a string,
        // because a shell removes the quotes that TOML needs.
        Err(error) if text.starts_with(['"', '\'', '[', '{']) => {
            let error = layer::syntax_error(source, &error, start);
            // A file name may begin like an array or a table.
            Err(if text.starts_with(['[', '{']) {
                error.or_help(|| format!("if it is text, quote it: {}", quoted_flag(path, text)))
            } else {
                error
            })
        }
        Err(_) => {
            spans.insert(path.to_owned(), Spans::new(key, span));
            Ok(Value::String(text.to_owned()))
        }
    }
}
