//! What is known of a task by name.

use miras_config::{ConfigError, Section};

/// What is known of a task by name; `C` are its settings.
#[derive(Debug)]
pub struct TaskEntry<C> {
    /// The name in TOML (`task.kind = "…"`).
    pub name: &'static str,
    /// One line for lists.
    pub summary: &'static str,
    /// Its keys and their meanings.
    pub keys: &'static [(&'static str, &'static str)],
    /// The task with all fields at their defaults.
    pub default: fn() -> C,
    /// Reads the fields from the table of a configuration.
    pub take: fn(&mut Section<'_>) -> Result<C, ConfigError>,
}
