//! The lock that allows one training process per folder.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::path::Path;
use std::sync::Arc;

use crate::error::{Result, RunError};

/// The lock of a run folder, held until the last clone is dropped or the process ends.
#[derive(Debug, Clone)]
pub(crate) struct Lock {
    _held: Arc<Held>,
}

#[derive(Debug)]
struct Held(File);

impl Drop for Held {
    fn drop(&mut self) {
        // Closing the file is not enough while a program is being started, because until it
        // runs it has a copy of every open file. If unlocking fails, closing still helps.
        let _ = self.0.unlock();
    }
}

/// Takes the lock of a run folder; the error names the process that holds it.
pub(crate) fn acquire(folder: &Path) -> Result<Lock> {
    let path = folder.join("lock");
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path)
        .map_err(RunError::io("open", &path))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let pid = read_pid(&mut file);
            return Err(RunError::Locked {
                path: folder.to_owned(),
                pid,
            });
        }
        Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => {
            return Err(RunError::NoLocks { path });
        }
        Err(TryLockError::Error(error)) => return Err(RunError::io("lock", &path)(error)),
    }
    write_pid(&mut file).map_err(RunError::io("write", &path))?;
    let held = Arc::new(Held(file));
    Ok(Lock { _held: held })
}

/// Whether a process holds the lock of a run folder; no file is created or changed.
pub(crate) fn is_held(folder: &Path) -> bool {
    File::open(folder.join("lock")).is_ok_and(|file| {
        let is_held = matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock));
        // Closing the file also unlocks it.
        let _ = file.unlock();
        is_held
    })
}

/// The process that is written in the file. It is only for the message, so errors are ignored.
fn read_pid(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

fn write_pid(file: &mut File) -> io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    writeln!(file, "{}", std::process::id())
}
