//! How byte-level vocabularies write bytes: one printable character each.

/// Characters below this code may stand for a byte.
const END_CODE: usize = 256 + 68;

/// The byte that each character stands for.
pub(super) struct Alphabet([Option<u8>; END_CODE]);

impl Alphabet {
    pub(super) fn new() -> Self {
        let mut bytes = [None; END_CODE];
        for (byte, character) in characters() {
            bytes[character as usize] = Some(byte);
        }
        Self(bytes)
    }

    /// The bytes that a token of the vocabulary stands for; `None` if it has a character that is
    /// not of this alphabet.
    pub(super) fn bytes(&self, token: &str) -> Option<Vec<u8>> {
        let byte = |character| self.0.get(character as usize).copied().flatten();
        token.chars().map(byte).collect()
    }
}

/// Each byte with its character: printable Latin-1 bytes stand for themselves, the others get
/// the characters after Latin-1 in turn.
pub(super) fn characters() -> impl Iterator<Item = (u8, char)> {
    let mut next = 256;
    (0..=255_u8).map(move |byte| {
        let prints = matches!(byte, b'!'..=b'~' | 0xA1..=0xAC | 0xAE..=0xFF);
        let code = if prints {
            u32::from(byte)
        } else {
            next += 1;
            next - 1
        };
        (byte, char::from_u32(code).unwrap_or_default())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_has_a_character_of_its_own() {
        let alphabet = Alphabet::new();
        let word: String = characters().map(|(_, character)| character).collect();
        let all: Vec<u8> = (0..=255).collect();
        assert_eq!(alphabet.bytes(&word).unwrap(), all);
        assert!(
            word.chars()
                .all(|character| (character as usize) < END_CODE)
        );
        assert_eq!(alphabet.bytes("Ġthe").unwrap(), b" the");
        assert_eq!(alphabet.bytes("Ċ").unwrap(), b"\n");
        assert_eq!(alphabet.bytes("ł"), Some(vec![0xA0]));
        assert_eq!(alphabet.bytes("▁the"), None);
    }
}
