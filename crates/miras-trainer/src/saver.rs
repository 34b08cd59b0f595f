//! The checkpoints of a run in progress.

use miras_run::metrics::EVAL_LOSS;
use miras_run::{CheckpointInfo, Checkpoints};

use crate::TrainError;
use crate::learner::Learner;
use crate::snapshot::{self, State};

/// Why a checkpoint is saved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Occasion {
    /// Its step: that of the schedule, or the last one of this process.
    Step,
    /// Its evaluation is the best so far.
    NewBest,
}

/// Saves checkpoints, and knows the newest.
pub(crate) struct Saver {
    checkpoints: Checkpoints,
    /// The step of the newest checkpoint.
    pub(crate) newest: Option<u64>,
}

impl Saver {
    /// Where `newest` is the checkpoint that a run goes on from.
    pub(crate) fn new(checkpoints: Checkpoints, newest: Option<u64>) -> Self {
        Self {
            checkpoints,
            newest,
        }
    }

    /// Saves a checkpoint, whose evaluation is `eval` if it has one; warnings about others.
    pub(crate) fn save(
        &mut self,
        learner: &Learner,
        state: &State,
        eval: Option<f64>,
        occasion: Occasion,
    ) -> Result<Vec<String>, TrainError> {
        let info = CheckpointInfo {
            metric: Some(EVAL_LOSS.to_owned()),
            eval,
            best: state.best.as_ref().map(|best| best.value),
            best_step: state.best.as_ref().map(|best| best.step),
            only_best: occasion == Occasion::NewBest,
            ..CheckpointInfo::new(state.tokens)
        };
        let save = |files: &_| snapshot::save(files, learner, state);
        let saved = self.checkpoints.save(state.step, save, &info)?;
        self.newest = Some(state.step);
        let mut warnings: Vec<String> = (saved.unreadable.iter())
            .map(|damaged| format!("warning: {damaged}; it stays, for it may be the best one"))
            .collect();
        warnings.extend(saved.not_pruned.map(|error| format!("warning: {error}")));
        Ok(warnings)
    }
}
