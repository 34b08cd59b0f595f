//! From settings to the rows that training and evaluation read.

use std::collections::{BTreeSet, HashSet};

use super::{
    config::LabelledConfig,
    read::{Labelled, Table},
    rows::{Row, Sequences},
    split::{hash, kept},
};
use crate::{
    DataError, Dataset, Description, Paths, Tokenized, Tokenizer, describe, paths::find::Finder,
};

/// The most files that a run remembers.
const MAX_FILES: usize = 100;

/// The names of the classes, in the order of their numbers.
pub(super) fn labels(config: &LabelledConfig) -> Result<Vec<String>, DataError> {
    let tokenizer = Tokenizer::open(&config.tokenizer)?;
    let files = Finder::default().files("path", &config.path)?;
    let table = Table::read(("path", &config.path), &files, config, &tokenizer)?;
    classes(&table)
}

/// Opens files whose settings have no problem.
pub(super) fn open(config: &LabelledConfig, seed: u64) -> Result<Sequences, DataError> {
    let tokenizer = Tokenizer::open(&config.tokenizer)?;
    let mut finder = Finder::default();
    let mut read = |field, paths: &Paths| {
        let files = finder.files(field, paths)?;
        Table::read((field, paths), &files, config, &tokenizer)
    };
    let table = read("path", &config.path)?;
    let own = match &config.valid_path {
        Some(paths) => Some(read("valid_path", paths)?),
        None => None,
    };
    let labels = classes(&table)?;
    let mut description = Description {
        kind: "csv",
        name: config.path.to_string(),
        fingerprint: fingerprint(&table),
        notes: finder.left_out(),
        ..Description::default()
    };
    let mut files = table.files.clone();
    let (train, mut valid) = match own {
        None => split(&table, &labels, config.fraction()),
        Some(own) => {
            let of_valid = fingerprint(&own);
            if of_valid == description.fingerprint {
                let first = |table: &Table| table.files[0].path.clone();
                let (valid, train) = (first(&own), first(&table));
                return Err(DataError::Copied { valid, train });
            }
            description.valid_fingerprint = Some(of_valid);
            files.extend(own.files.clone());
            let valid = numbered(&own, &labels)?;
            (numbered(&table, &labels)?, valid)
        }
    };
    if valid.is_empty() {
        let message = "each class has one sequence, which is for training, and none is left for \
                       validation: give more, or files for validation with valid_path";
        let problems = vec![("path", message.to_owned())];
        return Err(DataError::Config { problems });
    }
    // An evaluation of some of them reads those in front, whatever order the files have.
    valid.sort_by_cached_key(|row| hash(&row.tokens));
    let tokens = |rows: &[Row]| rows.iter().map(|row| row.tokens.len() as u64).sum();
    let (train_tokens, valid_tokens) = (tokens(&train), tokens(&valid));
    description.train_bytes = Some(train_tokens);
    description.valid_bytes = Some(valid_tokens);
    description.tokenizer = (tokenizer.fingerprint()).map(|fingerprint| Tokenized {
        fingerprint: fingerprint.to_owned(),
        vocab: tokenizer.vocab(),
        train_tokens,
        valid_tokens,
    });
    description.notes.extend(notes(&train, &valid, &labels));
    description.file_count = files.len();
    files.truncate(MAX_FILES);
    description.files = files;
    Ok(Sequences {
        train,
        valid,
        labels,
        vocab: tokenizer.vocab(),
        seq_len: config.seq_len,
        seed,
        description,
    })
}

/// Opens sequences for evaluation only, those of `paths`, with columns as `config` names them, for a model
/// that was trained on those of `training`.
///
/// # Errors
/// As [`open`](crate::open); the field that they name is `path`, `seq_len`, or that of a column.
pub fn open_held_out(
    training: &LabelledConfig,
    config: &LabelledConfig,
    paths: &Paths,
) -> Result<Box<dyn Dataset>, DataError> {
    let tokenizer = Tokenizer::open(&config.tokenizer)?;
    let read = |paths: &Paths, config: &LabelledConfig| {
        let mut finder = Finder::default();
        let files = finder.files("path", paths)?;
        let table = Table::read(("path", paths), &files, config, &tokenizer)?;
        Ok::<_, DataError>((table, finder.left_out()))
    };
    let (table, _) = read(&training.path, training)?;
    let labels = classes(&table)?;
    let known = match &training.valid_path {
        Some(_) => numbered(&table, &labels)?,
        None => split(&table, &labels, training.fraction()).0,
    };
    let (held, mut notes) = read(paths, config)?;
    let mut valid = numbered(&held, &labels)?;
    valid.sort_by_cached_key(|row| hash(&row.tokens));
    let (largest, share) = largest(&known, &valid, &labels);
    notes.push(format!(
        "{} sequences of {} classes: always to say {:?}, the largest of training, has an accuracy of {share:.4}",
        valid.len(),
        labels.len(),
        labels[largest]
    ));
    notes.extend(notes_of_both(&known, &valid, &labels));
    let mut files = held.files.clone();
    let file_count = files.len();
    files.truncate(MAX_FILES);
    let description = Description {
        kind: "csv",
        name: paths.to_string(),
        valid_bytes: Some(valid.iter().map(|row| row.tokens.len() as u64).sum()),
        fingerprint: fingerprint(&table),
        valid_fingerprint: Some(fingerprint(&held)),
        notes,
        file_count,
        files,
        ..Description::default()
    };
    Ok(Box::new(Sequences {
        train: known,
        valid,
        labels,
        vocab: tokenizer.vocab(),
        seq_len: config.seq_len,
        seed: 0,
        description,
    }))
}

/// More classes are taken for a mistake.
const MOST_CLASSES: usize = 1000;

/// The labels of a table, sorted; an error if there is one alone, or too many.
fn classes(table: &Table) -> Result<Vec<String>, DataError> {
    let all: BTreeSet<&str> = table.rows.iter().map(|row| &*row.label).collect();
    let mut all: Vec<String> = all.into_iter().map(str::to_owned).collect();
    if let [one] = &*all {
        let problem = format!(
            "every sequence of the training part has the label {one:?}: there is nothing to tell apart"
        );
        let problems = vec![("label", problem)];
        return Err(DataError::Config { problems });
    }
    if all.len() > MOST_CLASSES {
        let problem = format!(
            "{} sequences have {} different labels, and {MOST_CLASSES} classes are the most: is it the column of the classes?",
            table.rows.len(),
            all.len()
        );
        let problems = vec![("label", problem)];
        return Err(DataError::Config { problems });
    }
    let number = |label: &String| label.parse::<i64>().ok();
    if all.iter().all(|label| number(label).is_some()) {
        all.sort_by_key(number);
    }
    Ok(all)
}

/// The number of a label.
fn class(labels: &[String], label: &str) -> Option<usize> {
    labels.iter().position(|own| own == label)
}

/// All rows of a table, with the numbers of their classes.
///
/// # Errors
/// If a row has a label that is not in `labels`.
fn numbered(table: &Table, labels: &[String]) -> Result<Vec<Row>, DataError> {
    let row = |row: &Labelled| {
        let class = class(labels, &row.label).ok_or_else(|| {
            let why = format!(
                "has the label {:?}, which the training part lacks; it has {}",
                row.label,
                listed(labels)
            );
            table.refused(table.field, &row.place, why)
        })?;
        let tokens = row.tokens.clone();
        Ok(Row { tokens, class })
    };
    table.rows.iter().map(row).collect()
}

/// The training part and the validation part of a table, class by class in the shares of the whole.
fn split(table: &Table, labels: &[String], fraction: f64) -> (Vec<Row>, Vec<Row>) {
    let mut for_validation = vec![false; table.rows.len()];
    for label in labels {
        let of_class: Vec<usize> = (0..table.rows.len())
            .filter(|&at| table.rows[at].label == *label)
            .collect();
        let sequences: Vec<&[i32]> = (of_class.iter())
            .map(|&at| &*table.rows[at].tokens)
            .collect();
        for (at, is_kept) in of_class.into_iter().zip(kept(&sequences, fraction)) {
            for_validation[at] = is_kept;
        }
    }
    let part = |wanted: bool| {
        let rows = table.rows.iter().zip(&for_validation);
        rows.filter(|(_, is_kept)| **is_kept == wanted)
            .map(|(row, _)| Row {
                tokens: row.tokens.clone(),
                class: class(labels, &row.label).expect("labels are of this table"),
            })
            .collect()
    };
    (part(false), part(true))
}

fn fingerprint(table: &Table) -> String {
    let mut bytes = Vec::new();
    for row in &table.rows {
        for text in [row.label.as_bytes(), &[0]] {
            bytes.extend_from_slice(text);
        }
        bytes.extend(row.tokens.iter().flat_map(|token| token.to_le_bytes()));
        bytes.extend((row.tokens.len() as u64).to_le_bytes());
    }
    describe::of_bytes(&bytes)
}

/// What the user should know of the parts.
fn notes(train: &[Row], valid: &[Row], labels: &[String]) -> Vec<String> {
    let (largest, share) = largest(train, valid, labels);
    let mut notes = vec![format!(
        "{} sequences for training and {} for validation, of {} classes: always to say {:?}, the largest, has an accuracy of {share:.4}",
        train.len(),
        valid.len(),
        labels.len(),
        labels[largest]
    )];
    notes.extend(notes_of_both(train, valid, labels));
    notes
}

fn count(rows: &[Row], class: usize) -> usize {
    rows.iter().filter(|row| row.class == class).count()
}

/// The largest class of training, the first of equals, and its share of what is held out.
fn largest(train: &[Row], valid: &[Row], labels: &[String]) -> (usize, f64) {
    let classes = (0..labels.len()).rev();
    let largest = classes.max_by_key(|&class| count(train, class));
    let largest = largest.expect("there are classes");
    (largest, count(valid, largest) as f64 / valid.len() as f64)
}

/// What the parts have in common, and what one of them lacks.
fn notes_of_both(train: &[Row], valid: &[Row], labels: &[String]) -> Vec<String> {
    let mut notes = Vec::new();
    let known: HashSet<&[i32]> = train.iter().map(|row| &*row.tokens).collect();
    let both = valid
        .iter()
        .filter(|row| known.contains(&*row.tokens))
        .count();
    if both > 0 {
        notes.push(format!(
            "{both} of the {} sequences for validation are among those of training too",
            valid.len()
        ));
    }
    let absent: Vec<String> = (0..labels.len())
        .filter(|&class| count(valid, class) == 0)
        .map(|class| labels[class].clone())
        .collect();
    if !absent.is_empty() {
        notes.push(format!(
            "no sequence for validation has the label {}",
            listed(&absent)
        ));
    }
    notes
}

/// The first ten labels.
fn listed(labels: &[String]) -> String {
    let first: Vec<String> = labels
        .iter()
        .take(10)
        .map(|label| format!("{label:?}"))
        .collect();
    let more = match labels.len().saturating_sub(10) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!("{}{more}", first.join(", "))
}
