//! A run in progress: the loop over steps, evaluations and checkpoints.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use miras_data::{Batch, Dataset};
use miras_log::{Progress, Span, Tick};
use miras_model::parameters;
use miras_run::metrics::{
    ACCURACY, EVAL_LOSS, GRAD_NORM, LOSS, LR, Means, QUESTIONS, SECONDS, SKIPPED, TOKENS_PER_S,
};
use miras_run::{Best, Goal, RunFolder};
use miras_spec::read::weight_of;
use miras_spec::{OnNonfinite, RunConfig, StateRule, learning_rate};

use crate::cpu_reference::{CpuReference, VerifiedLearner};
use crate::evaluation::{self, evaluate};
use crate::learner::{Fault, Gradients};
use crate::metrics_log::MetricsLog;
use crate::nonfinite::{Cause, cause, first_nonfinite, locate};
use crate::probe::{Due, probe};
use crate::samples::Samples;
use crate::saver::{Occasion, Saver};
use crate::snapshot::State;
use crate::start::PreparedRun;
use crate::{RunRequest, TrainError, banner};

/// A run in progress.
pub(crate) struct Session {
    pub(crate) config: RunConfig,
    pub(crate) data: Box<dyn Dataset>,
    pub(crate) learner: VerifiedLearner,
    pub(crate) folder: RunFolder,
    pub(crate) saver: Saver,
    pub(crate) state: State,
    pub(crate) log: MetricsLog,
    pub(crate) progress: Progress,
    /// Without `--name N --resume`.
    pub(crate) resume_command: String,
    /// What the model writes at every evaluation, if that is wanted.
    samples: Option<Samples>,
    /// The step and loss of the latest evaluation, if this process made it or the checkpoint
    /// that it goes on from knows of it.
    pub(crate) evaluated: Option<(u64, f64)>,
    stop: Arc<AtomicBool>,
    begun: Instant,
    /// What this process has spent on steps, comparisons with the CPU included.
    stepping: Duration,
    /// Tokens and training time at the latest line of metrics.
    logged: (u64, Duration),
}

/// Why the loop ended.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum End {
    /// All steps are done.
    Finished,
    /// The time is up.
    Time,
    /// The stop flag was set.
    Interrupted,
    /// Something is not finite, and where.
    Nonfinite(String),
}

impl Session {
    pub(crate) fn open(
        config: RunConfig,
        data: Box<dyn Dataset>,
        request: RunRequest,
        prepared: PreparedRun,
        reference: Option<CpuReference>,
    ) -> Result<Self, TrainError> {
        let state = prepared.state;
        let samples = Samples::new(&config, prepared.folder.path())?;
        let resumed_at = prepared.resumed.then_some(state.step);
        let log = MetricsLog::open(&prepared.folder, &config, resumed_at)?;
        let evaluated = (prepared.eval)
            .filter(|_| log.had_at_resume(EVAL_LOSS))
            .map(|loss| (state.step, loss));
        let span = Span {
            start: state.step,
            start_tokens: state.tokens,
            total: config.train.steps,
            every: config.log.every,
        };
        let mut progress = Progress::new(request.progress, request.console, span);
        let model = &prepared.learner.model;
        let banner = banner::lines(&config, &prepared.folder, model, data.as_ref(), &state);
        for line in prepared.notes.into_iter().chain(banner) {
            progress.line(&line);
        }
        Ok(Self {
            logged: (state.tokens, Duration::ZERO),
            learner: VerifiedLearner::new(prepared.learner, reference),
            samples,
            folder: prepared.folder,
            saver: Saver::new(prepared.checkpoints, prepared.checkpoint),
            evaluated,
            log,
            resume_command: request.resume_command,
            stop: request.stop,
            begun: Instant::now(),
            stepping: Duration::ZERO,
            config,
            data,
            state,
            progress,
        })
    }

    /// Steps until the end, with evaluations and checkpoints when they are due.
    pub(crate) fn steps(&mut self) -> Result<End, TrainError> {
        let due = |every: u64, step: u64| every > 0 && step.is_multiple_of(every);
        loop {
            if self.stop.load(Ordering::Relaxed) {
                return Ok(End::Interrupted);
            }
            if self.state.step >= self.config.train.steps {
                return Ok(End::Finished);
            }
            if self.is_out_of_time() {
                return Ok(End::Time);
            }
            if let Some(place) = self.step()? {
                return Ok(End::Nonfinite(place));
            }
            let step = self.state.step;
            if due(self.config.eval.every, step)
                && let Some(place) = self.evaluate()?
            {
                return Ok(End::Nonfinite(place));
            }
            let occasion = if due(self.config.checkpoint.every, step) {
                Some(Occasion::Step)
            } else {
                (self.config.checkpoint.keep_best && self.is_best_at(step))
                    .then_some(Occasion::NewBest)
            };
            // The last step is saved with all that is measured at the end.
            if step < self.config.train.steps
                && let Some(occasion) = occasion
                && let Some(place) = self.save(occasion)?
            {
                return Ok(End::Nonfinite(place));
            }
        }
    }

    /// One step; the place of the first non-finite value if the run has to stop for it.
    fn step(&mut self) -> Result<Option<String>, TrainError> {
        let step = self.state.step + 1;
        let is_logged = self.is_logged(step);
        let wants_accuracy = is_logged && self.config.measures().contains(&&ACCURACY);
        let lr = learning_rate(&self.config.optim, self.state.step);
        let clip = self.config.optim.clip;

        let begun = Instant::now();
        if self.is_at_stretch_start()? {
            self.learner.reset_state();
        }
        let batches = self.batches()?;
        let gradients = self.learner.gradients(step, &batches, wants_accuracy)?;
        self.stepping += begun.elapsed();

        let loss = gradients.loss;
        let mut values = self.training_metrics(&batches, &gradients);
        values.push((LR.name.to_owned(), lr));
        values.push((GRAD_NORM.name.to_owned(), gradients.norm.value));
        if let Some(fault) = gradients.fault(clip) {
            if let Some(place) = self.skip_or_stop(&batches, &gradients, &fault)? {
                self.log_scalars(step, &values)?;
                return Ok(Some(place));
            }
            // What made the step non-finite may be in the memories themselves.
            self.learner.reset_state();
        } else {
            let probed = self.probe(step, is_logged, &batches)?;
            let begun = Instant::now();
            let verified = self.learner.update(step, gradients, lr, clip)?;
            self.stepping += begun.elapsed();
            if let Some(line) = verified {
                self.progress.line(&line);
            }
            self.state.skipped_in_a_row = 0;
            if is_logged {
                values.push((TOKENS_PER_S.name.to_owned(), self.speed(&batches)));
                values.push((SECONDS.name.to_owned(), self.seconds()));
                values.extend(probed);
            }
        }
        if self.config.train.on_nonfinite == OnNonfinite::Skip {
            values.push((SKIPPED.name.to_owned(), self.state.skipped as f64));
        }

        self.state.step = step;
        self.state.tokens += tokens_of(&batches);
        if is_logged {
            self.log_scalars(step, &values)?;
            self.logged = (self.state.tokens, self.training());
        }
        self.progress.tick(&Tick {
            step,
            tokens: self.state.tokens,
            loss,
            training: self.training(),
        });
        Ok(None)
    }

    fn batches(&self) -> Result<Vec<Batch>, TrainError> {
        let (train, step) = (&self.config.train, self.state.step);
        (0..train.accumulate)
            .map(|at| {
                let rows = at * train.batch..(at + 1) * train.batch;
                let batch = match train.state {
                    StateRule::Reset => self.data.train_batch(step, rows),
                    StateRule::Carry => self.data.stream_batch(step, rows, train.sequences()),
                };
                Ok(batch?)
            })
            .collect()
    }

    /// Whether the next step reads the beginning of every row's stretch of the text.
    fn is_at_stretch_start(&self) -> Result<bool, TrainError> {
        let train = &self.config.train;
        Ok(match train.state {
            StateRule::Reset => false,
            StateRule::Carry => {
                let steps = self.data.stream_steps(train.sequences())?;
                self.state.step.is_multiple_of(steps)
            }
        })
    }

    /// The loss of a step, and the metric beside it.
    fn training_metrics(&self, batches: &[Batch], gradients: &Gradients) -> Vec<(String, f64)> {
        let bytes = batches.iter().map(|batch| batch.bytes).sum::<u64>() as f64;
        let means = Means {
            loss: gradients.loss,
            accuracy: gradients.accuracy,
            bytes: bytes / batches.iter().map(weight_of).sum::<f64>(),
            ..Means::default()
        };
        evaluation::values(&[&LOSS, self.config.measures()[0]], &means, "train")
    }

    /// Logs the histograms of a step, and gives the scalars of its memories, where they are due.
    fn probe(
        &mut self,
        step: u64,
        is_logged: bool,
        batches: &[Batch],
    ) -> Result<Vec<(String, f64)>, TrainError> {
        let every = self.config.log.histograms;
        let due = Due {
            scalars: is_logged,
            histograms: every > 0 && step.is_multiple_of(every),
        };
        let found = probe(&self.config, &self.learner.on_device, batches, due)?;
        for (tag, values) in &found.histograms {
            self.log.histogram(step, tag, values)?;
        }
        Ok(found.scalars)
    }

    /// Counts a skipped step, or names the place if the run has to stop.
    fn skip_or_stop(
        &mut self,
        batches: &[Batch],
        gradients: &Gradients,
        fault: &Fault,
    ) -> Result<Option<String>, TrainError> {
        self.state.skipped += 1;
        self.state.skipped_in_a_row += 1;
        let train = &self.config.train;
        let is_skip = train.on_nonfinite == OnNonfinite::Skip;
        if is_skip && self.state.skipped_in_a_row < train.max_skips.unwrap_or(u64::MAX) {
            return Ok(None);
        }
        let learner = &self.learner.on_device;
        let Cause { what, place } = cause(learner, batches, gradients, fault)?;
        let repeated = match self.state.skipped_in_a_row {
            1 => String::new(),
            times => format!(", {times} steps in a row"),
        };
        let step = self.state.step + 1;
        Ok(Some(format!(
            "step {step}: {what}{repeated}; first non-finite: {place}"
        )))
    }

    /// Evaluates and logs; the place of the first non-finite value if the run has to stop.
    pub(crate) fn evaluate(&mut self) -> Result<Option<String>, TrainError> {
        let step = self.state.step;
        let (data, learner) = (self.data.as_ref(), &self.learner.on_device);
        let found = evaluate(&self.config, data, learner, "eval", learner.pass.ablation)?;
        let mut values = found.values;
        let text: Vec<String> = (values.iter())
            .map(|(tag, value)| format!("{tag} {value:.4}"))
            .collect();
        if self.config.measures().contains(&&ACCURACY) {
            values.push((QUESTIONS.name.to_owned(), found.targets));
        }
        if !self.is_logged(step) {
            // Curves against time need the time of their points.
            values.push((SECONDS.name.to_owned(), self.seconds()));
        }
        self.log_scalars(step, &values)?;
        self.evaluated = Some((step, found.loss));
        self.progress
            .line(&format!("step {step}  {}", text.join("  ")));
        self.write_samples(step)?;
        self.note_best(step, found.loss);
        match found.nonfinite {
            Some(rows) if self.config.train.on_nonfinite == OnNonfinite::Stop => {
                let passes = [(&rows.batch, rows.state)];
                let place = locate(&self.learner.on_device, passes)?;
                let place = place.unwrap_or_else(|| "the loss itself".to_owned());
                Ok(Some(format!(
                    "step {step}: eval/loss is {}; first non-finite: {place}",
                    found.loss
                )))
            }
            _ => Ok(None),
        }
    }

    fn note_best(&mut self, step: u64, loss: f64) {
        let is_best =
            (self.state.best.as_ref()).is_none_or(|best| Goal::Lower.is_better(loss, best.value));
        if is_best && loss.is_finite() {
            self.state.best = Some(Best {
                metric: EVAL_LOSS.to_owned(),
                value: loss,
                step,
            });
        }
    }

    /// Whether the best evaluation so far is that of this step.
    fn is_best_at(&self, step: u64) -> bool {
        (self.state.best.as_ref()).is_some_and(|best| best.step == step)
    }

    /// Has the model go on with the prompts of `log.samples`.
    fn write_samples(&mut self, step: u64) -> Result<(), TrainError> {
        let Some(samples) = &self.samples else {
            return Ok(());
        };
        let learner = &self.learner.on_device;
        let texts = samples.write(
            &learner.inference_model(),
            learner.pass.ablation,
            &learner.device,
        )?;
        for (number, text) in texts.iter().enumerate() {
            let tag = format!("samples/{}", number + 1);
            self.log.text(step, &tag, text)?;
        }
        Ok(())
    }

    /// Saves a checkpoint; the place of the first non-finite weight instead, if there is one.
    pub(crate) fn save(&mut self, occasion: Occasion) -> Result<Option<String>, TrainError> {
        let step = self.state.step;
        let learner = &self.learner.on_device;
        if let Some(name) = first_nonfinite(&parameters(&learner.model))? {
            return Ok(Some(format!(
                "step {step}: the weights are not finite after it; first non-finite: parameter `{name}`"
            )));
        }
        // What a checkpoint knows of must not be missing from the metrics.
        self.log.flush()?;
        let state = State {
            seconds: self.seconds(),
            ..self.state.clone()
        };
        let eval = self.evaluated.filter(|(at, _)| *at == step);
        let eval = eval.map(|(_, loss)| loss);
        for warning in self.saver.save(learner, &state, eval, occasion)? {
            self.progress.line(&warning);
        }
        Ok(None)
    }

    /// Logs scalars at a step.
    pub(crate) fn log_scalars(
        &mut self,
        step: u64,
        values: &[(String, f64)],
    ) -> Result<(), TrainError> {
        self.log.scalars(step, self.state.tokens, values)
    }

    /// Whether the metrics of a step are written.
    fn is_logged(&self, step: u64) -> bool {
        step.is_multiple_of(self.config.log.every) || step == self.config.train.steps
    }

    /// Tokens a second of training since the latest line of metrics.
    fn speed(&self, batches: &[Batch]) -> f64 {
        let (tokens, training) = self.logged;
        let tokens = self.state.tokens + tokens_of(batches) - tokens;
        tokens as f64 / self.training().saturating_sub(training).as_secs_f64()
    }

    /// What this process has spent on training.
    fn training(&self) -> Duration {
        self.stepping.saturating_sub(self.learner.comparing)
    }

    /// Seconds of training, all starts together.
    pub(crate) fn seconds(&self) -> f64 {
        self.state.seconds + self.training().as_secs_f64()
    }

    fn is_out_of_time(&self) -> bool {
        let minutes = self.config.train.max_minutes;
        minutes.is_some_and(|minutes| self.begun.elapsed().as_secs_f64() >= minutes * 60.0)
    }
}

fn tokens_of(batches: &[Batch]) -> u64 {
    let tokens = batches.iter().map(|batch| batch.rows * batch.len);
    tokens.sum::<usize>() as u64
}
