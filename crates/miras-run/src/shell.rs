//! Words of a command that is printed to be pasted.

/// A word, quoted if a POSIX shell would change it.
pub fn shell_word(word: &str) -> String {
    // A word with a NUL byte, which no command can be given, is shown as it is.
    shlex::try_quote(word).map_or_else(|_| word.to_owned(), Into::into)
}

#[cfg(test)]
mod tests {
    use super::shell_word;

    #[test]
    fn only_words_that_a_shell_would_change_are_quoted() {
        for word in ["miras-train", "../runs/a_1", "cuda:0", "a\0b"] {
            assert_eq!(shell_word(word), word);
        }
        for (word, expected) in [
            ("", "''"),
            ("a b", "'a b'"),
            ("it's", r#""it's""#),
            ("~", "'~'"),
            ("größe", "'größe'"),
            ("a=b", "'a=b'"),
            ("$(x);", "'$(x);'"),
        ] {
            assert_eq!(shell_word(word), expected);
        }
    }
}
