//! The ways in which the program ends, and their exit codes.

use std::process::ExitCode;

/// What the help of every command says of them.
pub(crate) const EXIT_CODES: &str = "\
Exit codes:
  0    done
  1    failed (a file, a disk, a device)
  2    wrong usage or configuration
  3    stopped because a number became infinite or NaN
  130  interrupted, the state is saved";

/// How the program ends; its number is the exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum ExitStatus {
    /// All is done.
    Done = 0,
    /// Something outside the program's hands went wrong.
    Failed = 1,
    /// The command line or the configuration is wrong.
    Usage = 2,
    /// A number became infinite or NaN.
    NonFinite = 3,
    /// A signal came, and the state is saved.
    Interrupted = 130,
}

impl ExitStatus {
    pub(crate) fn code(self) -> ExitCode {
        ExitCode::from(self as u8)
    }
}
