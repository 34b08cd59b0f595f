//! A sweep folder: what was planned, and what came of it.

use std::collections::BTreeMap;
use std::ops::Deref;
use std::path::{Path, PathBuf};

use miras_sweep::{Plan, State, SweepFolder, states};

use crate::CompareError;

/// A sweep: the same file with some keys varied.
#[derive(Debug, Clone)]
pub struct Sweep {
    /// Its folder.
    pub path: PathBuf,
    /// What was planned.
    pub plan: Plan,
}

impl Deref for Sweep {
    type Target = Plan;

    fn deref(&self) -> &Plan {
        &self.plan
    }
}

/// Reads the plan, and where each trial stands by its id.
pub(super) fn read(folder: &Path) -> Result<(Sweep, BTreeMap<String, State>), CompareError> {
    let opened = SweepFolder::open(folder)?;
    let sweep = Sweep {
        path: folder.to_owned(),
        plan: opened.plan().clone(),
    };
    Ok((sweep, states(&opened.ledger().events()?)))
}
