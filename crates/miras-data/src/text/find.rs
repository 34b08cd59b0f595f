use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

use crate::{
    DataError, Paths,
    paths::{WantedAs, has_wildcard, suggestion, with_home},
};

/// A file that takes part in a corpus.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) path: PathBuf,
    /// Named itself, not met in a folder or by a pattern: then it must not be empty.
    pub(super) named: bool,
}

/// Turns paths, folders and patterns into files, each of which may come up once.
#[derive(Default)]
pub(super) struct Finder {
    /// What gave each file.
    givers: BTreeMap<PathBuf, String>,
}

impl Finder {
    pub(super) fn files(
        &mut self,
        field: &'static str,
        paths: &Paths,
    ) -> Result<Vec<Found>, DataError> {
        let mut all = Vec::new();
        for given in paths.iter() {
            let files = expand(field, given)?;
            for file in &files {
                let identity = fs::canonicalize(&file.path).unwrap_or_else(|_| file.path.clone());
                let giver = format!("{field} = {given}");
                if let Some(first) = self.givers.insert(identity, giver.clone()) {
                    return Err(DataError::Twice {
                        path: file.path.clone(),
                        first,
                        second: giver,
                    });
                }
            }
            all.extend(files);
        }
        Ok(all)
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
        // A file whose name holds a bracket is taken as it is, above.
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
    let unreadable = |source| DataError::Read {
        path: folder.to_owned(),
        source,
    };
    let entries = fs::read_dir(folder).map_err(unreadable)?;
    let mut entries = entries.collect::<Result<Vec<_>, _>>().map_err(unreadable)?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        let kind = entry.file_type().map_err(unreadable)?;
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
    // As in folders, hidden files are left out.
    let options = glob::MatchOptions {
        require_literal_leading_dot: true,
        ..glob::MatchOptions::new()
    };
    let matches = glob::glob_with(&pattern, options).map_err(|error| DataError::Pattern {
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
