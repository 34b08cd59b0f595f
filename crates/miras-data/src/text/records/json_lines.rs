//! JSON lines: a record, with a text in one of its fields, in each line.

use std::{
    fmt,
    io::{BufRead, BufReader, Read},
    path::Path,
};

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::{Map, Value, error::Category};

use super::field::{KEY, Take, meant};
use crate::{DataError, packing::Unpacked};

/// The most bytes of a line.
const MAX_LINE: u64 = 1 << 30;

/// Gives the text of each line that is not blank.
pub(super) fn each(
    (key, path): (&'static str, &Path),
    field: &str,
    take: &mut Take<'_>,
) -> Result<(), DataError> {
    let mut source = BufReader::with_capacity(1 << 18, Unpacked::open(path)?);
    let mut line = Vec::new();
    let mut number = 0_u64;
    loop {
        line.clear();
        number += 1;
        let read = (&mut source)
            .take(MAX_LINE + 1)
            .read_until(b'\n', &mut line);
        let count = read.map_err(|error| source.get_ref().failed(error))?;
        if count == 0 {
            return Ok(());
        }
        let refused = |(key, why)| DataError::Record {
            field: key,
            path: path.to_owned(),
            place: format!("line {number} of "),
            why,
        };
        if count as u64 > MAX_LINE {
            let why = format!("has more than {MAX_LINE} bytes, the most that a record may have");
            return Err(refused((key, why)));
        }
        let mut text = match str::from_utf8(&line) {
            Ok(text) => text,
            Err(error) => {
                let at = error.valid_up_to();
                let why = format!(
                    "is not UTF-8: it has the byte 0x{:02X} at byte {at} of the line",
                    line[at]
                );
                return Err(refused((key, why)));
            }
        };
        if number == 1 {
            text = text.strip_prefix('\u{feff}').unwrap_or(text);
        }
        let text = text.trim_ascii();
        if !text.is_empty() {
            let is_whole = line.ends_with(b"\n");
            let text = text_of(text, field, is_whole)
                .map_err(|flaw| refused((if flaw.of_field { KEY } else { key }, flaw.why)))?;
            take(&text)?;
        }
    }
}

/// What is wrong with a line, and whether with the field that is read.
struct Flaw {
    of_field: bool,
    why: String,
}

/// The text in a field of a record; `is_whole` unless the file ends before the line does.
fn text_of(line: &str, field: &str, is_whole: bool) -> Result<String, Flaw> {
    let mut json = serde_json::Deserializer::from_str(line);
    let found = Field(field).deserialize(&mut json);
    let found = found.and_then(|found| json.end().map(|()| found));
    let of_field = |why| Flaw {
        of_field: true,
        why,
    };
    let kind = match found {
        Ok(Some(Value::String(text))) if text.contains('\0') => {
            let why = format!("has a NUL character in {field:?}, so it is no text");
            return Err(of_field(why));
        }
        Ok(Some(Value::String(text))) => return Ok(text),
        Ok(None) => return Err(of_field(missing(line, field))),
        Err(error) => {
            return Err(Flaw {
                of_field: false,
                why: not_a_record(&error, is_whole),
            });
        }
        Ok(Some(Value::Null)) => "null",
        Ok(Some(Value::Bool(_))) => "a boolean",
        Ok(Some(Value::Number(_))) => "a number",
        Ok(Some(Value::Array(_))) => "a list",
        Ok(Some(Value::Object(_))) => "an object",
    };
    let why = format!("has {kind} in {field:?}, expected a string");
    Err(of_field(why))
}

fn not_a_record(error: &serde_json::Error, is_whole: bool) -> String {
    if error.classify() == Category::Data {
        return "is JSON but no object, expected a record such as {\"text\": \"…\"}".to_owned();
    }
    let (text, column) = (error.to_string(), error.column());
    let place = format!(" at line {} column {column}", error.line());
    let text = text.strip_suffix(&place).unwrap_or(&text);
    let hint = if is_whole || error.classify() != Category::Eof {
        ""
    } else {
        "; it is the last line and has no end, so the file may have been cut short"
    };
    format!("is not JSON: {text} at column {column}{hint}")
}

/// Says which fields there are, and which may be meant.
fn missing(line: &str, field: &str) -> String {
    let record: Map<String, Value> = serde_json::from_str(line).unwrap_or_default();
    let names: Vec<&str> = record.keys().map(String::as_str).collect();
    let texts = record.iter().filter_map(|(name, value)| {
        let text = value.as_str()?;
        Some((text.len(), name.as_str()))
    });
    let longest = texts.max().map(|(_, name)| name);
    format!("has no field {field:?}, {}", meant(field, &names, longest))
}

/// The value of a field of a record, the last one if it is there more than once. Others are passed
/// over without a copy.
struct Field<'a>(&'a str);

impl<'de> DeserializeSeed<'de> for Field<'_> {
    type Value = Option<Value>;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Self::Value, D::Error> {
        json.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Field<'_> {
    type Value = Option<Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a record")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut record: M) -> Result<Self::Value, M::Error> {
        let mut found = None;
        while let Some(is_it) = record.next_key_seed(Is(self.0))? {
            if is_it {
                found = Some(record.next_value()?);
            } else {
                record.next_value::<IgnoredAny>()?;
            }
        }
        Ok(found)
    }
}

/// Whether a name is this one.
struct Is<'a>(&'a str);

impl<'de> DeserializeSeed<'de> for Is<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<bool, D::Error> {
        json.deserialize_str(self)
    }
}

impl Visitor<'_> for Is<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E>(self, name: &str) -> Result<bool, E> {
        Ok(name == self.0)
    }
}
