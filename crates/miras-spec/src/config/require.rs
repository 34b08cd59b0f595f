//! What the value of a key must be.

use std::fmt::Display;

use miras_config::{ConfigError, Tree};

/// Refuses a value at `section.key` unless it is `fine`.
pub(super) fn require(
    tree: &mut Tree,
    path: &str,
    fine: bool,
    must: &str,
    found: impl Display,
) -> Result<(), ConfigError> {
    if fine {
        return Ok(());
    }
    let found = found.to_string();
    let finite = match found.as_str() {
        "inf" | "-inf" | "NaN" => "a finite number, ",
        _ => "",
    };
    let message = format!("{path} must be {finite}{must}, got {found}");
    let mistake = tree.error(path, message, None);
    tree.note(mistake)
}
