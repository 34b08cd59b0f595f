//! What can be wrong with a value, kept as data until it is explained.

use std::fmt::Display;

use serde::de::{self, Expected, Unexpected};

use crate::suggest;

/// How a name is called that stands where an enum's variant needs more, and what
/// a variant without content expects.
pub(crate) const NAME_ALONE: &str = "a name alone";

/// An error of the deserializer, without its place.
#[derive(Debug)]
pub(crate) enum Problem {
    UnknownField {
        name: String,
        known: &'static [&'static str],
    },
    UnknownVariant {
        name: String,
        known: &'static [&'static str],
    },
    MissingField(&'static str),
    Unfit {
        expected: String,
        found: String,
        scalar: Option<Scalar>,
    },
    Other(String),
}

/// The number, boolean or string that was found where something else belongs.
#[derive(Debug)]
pub(crate) enum Scalar {
    Number(f64),
    Text(String),
    Other,
}

impl Problem {
    pub(crate) fn unfit(expected: impl Into<String>, found: impl Into<String>) -> Self {
        Self::Unfit {
            expected: expected.into(),
            found: found.into(),
            scalar: None,
        }
    }

    /// Whether a text belongs there, and a number, a boolean or a date was found.
    pub(crate) fn wants_text(&self) -> bool {
        match self {
            Self::Unfit {
                expected,
                scalar: Some(Scalar::Number(_) | Scalar::Other),
                ..
            } => expected == "a string" || expected.starts_with("a path"),
            _ => false,
        }
    }
}

impl Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::UnknownField { name, known } => {
                write!(
                    f,
                    "unknown field `{name}`, expected {}",
                    suggest::one_of(known)
                )
            }
            Self::UnknownVariant { name, known } => {
                write!(
                    f,
                    "unknown value `{name}`, expected {}",
                    suggest::one_of(known)
                )
            }
            Self::MissingField(name) => write!(f, "missing field `{name}`"),
            Self::Unfit {
                expected, found, ..
            } => write!(f, "expected {expected}, found {found}"),
            Self::Other(message) => f.write_str(message),
        }
    }
}

impl std::error::Error for Problem {}

impl de::Error for Problem {
    fn custom<T: Display>(message: T) -> Self {
        Self::Other(message.to_string())
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::Unfit {
            expected: type_in_words(&expected.to_string()),
            found: in_words(found),
            scalar: match found {
                Unexpected::Map | Unexpected::Seq => None,
                Unexpected::Float(number) => Some(Scalar::Number(number)),
                Unexpected::Str(text) => Some(Scalar::Text(text.to_owned())),
                _ => Some(Scalar::Other),
            },
        }
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::unfit(range_in_words(&expected.to_string()), in_words(found))
    }

    fn invalid_length(length: usize, expected: &dyn Expected) -> Self {
        let expected = expected.to_string();
        // serde says "2 elements in sequence" if there are too many.
        let count = expected
            .strip_suffix(" in sequence")
            .and_then(|elements| elements.split(' ').next());
        let expected = match count {
            Some(count) => format!("an array of length {count}"),
            None => expected,
        };
        Self::unfit(expected, format!("one of length {length}"))
    }

    fn unknown_variant(name: &str, known: &'static [&'static str]) -> Self {
        Self::UnknownVariant {
            name: name.to_owned(),
            known,
        }
    }

    fn unknown_field(name: &str, known: &'static [&'static str]) -> Self {
        Self::UnknownField {
            name: name.to_owned(),
            known,
        }
    }

    fn missing_field(name: &'static str) -> Self {
        Self::MissingField(name)
    }
}

fn in_words(found: Unexpected<'_>) -> String {
    match found {
        Unexpected::Bool(value) => format!("`{value}`"),
        Unexpected::Signed(value) => format!("the integer {value}"),
        Unexpected::Unsigned(value) => format!("the integer {value}"),
        // `{:?}` keeps the point in `2.0`, which is what the reader has to see.
        Unexpected::Float(value) => format!("the number {value:?}"),
        Unexpected::Str(value) => format!("the string {value:?}"),
        Unexpected::Seq => "an array".to_owned(),
        Unexpected::Map => "a table".to_owned(),
        Unexpected::UnitVariant => NAME_ALONE.to_owned(),
        other => other.to_string(),
    }
}

/// Names of Rust types mean little to the writer of a config.
fn type_in_words(expected: &str) -> String {
    match expected {
        "i8" | "i16" | "i32" | "i64" | "isize" | "u8" | "u16" | "u32" | "u64" | "usize" => {
            "an integer"
        }
        "f32" | "f64" => "a number",
        "a boolean" => "`true` or `false`",
        "a map" => "a table",
        "a sequence" => "an array",
        "path string" => "a path",
        "unit variant" => NAME_ALONE,
        "newtype variant" => "a table with a value",
        other if other.starts_with("a nonzero ") => "an integer",
        other if other.starts_with("struct ") => "a table",
        other if other.starts_with("tuple ") => "an array",
        other => other,
    }
    .to_owned()
}

/// Which values a type holds, for a value that is of the right sort but not one
/// of them.
fn range_in_words(expected: &str) -> String {
    match expected {
        "u8" => format!("an integer from 0 to {}", u8::MAX),
        "u16" => format!("an integer from 0 to {}", u16::MAX),
        "u32" => format!("an integer from 0 to {}", u32::MAX),
        "u64" | "usize" => "an integer of at least 0".to_owned(),
        "i8" => format!("an integer from {} to {}", i8::MIN, i8::MAX),
        "i16" => format!("an integer from {} to {}", i16::MIN, i16::MAX),
        "i32" => format!("an integer from {} to {}", i32::MIN, i32::MAX),
        other if other.starts_with("a nonzero u") => "an integer of at least 1".to_owned(),
        other => type_in_words(other),
    }
}
