//! Errors of run folders; each names the path, the fact and what to do.

use std::error::Error;
use std::io;
use std::path::{Path, PathBuf};

/// The result of this crate's functions.
pub type Result<T, E = RunError> = std::result::Result<T, E>;

/// A failure in the run folder.
///
/// Messages are complete on their own: an operating system's error is part of the text and
/// not a separate `source`, so that it is not printed twice.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// The name is not usable as a folder name.
    #[error("`{name}` cannot name a run: {why}; use letters, digits, `-`, `_` and `.`")]
    BadName {
        /// The name that was asked for.
        name: String,
        /// What is wrong with it.
        why: &'static str,
    },

    /// The folder of a new run exists already.
    #[error(
        "run folder {path} exists already: continue it with `--resume` or choose another `--name`"
    )]
    Exists {
        /// The run folder.
        path: PathBuf,
    },

    /// There is no run of this name.
    #[error("there is no run folder {path}: {}", hint(nearest.as_deref(), names))]
    NoRun {
        /// The run folder that was asked for.
        path: PathBuf,
        /// The existing run whose name is closest, if any is close.
        nearest: Option<String>,
        /// All runs, sorted.
        names: Vec<String>,
    },

    /// The folder exists, but is not a run.
    #[error(
        "{path} has no config.toml, so it is not a run or was stopped while it was set up: \
         remove the folder, or choose another `--name`"
    )]
    NoConfig {
        /// The run folder.
        path: PathBuf,
    },

    /// The stored configuration of a run or an export is gone.
    #[error("{path} is missing: restore it; what is beside it cannot be used without")]
    ConfigGone {
        /// The file.
        path: PathBuf,
    },

    /// The weights of an export are there, and what says what they are is gone.
    #[error(
        "{path} is missing, which says what the export in this folder is: restore it, or export the run again; \
         weights alone begin a run by `--set train.init_from`"
    )]
    NotDescribed {
        /// The file.
        path: PathBuf,
    },

    /// The stored configuration of a run was changed.
    #[error(
        "{path} was changed or cut since it was written (SHA-256 differs): restore it; a change that a run \
         takes is made by `run --name NAME --resume --set KEY=VALUE`, and any other one by a new run, \
         `run {path} --name OTHER`"
    )]
    ConfigChanged {
        /// The file.
        path: PathBuf,
    },

    /// The configuration in an export was changed.
    #[error(
        "{path} was changed or cut since it was exported (SHA-256 differs): restore it, or export the run again; \
         a change is made by a new run, `run {path} --name OTHER`, with `--set train.init_from` for the weights"
    )]
    ExportChanged {
        /// The file.
        path: PathBuf,
    },

    /// Weights do not have the checksum that is recorded in their folder.
    #[error(
        "{path} is damaged or was replaced: its SHA-256 is {found}, and {by} beside it says {expected}; \
         restore it, or export the run again"
    )]
    OtherWeights {
        /// The file.
        path: PathBuf,
        /// The file with the recorded checksum.
        by: &'static str,
        /// SHA-256 of the file.
        found: String,
        /// The recorded SHA-256.
        expected: String,
    },

    /// The run has no checkpoint that can be used.
    #[error("{path} has no {}", no_checkpoint(skipped))]
    NoCheckpoint {
        /// The run folder.
        path: PathBuf,
        /// Damaged checkpoints; empty if the run has no checkpoint.
        skipped: Vec<Damaged>,
    },

    /// The run has checkpoints, but not of this step.
    #[error(
        "{path} has no checkpoint of step {step}: {}",
        available_list(available)
    )]
    NoStep {
        /// The run folder.
        path: PathBuf,
        /// The step that was asked for.
        step: u64,
        /// The existing steps, ascending.
        available: Vec<u64>,
    },

    /// A checkpoint is damaged.
    #[error("{0}; use another step, or none for the newest valid one")]
    Damaged(Box<Damaged>),

    /// Checkpoints were replaced again and again while they were read.
    #[error(
        "the checkpoints of {path} are replaced faster than they are read: try again, or keep more of \
         them with `checkpoint.keep_last`"
    )]
    Replaced {
        /// The run folder.
        path: PathBuf,
    },

    /// Another process trains in this folder.
    #[error(
        "{path} is in use by another training process{}: wait for it or stop it, or choose another `--name`",
        pid.map_or(String::new(), |pid| format!(" (process {pid})"))
    )]
    Locked {
        /// The run folder.
        path: PathBuf,
        /// The process that holds the lock, if it is known.
        pid: Option<u32>,
    },

    /// The file system cannot lock files.
    #[error("{path} is on a file system without file locks: keep the runs on a local disk")]
    NoLocks {
        /// The lock file.
        path: PathBuf,
    },

    /// A write to a folder that was opened to be read.
    #[error("{path} was opened to be read: open it with `RunFolder::open` to write in it")]
    ReadOnly {
        /// The run folder.
        path: PathBuf,
    },

    /// The weights hold NaN or infinity.
    #[error(
        "{path}: step {step} is not saved because its weights are not finite: resume from an \
         earlier checkpoint, for example with a lower learning rate"
    )]
    NonFinite {
        /// The run folder.
        path: PathBuf,
        /// The step that was to be saved.
        step: u64,
    },

    /// The caller's function that writes the checkpoint's files failed.
    #[error(
        "cannot write the checkpoint of step {step} in {path}: {}; earlier checkpoints are unchanged",
        chain(cause.as_ref())
    )]
    Write {
        /// The folder of the checkpoint.
        path: PathBuf,
        /// The step that was to be saved.
        step: u64,
        /// What the caller's function returned.
        cause: Box<dyn Error + Send + Sync>,
    },

    /// The caller's function wrote something that a checkpoint cannot hold.
    #[error("{path} cannot be part of a checkpoint: {why}; write plain files, at least one")]
    BadContent {
        /// The offending file or folder.
        path: PathBuf,
        /// What is wrong with it.
        why: &'static str,
    },

    /// A file is not in a form that this program writes.
    #[error("cannot understand {path}: {cause}; restore it, or remove it")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What the parser says.
        cause: String,
    },

    /// The operating system refused.
    #[error("cannot {action} {path}: {cause}; {}", advice(cause.kind()))]
    Io {
        /// What was tried, as a verb.
        action: &'static str,
        /// On which file or folder.
        path: PathBuf,
        /// What the operating system says.
        cause: io::Error,
    },
}

impl RunError {
    /// For `map_err`: an error with the action and the path. Other crates use it too.
    pub fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |cause| Self::Io {
            action,
            path,
            cause,
        }
    }
}

/// What the operating system said, without the path, for whoever names that itself.
impl From<RunError> for io::Error {
    fn from(error: RunError) -> Self {
        match error {
            RunError::Io { cause, .. } => cause,
            other => Self::other(other),
        }
    }
}

/// A checkpoint that fails its check, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("checkpoint {path} is damaged: {fault}")]
pub struct Damaged {
    /// The step in the folder's name.
    pub step: u64,
    /// The folder of the checkpoint.
    pub path: PathBuf,
    /// The first thing found wrong.
    pub fault: Fault,
}

/// What is wrong with a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// A file of the manifest, or the manifest itself, is missing.
    #[error("`{file}` is missing")]
    Missing {
        /// Name inside the checkpoint.
        file: String,
    },
    /// A file is shorter or longer than it was.
    #[error("`{file}` has {found} bytes instead of {expected}")]
    Size {
        /// Name inside the checkpoint.
        file: String,
        /// Bytes when it was saved.
        expected: u64,
        /// Bytes now.
        found: u64,
    },
    /// A file has the right size and other content.
    #[error("the content of `{file}` changed since it was saved (SHA-256 differs)")]
    Content {
        /// Name inside the checkpoint.
        file: String,
    },
    /// A file cannot be read or parsed.
    #[error("`{file}` cannot be read: {cause}")]
    Unreadable {
        /// Name inside the checkpoint.
        file: String,
        /// What the parser or the operating system says.
        cause: String,
    },
    /// The manifest is of another version of the format.
    #[error("it has format version {found}, this program reads version {known}")]
    Format {
        /// Version in the manifest.
        found: u32,
        /// Version of this program.
        known: u32,
    },
    /// The folder was renamed by hand.
    #[error("its manifest is of step {found}")]
    Step {
        /// Step in the manifest.
        found: u64,
    },
}

/// The most runs that a message names.
const MAX_NAMED: usize = 8;

fn hint(nearest: Option<&str>, names: &[String]) -> String {
    if let Some(name) = nearest {
        return format!("did you mean `{name}`?");
    }
    let (first, rest) = names.split_at(names.len().min(MAX_NAMED));
    match (first, rest.len()) {
        ([], _) => "there is no run at all beside it".to_owned(),
        (first, 0) => format!("the runs there are {}", first.join(", ")),
        (first, more) => format!("the runs there are {} and {more} more", first.join(", ")),
    }
}

fn no_checkpoint(skipped: &[Damaged]) -> String {
    let each: Vec<_> = skipped
        .iter()
        .map(|damaged| format!("step {}: {}", damaged.step, damaged.fault))
        .collect();
    if each.is_empty() {
        return "checkpoint yet: wait for its first one, or go on with the run by `--resume`"
            .to_owned();
    }
    format!(
        "valid checkpoint ({}): restore the files, or start again under another `--name`",
        each.join("; ")
    )
}

fn available_list(available: &[u64]) -> String {
    let steps: Vec<_> = available.iter().map(u64::to_string).collect();
    if steps.is_empty() {
        "it has no finished checkpoint at all".to_owned()
    } else {
        format!("choose one of {}", steps.join(", "))
    }
}

/// The error and its chain of sources, in one line.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        text = format!("{text}: {inner}");
        source = inner.source();
    }
    text
}

fn advice(kind: io::ErrorKind) -> &'static str {
    match kind {
        io::ErrorKind::PermissionDenied => "check the permissions of the folder",
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "free some disk space",
        io::ErrorKind::ReadOnlyFilesystem => "choose a runs folder on a writable disk",
        io::ErrorKind::NotFound => "check that the path exists",
        io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists => {
            "something else has this name: move it away"
        }
        _ => "check the path and the disk",
    }
}
