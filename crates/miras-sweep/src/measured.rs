//! Which trials have been measured as they are now.

use std::fs;

use miras_run::RunFolder;
use serde_json::Value;

use crate::{
    error::SweepError,
    folder::SweepFolder,
    plan::{Evaluations, Trial},
};

impl SweepFolder {
    /// Whether all that is to be measured on a trial has been.
    pub(crate) fn is_all_measured(&self, trial: &Trial) -> Result<bool, SweepError> {
        let each = (self.plan().evaluate.iter())
            .flat_map(|evaluations| evaluations.each(trial.has_memory()));
        for (length, memory) in each {
            if !self.is_measured(trial, length, memory)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Whether there is a report at this length, on the text and the amount of the plan and of
    /// the weights that the run has now: a trial that was trained further is measured again.
    pub(crate) fn is_measured(
        &self,
        trial: &Trial,
        length: usize,
        memory: &str,
    ) -> Result<bool, SweepError> {
        let Some(evaluations) = &self.plan().evaluate else {
            return Ok(true);
        };
        let file = self.path().join(&trial.name);
        let report = fs::read(file.join(Evaluations::file(length, memory))).ok();
        let report = report.and_then(|bytes| serde_json::from_slice::<Value>(&bytes).ok());
        let Some(report) = report else {
            return Ok(false);
        };
        let run = RunFolder::open_to_read(self.path(), &trial.name)?;
        let is_of_now = match run.newest()? {
            Some(newest) => {
                newest.weights.is_some() && report["weights"].as_str() == newest.weights.as_deref()
            }
            // Nothing is left that could be measured again.
            None => report["step"].as_u64() == run.read_summary()?.map(|summary| summary.steps),
        };
        let is = |key: &str, value: u64| report[key].as_u64() == Some(value);
        Ok(is_of_now
            && is("length", length as u64)
            && is("stretches", evaluations.stretches())
            && report["size"].as_str() == Some(&evaluations.tokens.to_string()))
    }
}
