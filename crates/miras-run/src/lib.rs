//! The run folder on disk, from which a training run can be resumed.
//!
//! ```text
//! runs/<name>/
//!   config.toml                  the resolved configuration
//!   run.json                     each start of the run: code, command, device; the checksum of
//!                                config.toml
//!   tokenizer/                   the files of the tokenizer of its text
//!   metrics.jsonl                one line per logged step (written by the logger)
//!   checkpoints/step-00000020/   weights, optimizer, state and a sealed manifest
//!   summary.json                 how the run ended
//!   eval-256-live.json           what was measured afterwards, one file per setting (by `eval`)
//!   lock                         held while a process trains in the folder
//! ```
//!
//! Every file is written atomically: under another name, then flushed to the disk and renamed.
//! If the process is killed at any instant, the newest finished checkpoint is still complete.
//!
//! - [`RunFolder`] makes, opens and locks the folder.
//! - [`Checkpoints`] saves, finds, verifies and prunes checkpoints.
//! - [`RunRecord`] is `run.json`, [`Summary`] is `summary.json`, [`Export`] is `export.json` in a
//!   folder of weights outside of a run; each carries the checksum of its own text.
//! - [`metrics`] is the list of what is measured: names, units, which values are better.
//! - [`RunError`] names the place of each failure and what to do.
//!
//! The crate does not depend on tensors: the caller writes the files of a checkpoint.
//!
//! ```
//! use miras_run::{CheckpointInfo, Checkpoints, Policy, RunError, RunFolder};
//! use miras_run::{RunRecord, Start, provenance};
//! # let top = tempfile::tempdir().expect("a folder for the example");
//! # let runs_dir = top.path();
//! let start = Start {
//!     step: 0,
//!     device: "cpu".to_owned(),
//!     provenance: provenance(&[], None),
//! };
//! let record = RunRecord::new(1, "a text", None, start);
//! let folder = RunFolder::create(runs_dir, "moneta", "steps = 20\n", &record, &[])?;
//! let mut checkpoints = Checkpoints::new(&folder, Policy::default());
//! checkpoints.save(
//!     20,
//!     |files| std::fs::write(files.join("model.safetensors"), b"weights"),
//!     &CheckpointInfo::new(40_960),
//! )?;
//!
//! let newest = checkpoints.latest_valid()?.require()?;
//! assert_eq!(newest.step, 20);
//! # Ok::<(), RunError>(())
//! ```

mod checkpoints;
mod checksum;
mod counts;
mod error;
mod export;
mod files;
mod folder;
mod inputs;
mod layout;
mod lock;
mod manifest;
mod memory;
pub mod metrics;
mod names;
mod new_folder;
mod policy;
mod provenance;
mod reports;
mod seal;
mod shell;
mod summary;
mod vouched;

pub use checkpoints::{Checkpoint, Checkpoints, Found, Saved};
pub use checksum::{hex, sha256_hex, sha256_of_file, short_checksums};
pub use counts::counted;
pub use error::{Damaged, Fault, Result, RunError};
pub use export::{Export, Exported};
pub use files::{AtomicFile, remove_left, write_atomic};
pub use folder::RunFolder;
pub use inputs::Inputs;
pub use manifest::{CheckpointInfo, FileEntry, Goal, Manifest};
pub use memory::Memory;
pub use new_folder::new_folder;
pub use policy::Policy;
pub use provenance::{Cost, Provenance, RunRecord, SourceTree, Start, provenance, rfc3339};
pub use reports::{Kept, REPORT, TASK_REPORT, report_name, settings_hash, task_report_name};
pub use seal::{read_sealed, to_sealed_json};
pub use shell::shell_word;
pub use summary::{Best, Status, Summary};
pub use vouched::{
    Vouched, config as vouched_config, tokenizer as vouched_tokenizer, weights as vouched_weights,
};
