//! Values out of one file that a program sets in another configuration, as a sweep does.

use std::{collections::BTreeMap, ops::Range, path::Path};

use toml::{Table, Value};

use crate::{
    decode::sort_of,
    error::ConfigError,
    extends,
    layer::{Kind, Layer, Source, Spans},
    layers::Layers,
    library::Place,
    path::{self, kind_table},
    renamed::Renamed,
    tree::Tree,
};

/// A value for a key, and the line of a file that gives it: mistakes are shown there.
#[derive(Debug, Clone)]
pub struct Assigned {
    keys: Vec<String>,
    /// Where the key is written by an old name.
    renamed: Option<Renamed>,
    value: Value,
    source: Option<Source>,
    span: Range<usize>,
    /// The spans of everything inside the value, by the rest of the path.
    inner: BTreeMap<String, Spans>,
}

impl Tree {
    /// A value for the dotted `key` of another configuration, with the place of the path `at` in
    /// this one. The value may differ from the one there, for example one of a range. A key that is
    /// written by an old name has its present one.
    pub fn assigned(&self, at: &str, key: &str, value: Value) -> Assigned {
        let place = self.marks().place(at);
        let assigned = Assigned {
            keys: key.split('.').map(str::to_owned).collect(),
            renamed: None,
            value,
            source: place.map(|(source, _)| source.clone()),
            span: place.map_or(0..0, |(_, spans)| spans.value.clone()),
            inner: self.marks().inside(at),
        };
        assigned.renamed(self.renamed())
    }
}

impl Assigned {
    /// The dotted key.
    pub fn key(&self) -> String {
        self.keys.join(".")
    }

    /// The value.
    pub fn value(&self) -> &Value {
        &self.value
    }

    /// An error at the line that gives the value.
    pub fn error(&self, message: impl Into<String>, help: Option<String>) -> ConfigError {
        let error = ConfigError::new(message).help(help);
        match &self.source {
            Some(source) => error.at(source.excerpt(&self.span), &self.key()),
            None => error.at_default(&self.key()),
        }
    }

    /// The same by the present name of its key.
    fn renamed(mut self, list: &[Renamed]) -> Self {
        let key = self.key();
        for &one in list {
            if let Some(new) = one.present(&key) {
                self.keys = new.split('.').map(str::to_owned).collect();
                self.renamed = Some(one);
            }
        }
        self
    }

    /// A note if the key is written by an old name.
    pub fn note_of_name(&self) -> Option<String> {
        let (one, source) = (self.renamed?, self.source.as_ref()?);
        let line = source.line(self.span.start);
        Some(one.note(format_args!("{}:{line}", source.name)))
    }

    fn layer(&self, value: Value) -> Layer {
        let mut spans = BTreeMap::new();
        let here = Spans::new(self.span.clone(), self.span.clone());
        let mut at = String::new();
        for key in &self.keys {
            at = path::join(&at, key);
            spans.insert(at.clone(), here.clone());
        }
        if let Some(spans) = spans.get_mut(&at) {
            spans.written_as = self.renamed.map(|one| one.old);
        }
        for (rest, place) in &self.inner {
            spans.insert(format!("{at}{rest}"), place.clone());
        }
        let source = self.source.clone().unwrap_or(Source {
            name: "default value".to_owned(),
            text: String::new(),
            kind: Kind::Assigned,
            place: None,
        });
        Layer {
            source: Source {
                kind: Kind::Assigned,
                ..source
            },
            table: path::nested(&self.keys, value),
            spans,
        }
    }
}

impl Layers {
    /// Sets one key, as [`set`](Self::set) does. A table with a `kind` replaces the table, as the
    /// name of the kind alone would; a table without one is merged.
    ///
    /// The key `extends` adds a file instead, by a path relative to the file that gives it. The
    /// added file comes below the last file, as if that had extended it.
    pub fn assign(&mut self, assigned: &Assigned) -> Result<(), ConfigError> {
        if assigned.keys == [extends::KEY] {
            return self.extend(assigned);
        }
        if let Value::Table(table) = &assigned.value
            && let Some(Value::String(kind)) = table.get("kind")
        {
            // A bare name drops the inherited table, which a table does not.
            self.push(assigned.layer(Value::String(kind.clone())));
            let mut rest = kind_table(kind.clone());
            rest.extend(table.clone());
            self.push(assigned.layer(Value::Table(rest)));
        } else {
            self.push(assigned.layer(assigned.value.clone()));
        }
        Ok(())
    }

    fn extend(&mut self, assigned: &Assigned) -> Result<(), ConfigError> {
        let Value::String(path) = &assigned.value else {
            let found = sort_of(&assigned.value);
            return Err(assigned.error(format!("`extends` takes a path here, found {found}"), None));
        };
        let library = self.library();
        let here = (assigned.source.as_ref()).and_then(|source| source.place.clone());
        let place = match here {
            Some(place) => place.beside(path, library),
            None => Place::find(Path::new(path), library),
        };
        if !place.is_there(library) {
            let message = format!("there is no file `{place}`");
            return Err(assigned.error(message, place.similar(library)));
        }
        let mut extended = Self::with_library(library);
        extended.add_place(&place)?;
        self.put_below_last_file(extended);
        Ok(())
    }

    /// Whether some layer has the top-level table `name`.
    pub fn has(&self, name: &str) -> bool {
        self.iter().any(|layer| layer.table.contains_key(name))
    }

    /// Takes the top-level table `name` out of every layer, into layers of their own.
    #[must_use]
    pub fn split_off(&mut self, name: &str) -> Self {
        let mut split = Self::new();
        split.renamed = self.renamed;
        for layer in self.iter_mut() {
            let Some(value) = layer.table.remove(name) else {
                continue;
            };
            let inside = |path: &str| path::is_at_or_inside(path, name);
            let (inner, outer) = std::mem::take(&mut layer.spans)
                .into_iter()
                .partition(|(path, _)| inside(path));
            layer.spans = outer;
            split.push(Layer {
                source: layer.source.clone(),
                table: Table::from_iter([(name.to_owned(), value)]),
                spans: inner,
            });
        }
        split
    }
}
