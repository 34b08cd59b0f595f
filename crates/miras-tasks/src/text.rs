//! Texts that are scored as a whole.

use std::path::Path;

use crate::{Records, TaskError};

/// A text of which every token is scored, and what its likelihood is divided by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text {
    /// What the model reads.
    pub text: String,
    /// Words of the text as it is in the file: what stands between blanks.
    pub words: usize,
    /// Bytes of the text as it is in the file.
    pub bytes: usize,
}

impl Text {
    /// A text that is read as it is in the file.
    pub(crate) fn of(text: String) -> Self {
        Self {
            words: words(&text),
            bytes: text.len(),
            text,
        }
    }
}

/// The parts between runs of blanks, an empty one at either end included, as the
/// lm-evaluation-harness counts them.
pub(crate) fn words(text: &str) -> usize {
    let mut was_blank = false;
    let mut runs = 0;
    for char in text.chars() {
        runs += usize::from(char.is_whitespace() && !was_blank);
        was_blank = char.is_whitespace();
    }
    runs + 1
}

/// The texts of a field of all records.
pub(crate) fn of_records(
    path: &Path,
    field: &str,
    text: impl Fn(&str) -> Text,
) -> Result<Vec<Text>, TaskError> {
    let texts = Records::open(path)?.map(|record| {
        let record = record?;
        match record.text(field)? {
            "" => Err(record.error(format!(
                "`{field}` is empty, so that there is nothing to predict"
            ))),
            found => Ok(text(found)),
        }
    });
    texts.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_what_stands_between_blanks() {
        for (text, expected) in [("", 1), ("a", 1), ("a b", 2), (" a\n\nb ", 4)] {
            assert_eq!(words(text), expected, "{text:?}");
        }
    }
}
