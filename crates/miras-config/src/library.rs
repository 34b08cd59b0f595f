//! Configuration files: those built into the program, and the places of files.

use std::{
    fmt, fs, io,
    path::{Component, Path, PathBuf},
};

use crate::{
    error::ConfigError,
    flag::{self, FLAG},
    suggest,
};

const EXTENSION: &str = ".toml";

/// Configuration files built into the program, such as presets.
///
/// A file is named by its path without `.toml`. The folders in `homes` may be left out: with
/// `presets` among them, `tiny` is `presets/tiny.toml`.
#[derive(Debug, Clone, Copy, Default)]
pub struct Library {
    files: &'static [(&'static str, &'static str)],
    homes: &'static [&'static str],
    listed: &'static str,
}

impl Library {
    /// A library of files, each a path with `/` and its text; `listed` says where their names are
    /// listed, for the error about a name that is not among them.
    pub const fn new(
        files: &'static [(&'static str, &'static str)],
        homes: &'static [&'static str],
        listed: &'static str,
    ) -> Self {
        Self {
            files,
            homes,
            listed,
        }
    }

    /// The shortest names of all files.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        self.files.iter().map(move |(path, _)| self.name(path))
    }

    /// The text of the file with this name.
    pub fn text(self, name: &str) -> Option<&'static str> {
        self.path(name).and_then(|path| self.read(path))
    }

    fn name(self, path: &'static str) -> &'static str {
        let name = path.strip_suffix(EXTENSION).unwrap_or(path);
        let homes = self.homes.iter();
        let mut short = homes.filter_map(|home| name.strip_prefix(home)?.strip_prefix('/'));
        short.next().unwrap_or(name)
    }

    /// The path of the file with this name.
    fn path(self, name: &str) -> Option<&'static str> {
        let is_meant = |path: &&'static str| {
            self.name(path) == name || path.strip_suffix(EXTENSION) == Some(name)
        };
        self.files.iter().map(|(path, _)| *path).find(is_meant)
    }

    fn read(self, path: &str) -> Option<&'static str> {
        let mut files = self.files.iter();
        files
            .find(|(known, _)| *known == path)
            .map(|(_, text)| *text)
    }

    /// The name that is most similar to a path that is not a file.
    fn nearest(self, file: &Path) -> Option<&'static str> {
        let word = file.to_str()?;
        let word = word.strip_suffix(EXTENSION).unwrap_or(word);
        let last = word.rsplit(['/', '\\']).next().unwrap_or(word);
        let exact = self.names().find(|name| *name == last);
        exact
            .or_else(|| suggest::did_you_mean(word, self.names()))
            .or_else(|| suggest::did_you_mean(last, self.names()))
    }
}

/// Where a file is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    Disk(PathBuf),
    /// A path in the library, and the name that stands for it.
    Library(&'static str, &'static str),
}

impl Place {
    /// The file with this path or name; a file on the disk takes precedence over the library.
    pub(crate) fn find(file: &Path, library: Library) -> Self {
        match file.to_str().and_then(|name| library.path(name)) {
            Some(path) if !file.is_file() => Self::Library(path, library.name(path)),
            _ => Self::Disk(file.to_owned()),
        }
    }

    /// The file that this one refers to as `named`.
    pub(crate) fn beside(&self, named: &str, library: Library) -> Self {
        match self {
            Self::Disk(file) => {
                let path = tidy(&file.parent().unwrap_or(Path::new("")).join(named));
                match library.path(named) {
                    Some(inside) if !path.is_file() => Self::Library(inside, library.name(inside)),
                    _ => Self::Disk(path),
                }
            }
            Self::Library(path, _) => {
                let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
                let wanted = tidy(&Path::new(folder).join(named));
                let files = library.files.iter().map(|(path, _)| *path);
                let found = files.into_iter().find(|path| Path::new(path) == wanted);
                found.map_or(Self::Disk(wanted), |path| {
                    Self::Library(path, library.name(path))
                })
            }
        }
    }

    pub(crate) fn is_there(&self, library: Library) -> bool {
        match self {
            Self::Disk(file) => file.is_file(),
            Self::Library(path, _) => library.read(path).is_some(),
        }
    }

    /// The canonical place, which is the same for all names of a file.
    pub(crate) fn real(&self) -> Self {
        match self {
            Self::Disk(file) => Self::Disk(real(file)),
            Self::Library(..) => self.clone(),
        }
    }

    /// The text of the file. An error names the file and has no place in a configuration yet.
    pub(crate) fn read(&self, library: Library) -> Result<String, ConfigError> {
        let file = match self {
            Self::Disk(file) => file,
            Self::Library(path, _) => {
                let text = library.read(path);
                return text
                    .map(str::to_owned)
                    .ok_or_else(|| ConfigError::new(format!("there is no file `{self}`")));
            }
        };
        if file.as_os_str().is_empty() {
            return Err(ConfigError::new("the path of the config file is empty"));
        }
        if file.is_dir() {
            let message = format!("`{self}` is a folder, not a file");
            return Err(ConfigError::new(message));
        }
        let bytes = fs::read(file).map_err(|error| {
            if error.kind() == io::ErrorKind::NotFound {
                let message = format!("there is no file `{self}`");
                ConfigError::new(message).help(self.similar(library))
            } else {
                ConfigError::new(format!("cannot read `{self}`: {error}"))
            }
        })?;
        let mut text = String::from_utf8(bytes).map_err(|error| {
            let valid = error.utf8_error().valid_up_to();
            let line = error.as_bytes()[..valid]
                .split(|&byte| byte == b'\n')
                .count();
            ConfigError::new(format!("`{self}` is not UTF-8 text: see line {line}"))
        })?;
        // A byte order mark would count as a column.
        if text.starts_with('\u{feff}') {
            text.remove(0);
        }
        Ok(text)
    }

    /// What may be meant by the name of a file that does not exist.
    pub(crate) fn similar(&self, library: Library) -> Option<String> {
        let Self::Disk(file) = self else {
            return None;
        };
        if let Some(word) = file.to_str().filter(|word| flag::is_assignment(word)) {
            return Some(format!("to set a key, write `{FLAG} {word}`"));
        }
        let listed = || (!library.listed.is_empty()).then(|| library.listed.to_owned());
        let built_in = || {
            let name = library.nearest(file)?;
            Some(format!("did you mean `{name}`, which is built in?"))
        };
        similar_file(file).or_else(built_in).or_else(listed)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Disk(file) => write!(f, "{}", file.display()),
            Self::Library(_, name) => write!(f, "{name} (built in)"),
        }
    }
}

fn similar_file(file: &Path) -> Option<String> {
    let folder = file.parent().filter(|folder| *folder != Path::new(""));
    let mut names: Vec<String> = fs::read_dir(folder.unwrap_or(Path::new(".")))
        .ok()?
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .collect();
    names.sort();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    suggest::help(file.file_name()?.to_str()?, &names)
}

fn real(file: &Path) -> PathBuf {
    fs::canonicalize(file).unwrap_or_else(|_| file.to_owned())
}

/// `a/../b` as `b`, which is easier to read. If the two are different files, because `a` is a
/// symbolic link, the path stays as it is.
fn tidy(file: &Path) -> PathBuf {
    let mut short = PathBuf::new();
    for part in file.components() {
        let last = short.components().next_back();
        match (part, last) {
            (Component::CurDir, _) => {}
            (Component::ParentDir, Some(Component::Normal(_))) => {
                short.pop();
            }
            _ => short.push(part),
        }
    }
    let is_empty = short.as_os_str().is_empty();
    if is_empty || (file.exists() && real(&short) != real(file)) {
        return file.to_owned();
    }
    short
}
