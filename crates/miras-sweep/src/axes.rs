//! Axes: keys and the values that they take.

use miras_config::{Assigned, ConfigError, Tree, item_path, key_path};
use miras_random::Stream;
use serde::{Deserialize, Serialize};
use toml::{Table, Value};

use crate::{names::NAME, range::Range};

/// The most points of a sweep, before seeds.
pub(crate) const MAX_POINTS: usize = 10_000;

/// How axes are combined.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Mode {
    /// Every combination of the axes.
    Grid,
    /// Points drawn from the axes.
    Random,
    /// The points that `[[sweep.list]]` gives, each with every combination of the axes.
    List,
}

/// The values of one axis.
#[derive(Debug)]
pub(crate) enum Axis {
    /// A list of choices, each of which sets any number of keys.
    Choices(Vec<Vec<Assigned>>),
    /// A number of a range; `at` is its place in the file.
    Range {
        at: String,
        key: String,
        range: Range,
    },
}

/// Takes `[sweep.axes]`, `[[sweep.tied]]` and `[[sweep.list]]` out of the tree.
pub(crate) fn take(tree: &mut Tree) -> Result<Vec<Axis>, ConfigError> {
    let axes: Table = tree.value("sweep.axes")?.unwrap_or_default();
    let tied: Vec<Table> = tree.value("sweep.tied")?.unwrap_or_default();
    let list: Option<Vec<Table>> = tree.value("sweep.list")?;
    let mut found = Vec::new();
    single(tree, &axes, "sweep.axes", "", &mut found)?;
    for (number, table) in tied.iter().enumerate() {
        let at = item_path("sweep.tied", number);
        refuse_empty(tree, table, &at)?;
        found.push(together(tree, table, &at)?);
    }
    if let Some(list) = list {
        let mut points = Vec::new();
        for (number, point) in list.iter().enumerate() {
            let at = item_path("sweep.list", number);
            refuse_empty(tree, point, &at)?;
            let mut set = Vec::new();
            settings(tree, point, &at, "", &mut set);
            // What a point is called comes after what it sets.
            set.sort_by_key(|one| one.key() == NAME);
            points.push(set);
        }
        refuse_names(tree, &points)?;
        // Points change slowest.
        found.insert(0, Axis::Choices(points));
    }
    Ok(found)
}

/// Refuses names that are not those of all points, or of two, or no texts.
fn refuse_names(tree: &mut Tree, points: &[Vec<Assigned>]) -> Result<(), ConfigError> {
    let name = |point: &Vec<Assigned>| point.last().filter(|one| one.key() == NAME).cloned();
    let names: Vec<Option<Assigned>> = points.iter().map(name).collect();
    if names.iter().all(Option::is_none) {
        return Ok(());
    }
    for (number, name) in names.iter().enumerate() {
        let at = item_path("sweep.list", number);
        let Some(name) = name else {
            let message = "this point has no name, and others have";
            let help = "add name = \"...\", or leave it out everywhere".to_owned();
            tree.note(tree.error(&at, message, Some(help)))?;
            continue;
        };
        let text = name.value().as_str().unwrap_or_default();
        let is_again = |other: &Option<Assigned>| {
            (other.as_ref()).is_some_and(|other| other.value() == name.value())
        };
        if text.trim().is_empty() {
            let message = format!("a name is a text with letters, found {}", name.value());
            tree.note(name.error(message, None))?;
        } else if names[..number].iter().any(is_again) {
            tree.note(name.error(format!("{text:?} is the name of two points"), None))?;
        }
    }
    Ok(())
}

fn refuse_empty(tree: &mut Tree, table: &Table, at: &str) -> Result<(), ConfigError> {
    if !table.is_empty() {
        return Ok(());
    }
    tree.note(tree.error(at, "this table sets no key", None))
}

/// One axis for each key of `[sweep.axes]`, which may be dotted or nested.
fn single(
    tree: &mut Tree,
    table: &Table,
    at: &str,
    key: &str,
    found: &mut Vec<Axis>,
) -> Result<(), ConfigError> {
    for (name, value) in table {
        let at = key_path(at, name);
        let key = dotted(key, name);
        if key == NAME {
            let message = "`name` is what a point of [[sweep.list]] is called, and no key";
            let help = "use mode = \"list\" for points with names".to_owned();
            tree.note(tree.error(&at, message, Some(help)))?;
            continue;
        }
        let axis = match value {
            Value::Array(values) => choices(tree, values, &at, &key).map(Axis::Choices),
            Value::Table(inner) if Range::is_one(inner) => {
                let range = Range::read(tree, inner, &at);
                range.map(|range| Axis::Range { at, key, range })
            }
            Value::Table(inner) => {
                single(tree, inner, &at, &key, found)?;
                continue;
            }
            other => {
                let message = format!("an axis is a list of values or a range, found {other}");
                let help = format!(
                    "write [{other}] for one value, or {{ log = [LOW, HIGH], n = 5 }} for a range"
                );
                Err(tree.error(&at, message, Some(help)))
            }
        };
        match axis {
            Ok(axis) => found.push(axis),
            Err(mistake) => tree.note(mistake)?,
        }
    }
    Ok(())
}

/// Each value of a list as a choice that sets one key; `{}` sets none.
fn choices(
    tree: &Tree,
    values: &[Value],
    at: &str,
    key: &str,
) -> Result<Vec<Vec<Assigned>>, ConfigError> {
    if values.is_empty() {
        return Err(tree.error(at, format!("the list for `{key}` is empty"), None));
    }
    let set = values.iter().enumerate().map(|(number, value)| {
        if value.as_table().is_some_and(Table::is_empty) {
            return Vec::new();
        }
        vec![tree.assigned(&item_path(at, number), key, value.clone())]
    });
    Ok(set.collect())
}

/// A table of lists of which the same item is used together.
fn together(tree: &mut Tree, table: &Table, at: &str) -> Result<Axis, ConfigError> {
    let mut axes = Vec::new();
    single(tree, table, at, "", &mut axes)?;
    let mut rows: Vec<Vec<Assigned>> = Vec::new();
    for axis in axes {
        let choices = match axis {
            Axis::Choices(choices) => choices,
            // Equal values stay, because the keys that they are tied to may differ.
            Axis::Range { at, key, range } => match range.points(tree, &at, &key) {
                Ok(values) => each(tree, &at, &key, values),
                Err(mistake) => {
                    tree.note(mistake)?;
                    continue;
                }
            },
        };
        if rows.is_empty() {
            rows = choices;
            continue;
        }
        if choices.len() != rows.len() {
            let message = format!(
                "tied keys have lists of one length, found {} and {} values",
                rows.len(),
                choices.len()
            );
            tree.note(tree.error(at, message, None))?;
            break;
        }
        for (row, more) in rows.iter_mut().zip(choices) {
            row.extend(more);
        }
    }
    Ok(Axis::Choices(rows))
}

/// What one table of `[[sweep.list]]` sets.
fn settings(tree: &Tree, table: &Table, at: &str, key: &str, set: &mut Vec<Assigned>) {
    for (name, value) in table {
        let at = key_path(at, name);
        let key = dotted(key, name);
        match value {
            // A table without a kind stands for dotted keys.
            Value::Table(inner) if !inner.contains_key("kind") => {
                settings(tree, inner, &at, &key, set);
            }
            value => set.push(tree.assigned(&at, &key, value.clone())),
        }
    }
}

/// Turns ranges into lists where the mode needs them. Returns notes for the user.
pub(crate) fn fit(
    axes: &mut [Axis],
    mode: Mode,
    tree: &mut Tree,
) -> Result<Vec<String>, ConfigError> {
    let mut notes = Vec::new();
    for axis in axes.iter_mut().filter(|_| mode != Mode::Random) {
        let Axis::Range { at, key, range } = axis else {
            continue;
        };
        match range.points(tree, at, key) {
            Ok(mut values) => {
                let n = values.len();
                values.dedup();
                if values.len() < n {
                    let listed: Vec<String> = values.iter().map(Value::to_string).collect();
                    notes.push(format!(
                        "the range for `{key}` was to have n = {n} values; rounding makes some \
                         equal, which leaves {}: {}",
                        values.len(),
                        listed.join(", ")
                    ));
                }
                *axis = Axis::Choices(each(tree, at, key, values));
            }
            Err(mistake) => tree.note(mistake)?,
        }
    }
    Ok(notes)
}

/// Each value as a choice that sets one key.
fn each(tree: &Tree, at: &str, key: &str, values: Vec<Value>) -> Vec<Vec<Assigned>> {
    let set = |value| vec![tree.assigned(at, key, value)];
    values.into_iter().map(set).collect()
}

/// Refuses keys that would be set in two places, or that an axis must not set. `taken` are keys
/// that are set elsewhere, with what sets them.
pub(crate) fn refuse_clashes(
    axes: &[Axis],
    taken: &[(&str, &str)],
    tree: &mut Tree,
) -> Result<(), ConfigError> {
    let mut seen: Vec<String> = Vec::new();
    for axis in axes {
        let of_range;
        let set: Vec<&Assigned> = match axis {
            Axis::Choices(choices) => choices.iter().flatten().collect(),
            Axis::Range { at, key, .. } => {
                of_range = tree.assigned(at, key, Value::Boolean(false));
                vec![&of_range]
            }
        };
        let mut here: Vec<String> = Vec::new();
        for one in set {
            let key = one.key();
            if here.contains(&key) {
                continue;
            }
            let taken = taken.iter().find(|(taken, _)| *taken == key);
            let (message, help) = if key == "train.seed" {
                let help =
                    "write sweep.seeds = [1, 2, 3]: runs that differ in it alone are averaged";
                ("the seed is no axis".to_owned(), Some(help))
            } else if let Some((_, what)) = taken {
                (format!("`{key}` is {what} already"), None)
            } else if seen.contains(&key) {
                let help = "use [[sweep.tied]] for keys that go together";
                (format!("two axes set `{key}`"), Some(help))
            } else {
                here.push(key);
                continue;
            };
            tree.note(one.error(message, help.map(str::to_owned)))?;
            here.push(key);
        }
        seen.extend(here);
    }
    Ok(())
}

impl Axis {
    /// The keys that it sets and that are written by an old name, each with a note.
    pub(crate) fn old_names(&self, tree: &Tree) -> Vec<(String, String)> {
        match self {
            Self::Choices(choices) => (choices.iter().flatten())
                .filter_map(|set| Some((set.key(), set.note_of_name()?)))
                .collect(),
            Self::Range { at, key, .. } => {
                let (key, note) = tree.present_name(at, key);
                note.map(|note| (key, note)).into_iter().collect()
            }
        }
    }
}

/// The points of a grid; the last axis changes fastest.
pub(crate) fn grid(axes: &[Axis], tree: &Tree) -> Result<Vec<Vec<Assigned>>, ConfigError> {
    let sizes = axes.iter().map(|axis| match axis {
        Axis::Choices(choices) => choices.len(),
        Axis::Range { .. } => 1,
    });
    let size = sizes.fold(1_usize, usize::saturating_mul);
    if size > MAX_POINTS {
        let message = format!("this grid has {size} points, and {MAX_POINTS} is the most");
        let help = "use mode = \"random\" with sweep.points".to_owned();
        return Err(tree.error("sweep.axes", message, Some(help)));
    }
    let mut points = vec![Vec::new()];
    for axis in axes {
        let Axis::Choices(choices) = axis else {
            continue;
        };
        points = (points.into_iter())
            .flat_map(|point: Vec<Assigned>| {
                choices.iter().map(move |choice| {
                    let mut point = point.clone();
                    point.extend(choice.iter().cloned());
                    point
                })
            })
            .collect();
    }
    Ok(points)
}

/// Points with independent random values; a pure function of the seed.
pub(crate) fn random(axes: &[Axis], tree: &Tree, seed: u64, points: usize) -> Vec<Vec<Assigned>> {
    let point = |number: usize| {
        let draws = axes.iter().enumerate().map(|(axis, offered)| {
            let place = [number as u64, axis as u64];
            let mut stream = Stream::new(seed, "sweep", &place);
            match offered {
                Axis::Choices(choices) => choices[stream.index(choices.len())].clone(),
                Axis::Range { at, key, range } => {
                    vec![tree.assigned(at, key, range.draw(&mut stream))]
                }
            }
        });
        draws.flatten().collect()
    };
    (0..points).map(point).collect()
}

fn dotted(at: &str, name: &str) -> String {
    if at.is_empty() {
        name.to_owned()
    } else {
        format!("{at}.{name}")
    }
}
