//! Reading files and the files that they extend.

use std::ops::Range;

use toml::Value;

use crate::{
    decode::sort_of,
    error::ConfigError,
    layer::{Kind, Layer, Source},
    library::{Library, Place},
    path,
};

/// The top-level key that names the extended files.
pub(crate) const KEY: &str = "extends";

/// Appends the layer of a file, after those of all that it extends.
pub(crate) fn load(
    file: &Place,
    library: Library,
    layers: &mut Vec<Layer>,
) -> Result<(), ConfigError> {
    let text = file.read(library)?;
    let mut chain = vec![file.clone()];
    load_text(file, text, library, &mut chain, layers)
}

/// `chain` holds the files that are being loaded.
fn load_text(
    file: &Place,
    text: String,
    library: Library,
    chain: &mut Vec<Place>,
    layers: &mut Vec<Layer>,
) -> Result<(), ConfigError> {
    let mut layer = Layer::parse(Source {
        name: file.to_string(),
        text,
        kind: Kind::File,
        place: Some(file.clone()),
    })?;
    for (base, span) in take_extends(&mut layer)? {
        let here = |error: ConfigError| error.at(layer.source.excerpt(&span), KEY);
        if base.is_empty() {
            return Err(here(ConfigError::new("`extends` names an empty path")));
        }
        let base = file.beside(&base, library);
        let text = base.read(library).map_err(here)?;
        let base_real = base.real();
        if let Some(start) = chain.iter().position(|seen| seen.real() == base_real) {
            let mut names: Vec<_> = chain[start..].iter().map(Place::to_string).collect();
            names.push(base.to_string());
            let names = names.join(" -> ");
            return Err(here(ConfigError::new(format!(
                "`extends` runs in a circle: {names}"
            ))));
        }
        chain.push(base.clone());
        load_text(&base, text, library, chain, layers)?;
        chain.pop();
    }
    layers.push(layer);
    Ok(())
}

/// Takes the names under `extends` out of a layer, with their spans.
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
