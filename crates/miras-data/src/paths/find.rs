//! The files that paths, folders and patterns name.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::{Path, PathBuf},
};

use crate::{
    DataError, Paths,
    packing::Packing,
    paths::{
        MATCH, has_wildcard, hub, is_on_hub, listed,
        missing::{WantedAs, suggestion},
        with_home,
    },
};

/// A file of a corpus.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) path: PathBuf,
    /// Whether it was named itself, and not found in a folder or by a pattern: then it must not be
    /// empty.
    pub(crate) named: bool,
}

/// Turns paths, folders and patterns into files, each of which may be listed once.
#[derive(Default)]
pub(crate) struct Finder {
    /// The setting that listed each file.
    listed_by: BTreeMap<PathBuf, String>,
    /// The patterns, as they were given and with `~/` as the home directory.
    patterns: Vec<(String, PathBuf)>,
    /// What is to be said of data sets of the hub.
    notes: Vec<String>,
}

impl Finder {
    pub(crate) fn files(
        &mut self,
        field: &'static str,
        paths: &Paths,
    ) -> Result<Vec<Found>, DataError> {
        let mut all = Vec::new();
        for given in paths.iter() {
            let (files, note) = if is_on_hub(given) {
                let (paths, note) = hub::files(field, given)?;
                let files = paths.into_iter().map(|path| Found { path, named: false });
                (files.collect(), note)
            } else {
                (expand(field, given)?, None)
            };
            self.notes.extend(note);
            let path = with_home(given);
            if has_wildcard(given) && !path.exists() && !is_on_hub(given) {
                self.patterns.push((given.to_owned(), path));
            }
            for file in &files {
                let identity = fs::canonicalize(&file.path).unwrap_or_else(|_| file.path.clone());
                let setting = format!("{field} = {given}");
                if let Some(first) = self.listed_by.insert(identity, setting.clone()) {
                    return Err(DataError::Twice {
                        path: file.path.clone(),
                        first,
                        second: setting,
                    });
                }
            }
            all.extend(files);
        }
        Ok(all)
    }

    /// Notes on files that are left out: of a data set of the hub, and by a pattern because they are
    /// compressed in another way than its matches, or not at all.
    pub(crate) fn left_out(&self) -> Vec<String> {
        let mut notes = self.notes.clone();
        for (given, path) in &self.patterns {
            let packed = Packing::of(path).map_or(0, |packing| packing.ending().len() + 1);
            let plain = |pattern: &str| pattern[..pattern.len() - packed].to_owned();
            let (pattern, given_plain) = (plain(&path.to_string_lossy()), plain(given));
            let endings = Packing::ALL.map(|packing| format!(".{}", packing.ending()));
            let mut said = BTreeSet::new();
            for ending in endings.into_iter().chain([String::new()]) {
                let other = format!("{pattern}{ending}");
                let mut files = self.matched_by_none(&other);
                files.retain(|file| said.insert(file.clone()));
                if !files.is_empty() {
                    let names = listed(files.iter().map(PathBuf::as_path));
                    notes.push(format!(
                        "`{given}` leaves out {names}: add `{given_plain}{ending}` to the paths to read that as well"
                    ));
                }
            }
        }
        notes
    }

    /// The files that a pattern gives and that are not read.
    fn matched_by_none(&self, pattern: &str) -> Vec<PathBuf> {
        let matches = glob::glob_with(pattern, MATCH).into_iter().flatten();
        let files = matches.flatten().filter(|path| path.is_file());
        let is_new = |path: &PathBuf| {
            let identity = fs::canonicalize(path).unwrap_or_else(|_| path.clone());
            !self.listed_by.contains_key(&identity)
        };
        files.filter(is_new).collect()
    }
}

fn expand(field: &'static str, given: &str) -> Result<Vec<Found>, DataError> {
    let path = with_home(given);
    match fs::metadata(&path) {
        Ok(data) if data.is_file() => Ok(vec![Found { path, named: true }]),
        Ok(data) if data.is_dir() => {
            let mut files = Vec::new();
            walk(&path, &mut files)?;
            if files.is_empty() {
                let path = given.to_owned();
                return Err(DataError::Empty { field, path });
            }
            Ok(files)
        }
        Ok(_) => Err(DataError::NotAFile { field, path }),
        // A file whose own name has a bracket was found above.
        Err(_) if has_wildcard(given) => matching(field, given, &path),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let hint = suggestion(&path, WantedAs::Text);
            Err(DataError::Missing { field, path, hint })
        }
        Err(source) => Err(DataError::Read { path, source }),
    }
}

/// Adds the files below a folder in the order of their names.
fn walk(folder: &Path, files: &mut Vec<Found>) -> Result<(), DataError> {
    let entries = fs::read_dir(folder).map_err(DataError::read(folder))?;
    let mut entries = entries
        .collect::<Result<Vec<_>, _>>()
        .map_err(DataError::read(folder))?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        let kind = entry.file_type().map_err(DataError::read(folder))?;
        if entry.file_name().as_encoded_bytes().starts_with(b".") {
            continue;
        }
        if kind.is_dir() {
            walk(&path, files)?;
        } else if fs::metadata(&path).is_ok_and(|data| data.is_file()) {
            files.push(Found { path, named: false });
        }
    }
    Ok(())
}

fn matching(field: &'static str, given: &str, path: &Path) -> Result<Vec<Found>, DataError> {
    let pattern = path.to_string_lossy();
    let matches = glob::glob_with(&pattern, MATCH).map_err(|error| DataError::Pattern {
        field,
        pattern: given.to_owned(),
        reason: error.msg,
    })?;
    let (mut files, mut folders) = (Vec::new(), 0);
    for entry in matches {
        let path = entry.map_err(|error| DataError::Read {
            path: error.path().to_owned(),
            source: error.into(),
        })?;
        if path.is_file() {
            files.push(Found { path, named: false });
        } else {
            folders += 1;
        }
    }
    if files.is_empty() {
        let hint = match folders {
            0 => String::new(),
            1 => "; it matches a folder: add `/**/*` for the files in it".to_owned(),
            _ => format!("; it matches {folders} folders: add `/**/*` for the files in them"),
        };
        let pattern = given.to_owned();
        return Err(DataError::NoMatch {
            field,
            pattern,
            hint,
        });
    }
    Ok(files)
}
