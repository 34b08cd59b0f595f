//! Checksums as text.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use sha2::{Digest as _, Sha256};

/// Digits that are shown to people.
const SHOWN_DIGITS: usize = 12;

/// The SHA-256 of some bytes, in lower-case hexadecimal.
pub fn sha256_hex(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// The SHA-256 of a file as it lies on the disk, in lower-case hexadecimal; the file is not held whole.
///
/// # Errors
/// If the file cannot be read.
pub fn sha256_of_file(path: &Path) -> io::Result<String> {
    Ok(hash(&mut File::open(path)?)?.1)
}

/// Bytes read and their SHA-256.
pub(crate) fn hash(file: &mut impl Read) -> io::Result<(u64, String)> {
    let mut hasher = Sha256::new();
    let size = io::copy(file, &mut hasher)?;
    Ok((size, hex(&hasher.finalize())))
}

/// Lower-case hexadecimal digits.
pub fn hex(digest: &[u8]) -> String {
    let nibbles = digest.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    nibbles
        .filter_map(|nibble| char::from_digit(nibble.into(), 16))
        .collect()
}

/// A text for people: of its checksums (`sha256:…`) only the first digits.
pub fn short_checksums(text: &str) -> String {
    let words = text.split(' ').map(|word| {
        let (kind, digits) = word.rsplit_once(':').unwrap_or((word, ""));
        let is_checksum = kind.contains("sha256");
        let is_long = is_checksum
            && digits.len() > SHOWN_DIGITS
            && digits.chars().all(|c| c.is_ascii_hexdigit());
        if is_long {
            format!("{kind}:{}…", &digits[..SHOWN_DIGITS])
        } else {
            word.to_owned()
        }
    });
    words.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::short_checksums;

    #[test]
    fn checksums_are_shortened_and_the_rest_stays() {
        let digits = "0ea5bc9d348d1a809f09bf076c9aa6e813738317f8e2867e3ff5418d66404670";
        let long = format!("text; sha256:{digits} and sha256-generated:{digits}");
        let short = "text; sha256:0ea5bc9d348d… and sha256-generated:0ea5bc9d348d…";
        assert_eq!(short_checksums(&long), short);
        assert_eq!(
            short_checksums("3 bytes; sha256:abc"),
            "3 bytes; sha256:abc"
        );
    }
}
