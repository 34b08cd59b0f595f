//! Reading a file at a place.

use std::{fs::File, io, path::Path};

#[cfg(unix)]
pub(super) fn read_at(file: &File, _path: &Path, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, buffer, offset)
}

/// An open file has one position, shared by all threads, so each read opens its own.
#[cfg(not(unix))]
pub(super) fn read_at(_file: &File, path: &Path, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
    use std::io::{Read, Seek, SeekFrom};
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(offset))?;
    file.read_exact(buffer)
}
