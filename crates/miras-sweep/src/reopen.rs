//! Reopens trials that are done or have failed.

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
    /// Discards failures, and results whose run folder is gone, so that these trials are tried
    /// again; returns their number.
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

    /// The number of trials that are done and whose run folder is gone.
    pub fn lost(&self) -> Result<usize, SweepError> {
        let states = states(&self.ledger().events()?);
        let trials = self.plan().trials.iter();
        let lost = trials.filter(|trial| {
            let state = states.get(&trial.id);
            state.is_some_and(|state| self.has_lost(trial, state))
        });
        Ok(lost.count())
    }

    /// Reopens trials that reached the last rung and whose present weights were not measured; valid
    /// measurements are kept.
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
