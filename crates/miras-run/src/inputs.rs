//! The inputs of a run, identified by content.

/// Checksums of the inputs of a run, which stand for the paths in its configuration: the same
/// bytes at another path, compressed, or found by a pattern, have the same checksum.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Inputs {
    /// Of the text after decompression, or of the generator's settings without seed and row
    /// length.
    pub data: Option<String>,
    /// Of the text that `data.valid_path` names.
    pub valid: Option<String>,
    /// Of the files of the tokenizer.
    pub tokenizer: Option<String>,
    /// Of the weights that `train.init_from` names.
    pub weights: Option<String>,
}

/// The prefix of the checksum of a tokenizer.
const OF_TOKENIZER: &str = "tokenizer-sha256:";
/// The prefix of a hash of generated rows by an earlier version. It depends on the seed, so it does
/// not identify the data.
const OF_ROWS: &str = "sha256-generated:";

impl Inputs {
    /// The keys of a configuration whose value is a path that is identified by its content.
    pub const KEYS: [&'static str; 4] = [
        "data.path",
        "data.valid_path",
        "data.tokenizer",
        "train.init_from",
    ];

    /// Whether a key names the files of a source of a mixture, for all of which the checksum of the
    /// data stands.
    pub fn is_of_mixture(key: &str) -> bool {
        let source = key.strip_prefix("data.mix.");
        let of_source = source.and_then(|source| source.split_once('.'));
        of_source.is_some_and(|(_, key)| key == "path")
    }

    /// The checksum of the content at the path of a key, if it is known.
    pub fn of_key(&self, key: &str) -> Option<&str> {
        match key {
            "data.path" => self.data.as_deref(),
            "data.valid_path" => self.valid.as_deref(),
            "data.tokenizer" => self.tokenizer.as_deref(),
            "train.init_from" => self.weights.as_deref(),
            _ => None,
        }
    }

    /// Reads the description of a record, which ends with the checksums of the text, of a separate
    /// validation text, and of the tokenizer.
    pub(crate) fn of_words(words: &str) -> Self {
        let last = words.rsplit("; ").next().unwrap_or_default();
        let (tokenizers, texts): (Vec<&str>, Vec<&str>) = last
            .split(' ')
            .filter(|word| word.contains("sha256") && word.contains(':'))
            .filter(|word| !word.starts_with(OF_ROWS))
            .partition(|word| word.starts_with(OF_TOKENIZER));
        let owned = |word: Option<&&str>| word.map(|&word| word.to_owned());
        Self {
            data: owned(texts.first()),
            valid: owned(texts.get(1)),
            tokenizer: owned(tokenizers.first()),
            weights: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_are_found_in_the_words_of_a_record() {
        let inputs = Inputs::of_words(
            "a; sha256 b.txt; 9 bytes; sha256:aa sha256-sampled:bb tokenizer-sha256:cc",
        );
        let found = Inputs::KEYS.map(|key| inputs.of_key(key));
        assert_eq!(
            found,
            [
                Some("sha256:aa"),
                Some("sha256-sampled:bb"),
                Some("tokenizer-sha256:cc"),
                None
            ]
        );
        for words in ["recall; generated without end; sha256-generated:dd", ""] {
            assert_eq!(Inputs::of_words(words), Inputs::default());
        }
        assert_eq!(inputs.of_key("data.seq_len"), None);
    }
}
