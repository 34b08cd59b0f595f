//! Collecting layers and merging them.

use std::path::Path;

use toml::{Table, Value};

use crate::{
    assignment,
    decode::sort_of,
    error::ConfigError,
    extends,
    layer::{Kind, Layer, Source},
    library::{Library, Place},
    list,
    marks::{Marks, discards},
    path::{self, kind_table},
    renamed::Renamed,
    tree::Tree,
};

/// Ordered layers of configuration; later ones win.
///
/// Tables are merged key by key; every other value replaces the one below. The entries of a list of
/// tables at the top, such as `[[layers]]`, are tables named `0`, `1`, ...: a later list replaces
/// them all, and `--set layers.0.KEY=VALUE` sets a key in one. A
/// table never replaces another sort of value, nor the reverse, except that
/// `--set` may name a kind for a table (see [`Layers::set`]).
#[derive(Debug, Clone, Default)]
pub struct Layers {
    list: Vec<Layer>,
    library: Library,
    /// Of [`rename`](Self::rename).
    pub(crate) renamed: &'static [Renamed],
}

impl Layers {
    /// No layers.
    pub fn new() -> Self {
        Self::default()
    }

    /// No layers, and a library whose files can be named like files on the disk.
    pub fn with_library(library: Library) -> Self {
        Self {
            library,
            ..Self::default()
        }
    }

    /// Adds a file and, before it, the files that its top-level `extends` names
    /// (a path or a list of paths, relative to the file), and so on down.
    ///
    /// A path that is not a file on the disk may be the name of a file in the [`Library`].
    pub fn file(&mut self, path: &Path) -> Result<(), ConfigError> {
        self.add_place(&Place::find(path, self.library))
    }

    pub(crate) fn add_place(&mut self, place: &Place) -> Result<(), ConfigError> {
        extends::load(place, self.library, &mut self.list)
    }

    pub(crate) fn library(&self) -> Library {
        self.library
    }

    /// Adds a layer from memory, such as built-in defaults. It may not use
    /// `extends`, because it has no folder. [`Tree::is_set`] does not count it.
    pub fn text(&mut self, name: &str, text: &str) -> Result<(), ConfigError> {
        self.add(Layer::parse(Source {
            name: name.to_owned(),
            text: text.to_owned(),
            kind: Kind::BuiltIn,
            place: None,
        })?)
    }

    /// Adds one assignment, the `a.b.c=VALUE` of `--set a.b.c=VALUE`.
    ///
    /// The value is TOML; text that is not a TOML value is a string, so that names and
    /// paths need no quotes. A string for a key that holds a table replaces that
    /// table by `{ kind = "..." }`: `--set memory=mlp` drops the inherited keys of the
    /// memory. If an earlier `--set` wrote one of them, it is an error.
    pub fn set(&mut self, assignment: &str) -> Result<(), ConfigError> {
        self.add(assignment::parse(assignment)?)
    }

    /// Sets the key `path` to a value that is written in TOML: the content of the flag `flag`, where
    /// mistakes are shown. [`Tree::is_set`] does not count it.
    pub fn flag(&mut self, flag: &str, path: &str, value: &str) -> Result<(), ConfigError> {
        self.add(assignment::content(flag, path, value)?)
    }

    /// Merges the layers.
    pub fn merge(self) -> Result<Tree, ConfigError> {
        let mut table = Table::new();
        let mut marks = Marks::default();
        for mut layer in self.list {
            // A list replaces the one below, as every array does.
            for list in list::number_entries(&mut layer) {
                table.remove(&list);
                marks.forget(&path::join("", &list));
            }
            let new = std::mem::take(&mut layer.table);
            merge_table(&mut table, new, "", &layer, &mut marks)?;
            marks.close_layer(layer.source);
        }
        Ok(Tree::new(table, marks, self.renamed))
    }

    pub(crate) fn push(&mut self, layer: Layer) {
        self.list.push(layer);
    }

    /// Inserts layers below the last file.
    pub(crate) fn put_below_last_file(&mut self, other: Self) {
        let is_file = |layer: &Layer| layer.source.kind == Kind::File;
        let place = self.list.iter().rposition(is_file).unwrap_or(0);
        self.list.splice(place..place, other.list);
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Layer> {
        self.list.iter()
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Layer> {
        self.list.iter_mut()
    }

    fn add(&mut self, layer: Layer) -> Result<(), ConfigError> {
        if layer.table.contains_key(extends::KEY) {
            return Err(layer.error(extends::KEY, "`extends` works in files only"));
        }
        self.list.push(layer);
        Ok(())
    }
}

fn merge_table(
    old: &mut Table,
    new: Table,
    at: &str,
    layer: &Layer,
    marks: &mut Marks,
) -> Result<(), ConfigError> {
    for (key, value) in new {
        let path = path::join(at, &key);
        if let Some(below) = old.get_mut(&key) {
            merge_value(below, value, &path, layer, marks)?;
        } else {
            marks.replace(&path, layer);
            old.insert(key, value);
        }
    }
    Ok(())
}

fn merge_value(
    old: &mut Value,
    new: Value,
    path: &str,
    layer: &Layer,
    marks: &mut Marks,
) -> Result<(), ConfigError> {
    let is_set = layer.source.kind.is_assignment();
    if let (Value::String(name), Value::Table(_)) = (&*old, &new)
        && marks.is_assigned(path)
    {
        // An earlier `--set memory=mlp` that found no table to replace.
        *old = Value::Table(kind_table(name.clone()));
        marks.add_kind(path);
    }
    match (old, new) {
        (Value::Table(old), Value::Table(new)) => {
            // `--set a.b=1` has no header for `a`, so the header in a file stays the origin.
            if let Some(spans) = layer.spans.get(path).filter(|_| !is_set) {
                marks.touch(path, spans.clone());
            }
            merge_table(old, new, path, layer, marks)
        }
        (old @ Value::Table(_), Value::String(name)) if is_set => {
            if let Some(earlier) = marks.assigned_inside(path, &path::join(path, "kind")) {
                let key = layer
                    .spans
                    .get(path)
                    .map_or(0..0, |spans| spans.key.clone());
                let message = discards(&layer.source.assignment(&key), &earlier);
                let help = format!("put it first, or choose the kind alone with `{path}.kind`");
                return Err(layer.error(path, message).help(help));
            }
            *old = Value::Table(kind_table(name));
            marks.replace(path, layer);
            marks.add_kind(path);
            Ok(())
        }
        (old, new) if old.is_table() != new.is_table() => {
            let below = marks
                .origin(path)
                .map_or(String::new(), |origin| format!(" in {origin}"));
            let message = format!(
                "`{path}` is {}{below}, but is used as {} here",
                sort_of(old),
                sort_of(&new)
            );
            let help = new
                .as_str()
                .map(|name| format!("to choose a kind, write `{path}.kind = {name:?}`"));
            Err(layer.error(path, message).help(help))
        }
        (old, new) => {
            let unchanged = marks.get(path).map(|mark| mark.since);
            let unchanged = unchanged.filter(|_| *old == new);
            marks.replace(path, layer);
            if let Some(since) = unchanged {
                marks.backdate(path, since);
            }
            *old = new;
            Ok(())
        }
    }
}
