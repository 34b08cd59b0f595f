//! One table of a configuration, wherever it stands.

use serde::de::DeserializeOwned;
use toml::{Table, Value};

use crate::{
    decode::decode,
    error::ConfigError,
    fields::fields_of,
    marks::discards,
    path,
    problem::Problem,
    tree::{Tree, remove},
};

/// One table of a [`Tree`], by the names of its own keys: whoever reads it does not know at which
/// path it stands, and errors say so nevertheless.
#[derive(Debug)]
pub struct Section<'a> {
    tree: &'a mut Tree,
    path: String,
    hints: Table,
}

impl Tree {
    /// The table at `path`, which need not be there.
    pub fn at(&mut self, path: &str) -> Section<'_> {
        Section {
            tree: self,
            path: path.to_owned(),
            hints: Table::new(),
        }
    }
}

impl Section<'_> {
    /// With values for keys that no layer writes. [`part`](Self::part) uses those whose keys its
    /// type has.
    #[must_use]
    pub fn with_hints(self, hints: Table) -> Self {
        Self { hints, ..self }
    }

    /// The whole path of a key of this table.
    pub fn key(&self, key: &str) -> String {
        path::join(&self.path, key)
    }

    /// Whether a layer wrote a key, and nobody has removed it.
    pub fn is_written(&self, key: &str) -> bool {
        self.tree.get(&self.key(key)).is_some()
    }

    /// Removes and reads one value; `None` if no layer wrote it, or if a mistake in it was noted.
    pub fn value<T: DeserializeOwned>(&mut self, key: &str) -> Result<Option<T>, ConfigError> {
        self.tree.value(&self.key(key))
    }

    /// Removes and reads what is left of the table, whose type is chosen by its `kind`, which
    /// [`value`](Self::value) has removed already.
    ///
    /// Keys that `T` does not know are dropped if they are older than the
    /// present kind, for they belonged to another, unless `--set` wrote them; from
    /// the layer that chose the kind on they are errors.
    pub fn part<T: DeserializeOwned>(&mut self) -> Result<T, ConfigError> {
        let (tree, path) = (&mut *self.tree, self.path.as_str());
        let mut value = tree.take_table(path)?;
        if let Value::Table(table) = &mut value {
            for key in fields_of::<T>() {
                if let Some(hint) = self.hints.get(*key) {
                    table.entry(*key).or_insert_with(|| hint.clone());
                }
            }
        }
        loop {
            let failure = match decode(path, value.clone()) {
                Ok(part) => return Ok(part),
                Err(failure) => failure,
            };
            let unknown = match &failure.problem {
                Problem::UnknownField { name, .. } => Some(path::join(&failure.path, name)),
                _ => None,
            };
            let at = unknown.as_ref().unwrap_or(&failure.path);
            if at == path || !tree.is_older_than_kind(at, path) {
                tree.mend::<T>(path, &mut value, failure)?;
                continue;
            }
            if tree.marks().is_assigned(at) {
                let kind = tree.marks().assignment(&path::join(path, "kind"));
                let message = discards(&kind, &tree.marks().assignment(at));
                let help = "leave the earlier one out: it belongs to another kind";
                return Err(tree.error(at, message, Some(help.to_owned())));
            }
            match unknown {
                Some(unknown) if remove(&mut value, path, &unknown) => tree.forget(&unknown),
                _ => {
                    return Err(tree.explain(failure).or_help(|| {
                        format!("this was written for another `{path}.kind`; set it again")
                    }));
                }
            }
        }
    }

    /// An error at the value of a key, as [`Tree::error`].
    pub fn error(
        &self,
        key: &str,
        message: impl Into<String>,
        help: Option<String>,
    ) -> ConfigError {
        self.tree.error(&self.key(key), message, help)
    }

    /// Notes a mistake, as [`Tree::note`].
    pub fn note(&mut self, mistake: ConfigError) -> Result<(), ConfigError> {
        self.tree.note(mistake)
    }

    /// Names what would take a key of this table, as [`Tree::belongs`].
    pub fn belongs(&mut self, key: &str, owner: impl Into<String>) {
        self.tree.belongs(&self.key(key), owner);
    }
}
