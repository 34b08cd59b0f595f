//! From the words of the command line to layers of configuration.

use std::path::Path;

use miras_config::{ConfigError, Layers};

/// The configuration of `miras-train` alone.
const DEFAULT: &str = include_str!("default.toml");
pub(crate) const DEFAULT_NAME: &str = "built-in default config";
/// What runs of the built-in configuration are called.
pub(crate) const DEFAULT_STEM: &str = "default";

/// The file, or the built-in configuration, and `--set` on top.
pub(crate) fn layers(config: Option<&Path>, set: &[String]) -> Result<Layers, ConfigError> {
    let mut layers = Layers::new();
    match config {
        Some(file) => layers.file(file)?,
        None => layers.text(DEFAULT_NAME, DEFAULT)?,
    }
    for assignment in set {
        layers.set(assignment)?;
    }
    Ok(layers)
}

/// What a run of this file is called: the file's name without its extension.
pub(crate) fn stem(config: Option<&Path>) -> String {
    config
        .and_then(Path::file_stem)
        .map_or(DEFAULT_STEM.into(), |stem| {
            stem.to_string_lossy().into_owned()
        })
}
