//! The command-line flag that sets a key, as users write it.

use toml::Value;

/// Its name.
pub(crate) const FLAG: &str = "--set";

/// The flag that sets a key to a text, for a POSIX shell.
pub(crate) fn quoted_flag(path: &str, text: &str) -> String {
    let assignment = format!("{path}={}", Value::String(text.to_owned()));
    // Only a NUL byte cannot be quoted, and TOML writes control characters as escapes.
    let word = shlex::try_quote(&assignment).unwrap_or_else(|_| assignment.as_str().into());
    format!("`{FLAG} {word}`")
}

/// Whether a word has the form `a.b=VALUE`, as [`FLAG`] takes it.
pub(crate) fn is_assignment(word: &str) -> bool {
    let is_name = |name: &str| {
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        !name.is_empty() && name.chars().all(plain)
    };
    word.split_once('=')
        .is_some_and(|(key, _)| key.split('.').all(is_name))
}
