//! One layer: a parsed text and the position of each key in it.

use std::{collections::BTreeMap, ops::Range};

use toml::{
    Spanned, Table,
    de::{DeTable, DeValue},
};

use crate::{
    error::{ConfigError, Excerpt, line_at},
    flag::FLAG,
    library::Place,
    path,
};

/// Where a text comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    BuiltIn,
    File,
    Set,
    /// One value out of a file, as [`Assigned`](crate::Assigned) by a program.
    Assigned,
}

impl Kind {
    /// Whether it sets single keys rather than tables.
    pub(crate) fn is_assignment(self) -> bool {
        matches!(self, Self::Set | Self::Assigned)
    }
}

/// A text that errors can point into.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    pub(crate) name: String,
    pub(crate) text: String,
    pub(crate) kind: Kind,
    /// Where the file is, for the paths that it names.
    pub(crate) place: Option<Place>,
}

impl Source {
    /// An assignment, as a message names it.
    pub(crate) fn assignment(&self, key: &Range<usize>) -> String {
        match self.kind {
            Kind::Set => format!("`{FLAG} {}`", self.text),
            _ => format!("`{}:{}`", self.name, self.line(key.start)),
        }
    }

    /// The number of the line, counted from 1, at a byte offset.
    pub(crate) fn line(&self, offset: usize) -> usize {
        line_at(&self.text, offset)
    }

    /// A piece of it, for an error.
    pub(crate) fn excerpt(&self, span: &Range<usize>) -> Excerpt {
        Excerpt::new(&self.name, &self.text, span)
    }
}

/// Where a key and its value stand in the text.
#[derive(Debug, Clone)]
pub(crate) struct Spans {
    pub(crate) key: Range<usize>,
    pub(crate) value: Range<usize>,
    /// The old name by which the key is written.
    pub(crate) written_as: Option<&'static str>,
}

impl Spans {
    pub(crate) fn new(key: Range<usize>, value: Range<usize>) -> Self {
        Self {
            key,
            value,
            written_as: None,
        }
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Layer {
    pub(crate) source: Source,
    pub(crate) table: Table,
    /// By path.
    pub(crate) spans: BTreeMap<String, Spans>,
}

impl Layer {
    pub(crate) fn parse(source: Source) -> Result<Self, ConfigError> {
        // The first pass gives the spans, the second checks the values.
        let mut spans = BTreeMap::new();
        let table = DeTable::parse(&source.text)
            .map(|table| collect_table(table.get_ref(), "", 0, &mut spans))
            .and_then(|()| source.text.parse::<Table>())
            .map_err(|error| syntax_error(&source, &error, 0))?;
        Ok(Self {
            source,
            table,
            spans,
        })
    }

    /// An error at the value of `path`.
    pub(crate) fn error(&self, path: &str, message: impl Into<String>) -> ConfigError {
        let error = ConfigError::new(message);
        match self.spans.get(path) {
            Some(spans) => error.at(self.source.excerpt(&spans.value), path),
            None => error,
        }
    }
}

/// Collects the spans of everything in a table; `offset` is where its text starts.
fn collect_table(
    table: &DeTable<'_>,
    at: &str,
    offset: usize,
    spans: &mut BTreeMap<String, Spans>,
) {
    for (key, value) in table {
        let key_span = shift(&key.span(), offset);
        collect(
            value,
            &path::join(at, key.get_ref()),
            key_span,
            offset,
            spans,
        );
    }
}

/// Collects the spans of a value and of everything in it.
pub(crate) fn collect(
    value: &Spanned<DeValue<'_>>,
    path: &str,
    key: Range<usize>,
    offset: usize,
    spans: &mut BTreeMap<String, Spans>,
) {
    let span = shift(&value.span(), offset);
    spans.insert(path.to_owned(), Spans::new(key, span));
    match value.get_ref() {
        DeValue::Table(table) => collect_table(table, path, offset, spans),
        DeValue::Array(items) => {
            for (number, item) in items.iter().enumerate() {
                let key = shift(&item.span(), offset);
                collect(item, &path::index(path, number), key, offset, spans);
            }
        }
        _ => {}
    }
}

/// The parser's error with its place. Common mistakes are recognised by the text at that place and
/// explained without terms of the grammar; others keep the parser's message.
pub(crate) fn syntax_error(source: &Source, error: &toml::de::Error, offset: usize) -> ConfigError {
    let text = &source.text;
    let span = shift(&error.span().unwrap_or(0..0), offset);
    let mut span = text.floor_char_boundary(span.start)..text.ceil_char_boundary(span.end);
    let is_value = is_place_of_value(text, &span);
    if is_value && span.is_empty() {
        let ends = |c: char| c.is_whitespace() || ",]}#".contains(c);
        let rest = &text[span.start..];
        span.end += rest.find(ends).unwrap_or(rest.len());
    }
    let found = text.get(span.clone()).unwrap_or_default();
    let report = if is_value && found.is_empty() {
        ConfigError::new("a value is missing here")
    } else if let Some((inside, outside)) = beside_quotes(text, span.start) {
        span.end = span.start + outside.len();
        ConfigError::new(format!("`{outside}` stands outside of the quotes"))
            .help(format!("quote all of it: `\"{inside}{outside}\"`"))
    } else if is_value && is_large_integer(found) {
        ConfigError::new(format!("the integer {found} does not fit in 64 bits"))
    } else if is_value && is_mended_by(text, &span, &format!("\"{found}\"")) {
        ConfigError::new(format!("`{found}` is no TOML value"))
            .help(format!("strings need quotes: `\"{found}\"`"))
    } else if !is_value && is_repeated(text, &span) {
        ConfigError::new(format!("`{found}` is written twice in one table"))
    } else {
        ConfigError::new(error.message().trim_end_matches(", expected nothing"))
    };
    report.at(source.excerpt(&span), "")
}

/// Whether a value belongs at `span`: after `=`, or in an array.
fn is_place_of_value(text: &str, span: &Range<usize>) -> bool {
    let before = text.get(..span.start).unwrap_or_default().trim_end();
    let after = text.get(span.end..).unwrap_or_default().trim_start();
    let line = before.rsplit('\n').next().unwrap_or_default();
    // At the start of a line a bracket opens a header.
    let is_opened = before.ends_with(['=', ',']) || (before.ends_with('[') && line.contains('='));
    is_opened && !after.starts_with('=')
}

/// Whether a text is an integer that does not fit in 64 bits.
fn is_large_integer(text: &str) -> bool {
    use std::num::IntErrorKind::{NegOverflow, PosOverflow};
    let (radix, digits) = match text.get(..2) {
        Some("0x") => (16, &text[2..]),
        Some("0o") => (8, &text[2..]),
        Some("0b") => (2, &text[2..]),
        _ => (10, text),
    };
    i64::from_str_radix(&digits.replace('_', ""), radix)
        .is_err_and(|error| matches!(error.kind(), PosOverflow | NegOverflow))
}

/// Whether the key at `span` was written before: then another name there is no mistake.
fn is_repeated(text: &str, span: &Range<usize>) -> bool {
    let key = text.get(span.clone()).unwrap_or_default();
    let is_key =
        DeTable::parse(&format!("{key} = 0")).is_ok() && !text[span.end..].starts_with('.');
    // Longer than every other name, so it differs from all.
    is_key && is_mended_by(text, span, &"_".repeat(text.len() + 1))
}

/// Whether the text parses, at least as far as `span`, with `other` in that place.
fn is_mended_by(text: &str, span: &Range<usize>, other: &str) -> bool {
    let mended = format!("{}{other}{}", &text[..span.start], &text[span.end..]);
    match DeTable::parse(&mended) {
        Ok(_) => true,
        Err(error) => (error.span()).is_some_and(|next| next.start > span.start + other.len()),
    }
}

/// The content of a string that ends just before `at`, and the word that follows on its closing
/// quote, where the parser stopped.
fn beside_quotes(text: &str, at: usize) -> Option<(&str, &str)> {
    let (before, after) = text.split_at_checked(at)?;
    let quote = before.chars().last().filter(|c| matches!(c, '"' | '\''))?;
    let start = before[..at - 1].rfind(quote)? + 1;
    let is_end = |c: char| c.is_whitespace() || ",]}#\"'".contains(c);
    let end = after.find(is_end).unwrap_or(after.len());
    let (inside, outside) = (&before[start..at - 1], &after[..end]);
    (!inside.is_empty() && !outside.is_empty()).then_some((inside, outside))
}

fn shift(span: &Range<usize>, offset: usize) -> Range<usize> {
    span.start + offset..span.end + offset
}
