//! Reading keys that are written by their old names.

use toml::{Table, Value, map::Entry};

use crate::{
    error::ConfigError,
    layer::{Kind, Layer, Spans},
    layers::Layers,
    path,
    renamed::Renamed,
    tree::Tree,
};

impl Layers {
    /// Gives keys that are written by an old name their present one, and returns a note for each
    /// of these names that the user wrote, in a file or by `--set`. Their places stay those of
    /// what is written. It is an error if one layer has both names.
    ///
    /// Layers that are added later are not changed. Keys that the configuration names, as those of
    /// [`Tree::assigned`], go by the same list.
    pub fn rename(&mut self, list: &'static [Renamed]) -> Result<Vec<String>, ConfigError> {
        self.renamed = list;
        let mut seen = Vec::new();
        let mut notes = Vec::new();
        let mut mistakes = Vec::new();
        for layer in self.iter_mut() {
            for &one in list {
                match layer.rename(one) {
                    Ok(Some(place)) if !seen.contains(&one) => {
                        seen.push(one);
                        notes.push(one.note(place));
                    }
                    Ok(_) => {}
                    Err(mistake) => mistakes.push(mistake),
                }
            }
        }
        ConfigError::join(mistakes).map_or(Ok(notes), Err)
    }
}

impl Tree {
    /// The old name by which the key at `path` is written, if it is.
    pub fn written_as(&self, path: &str) -> Option<&'static str> {
        self.marks().get(path)?.spans.written_as
    }

    /// The present name of a key that the value at `at` names, and a note if it is written by an
    /// old one.
    pub fn present_name(&self, at: &str, key: &str) -> (String, Option<String>) {
        for one in self.renamed() {
            if let Some(new) = one.present(key) {
                let place = self.marks().origin(at);
                return (new, place.map(|place| one.note(place)));
            }
        }
        (key.to_owned(), None)
    }
}

impl Layer {
    /// Gives a key its present name, and returns a place where the user wrote the old one.
    fn rename(&mut self, one: Renamed) -> Result<Option<String>, ConfigError> {
        let mut place = None;
        for at in self.tables_of_keys() {
            let old = format!("{at}{}", one.old);
            let Some(value) = remove(&mut self.table, &old) else {
                continue;
            };
            let new = format!("{at}{}", one.new);
            if let Err(path) = insert(&mut self.table, &new, value) {
                let message = if path == new {
                    format!("`{old}` is the old name of `{new}`, and both are set")
                } else {
                    format!("`{path}` is used as a table by `{old}`, which is now `{new}`")
                };
                let help = format!("leave `{old}` out");
                return Err(self.error(&old, message).help(help));
            }
            place = self.spans.get(&old).and_then(|spans| {
                let line = self.source.line(spans.key.start);
                match self.source.kind {
                    Kind::BuiltIn => None,
                    Kind::Set => Some(self.source.name.clone()),
                    Kind::File | Kind::Assigned => Some(format!("{}:{line}", self.source.name)),
                }
            });
            self.move_spans(&old, &new, one.old);
        }
        Ok(place)
    }

    /// Where the keys of a configuration stand, each as the beginning of a path: at the top, and in
    /// the entries of lists.
    fn tables_of_keys(&self) -> Vec<String> {
        let mut found = vec![String::new()];
        for (name, value) in &self.table {
            let list = path::join("", name);
            match value {
                Value::Array(items) => {
                    let numbers = 0..items.len();
                    found.extend(numbers.map(|number| format!("{}.", path::index(&list, number))));
                }
                Value::Table(entries) => {
                    let numbers = entries.keys().filter(|key| key.parse::<usize>().is_ok());
                    found.extend(numbers.map(|key| format!("{}.", path::join(&list, key))));
                }
                _ => {}
            }
        }
        found
    }

    fn move_spans(&mut self, old: &str, new: &str, written_as: &'static str) {
        let moved: Vec<(String, Spans)> = (self.spans.iter())
            .filter(|(path, _)| path::is_at_or_inside(path, old))
            .map(|(path, spans)| (path.clone(), spans.clone()))
            .collect();
        for (path, mut spans) in moved {
            self.spans.remove(&path);
            if path == old {
                spans.written_as = Some(written_as);
            }
            self.spans
                .insert(format!("{new}{}", &path[old.len()..]), spans);
        }
        // A header or `--set` that held nothing else says nothing now.
        let mut parent = old;
        while let Some((above, _)) = parent.rsplit_once('.') {
            let holds = |path: &String| path::is_inside(path, above);
            if self.spans.keys().any(holds) {
                break;
            }
            self.spans.remove(above);
            parent = above;
        }
    }
}

/// The steps of a path such as `layers[0].memory.dim`.
fn steps(path: &str) -> impl Iterator<Item = &str> {
    path.split(['.', '[', ']']).filter(|step| !step.is_empty())
}

/// Removes the value at a path, and the tables around it that held nothing else.
fn remove(table: &mut Table, path: &str) -> Option<Value> {
    fn within(value: &mut Value, steps: &[&str]) -> Option<Value> {
        let (first, rest) = steps.split_first()?;
        match value {
            Value::Table(table) => remove_from(table, first, rest),
            Value::Array(items) => within(items.get_mut(first.parse::<usize>().ok()?)?, rest),
            _ => None,
        }
    }
    fn remove_from(table: &mut Table, first: &str, rest: &[&str]) -> Option<Value> {
        if rest.is_empty() {
            return table.remove(first);
        }
        let inner = table.get_mut(first)?;
        let found = within(inner, rest)?;
        if inner.as_table().is_some_and(Table::is_empty) {
            table.remove(first);
        }
        Some(found)
    }
    let steps: Vec<&str> = steps(path).collect();
    let (first, rest) = steps.split_first()?;
    remove_from(table, first, rest)
}

/// Puts a value at a path, whose tables are made; the error is the path of what is there already.
fn insert(table: &mut Table, path: &str, value: Value) -> Result<(), String> {
    let mut steps = steps(path).peekable();
    let (mut at, mut here) = (table, String::new());
    while let Some(step) = steps.next() {
        here = path::join(&here, step);
        if steps.peek().is_none() {
            return match at.entry(step) {
                Entry::Vacant(place) => {
                    place.insert(value);
                    Ok(())
                }
                Entry::Occupied(_) => Err(path.to_owned()),
            };
        }
        let mut inner = at.entry(step).or_insert_with(|| Value::Table(Table::new()));
        if let Value::Array(items) = inner {
            let number = steps.next().and_then(|number| number.parse::<usize>().ok());
            let Some(item) = number.and_then(|number| items.get_mut(number)) else {
                return Err(here);
            };
            inner = item;
        }
        let Value::Table(table) = inner else {
            return Err(here);
        };
        at = table;
    }
    Ok(())
}
