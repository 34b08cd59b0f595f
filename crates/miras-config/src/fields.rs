//! The fields of a type, as serde derives them.

use std::fmt::{self, Display};

use serde::{
    Deserializer,
    de::{DeserializeOwned, Error, Visitor},
    forward_to_deserialize_any,
};

/// The keys of a table that is read as `T`; empty if `T` is not a plain struct.
pub fn fields_of<T: DeserializeOwned>() -> &'static [&'static str] {
    match T::deserialize(FieldProbe) {
        Err(Fields(fields)) => fields,
        Ok(_) => &[],
    }
}

/// A deserializer that has no value: its error holds the fields that the type asked for.
struct FieldProbe;

#[derive(Debug)]
struct Fields(&'static [&'static str]);

impl Display for Fields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the fields {:?}", self.0)
    }
}

impl std::error::Error for Fields {}

impl Error for Fields {
    fn custom<T: Display>(_: T) -> Self {
        Self(&[])
    }
}

impl<'de> Deserializer<'de> for FieldProbe {
    type Error = Fields;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Fields> {
        Err(Fields(&[]))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Fields> {
        Err(Fields(fields))
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
