//! The merged table, from which each part of the program takes its own.

use std::collections::BTreeSet;

use serde::de::DeserializeOwned;
use toml::{Table, Value};

use crate::{
    decode::{Failure, decode},
    error::ConfigError,
    explain::{explain, not_a_table},
    hints::Hints,
    layers::{discards, kind_table},
    marks::Marks,
    origin::Origins,
    path,
    problem::Problem,
    suggest,
};

/// The merged table with the origin of each key.
///
/// Paths are dotted bare keys, such as `memory.kind`; the empty path is the whole
/// table. Take a part of a section
/// before the section itself, and call [`finish`](Self::finish) at the end.
/// Types should derive `Deserialize` with `deny_unknown_fields`.
#[derive(Debug)]
pub struct Tree {
    table: Table,
    marks: Marks,
    taken: BTreeSet<String>,
    hints: Hints,
}

impl Tree {
    pub(crate) fn new(table: Table, marks: Marks) -> Self {
        Self {
            table,
            marks,
            taken: BTreeSet::new(),
            hints: Hints::default(),
        }
    }

    /// Removes and reads one table. A missing table counts as an empty one, so
    /// that the defaults of `T` apply.
    pub fn section<T: DeserializeOwned>(&mut self, path: &str) -> Result<T, ConfigError> {
        let value = self.take_table(path)?;
        decode(path, value).map_err(|failure| self.explain(path, failure, &[]))
    }

    /// Removes and reads one value; `None` if no layer wrote it.
    pub fn value<T: DeserializeOwned>(&mut self, path: &str) -> Result<Option<T>, ConfigError> {
        self.take(path)?
            .map(|value| decode(path, value).map_err(|failure| self.explain(path, failure, &[])))
            .transpose()
    }

    /// Removes and reads the value of a key under the name that it had before, `from`, and shows
    /// its place as that of `to`; `None` if no layer wrote it, or a later one wrote `to`. Nobody
    /// is told of the older name; an error if one layer wrote both.
    pub fn renamed<T: DeserializeOwned>(
        &mut self,
        from: &str,
        to: &str,
    ) -> Result<Option<T>, ConfigError> {
        let layer = |path: &str| self.marks.get(path).map(|mark| mark.layer);
        let (older, newer) = (layer(from), layer(to));
        if older.is_some() && older == newer {
            let message = format!("`{from}` is the older name of `{to}`, and both are set");
            return Err(self.error(from, message, Some(format!("leave `{from}` out"))));
        }
        let value = self.value(from)?;
        self.taken.remove(from);
        // None is before every layer.
        if older < newer {
            self.marks.forget(from);
            return Ok(None);
        }
        self.marks.rename(from, to);
        Ok(value)
    }

    /// Like [`section`](Self::section), for a table whose type is chosen by its
    /// `kind`, which [`value`](Self::value) has removed already.
    ///
    /// Keys that `T` does not know are dropped if they are older than the
    /// present kind, for they belonged to another, unless `--set` wrote them; from
    /// the layer that chose the kind on they are errors. `also_known` names keys that others take
    /// from this table, for suggestions.
    pub fn part<T: DeserializeOwned>(
        &mut self,
        path: &str,
        also_known: &[&str],
    ) -> Result<T, ConfigError> {
        let mut value = self.take_table(path)?;
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
            if at == path || !self.is_older_than_kind(at, path) {
                return Err(self.explain(path, failure, also_known));
            }
            if self.marks.is_assigned(at) {
                let kind = self.marks.assignment(&path::join(path, "kind"));
                let message = discards(&kind, &self.marks.assignment(at));
                let help = "leave the earlier one out: it belongs to another kind";
                return Err(self.error(at, message, Some(help.to_owned())));
            }
            match unknown {
                Some(unknown) if remove(&mut value, path, &unknown) => self.marks.forget(&unknown),
                _ => {
                    return Err(self.explain(path, failure, also_known).or_help(|| {
                        format!("this was written for another `{path}.kind`; set it again")
                    }));
                }
            }
        }
    }

    /// Names what would take the key at `path`, such as `memory.kind = "mlp"`: the error says so
    /// if nobody takes it.
    pub fn belongs(&mut self, path: &str, owner: impl Into<String>) {
        self.hints.own(path, owner.into());
    }

    /// Names keys that there are, as paths: an unknown key of the same name elsewhere gets them
    /// as suggestions.
    pub fn suggest(&mut self, paths: impl IntoIterator<Item = String>) {
        for path in paths {
            self.hints.know(path);
        }
    }

    /// An error at the value of `path`. If no layer wrote it, it is shown at the
    /// table that would hold it, or without a line, and is called a default.
    pub fn error(
        &self,
        path: &str,
        message: impl Into<String>,
        help: Option<String>,
    ) -> ConfigError {
        self.marks.value_error(path, message).help(help)
    }

    /// Whether a file or `--set` wrote this key, or something in this table.
    pub fn is_set(&self, path: &str) -> bool {
        self.marks.is_from_user(path)
    }

    pub(crate) fn marks(&self) -> &Marks {
        &self.marks
    }

    /// Ends the reading: what nobody has taken is an error.
    pub fn finish(self) -> Result<Origins, ConfigError> {
        match self.first_left(&self.table, "") {
            Some(error) => Err(error),
            None => Ok(Origins::new(self.marks.origins())),
        }
    }

    fn first_left(&self, table: &Table, at: &str) -> Option<ConfigError> {
        let known = self.taken_in(at);
        table.iter().find_map(|(key, value)| {
            let path = path::join(at, key);
            match value {
                Value::Table(inner) if known.contains(&key.as_str()) => {
                    self.first_left(inner, &path)
                }
                _ => {
                    let what = if value.is_table() { "section" } else { "field" };
                    let expected = suggest::one_of(&known);
                    let message = format!("unknown {what} `{key}`, expected {expected}");
                    Some(
                        self.marks
                            .key_error(&path, message)
                            .help(self.hints.help(&path, key, &known)),
                    )
                }
            }
        })
    }

    /// The names directly in the table `at` that somebody took, whole or in part.
    fn taken_in(&self, at: &str) -> Vec<&str> {
        let names: BTreeSet<&str> = self
            .taken
            .iter()
            .filter(|path| path::is_inside(path, at))
            .map(|path| path[at.len()..].trim_start_matches('.'))
            .filter_map(|rest| rest.split('.').next())
            .filter(|name| !name.is_empty())
            .collect();
        names.into_iter().collect()
    }

    fn take(&mut self, path: &str) -> Result<Option<Value>, ConfigError> {
        self.taken.insert(path.to_owned());
        if path.is_empty() {
            return Ok(Some(Value::Table(std::mem::take(&mut self.table))));
        }
        let (parents, last) = path.rsplit_once('.').unwrap_or(("", path));
        let mut table = &mut self.table;
        let mut at = String::new();
        for key in parents.split('.').filter(|key| !key.is_empty()) {
            at = path::join(&at, key);
            let Some(value) = table.get_mut(key) else {
                return Ok(None);
            };
            expand_kind(value, &at, &mut self.marks);
            table = match value {
                Value::Table(inner) => inner,
                other => return Err(not_a_table(other, &at, &self.marks)),
            };
        }
        Ok(table.remove(last))
    }

    fn take_table(&mut self, path: &str) -> Result<Value, ConfigError> {
        let Some(mut value) = self.take(path)? else {
            return Ok(Value::Table(Table::new()));
        };
        expand_kind(&mut value, path, &mut self.marks);
        if value.is_table() {
            Ok(value)
        } else {
            Err(not_a_table(&value, path, &self.marks))
        }
    }

    fn is_older_than_kind(&self, path: &str, part: &str) -> bool {
        let kind = self.marks.get(&path::join(part, "kind"));
        match (self.marks.get(path), kind) {
            (Some(mark), Some(kind)) => mark.layer < kind.since,
            _ => false,
        }
    }

    /// Turns a failure into an error; `also_known` are further keys of `base`.
    fn explain(&self, base: &str, failure: Failure, also_known: &[&str]) -> ConfigError {
        let mut elsewhere = self.taken_in(&failure.path);
        elsewhere.extend(also_known.iter().filter(|_| failure.path == base));
        explain(failure, &self.marks, &self.hints, elsewhere)
    }
}

/// `--set memory=mlp` stands for a table even if no layer below wrote one.
fn expand_kind(value: &mut Value, path: &str, marks: &mut Marks) {
    if let Value::String(name) = value
        && marks.is_assigned(path)
    {
        *value = Value::Table(kind_table(std::mem::take(name)));
        marks.add_kind(path);
    }
}

/// Removes `unknown`, a path inside the table `value` that stands at `at`.
fn remove(value: &mut Value, at: &str, unknown: &str) -> bool {
    match value {
        Value::Table(table) => {
            let found = table
                .keys()
                .find(|key| path::is_at_or_inside(unknown, &path::join(at, key)))
                .cloned();
            let Some(key) = found else { return false };
            let inner = path::join(at, &key);
            if inner == unknown {
                return table.remove(&key).is_some();
            }
            table
                .get_mut(&key)
                .is_some_and(|value| remove(value, &inner, unknown))
        }
        _ => false,
    }
}
