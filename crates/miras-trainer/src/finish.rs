//! Evaluations, checkpoints, and how a run ends.

use std::collections::BTreeMap;

use miras_data::Metric;
use miras_log::Tracker;
use miras_model::{Ablation, Pass, parameters};
use miras_run::{Best, CheckpointInfo, Goal, Status, Summary, shell_word};
use miras_spec::metrics::{EVAL_LOSS, QUESTIONS};
use miras_spec::{Evaluate, Evaluated, OnNonfinite, StartFrom, StateRule, Sum};

use crate::nonfinite::first_nonfinite;
use crate::samples::block;
use crate::scored::Scored;
use crate::session::{End, Session};
use crate::{Outcome, TrainError, advice, snapshot};

/// Why a checkpoint is saved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Occasion {
    /// Its step: that of the schedule, or the last one of this process.
    Step,
    /// Its evaluation is the best so far.
    NewBest,
}

impl Session {
    /// Trains to the end, and writes how it ended whatever happens.
    pub(crate) fn run(mut self) -> Result<Outcome, TrainError> {
        let result = self.steps().and_then(|end| self.finish(end));
        if let Err(error) = &result {
            // The error that ended the run is the one to report.
            let _ = self.summarize(Status::Failed, Some(error.to_string()));
            let _ = self.trackers.finish(miras_log::Status::Failure);
        }
        self.progress.finish();
        result
    }

    fn finish(&mut self, end: End) -> Result<Outcome, TrainError> {
        let end = self.complete(end)?;
        let (status, logged, message) = match end {
            End::Finished => (Status::Finished, miras_log::Status::Success, None),
            End::Time => {
                let message = self.how_to_go_on("the time is up");
                (Status::Time, miras_log::Status::Interrupted, Some(message))
            }
            End::Interrupted => {
                let message = self.how_to_go_on("interrupted");
                (
                    Status::Interrupted,
                    miras_log::Status::Interrupted,
                    Some(message),
                )
            }
            End::Nonfinite(place) => {
                let message = format!("{place}; {}", self.last_finite());
                (Status::Nonfinite, miras_log::Status::Failure, Some(message))
            }
        };
        let help = (status == Status::Nonfinite).then(|| {
            let go_on = self.saved.map(|_| self.go_on());
            advice::after_nonfinite(&self.config, go_on.as_deref())
        });
        self.summarize(status, message.clone())?;
        self.trackers.finish(logged)?;
        let at = self.state.step;
        self.progress.line(&match &message {
            Some(message) => format!("stopped after step {at}: {message}"),
            None => format!("{status} at step {at}{}", self.in_words_skipped()),
        });
        if let Some(help) = &help {
            self.progress.line(&format!("  = help: {help}"));
        }
        Ok(Outcome {
            status,
            name: self.folder.name().to_owned(),
            folder: self.folder.path().to_owned(),
            step: self.state.step,
            tokens: self.state.tokens,
            checkpoint: self.saved,
            eval_loss: self.evaluated.map(|(_, loss)| loss),
            message,
            help,
        })
    }

    /// What is left to do after the last step.
    fn complete(&mut self, end: End) -> Result<End, TrainError> {
        if matches!(end, End::Nonfinite(_)) {
            return Ok(end);
        }
        let is_over = matches!(end, End::Finished | End::Time);
        let step = self.state.step;
        let mut is_saved = self.saved == Some(step);
        if is_over && self.evaluated.is_none_or(|(at, _)| at != step) {
            if let Some(place) = self.evaluate()? {
                return Ok(End::Nonfinite(place));
            }
            // A checkpoint of this step does not know of this evaluation yet.
            is_saved = false;
        }
        if !is_saved && let Some(place) = self.save(Occasion::Step)? {
            return Ok(End::Nonfinite(place));
        }
        if is_over {
            self.controls()?;
        }
        Ok(end)
    }

    /// Evaluates and logs; the place of the first non-finite value if the run has to stop.
    pub(crate) fn evaluate(&mut self) -> Result<Option<String>, TrainError> {
        let found = self.measure(Ablation::None)?;
        let step = self.state.step;
        let (loss, beside) = self.means(&found, "eval");
        let mut values = vec![(EVAL_LOSS.to_owned(), loss)];
        values.extend(beside);
        let text: Vec<String> = (values.iter())
            .map(|(tag, value)| format!("{tag} {value:.4}"))
            .collect();
        if self.data.metric() == Metric::Accuracy {
            let questions = Sum::total(&found.positions).weight;
            values.push((QUESTIONS.to_owned(), questions));
        }
        if !self.is_logged(step) {
            // Curves against time need the time of their points.
            values.push(("perf/seconds".to_owned(), self.seconds()));
        }
        self.log(step, &values)?;
        self.evaluated = Some((step, loss));
        self.progress
            .line(&format!("step {step}  {}", text.join("  ")));

        self.write_samples(step)?;

        let is_best =
            (self.state.best.as_ref()).is_none_or(|best| Goal::Lower.is_better(loss, best.value));
        if is_best && loss.is_finite() {
            self.state.best = Some(Best {
                metric: EVAL_LOSS.to_owned(),
                value: loss,
                step,
            });
        }
        match found.nonfinite {
            Some(rows) if self.config.train.on_nonfinite == OnNonfinite::Stop => {
                let place = self.place(&[rows.batch], |_, _| rows.state.clone())?;
                let place = place.unwrap_or_else(|| "the loss itself".to_owned());
                Ok(Some(format!(
                    "step {step}: eval/loss is {loss}; first non-finite: {place}"
                )))
            }
            _ => Ok(None),
        }
    }

    /// Has the model go on with the prompts of `log.samples`.
    fn write_samples(&mut self, step: u64) -> Result<(), TrainError> {
        let Some(samples) = &self.samples else {
            return Ok(());
        };
        let texts = samples.write(&self.learner.frozen(), &self.device)?;
        for (number, text) in texts.iter().enumerate() {
            let tag = format!("samples/{}", number + 1);
            self.trackers.text(step, &tag, &block(text))?;
        }
        Ok(())
    }

    fn controls(&mut self) -> Result<(), TrainError> {
        for control in self.config.eval.controls.clone() {
            let prefix = format!("control/{}", control.name());
            if self.known.is_at(self.state.step, &format!("{prefix}/loss")) {
                continue;
            }
            let found = self.measure(control.ablation())?;
            let (loss, beside) = self.means(&found, &prefix);
            let mut values = vec![(format!("{prefix}/loss"), loss)];
            values.extend(beside);
            self.log(self.state.step, &values)?;
            self.progress.line(&format!("{prefix}/loss {loss:.4}"));
        }
        Ok(())
    }

    /// Evaluates as the model is trained: with memories that go on where training carries them.
    fn measure(&self, ablation: Ablation) -> Result<Evaluated, TrainError> {
        let (config, data) = (&self.config, self.data.as_ref());
        let evaluate = Evaluate {
            model: &self.learner.frozen(),
            data,
            selection: &config.eval.selection(data, config.data.seq_len()),
            batch: config.train.batch,
            pass: Pass {
                ablation,
                ..Pass::default()
            },
            start: match config.train.state {
                StateRule::Reset => StartFrom::Initial,
                StateRule::Carry => StartFrom::Carried,
            },
            device: &self.device,
        };
        Ok(evaluate.run(&|_| {})?)
    }

    /// The mean loss, and the metric that goes beside it with its tag.
    fn means(&self, found: &Evaluated, prefix: &str) -> (f64, Option<(String, f64)>) {
        let scored = Scored::of(&Sum::total(&found.positions));
        (
            scored.loss,
            scored.secondary_metric(self.data.metric(), prefix),
        )
    }

    /// Whether the best evaluation so far is that of this step.
    pub(crate) fn is_best_at(&self, step: u64) -> bool {
        self.state
            .best
            .as_ref()
            .is_some_and(|best| best.step == step)
    }

    /// Saves a checkpoint; the place of the first non-finite weight instead, if there is one.
    pub(crate) fn save(&mut self, occasion: Occasion) -> Result<Option<String>, TrainError> {
        let step = self.state.step;
        if let Some(name) = first_nonfinite(&parameters(&self.learner.model))? {
            return Ok(Some(format!(
                "step {step}: the weights are not finite after it; first non-finite: parameter `{name}`"
            )));
        }
        // What a checkpoint knows of must not be missing from the metrics.
        self.trackers.flush()?;
        let state = snapshot::State {
            seconds: self.seconds(),
            ..self.state.clone()
        };
        let info = CheckpointInfo {
            metric: Some(EVAL_LOSS.to_owned()),
            eval: self
                .evaluated
                .filter(|(at, _)| *at == step)
                .map(|(_, loss)| loss),
            best: state.best.as_ref().map(|best| best.value),
            best_step: state.best.as_ref().map(|best| best.step),
            only_best: occasion == Occasion::NewBest,
            ..CheckpointInfo::new(state.tokens)
        };
        let learner = &self.learner;
        let saved =
            (self.checkpoints).save(step, |files| snapshot::save(files, learner, &state), &info)?;
        self.saved = Some(step);
        for damaged in &saved.unreadable {
            self.progress.line(&format!(
                "warning: {damaged}; it stays, for it may be the best one"
            ));
        }
        if let Some(error) = saved.not_pruned {
            self.progress.line(&format!("warning: {error}"));
        }
        Ok(None)
    }

    fn summarize(&self, status: Status, message: Option<String>) -> Result<(), TrainError> {
        self.folder.write_summary(&Summary {
            status,
            message,
            steps: self.state.step,
            tokens: self.state.tokens,
            seconds: self.seconds(),
            best: self.state.best.clone(),
            metrics: self.last_values(),
        })?;
        Ok(())
    }

    /// The last value of each metric; of skipped steps the number up to now, also where the last
    /// steps were not logged.
    fn last_values(&self) -> BTreeMap<String, f64> {
        let mut values = self.metrics.clone();
        if self.config.train.on_nonfinite == OnNonfinite::Skip {
            values.insert("train/skipped".to_owned(), self.state.skipped as f64);
        }
        values
    }

    /// Seconds of training, all starts together.
    pub(crate) fn seconds(&self) -> f64 {
        self.state.seconds + self.training().as_secs_f64()
    }

    fn how_to_go_on(&self, what: &str) -> String {
        format!("{what}; go on with: {}", self.go_on())
    }

    /// The command that continues this run.
    fn go_on(&self) -> String {
        let name = shell_word(self.folder.name());
        format!("{} --name {name} --resume", self.resume_command)
    }

    /// That steps changed nothing, because something in them was not finite.
    fn in_words_skipped(&self) -> String {
        match self.state.skipped {
            0 => String::new(),
            skipped => format!(
                "; {skipped} of its steps were skipped, because something in them was not finite"
            ),
        }
    }

    fn last_finite(&self) -> String {
        match self.saved {
            Some(step) => format!("the checkpoint of step {step} is finite"),
            None => "no checkpoint was saved before".to_owned(),
        }
    }
}
