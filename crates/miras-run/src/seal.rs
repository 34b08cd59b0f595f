//! JSON files that carry the checksum of their own text.
//!
//! The seal is the SHA-256 of the file with the seal itself blanked. It is the first field, so
//! that it is also the first such text in the file.

use std::fs;
use std::path::Path;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::checksum::sha256_hex;
use crate::error::{Result, RunError};
use crate::files::to_json;

/// Takes the place of the seal while it is computed.
const BLANK: &str = "0000000000000000000000000000000000000000000000000000000000000000";

#[derive(Serialize)]
struct Sealed<'a, T> {
    seal: &'static str,
    #[serde(flatten)]
    content: &'a T,
}

#[derive(Deserialize)]
struct Seal {
    seal: Option<String>,
}

/// The result of checking a seal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Check {
    /// The text is unchanged.
    Whole,
    /// The text was changed.
    Changed,
    /// There is no seal: an earlier version wrote the file.
    Unsealed,
}

/// A value as sealed JSON; `path` is for the error.
pub fn to_sealed_json(path: &Path, content: &impl Serialize) -> Result<Vec<u8>> {
    let seal = BLANK;
    let blank = to_json(path, &Sealed { seal, content })?;
    let seal = sha256_hex(&blank);
    let text = String::from_utf8(blank).map_err(|error| RunError::Malformed {
        path: path.to_owned(),
        cause: error.to_string(),
    })?;
    Ok(text.replacen(BLANK, &seal, 1).into_bytes())
}

/// Reads sealed JSON, or JSON without a seal of an earlier version.
pub fn read_sealed<T: DeserializeOwned>(path: &Path) -> Result<T> {
    let malformed = |cause: String| RunError::Malformed {
        path: path.to_owned(),
        cause,
    };
    let bytes = fs::read(path).map_err(RunError::io("read", path))?;
    let text = String::from_utf8(bytes).map_err(|error| malformed(error.to_string()))?;
    match check(&text).map_err(|error| malformed(error.to_string()))? {
        Check::Whole | Check::Unsealed => {}
        Check::Changed => {
            let cause = "its content changed since it was written (SHA-256 differs)";
            return Err(malformed(cause.to_owned()));
        }
    }
    serde_json::from_str(&text).map_err(|error| malformed(error.to_string()))
}

/// Compares a text with its seal.
pub(crate) fn check(text: &str) -> serde_json::Result<Check> {
    let Seal { seal } = serde_json::from_str(text)?;
    Ok(match seal {
        None => Check::Unsealed,
        Some(seal) if sha256_hex(text.replacen(&seal, BLANK, 1).as_bytes()) == seal => Check::Whole,
        Some(_) => Check::Changed,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Serialize)]
    struct Content {
        name: String,
        value: f64,
    }

    fn sealed() -> Vec<u8> {
        let content = Content {
            name: "a \"name\"".to_owned(),
            value: 0.1 + 0.2,
        };
        to_sealed_json(Path::new("x.json"), &content).unwrap()
    }

    #[test]
    fn every_flipped_bit_is_found_unless_the_content_is_untouched() {
        let whole = sealed();
        let text = String::from_utf8(whole.clone()).unwrap();
        assert_eq!(check(&text).unwrap(), Check::Whole);
        let content = |text: &str| -> serde_json::Value {
            let mut value: serde_json::Value = serde_json::from_str(text).unwrap();
            let fields = value.as_object_mut().unwrap();
            fields.retain(|key, _| key == "name" || key == "value");
            value
        };
        let (mut changed, mut unsealed) = (0, 0);
        for at in 0..whole.len() {
            for bit in 0..8 {
                let mut bytes = whole.clone();
                bytes[at] ^= 1 << bit;
                let Ok(damaged) = String::from_utf8(bytes) else {
                    continue;
                };
                match check(&damaged) {
                    Err(_) => {}
                    Ok(Check::Changed) => changed += 1,
                    // The flipped bit is in the name of the seal.
                    Ok(Check::Unsealed) => {
                        unsealed += 1;
                        assert_eq!(content(&damaged), content(&text), "byte {at}");
                    }
                    Ok(Check::Whole) => panic!("byte {at}, bit {bit}: {damaged}"),
                }
            }
        }
        assert!(changed > 300 && unsealed > 0, "{changed} {unsealed}");
    }

    #[test]
    fn a_file_of_an_earlier_version_has_no_seal() {
        assert_eq!(check("{\"name\": 1}").unwrap(), Check::Unsealed);
        assert!(check("{\"name\": 1").is_err());
        assert!(check("").is_err());
    }
}
