//! Problems with a value, kept as data until they are explained.

use std::fmt::Display;

use serde::de::{self, Expected, Unexpected};

use crate::suggest;

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
    /// The value does not fit.
    Unfit {
        expected: String,
        found: String,
    },
    /// The name of a variant, without its content.
    NameAlone,
    Other(String),
}

impl Problem {
    pub(crate) fn unfit(expected: impl Display, found: impl Into<String>) -> Self {
        Self::Unfit {
            expected: expected.to_string(),
            found: found.into(),
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
            Self::Unfit { expected, found } => write!(f, "expected {expected}, found {found}"),
            Self::NameAlone => f.write_str("expected a table, found a name alone"),
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
        match found {
            Unexpected::UnitVariant => Self::NameAlone,
            found => Self::unfit(expected, in_words(found)),
        }
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::unfit(expected, in_words(found))
    }

    fn invalid_length(length: usize, expected: &dyn Expected) -> Self {
        Self::unfit(expected, format!("an array of length {length}"))
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
        // `{:?}` keeps the point in `2.0`, which shows that it is not an integer.
        Unexpected::Float(value) => format!("the number {value:?}"),
        Unexpected::Str(value) => format!("the string {value:?}"),
        Unexpected::Seq => "an array".to_owned(),
        Unexpected::Map => "a table".to_owned(),
        other => other.to_string(),
    }
}
