//! Which trials are lost or not measured, and have to be reopened.

use std::fs;
use std::path::Path;

use miras_run::{RunFolder, sha256_of_file};
use serde_json::Value;

use crate::{
    error::SweepError,
    folder::SweepFolder,
    ledger::{Event, EventKind},
    plan::{Trial, What},
    schedule::{State, states},
};

/// How the checksum of all bytes of a text begins, and that of one that is read through noise.
const WHOLE: [&str; 2] = ["sha256:", "sha256-corrupted:"];

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
        (self.ledger()).append(&Event::now(trial, rung, EventKind::Retry, steps))
    }

    /// Whether all evaluations of a trial are done.
    pub(crate) fn is_all_measured(&self, trial: &Trial) -> Result<bool, SweepError> {
        let each = (self.plan().evaluate.iter())
            .flat_map(|evaluations| evaluations.each(trial.has_memory()));
        for (what, memory) in each {
            if !self.is_measured(trial, what, memory)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Whether there is a report on this and the memory mode, on the text of the run or the file of
    /// the task, the amount of the plan and the present weights, with rows whose state starts anew. A
    /// trial that was trained further is measured again.
    pub(crate) fn is_measured(
        &self,
        trial: &Trial,
        what: What<'_>,
        memory: &str,
    ) -> Result<bool, SweepError> {
        let Some(evaluations) = &self.plan().evaluate else {
            return Ok(true);
        };
        let file = self.path().join(&trial.name);
        let report = fs::read(file.join(what.file(memory))).ok();
        let report = report.and_then(|bytes| serde_json::from_slice::<Value>(&bytes).ok());
        let Some(report) = report else {
            return Ok(false);
        };
        let run = RunFolder::open_to_read(self.path(), &trial.name)?;
        let is_of_now = match run.newest()? {
            Some(newest) => {
                newest.weights.is_some() && report["weights"].as_str() == newest.weights.as_deref()
            }
            // Without the run there is nothing to measure.
            None => report["step"].as_u64() == run.read_summary()?.map(|summary| summary.steps),
        };
        let is = |key: &str, value: u64| report[key].as_u64() == Some(value);
        let is_here = is_of_now && report["memory"].as_str() == Some(memory);
        Ok(match what {
            What::Rows(length) => {
                is_here
                    && is("length", length as u64)
                    && report["state"].is_null()
                    && !is_of_other_text(&run, &report)
                    && is("stretches", evaluations.stretches())
                    && report["size"].as_str() == Some(&evaluations.tokens.to_string())
            }
            What::Task(task) => {
                let file = task.split_once('=').map(|(_, file)| file);
                let limit = evaluations.limit.map(|limit| limit as u64);
                // A file that cannot be read is for the evaluation to complain of.
                let now = file.and_then(|file| sha256_of_file(Path::new(file)).ok());
                is_here
                    && report["fingerprint"].as_str() == now.as_deref()
                    // Prompts that are made have cells, and no limit.
                    && (report["cells"].is_array() || report["limit"].as_u64() == limit)
            }
        })
    }
}

/// Whether a report is about another text than that of the run, or other noise in it, if both have
/// a checksum of all bytes. A damaged `run.json` is ignored here and reported by those who need it.
fn is_of_other_text(run: &RunFolder, report: &Value) -> bool {
    let inputs = run.read_record().map(|record| record.inputs());
    let own = inputs.ok().and_then(|inputs| inputs.valid.or(inputs.data));
    let read = report["data"]["fingerprint"].as_str();
    let is_whole = |checksum: &&str| WHOLE.iter().any(|kind| checksum.starts_with(kind));
    let both = (own.as_deref().filter(is_whole)).zip(read.filter(is_whole));
    both.is_some_and(|(own, read)| own != read)
}
