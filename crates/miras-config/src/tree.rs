//! The merged table, from which each part of the program takes its own.

use std::collections::BTreeSet;

use serde::de::DeserializeOwned;
use toml::{Table, Value};

use crate::{
    decode::{Failure, decode},
    error::ConfigError,
    explain::{explain, not_a_table, other_readings},
    hints::Hints,
    marks::Marks,
    origin::Origins,
    path::{self, kind_table},
    problem::Problem,
    renamed::Renamed,
    suggest,
};

/// The merged table with the origin of each key.
///
/// Paths are dotted bare keys, such as `memory.kind`; the empty path is the whole table. Take a
/// part of a section before the section itself, and call [`finish`](Self::finish) or
/// [`conclude`](Self::conclude) at the end.
/// Types should derive `Deserialize` with `deny_unknown_fields`.
///
/// Outside of [`attempt`](Self::attempt) the first mistake is returned. Inside of it mistakes are
/// collected: a key that cannot be read is noted and dropped, and reading continues.
#[derive(Debug)]
pub struct Tree {
    table: Table,
    marks: Marks,
    taken: BTreeSet<String>,
    hints: Hints,
    renamed: &'static [Renamed],
    /// The number of nested attempts in progress.
    attempts: usize,
    mistakes: Vec<ConfigError>,
}

impl Tree {
    pub(crate) fn new(table: Table, marks: Marks, renamed: &'static [Renamed]) -> Self {
        Self {
            table,
            marks,
            taken: BTreeSet::new(),
            hints: Hints::default(),
            renamed,
            attempts: 0,
            mistakes: Vec::new(),
        }
    }

    /// Reads a part of the configuration and continues after mistakes in it. Returns `None` if there
    /// were any; [`conclude`](Self::conclude) reports them with all others. If `read` returns an
    /// error after it noted a mistake, the error is dropped, because it may follow from the mistake.
    ///
    /// `tables` are the paths of the tables that the part takes; after a failed attempt the rest of
    /// them is not checked.
    pub fn attempt<T>(
        &mut self,
        tables: &[&str],
        read: impl FnOnce(&mut Self) -> Result<T, ConfigError>,
    ) -> Option<T> {
        let before = self.mistakes.len();
        self.attempts += 1;
        let result = read(self);
        self.attempts -= 1;
        let is_clean = self.mistakes.len() == before;
        match result {
            Ok(piece) if is_clean => return Some(piece),
            Err(error) if is_clean => self.mistakes.push(error),
            _ => {}
        }
        for table in tables {
            // If something else stands where a table belongs, a mistake was noted for it.
            let _ = self.take(table);
        }
        None
    }

    /// Notes a mistake inside of an attempt; outside of one the mistake is returned.
    pub fn note(&mut self, mistake: ConfigError) -> Result<(), ConfigError> {
        if self.attempts == 0 {
            return Err(mistake);
        }
        self.mistakes.push(mistake);
        Ok(())
    }

    /// All mistakes that were noted, as the error of something that needs the failed parts.
    pub fn failed(&self) -> ConfigError {
        ConfigError::join(self.mistakes.iter().cloned())
            .unwrap_or_else(|| ConfigError::new("a part of the configuration was not read"))
    }

    /// Removes and reads one table. A missing table counts as an empty one, so
    /// that the defaults of `T` apply.
    pub fn section<T: DeserializeOwned>(&mut self, path: &str) -> Result<T, ConfigError> {
        let mut value = self.take_table(path)?;
        loop {
            match decode(path, value.clone()) {
                Ok(section) => return Ok(section),
                Err(failure) => self.mend::<T>(path, &mut value, failure)?,
            }
        }
    }

    /// Removes and reads one value; `None` if no layer wrote it.
    pub fn value<T: DeserializeOwned>(&mut self, path: &str) -> Result<Option<T>, ConfigError> {
        let Some(mut value) = self.take(path)? else {
            return Ok(None);
        };
        loop {
            match decode(path, value.clone()) {
                Ok(read) => return Ok(Some(read)),
                Err(failure) => {
                    if let Err(error) = self.mend::<T>(path, &mut value, failure) {
                        return self.note(error).map(|()| None);
                    }
                }
            }
        }
    }

    /// Names the owner of the key at `path`, such as `memory.kind = "mlp"`, for the error about a
    /// key that is not in use.
    pub fn belongs(&mut self, path: &str, owner: impl Into<String>) {
        self.hints.own(path, owner.into());
    }

    /// Says what to write in place of a name that other programs use for a key.
    pub fn translate(&mut self, name: &str, help: impl Into<String>) {
        self.hints.translate(name, help.into());
    }

    /// Adds paths of keys that are suggested for an unknown key of the same name elsewhere.
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

    pub(crate) fn renamed(&self) -> &'static [Renamed] {
        self.renamed
    }

    pub(crate) fn marks(&self) -> &Marks {
        &self.marks
    }

    pub(crate) fn marks_mut(&mut self) -> &mut Marks {
        &mut self.marks
    }

    /// The value at `path` that was not taken yet.
    pub(crate) fn get(&self, path: &str) -> Option<&Value> {
        let mut keys = path.split('.');
        let first = self.table.get(keys.next()?)?;
        keys.try_fold(first, |value, key| value.get(key))
    }

    /// Puts a table at `path`, into tables that are there.
    pub(crate) fn put(&mut self, path: &str, new: Table) {
        let (parents, last) = path.rsplit_once('.').unwrap_or(("", path));
        let mut table = &mut self.table;
        for key in parents.split('.').filter(|key| !key.is_empty()) {
            let inner = table
                .entry(key)
                .or_insert_with(|| Value::Table(Table::new()));
            match inner {
                Value::Table(inner) => table = inner,
                _ => return,
            }
        }
        table.insert(last.to_owned(), Value::Table(new));
    }

    /// The key that stood at `path` is no part of the configuration.
    pub(crate) fn forget(&mut self, path: &str) {
        self.marks.forget(path);
    }

    /// Ends the reading: keys that were not taken are errors, and so are noted mistakes.
    pub fn finish(self) -> Result<Origins, ConfigError> {
        self.conclude(Ok(())).map(|((), origins)| origins)
    }

    /// Ends the reading that gave `read`, with all mistakes.
    pub fn conclude<T>(self, read: Result<T, ConfigError>) -> Result<(T, Origins), ConfigError> {
        let read = match read {
            Ok(read) => Some(read),
            // Reading stopped early, so keys that were not taken may be right.
            Err(error) if self.mistakes.is_empty() => return Err(error),
            Err(_) => None,
        };
        let mut mistakes = self.mistakes.clone();
        self.collect_left(&self.table, "", &mut mistakes);
        match (read, ConfigError::join(mistakes)) {
            (Some(read), None) => Ok((read, Origins::new(self.marks.origins()))),
            (_, Some(error)) => Err(error),
            (None, None) => Err(self.failed()),
        }
    }

    fn collect_left(&self, table: &Table, at: &str, mistakes: &mut Vec<ConfigError>) {
        let known = self.taken_in(at);
        for (key, value) in table {
            let path = path::join(at, key);
            match value {
                Value::Table(inner) if known.contains(&key.as_str()) => {
                    self.collect_left(inner, &path, mistakes);
                }
                _ => {
                    let what = if value.is_table() { "section" } else { "field" };
                    let expected = suggest::one_of(&known);
                    let message = format!("unknown {what} `{key}`, expected {expected}");
                    let error = self.marks.key_error(&path, message);
                    mistakes.push(error.help(self.hints.help(&path, key, &known)));
                }
            }
        }
    }

    /// The names directly in the table `at` that were taken, whole or in part.
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

    pub(crate) fn take_table(&mut self, path: &str) -> Result<Value, ConfigError> {
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

    pub(crate) fn is_older_than_kind(&self, path: &str, part: &str) -> bool {
        let kind = self.marks.get(&path::join(part, "kind"));
        match (self.marks.get(path), kind) {
            (Some(mark), Some(kind)) => mark.layer < kind.since,
            _ => false,
        }
    }

    /// Changes `value`, which stands at `path` and failed to be read as a `T`, so that it can be
    /// read again: if a flag set a number where text belongs, the number becomes text, and inside
    /// of an attempt the key is noted and dropped. Otherwise the failure is returned as an error.
    pub(crate) fn mend<T: DeserializeOwned>(
        &mut self,
        path: &str,
        value: &mut Value,
        failure: Failure,
    ) -> Result<(), ConfigError> {
        let mut help = None;
        if let Some((meant, how)) = self.meant::<T>(path, value, &failure) {
            if meant.is_str()
                && self.marks.is_flag(&failure.path)
                && let Some(place) = find(value, path, &failure.path)
            {
                *place = meant;
                return Ok(());
            }
            help = Some(how);
        }
        let at = match &failure.problem {
            Problem::UnknownField { name, .. } => path::join(&failure.path, name),
            _ => failure.path.clone(),
        };
        // An array is dropped as a whole.
        let at = at.split('[').next().unwrap_or_default().to_owned();
        let mut error = self.explain(failure);
        if let Some(help) = help {
            error = error.or_help(|| help);
        }
        if self.attempts == 0 || !path::is_inside(&at, path) || !remove(value, path, &at) {
            return Err(error);
        }
        self.mistakes.push(error);
        Ok(())
    }

    /// The first other reading of the value that failed with which a `T` can be read at that
    /// place, and how to write it.
    fn meant<T: DeserializeOwned>(
        &self,
        path: &str,
        value: &Value,
        failure: &Failure,
    ) -> Option<(Value, String)> {
        if !matches!(failure.problem, Problem::Unfit { .. }) {
            return None;
        }
        let mut tried = value.clone();
        let found = find(&mut tried, path, &failure.path)?.clone();
        let mut readings = other_readings(&found, &failure.path, &self.marks).into_iter();
        readings.find(|(meant, _)| {
            if let Some(place) = find(&mut tried, path, &failure.path) {
                *place = meant.clone();
            }
            match decode::<T>(path, tried.clone()) {
                Ok(_) => true,
                Err(other) => other.path != failure.path,
            }
        })
    }

    /// Turns a failure into an error.
    pub(crate) fn explain(&self, failure: Failure) -> ConfigError {
        let taken = self.taken_in(&failure.path);
        explain(failure, &self.marks, &self.hints, taken)
    }
}

/// Makes `--set memory=mlp` a table even if no layer below wrote one.
pub(crate) fn expand_kind(value: &mut Value, path: &str, marks: &mut Marks) {
    if let Value::String(name) = value
        && marks.is_assigned(path)
    {
        *value = Value::Table(kind_table(std::mem::take(name)));
        marks.add_kind(path);
    }
}

/// The value at `wanted` inside the value that stands at `at`.
fn find<'a>(value: &'a mut Value, at: &str, wanted: &str) -> Option<&'a mut Value> {
    if at == wanted {
        return Some(value);
    }
    let inside = |inner: &str| path::is_at_or_inside(wanted, inner);
    match value {
        Value::Table(table) => table.iter_mut().find_map(|(key, value)| {
            let inner = path::join(at, key);
            inside(&inner).then(|| find(value, &inner, wanted))?
        }),
        Value::Array(items) => items.iter_mut().enumerate().find_map(|(number, value)| {
            let inner = path::index(at, number);
            inside(&inner).then(|| find(value, &inner, wanted))?
        }),
        _ => None,
    }
}

/// Removes `unknown`, a path inside the table `value` that stands at `at`.
pub(crate) fn remove(value: &mut Value, at: &str, unknown: &str) -> bool {
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
