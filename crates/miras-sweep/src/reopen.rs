//! What is done or has failed, to be done again.

use std::time::SystemTime;

use miras_run::rfc3339;

use crate::{
    error::SweepError,
    folder::SweepFolder,
    ledger::{Event, What, this_process},
    plan::Trial,
    schedule::{State, states},
};

impl SweepFolder {
    /// Forgets failures, and results whose run folder is gone, so that these trials are tried
    /// again; their number.
    pub fn retry(&self) -> Result<usize, SweepError> {
        let states = states(&self.ledger().events()?);
        let mut count = 0;
        for trial in &self.plan().trials {
            let Some(state) = states.get(&trial.id) else {
                continue;
            };
            let is_lost = self.has_lost(trial, state);
            if is_lost {
                for &rung in state.done.keys() {
                    self.reopen(trial, rung, 0)?;
                }
            } else if state.failed.is_some() {
                self.reopen(trial, state.done.len(), state.steps)?;
            }
            count += usize::from(is_lost || state.failed.is_some());
        }
        Ok(count)
    }

    /// How many trials are done, and have lost their run folder since.
    pub fn lost(&self) -> Result<usize, SweepError> {
        let states = states(&self.ledger().events()?);
        let trials = self.plan().trials.iter();
        let lost = trials.filter(|trial| {
            let state = states.get(&trial.id);
            state.is_some_and(|state| self.has_lost(trial, state))
        });
        Ok(lost.count())
    }

    /// Has the trials that got to the last rung measured where they have not been as they are now;
    /// what is measured already is kept.
    pub(crate) fn measure_again(&self) -> Result<(), SweepError> {
        let last = self.plan().rungs.len() - 1;
        let states = states(&self.ledger().events()?);
        for trial in &self.plan().trials {
            if let Some(state) = states.get(&trial.id)
                && state.done.contains_key(&last)
                && !self.has_lost(trial, state)
                && !self.is_all_measured(trial)?
            {
                self.reopen(trial, last, state.steps)?;
            }
        }
        Ok(())
    }

    fn has_lost(&self, trial: &Trial, state: &State) -> bool {
        !state.done.is_empty() && !self.path().join(&trial.name).join("config.toml").is_file()
    }

    fn reopen(&self, trial: &Trial, rung: usize, steps: u64) -> Result<(), SweepError> {
        self.ledger().append(&Event {
            time: rfc3339(SystemTime::now()),
            trial: trial.id.clone(),
            event: What::Retry,
            rung,
            steps,
            metric: None,
            reason: None,
            worker: this_process(),
        })
    }
}
