use std::{
    ffi::OsString,
    fs,
    io::{self, Read, Write},
    path::{Path, PathBuf},
    time::UNIX_EPOCH,
};

use miras_run::{AtomicFile, hex, remove_left};
use sha2::{Digest, Sha256};

use crate::{DataError, packing::Unpacked};

/// The folders to try for copies of text, in order.
pub(crate) fn folders() -> Vec<PathBuf> {
    candidates(std::env::var_os("XDG_CACHE_HOME"), std::env::var_os("HOME"))
}

fn candidates(cache: Option<OsString>, home: Option<OsString>) -> Vec<PathBuf> {
    let cache = cache.map(PathBuf::from);
    let home = home.map(|home| PathBuf::from(home).join(".cache"));
    // By the XDG rule a relative path is not valid and is ignored.
    [cache, home, Some(std::env::temp_dir())]
        .into_iter()
        .flatten()
        .filter(|folder| folder.is_absolute())
        .map(|folder| folder.join("miras-rs"))
        .collect()
}

/// What the first folder gives that can be written and has room; the last one's error if none can.
pub(super) fn in_first<T>(
    folders: &[PathBuf],
    mut make: impl FnMut(&Path) -> Result<T, DataError>,
) -> Result<T, DataError> {
    let mut last = None;
    for folder in folders {
        match make(folder) {
            Err(error @ (DataError::Cache { .. } | DataError::TokenCache { .. })) => {
                last = Some(error);
            }
            made => return made,
        }
    }
    Err(last.unwrap_or_else(|| DataError::TokenCache {
        folder: PathBuf::new(),
        source: io::ErrorKind::NotFound.into(),
    }))
}

/// The decompressed copy of a compressed file, made if it does not exist.
///
/// The name of the copy depends on the path, size and date of the file, so a changed file is
/// decompressed again.
pub(super) fn decompressed(path: &Path, folders: &[PathBuf]) -> Result<PathBuf, DataError> {
    let key = key(path).map_err(DataError::read(path))?;
    in_first(folders, |folder| {
        let copy = folder.join(&key);
        if !copy.is_file() {
            decompress(path, folder, &copy)?;
        }
        Ok(copy)
    })
}

/// A file of a cache folder, which gets its name when it is complete. As a copy of what may be
/// private, it is readable by its owner alone.
pub(super) fn begin(folder: &Path, path: &Path) -> io::Result<AtomicFile> {
    fs::create_dir_all(folder)?;
    remove_left(folder);
    Ok(AtomicFile::create_private(path)?)
}

/// Decompresses into `copy`, a file of `folder`.
fn decompress(path: &Path, folder: &Path, copy: &Path) -> Result<(), DataError> {
    let unwritten = |source| DataError::Cache {
        path: path.to_owned(),
        folder: folder.to_owned(),
        source,
    };
    let mut copy = begin(folder, copy).map_err(unwritten)?;
    let mut decoder = Unpacked::open(path)?;
    let mut buffer = vec![0; 1 << 16];
    loop {
        let count = match decoder.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(decoder.failed(error)),
        };
        copy.write_all(&buffer[..count]).map_err(unwritten)?;
    }
    copy.finish().map_err(|error| unwritten(error.into()))
}

/// A name made from the path, size and date of a file.
pub(super) fn key(path: &Path) -> io::Result<String> {
    let path = fs::canonicalize(path)?;
    let data = fs::metadata(&path)?;
    let date = data
        .modified()
        .ok()
        .and_then(|date| date.duration_since(UNIX_EPOCH).ok())
        .unwrap_or_default();
    let mut hash = Sha256::new();
    hash.update(data.len().to_le_bytes());
    hash.update(date.as_nanos().to_le_bytes());
    hash.update(path.as_os_str().as_encoded_bytes());
    Ok(format!("{}.bytes", hex(&hash.finalize()[..16])))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cache_is_the_users_own_before_the_shared_one() {
        let temp = std::env::temp_dir().join("miras-rs");
        let found = |cache: Option<&str>, home: Option<&str>| {
            candidates(cache.map(Into::into), home.map(Into::into))
        };
        let cache = PathBuf::from("/c/miras-rs");
        let home = PathBuf::from("/h/.cache/miras-rs");
        assert_eq!(
            found(Some("/c"), Some("/h")),
            [cache, home.clone(), temp.clone()]
        );
        assert_eq!(found(Some("relative"), Some("/h")), [home, temp.clone()]);
        assert_eq!(found(None, None), [temp]);
    }
}
