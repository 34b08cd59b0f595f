//! Reading files and the files that they extend.

use std::{
    fs, io,
    ops::Range,
    path::{Component, Path, PathBuf},
};

use toml::Value;

use crate::{
    decode::sort_of,
    error::ConfigError,
    layer::{Kind, Layer, Source},
    path, suggest,
};

/// The top-level key that names the files below.
pub(crate) const KEY: &str = "extends";

/// Appends the layer of a file, after those of all that it extends.
pub(crate) fn load(file: &Path, layers: &mut Vec<Layer>) -> Result<(), ConfigError> {
    let text = read(file)?;
    let mut chain = vec![(file.to_owned(), real(file))];
    load_text(file, text, &mut chain, layers)
}

/// `chain` holds the files that are being loaded, each with its real path.
fn load_text(
    file: &Path,
    text: String,
    chain: &mut Vec<(PathBuf, PathBuf)>,
    layers: &mut Vec<Layer>,
) -> Result<(), ConfigError> {
    let mut layer = Layer::parse(Source {
        name: file.display().to_string(),
        text,
        kind: Kind::File,
    })?;
    let folder = file.parent().unwrap_or(Path::new(""));
    for (base, span) in take_extends(&mut layer)? {
        let here = |error: ConfigError| error.at(&layer.source, &span, KEY);
        if base.is_empty() {
            return Err(here(ConfigError::new("`extends` names an empty path")));
        }
        let base = tidy(&folder.join(base));
        let text = read(&base).map_err(here)?;
        let base_real = real(&base);
        if let Some(start) = chain.iter().position(|(_, seen)| *seen == base_real) {
            let mut names: Vec<_> = chain[start..]
                .iter()
                .map(|(file, _)| file.display().to_string())
                .collect();
            names.push(base.display().to_string());
            let names = names.join(" -> ");
            return Err(here(ConfigError::new(format!(
                "`extends` runs in a circle: {names}"
            ))));
        }
        chain.push((base.clone(), base_real));
        load_text(&base, text, chain, layers)?;
        chain.pop();
    }
    layers.push(layer);
    Ok(())
}

/// Takes the names under `extends` out of a layer, with their places.
fn take_extends(layer: &mut Layer) -> Result<Vec<(String, Range<usize>)>, ConfigError> {
    let names = match layer.table.remove(KEY) {
        None => Vec::new(),
        Some(Value::String(name)) => vec![(KEY.to_owned(), Value::String(name))],
        Some(Value::Array(names)) => (0..)
            .map(|number| path::index(KEY, number))
            .zip(names)
            .collect(),
        Some(other) => vec![(KEY.to_owned(), other)],
    };
    let names = names
        .into_iter()
        .map(|(path, name)| match (name, layer.spans.get(&path)) {
            (Value::String(name), Some(spans)) => Ok((name, spans.value.clone())),
            (other, _) => {
                let found = sort_of(&other);
                let message = format!("`extends` takes a path or a list of paths, found {found}");
                Err(layer.error(&path, message))
            }
        })
        .collect();
    layer
        .spans
        .retain(|path, _| !path::is_at_or_inside(path, KEY));
    names
}

/// The text of a file; an error names the file but has no place yet.
fn read(file: &Path) -> Result<String, ConfigError> {
    let name = file.display();
    if file.as_os_str().is_empty() {
        return Err(ConfigError::new("the path of the config file is empty"));
    }
    if file.is_dir() {
        return Err(ConfigError::new(format!(
            "`{name}` is a folder, not a file"
        )));
    }
    let bytes = fs::read(file).map_err(|error| {
        if error.kind() == io::ErrorKind::NotFound {
            ConfigError::new(format!("there is no file `{name}`")).help(similar_file(file))
        } else {
            ConfigError::new(format!("cannot read `{name}`: {error}"))
        }
    })?;
    let mut text = String::from_utf8(bytes).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        let line = error.as_bytes()[..valid]
            .split(|&byte| byte == b'\n')
            .count();
        ConfigError::new(format!("`{name}` is not UTF-8 text: see line {line}"))
    })?;
    // A byte-order mark would count as a column.
    if text.starts_with('\u{feff}') {
        text.remove(0);
    }
    Ok(text)
}

fn similar_file(file: &Path) -> Option<String> {
    let folder = file.parent().filter(|folder| *folder != Path::new(""));
    let mut names: Vec<String> = fs::read_dir(folder.unwrap_or(Path::new(".")))
        .ok()?
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .collect();
    names.sort();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    suggest::help(file.file_name()?.to_str()?, &names)
}

fn real(file: &Path) -> PathBuf {
    fs::canonicalize(file).unwrap_or_else(|_| file.to_owned())
}

/// `a/../b` as `b`, for the reader's sake. Across a symbolic link the two may
/// differ, and then the path stays as it is.
fn tidy(file: &Path) -> PathBuf {
    let mut short = PathBuf::new();
    for part in file.components() {
        let last = short.components().next_back();
        match (part, last) {
            (Component::CurDir, _) => {}
            (Component::ParentDir, Some(Component::Normal(_))) => {
                short.pop();
            }
            _ => short.push(part),
        }
    }
    let is_empty = short.as_os_str().is_empty();
    if is_empty || (file.exists() && real(&short) != real(file)) {
        return file.to_owned();
    }
    short
}
