//! From the words of the command line to layers of configuration.

use std::{fs, path::Path};

use anyhow::Context as _;
use miras_config::{ConfigError, Layers, Library};
use miras_spec::RunConfig;

use crate::out::eprint_line;

/// The configuration of `miras-train` alone, and its name.
const DEFAULT: &str = include_str!("../../../configs/default.toml");
const DEFAULT_NAME: &str = "default";

/// The files below `configs/`, as `build.rs` finds them, each with its path there.
pub(crate) const FILES: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/configs.rs"));
/// Presets and sweeps need no folder in their names.
pub(crate) const LIBRARY: Library = Library::new(
    FILES,
    &["presets", "sweeps"],
    "`miras-train presets` lists what is built in",
);

/// The file, or the default, and `--set` on top; the error has the mistakes of all of them.
///
/// What the default says is not as if the user had written it, by its name or without.
pub(crate) fn layers(config: Option<&Path>, set: &[String]) -> Result<Layers, ConfigError> {
    let mut layers = Layers::with_library(LIBRARY);
    let first = match config.filter(|file| !is_default(file)) {
        Some(file) => layers.file(file),
        None => layers.text(&name(None), DEFAULT),
    };
    set_on(layers, first.err(), set)
}

/// `--set` on top of layers; the error has all mistakes, an earlier one among them. Notes say which
/// keys are written by an old name.
pub(crate) fn set_on(
    mut layers: Layers,
    earlier: Option<ConfigError>,
    set: &[String],
) -> Result<Layers, ConfigError> {
    let mut mistakes: Vec<ConfigError> = earlier.into_iter().collect();
    for assignment in set {
        mistakes.extend(layers.set(assignment).err());
    }
    match layers.rename(RunConfig::RENAMED) {
        Ok(notes) => notes
            .iter()
            .for_each(|note| eprint_line(format_args!("note: {note}"))),
        Err(error) => mistakes.push(error),
    }
    match ConfigError::join(mistakes) {
        Some(error) => Err(error),
        None => Ok(layers),
    }
}

/// The configuration in words.
pub(crate) fn name(config: Option<&Path>) -> String {
    let file = config.unwrap_or(Path::new(DEFAULT_NAME));
    match (config, built_in(file)) {
        (Some(_), None) => file.to_string_lossy().into_owned(),
        (None, _) | (_, Some(_)) => format!("{} (built in)", file.display()),
    }
}

/// What a run of this file is called: the file's name without its extension.
pub(crate) fn stem(config: Option<&Path>) -> String {
    config
        .and_then(Path::file_stem)
        .map_or(DEFAULT_NAME.into(), |stem| {
            stem.to_string_lossy().into_owned()
        })
}

/// The text of a file.
pub(crate) fn text(file: &Path) -> anyhow::Result<String> {
    if let Some(text) = built_in(file) {
        return Ok(text.to_owned());
    }
    fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))
}

/// What there is to say about the file that was chosen: a file beside it may be meant.
pub(crate) fn note(config: Option<&Path>) -> Option<String> {
    let file = config.filter(|file| built_in(file).is_some())?;
    let beside = file.with_extension("toml");
    beside.is_file().then(|| {
        format!(
            "note: `{}` is built in; for the file write `{}`",
            file.display(),
            beside.display()
        )
    })
}

/// Whether a word names the default, and no file.
fn is_default(file: &Path) -> bool {
    file == Path::new(DEFAULT_NAME) && built_in(file).is_some()
}

/// The text that is built in under this name, unless there is a file of this name.
fn built_in(file: &Path) -> Option<&'static str> {
    let name = file.to_str().filter(|_| !file.is_file())?;
    LIBRARY.text(name)
}
