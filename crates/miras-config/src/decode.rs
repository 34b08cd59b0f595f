//! From a TOML value to a Rust type.
//!
//! The `toml` crate's own deserializer reports what is wrong as a sentence, and
//! takes an array for a struct. This one keeps the problem as data and is strict.

use serde::{
    Deserializer,
    de::{
        DeserializeOwned, IntoDeserializer, Visitor,
        value::{MapAccessDeserializer, MapDeserializer, SeqDeserializer},
    },
    forward_to_deserialize_any,
};
use serde_path_to_error::Segment;
use toml::{Table, Value};

use crate::{
    path,
    problem::{NAME_ALONE, Problem},
    suggest,
};

/// What was wrong, and at which path.
pub(crate) struct Failure {
    /// For an unknown field this is the table that holds it.
    pub(crate) path: String,
    pub(crate) problem: Problem,
}

/// Reads the value that stands at path `at`.
pub(crate) fn decode<T: DeserializeOwned>(at: &str, value: Value) -> Result<T, Failure> {
    serde_path_to_error::deserialize(Node(value)).map_err(|error| {
        let mut segments: Vec<Segment> = error.path().iter().cloned().collect();
        let problem = error.into_inner();
        // The bad name itself is no place: the path ends at what holds it.
        let bad_name = match (&problem, segments.last()) {
            (Problem::UnknownField { name, .. }, Some(Segment::Map { key })) => name == key,
            (Problem::UnknownVariant { name, .. }, Some(Segment::Enum { variant })) => {
                name == variant
            }
            (Problem::Unfit { found, .. }, Some(Segment::Enum { .. })) => found == NAME_ALONE,
            _ => false,
        };
        if bad_name {
            segments.pop();
        }
        let path = segments
            .iter()
            .fold(at.to_owned(), |at, segment| match segment {
                Segment::Seq { index } => path::index(&at, *index),
                Segment::Map { key } | Segment::Enum { variant: key } => path::join(&at, key),
                Segment::Unknown => at,
            });
        Failure { path, problem }
    })
}

/// "a table", "an integer", ...
pub(crate) fn sort_of(value: &Value) -> &'static str {
    match value {
        Value::String(_) => "a string",
        Value::Integer(_) => "an integer",
        Value::Float(_) => "a number",
        Value::Boolean(_) => "a boolean",
        Value::Datetime(_) => "a date",
        Value::Array(_) => "an array",
        Value::Table(_) => "a table",
    }
}

struct Node(Value);

impl IntoDeserializer<'_, Problem> for Node {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

fn entries<'de>(
    table: Table,
) -> MapDeserializer<'de, impl Iterator<Item = (String, Node)>, Problem> {
    MapDeserializer::new(table.into_iter().map(|(key, value)| (key, Node(value))))
}

impl<'de> Deserializer<'de> for Node {
    type Error = Problem;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Problem> {
        match self.0 {
            Value::String(text) => visitor.visit_string(text),
            Value::Integer(number) => visitor.visit_i64(number),
            Value::Float(number) => visitor.visit_f64(number),
            Value::Boolean(flag) => visitor.visit_bool(flag),
            Value::Datetime(date) => visitor.visit_string(date.to_string()),
            Value::Array(items) => {
                let mut items = SeqDeserializer::new(items.into_iter().map(Node));
                let value = visitor.visit_seq(&mut items)?;
                items.end()?;
                Ok(value)
            }
            Value::Table(table) => {
                let mut entries = entries(table);
                let value = visitor.visit_map(&mut entries)?;
                entries.end()?;
                Ok(value)
            }
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Problem> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Problem> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Problem> {
        // A derived struct would also take its fields from an array, by position.
        if self.0.is_table() {
            self.deserialize_any(visitor)
        } else {
            Err(Problem::unfit("a table", sort_of(&self.0)))
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Problem> {
        match self.0 {
            Value::String(name) => visitor.visit_enum(name.into_deserializer()),
            Value::Table(table) if table.len() == 1 => {
                visitor.visit_enum(MapAccessDeserializer::new(entries(table)))
            }
            Value::Table(table) => Err(Problem::unfit(
                format!("a table with one key, {}", suggest::one_of(variants)),
                format!("{} keys", table.len()),
            )),
            other => Err(Problem::unfit(suggest::one_of(variants), sort_of(&other))),
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string
        bytes byte_buf unit unit_struct seq tuple tuple_struct map identifier
        ignored_any
    }
}
