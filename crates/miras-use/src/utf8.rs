//! Bytes that come one by one, as text.

use std::str;

/// The most bytes of a character.
const LONGEST: usize = 4;

/// Keeps the beginning of a character until its end has come; what is no UTF-8 becomes U+FFFD.
#[derive(Debug, Default)]
pub struct Utf8Stream {
    waiting: Vec<u8>,
}

impl Utf8Stream {
    /// The text that is complete with these bytes.
    pub fn push(&mut self, bytes: &[u8]) -> String {
        self.waiting.extend(bytes);
        let mut text = String::new();
        loop {
            let error = match str::from_utf8(&self.waiting) {
                Ok(rest) => {
                    text.push_str(rest);
                    self.waiting.clear();
                    return text;
                }
                Err(error) => error,
            };
            let (valid, rest) = self.waiting.split_at(error.valid_up_to());
            text.push_str(&String::from_utf8_lossy(valid));
            let Some(bad) = error.error_len() else {
                debug_assert!(rest.len() < LONGEST);
                self.waiting = rest.to_vec();
                return text;
            };
            text.push(char::REPLACEMENT_CHARACTER);
            self.waiting = rest[bad..].to_vec();
        }
    }

    /// What is left at the end: nothing, or U+FFFD for a character without its end.
    pub fn finish(&mut self) -> String {
        let text = String::from_utf8_lossy(&self.waiting).into_owned();
        self.waiting.clear();
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_in_pieces_of_any_size_is_the_text() {
        let text = "a ä € 🦀 z";
        for size in 1..text.len() {
            let mut stream = Utf8Stream::default();
            let pieces: String = text
                .as_bytes()
                .chunks(size)
                .map(|piece| stream.push(piece))
                .collect();
            assert_eq!(pieces + &stream.finish(), text, "{size}");
        }
    }

    #[test]
    fn what_is_no_text_is_replaced_as_a_whole_conversion_would() {
        for bytes in [
            &b"a\xffb"[..],
            b"\xe2\x82",
            b"\xe2\x82a",
            b"\xc3\xc3\xa4",
            b"\xf0\x9f\xa6 \x80\x80",
        ] {
            let mut stream = Utf8Stream::default();
            let pieces: String = bytes.iter().map(|byte| stream.push(&[*byte])).collect();
            let expected = String::from_utf8_lossy(bytes);
            assert_eq!(pieces + &stream.finish(), expected, "{bytes:?}");
        }
    }
}
