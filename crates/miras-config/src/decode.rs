//! From a TOML value to a Rust type.
//!
//! The `toml` crate's own deserializer reports a problem as a sentence, and accepts an
//! array for a struct. This one keeps the problem as data, and accepts only the sort of value
//! that the Rust type asks for, which it names in words for users.

use std::ops::RangeInclusive;

use serde::{
    Deserializer,
    de::{
        DeserializeOwned, Error, IntoDeserializer, Unexpected, Visitor,
        value::{MapAccessDeserializer, MapDeserializer, SeqDeserializer},
    },
    forward_to_deserialize_any,
};
use serde_path_to_error::Segment;
use toml::{Table, Value};

use crate::{path, problem::Problem, suggest};

/// A problem and its path.
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
        // The path ends at the table that holds the bad name.
        let bad_name = match (&problem, segments.last()) {
            (Problem::UnknownField { name, .. }, Some(Segment::Map { key })) => name == key,
            (Problem::UnknownVariant { name, .. }, Some(Segment::Enum { variant })) => {
                name == variant
            }
            (Problem::NameAlone, Some(Segment::Enum { .. })) => true,
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

/// A value for serde's messages, which show numbers and strings themselves.
fn unexpected(value: &Value) -> Unexpected<'_> {
    match value {
        Value::String(text) => Unexpected::Str(text),
        Value::Integer(number) => Unexpected::Signed(*number),
        Value::Float(number) => Unexpected::Float(*number),
        Value::Boolean(flag) => Unexpected::Bool(*flag),
        Value::Datetime(_) => Unexpected::Other("a date"),
        Value::Array(_) => Unexpected::Seq,
        Value::Table(_) => Unexpected::Map,
    }
}

struct Node(Value);

impl Node {
    /// Reads the value if it is of the right sort.
    fn only<'de, V: Visitor<'de>>(
        self,
        is_right: fn(&Value) -> bool,
        expected: &str,
        visitor: V,
    ) -> Result<V::Value, Problem> {
        if is_right(&self.0) {
            return self.deserialize_any(visitor);
        }
        Err(Problem::invalid_type(unexpected(&self.0), &expected))
    }

    fn integer<'de, V: Visitor<'de>>(
        self,
        range: RangeInclusive<i64>,
        visitor: V,
    ) -> Result<V::Value, Problem> {
        match &self.0 {
            Value::Integer(number) if !range.contains(number) => {
                let (least, most) = range.into_inner();
                let expected = match most {
                    i64::MAX => format!("an integer of at least {least}"),
                    most => format!("an integer from {least} to {most}"),
                };
                Err(Problem::invalid_value(unexpected(&self.0), &&*expected))
            }
            _ => self.only(Value::is_integer, "an integer", visitor),
        }
    }

    fn array<'de, V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Problem> {
        let expected = format!("an array of length {len}");
        match &self.0 {
            Value::Array(items) if items.len() != len => {
                let found = format!("one of length {}", items.len());
                Err(Problem::unfit(expected, found))
            }
            _ => self.only(Value::is_array, &expected, visitor),
        }
    }
}

/// Methods that read an integer of a type. TOML integers are `i64`.
macro_rules! integers {
    ($($method:ident: $type:ty),*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Problem> {
            let least = i64::try_from(<$type>::MIN).unwrap_or(i64::MIN);
            let most = i64::try_from(<$type>::MAX).unwrap_or(i64::MAX);
            self.integer(least..=most, visitor)
        }
    )*};
}

/// Methods that read values of some sort.
macro_rules! sorts {
    ($($method:ident: $is_right:expr, $expected:literal;)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Problem> {
            self.only($is_right, $expected, visitor)
        }
    )*};
}

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

    integers! {
        deserialize_i8: i8, deserialize_i16: i16, deserialize_i32: i32, deserialize_i64: i64,
        deserialize_i128: i128, deserialize_u8: u8, deserialize_u16: u16, deserialize_u32: u32,
        deserialize_u64: u64, deserialize_u128: u128
    }

    sorts! {
        deserialize_f32: |value| value.is_float() || value.is_integer(), "a number";
        deserialize_f64: |value| value.is_float() || value.is_integer(), "a number";
        deserialize_bool: Value::is_bool, "`true` or `false`";
        deserialize_str: |value| value.is_str() || value.is_datetime(), "a string";
        deserialize_string: |value| value.is_str() || value.is_datetime(), "a string";
        deserialize_seq: Value::is_array, "an array";
        deserialize_map: Value::is_table, "a table";
        // Asked for where a variant has no content and is written as a table with a value.
        deserialize_unit: |_| false, "a name alone";
    }

    fn deserialize_tuple<V: Visitor<'de>>(
        self,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, Problem> {
        self.array(len, visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, Problem> {
        self.array(len, visitor)
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
        // A derived struct would also accept an array of its fields.
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
        char bytes byte_buf unit_struct identifier ignored_any
    }
}
