//! The fields of a type, as serde knows them.

use std::fmt::{self, Display};

use serde::{
    Deserializer,
    de::{DeserializeOwned, Error, Visitor},
    forward_to_deserialize_any,
};

/// The keys of a table that is read as `T`; none if `T` is no plain struct.
pub fn fields_of<T: DeserializeOwned>() -> &'static [&'static str] {
    match T::deserialize(Asker) {
        Err(Answer(fields)) => fields,
        Ok(_) => &[],
    }
}

/// Gives no value; its error is the answer.
struct Asker;

#[derive(Debug)]
struct Answer(&'static [&'static str]);

impl Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the fields {:?}", self.0)
    }
}

impl std::error::Error for Answer {}

impl Error for Answer {
    fn custom<T: Display>(_: T) -> Self {
        Self(&[])
    }
}

impl<'de> Deserializer<'de> for Asker {
    type Error = Answer;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Answer> {
        Err(Answer(&[]))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Answer> {
        Err(Answer(fields))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string
        bytes byte_buf option unit unit_struct newtype_struct seq tuple
        tuple_struct map enum identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use super::fields_of;

    #[test]
    fn a_struct_has_its_fields_and_other_types_none() {
        #[derive(serde::Deserialize)]
        #[serde(default)]
        struct Part {
            #[serde(rename = "kind")]
            _kind: String,
            #[serde(rename = "depth")]
            _depth: Option<u8>,
        }
        impl Default for Part {
            fn default() -> Self {
                unreachable!()
            }
        }
        assert_eq!(fields_of::<Part>(), ["kind", "depth"]);
        assert_eq!(fields_of::<u8>(), [""; 0]);
    }
}
