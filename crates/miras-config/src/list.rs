//! Lists of tables, such as `[[layers]]`: their entries are tables named by their numbers.

use toml::{Table, Value};

use crate::{
    error::ConfigError,
    explain::not_a_table,
    layer::Layer,
    path,
    tree::{Tree, expand_kind},
};

/// The path of an entry of a list at the top of a configuration.
pub fn entry_path(list: &str, number: usize) -> String {
    path::join(list, &number.to_string())
}

/// Turns every list of tables at the top of a layer into a table with the keys `0`, `1`, ..., so
/// that later layers can set keys in its entries. Gives the names of the lists.
pub(crate) fn number_entries(layer: &mut Layer) -> Vec<String> {
    let mut lists = Vec::new();
    for (name, value) in &mut layer.table {
        let Value::Array(items) = value else { continue };
        if !items.iter().all(Value::is_table) {
            continue;
        }
        let entries = std::mem::take(items).into_iter().enumerate();
        let entries = entries.map(|(number, entry)| (number.to_string(), entry));
        *value = Value::Table(entries.collect());
        lists.push(name.clone());
    }
    layer.spans = std::mem::take(&mut layer.spans)
        .into_iter()
        .map(|(path, spans)| (numbered(&path, &lists).unwrap_or(path), spans))
        .collect();
    lists
}

/// `layers[1].at` as `layers.1.at`, if `layers` is one of the lists.
fn numbered(path: &str, lists: &[String]) -> Option<String> {
    lists.iter().find_map(|list| {
        let list = path::join("", list);
        let (number, rest) = path
            .strip_prefix(&list)?
            .strip_prefix('[')?
            .split_once(']')?;
        Some(format!("{list}.{number}{rest}"))
    })
}

impl Tree {
    /// The numbers of the entries of the list at `path`, in order.
    pub fn entries(&mut self, path: &str) -> Result<Vec<usize>, ConfigError> {
        let Some(value) = self.get(path) else {
            return Ok(Vec::new());
        };
        let Value::Table(table) = value else {
            let help = format!("write its entries as tables, each below a line [[{path}]]");
            return Err(self.error(path, format!("`{path}` is a list of tables"), Some(help)));
        };
        let mut numbers = Vec::new();
        for key in table.keys() {
            let Ok(number) = key.parse() else {
                let help = format!("write [[{path}]] above each entry, or {path}.0 for the first");
                let message = format!("the entries of `{path}` are named by numbers, not `{key}`");
                return Err(self.error(&path::join(path, key), message, Some(help)));
            };
            numbers.push(number);
        }
        numbers.sort_unstable();
        Ok(numbers)
    }

    /// Puts a table at `path`, as if the value at `from` had written it: errors about its keys are
    /// shown there.
    pub fn derive(&mut self, path: &str, table: Table, from: &str) {
        for key in table.keys() {
            self.marks_mut().copy(from, &path::join(path, key));
        }
        self.put(path, table);
    }

    /// The `kind` of the table at `path`, which is `default` if nothing wrote one; it then counts as
    /// written by the value at `from`.
    pub fn inherited_kind(
        &mut self,
        path: &str,
        default: &str,
        from: &str,
    ) -> Result<String, ConfigError> {
        let mut table = self.table_at(path)?;
        if let Some(kind) = table.get("kind") {
            return Ok(kind.as_str().unwrap_or_default().to_owned());
        }
        table.insert("kind".to_owned(), Value::from(default));
        self.marks_mut().copy(from, &path::join(path, "kind"));
        self.put(path, table);
        Ok(default.to_owned())
    }

    /// Fills the table at `to` with what it lacks of the table at `from`, whose keys stay. If it
    /// names a `kind` of its own, only the keys in `shared` are filled in, for the others may
    /// belong to another kind. Errors show what was filled in where it was written.
    pub fn inherit(&mut self, to: &str, from: &str, shared: &[&str]) -> Result<(), ConfigError> {
        let source = self.table_at(from)?;
        let mut own = self.table_at(to)?;
        let all = !own.contains_key("kind");
        for (key, value) in source {
            if own.contains_key(&key) || !(all || shared.contains(&key.as_str())) {
                continue;
            }
            (self.marks_mut()).copy(&path::join(from, &key), &path::join(to, &key));
            own.insert(key, value);
        }
        self.put(to, own);
        Ok(())
    }

    /// A copy of the table at `path`, empty if there is none.
    fn table_at(&mut self, path: &str) -> Result<Table, ConfigError> {
        let Some(mut value) = self.get(path).cloned() else {
            return Ok(Table::new());
        };
        expand_kind(&mut value, path, self.marks_mut());
        match value {
            Value::Table(table) => Ok(table),
            other => Err(not_a_table(&other, path, self.marks())),
        }
    }
}
