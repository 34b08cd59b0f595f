//! The wire format of protobuf messages, as far as event files use it.

/// A message that is being written. Every field that is set is written, zeros too.
#[derive(Debug, Clone, Default)]
pub(crate) struct Message(Vec<u8>);

/// The value of a field.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Value<'a> {
    /// An integer, a bool or an enum.
    Int(u64),
    Double(f64),
    Float(f32),
    /// A string, a message, or packed numbers.
    Bytes(&'a [u8]),
}

/// A field of a message that is read.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Field<'a> {
    pub(crate) number: u64,
    pub(crate) value: Value<'a>,
    /// The number and the value as they are written.
    pub(crate) raw: &'a [u8],
}

const INT: u64 = 0;
const DOUBLE: u64 = 1;
const BYTES: u64 = 2;
const FLOAT: u64 = 5;

impl Message {
    pub(crate) fn int(mut self, field: u64, value: u64) -> Self {
        self.varint(field << 3 | INT);
        self.varint(value);
        self
    }

    pub(crate) fn double(mut self, field: u64, value: f64) -> Self {
        self.varint(field << 3 | DOUBLE);
        self.0.extend(value.to_le_bytes());
        self
    }

    pub(crate) fn float(mut self, field: u64, value: f32) -> Self {
        self.varint(field << 3 | FLOAT);
        self.0.extend(value.to_le_bytes());
        self
    }

    pub(crate) fn bytes(mut self, field: u64, value: impl AsRef<[u8]>) -> Self {
        let value = value.as_ref();
        self.varint(field << 3 | BYTES);
        self.varint(value.len() as u64);
        self.0.extend(value);
        self
    }

    /// Packed numbers.
    pub(crate) fn doubles(self, field: u64, values: &[f64]) -> Self {
        let bytes = values.iter().flat_map(|value| value.to_le_bytes());
        self.bytes(field, bytes.collect::<Vec<u8>>())
    }

    /// A field for each of several messages.
    pub(crate) fn all(self, field: u64, messages: impl IntoIterator<Item = Self>) -> Self {
        let messages = messages.into_iter();
        messages.fold(self, |message, one| message.bytes(field, one))
    }

    /// A field that was read.
    pub(crate) fn raw(mut self, field: &Field<'_>) -> Self {
        self.0.extend(field.raw);
        self
    }

    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }
}

impl AsRef<[u8]> for Message {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

/// The fields of a message; `None` if it is malformed.
pub(crate) fn fields(message: &[u8]) -> Option<Vec<Field<'_>>> {
    let mut fields = Vec::new();
    let mut rest = message;
    while !rest.is_empty() {
        let start = rest;
        let key = varint(&mut rest)?;
        let value = match key & 7 {
            INT => Value::Int(varint(&mut rest)?),
            DOUBLE => Value::Double(f64::from_le_bytes(take(&mut rest, 8)?.try_into().ok()?)),
            FLOAT => Value::Float(f32::from_le_bytes(take(&mut rest, 4)?.try_into().ok()?)),
            BYTES => {
                let length = usize::try_from(varint(&mut rest)?).ok()?;
                Value::Bytes(take(&mut rest, length)?)
            }
            _ => return None,
        };
        fields.push(Field {
            number: key >> 3,
            value,
            raw: &start[..start.len() - rest.len()],
        });
    }
    Some(fields)
}

fn varint(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let byte = take(rest, 1)?[0];
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}

fn take<'a>(rest: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (taken, after) = rest.split_at_checked(length)?;
    *rest = after;
    Some(taken)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_encoded_as_the_documentation_of_protobuf_says() {
        // Its examples: `a: 150` in field 1, "testing" in field 2, that in field 3 of another.
        let number = Message::default().int(1, 150);
        assert_eq!(number.as_ref(), [0x08, 0x96, 0x01]);
        let text = Message::default().bytes(2, "testing");
        assert_eq!(text.as_ref(), b"\x12\x07testing");
        let nested = Message::default().bytes(3, number);
        assert_eq!(nested.as_ref(), [0x1a, 0x03, 0x08, 0x96, 0x01]);
    }

    #[test]
    fn fields_are_read_back() {
        let message = Message::default()
            .int(1, u64::MAX)
            .double(2, 0.1)
            .float(15, -1.5)
            .bytes(16, "é")
            .doubles(3, &[1.0, 2.0]);
        let bytes = message.as_ref().to_vec();
        let fields = fields(&bytes).unwrap();
        let packed = [1.0_f64.to_le_bytes(), 2.0_f64.to_le_bytes()].concat();
        let expected = [
            (1, Value::Int(u64::MAX)),
            (2, Value::Double(0.1)),
            (15, Value::Float(-1.5)),
            (16, Value::Bytes("é".as_bytes())),
            (3, Value::Bytes(&packed)),
        ];
        let found = fields.iter().map(|field| (field.number, field.value));
        assert_eq!(found.collect::<Vec<_>>(), expected);
        let copy = fields.iter().fold(Message::default(), Message::raw);
        assert_eq!(copy.as_ref(), bytes);
        for length in 1..bytes.len() {
            let read = super::fields(&bytes[..length]);
            assert!(read.is_none_or(|read| read.len() < 5), "{length}");
        }
    }
}
