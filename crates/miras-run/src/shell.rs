//! Words of a command that is printed to be pasted.

/// A word in the form in which a POSIX shell takes it for itself.
pub fn shell_word(word: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "-_./:,+@".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::shell_word;

    #[test]
    fn only_words_that_a_shell_would_change_are_quoted() {
        for word in ["miras-train", "../runs/a_1", "cuda:0", "größe"] {
            assert_eq!(shell_word(word), word);
        }
        for (word, expected) in [
            ("", "''"),
            ("a b", "'a b'"),
            (r"a\b", r"'a\b'"),
            ("it's", r"'it'\''s'"),
            ("~", "'~'"),
            ("a=b", "'a=b'"),
            ("$(x);", "'$(x);'"),
        ] {
            assert_eq!(shell_word(word), expected);
        }
    }
}
