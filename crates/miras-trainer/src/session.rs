//! One process' share of a run: the loop over steps.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use burn::tensor::Device;
use miras_data::{Batch, Dataset, Metric};
use miras_log::{Progress, Span, Tick, Tracker, Trackers};
use miras_model::ModelState;
use miras_run::{Checkpoints, RunFolder};
use miras_spec::metrics::EVAL_LOSS;
use miras_spec::read::weight_of;
use miras_spec::{OnNonfinite, RunConfig, StateRule, learning_rate};

use crate::finish::Occasion;
use crate::learner::{Fault, Gradients, Learner};
use crate::samples::Samples;
use crate::scored::Scored;
use crate::snapshot::State;
use crate::start::Started;
use crate::trackers::Known;
use crate::verify::Twin;
use crate::{RunRequest, TrainError, banner, nonfinite, trackers};

/// A run in progress.
pub(crate) struct Session {
    pub(crate) config: RunConfig,
    pub(crate) data: Box<dyn Dataset>,
    pub(crate) device: Device,
    pub(crate) learner: Learner,
    pub(crate) folder: RunFolder,
    pub(crate) checkpoints: Checkpoints,
    pub(crate) state: State,
    pub(crate) trackers: Trackers,
    pub(crate) progress: Progress,
    /// Without `--name N --resume`.
    pub(crate) resume_command: String,
    /// What the model writes at every evaluation, if that is wanted.
    pub(crate) samples: Option<Samples>,
    /// The last value of each metric.
    pub(crate) metrics: BTreeMap<String, f64>,
    /// The step of the newest checkpoint.
    pub(crate) saved: Option<u64>,
    /// The step and loss of the latest evaluation, if this process made it or the checkpoint
    /// that it goes on from knows of it.
    pub(crate) evaluated: Option<(u64, f64)>,
    /// What an earlier process logged at the step where this one goes on.
    pub(crate) known: Known,
    /// The CPU's side while steps are compared.
    twin: Option<Twin>,
    stop: Arc<AtomicBool>,
    begun: Instant,
    /// What this process has spent on steps.
    training: Duration,
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
        device: Device,
        request: RunRequest,
        started: Started,
        twin: Option<Twin>,
    ) -> Result<Self, TrainError> {
        let state = started.state;
        let samples = Samples::new(&config, started.folder.path())?;
        let resumed_at = started.resumed.then_some(state.step);
        let trackers = trackers::open(&started.folder, &config, data.metric(), resumed_at)?;
        let (metrics, known) = match resumed_at {
            Some(step) => trackers::logged(&started.folder, step)?,
            None => Default::default(),
        };
        let evaluated = (started.eval)
            .filter(|_| known.has(EVAL_LOSS))
            .map(|loss| (state.step, loss));
        let span = Span {
            start: state.step,
            start_tokens: state.tokens,
            total: config.train.steps,
            every: config.log.every,
        };
        let mut progress = Progress::new(request.progress, request.console, span);
        let model = &started.learner.model;
        let banner = banner::lines(&config, &started.folder, model, data.as_ref(), &state);
        for line in started.notes.into_iter().chain(banner) {
            progress.line(&line);
        }
        Ok(Self {
            logged: (state.tokens, Duration::ZERO),
            learner: started.learner,
            samples,
            folder: started.folder,
            checkpoints: started.checkpoints,
            saved: started.checkpoint,
            evaluated,
            metrics,
            known,
            resume_command: request.resume_command,
            twin,
            stop: request.stop,
            begun: Instant::now(),
            training: Duration::ZERO,
            config,
            data,
            device,
            state,
            trackers,
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
        let wants_accuracy = is_logged && self.data.metric() == Metric::Accuracy;

        let begun = Instant::now();
        if self.is_at_stretch_start()? {
            self.forget();
        }
        let batches = self.batches()?;
        let gradients = self.learner.gradients(&batches, wants_accuracy)?;
        self.training += begun.elapsed();

        let lr = learning_rate(&self.config.optim, self.state.step);
        let (loss, norm) = (gradients.loss, gradients.norm.value);
        let mut values = vec![("train/loss".to_owned(), loss)];
        let bytes = batches.iter().map(|batch| batch.bytes).sum::<u64>() as f64;
        let scored = Scored {
            loss,
            accuracy: gradients.accuracy,
            bytes: bytes / batches.iter().map(weight_of).sum::<f64>(),
        };
        values.extend(scored.secondary_metric(self.data.metric(), "train"));
        values.push(("optim/lr".to_owned(), lr));
        values.push(("optim/grad_norm".to_owned(), norm));

        let verified = self.verify_gradients(step, &batches, &gradients)?;
        let clip = self.config.optim.clip;
        if let Some(fault) = gradients.fault(clip) {
            if let Some(place) = self.skip_or_stop(&batches, &gradients, &fault)? {
                self.log(step, &values)?;
                return Ok(Some(place));
            }
            // What made the step non-finite may be in the memories themselves.
            self.forget();
        } else {
            let probed = self.probe(step, is_logged, &batches)?;
            let begun = Instant::now();
            self.learner.update(gradients, lr, clip);
            self.training += begun.elapsed();
            self.verify_update(step, verified, lr)?;
            self.state.skipped_in_a_row = 0;
            if is_logged {
                values.push(("perf/tokens_per_s".to_owned(), self.speed(&batches)));
                values.push(("perf/seconds".to_owned(), self.seconds()));
                values.extend(probed);
            }
        }
        if self.config.train.on_nonfinite == OnNonfinite::Skip {
            values.push(("train/skipped".to_owned(), self.state.skipped as f64));
        }

        self.state.step = step;
        self.state.tokens += tokens_of(&batches);
        if is_logged {
            self.log(step, &values)?;
            self.logged = (self.state.tokens, self.training);
        }
        self.progress.tick(&Tick {
            step,
            tokens: self.state.tokens,
            loss,
            training: self.training,
        });
        Ok(None)
    }

    /// The CPU's side of a step that is to be compared.
    fn verify_gradients(
        &self,
        step: u64,
        batches: &[Batch],
        gradients: &Gradients,
    ) -> Result<Option<Gradients>, TrainError> {
        let Some(twin) = &self.twin else {
            return Ok(None);
        };
        match twin.gradients(&self.learner, gradients, batches)? {
            Ok(ours) => Ok(Some(ours)),
            Err(gap) => Err(self.disagrees(step, gap)),
        }
    }

    fn verify_update(
        &mut self,
        step: u64,
        verified: Option<Gradients>,
        lr: f64,
    ) -> Result<(), TrainError> {
        let (Some(twin), Some(gradients)) = (&mut self.twin, verified) else {
            return Ok(());
        };
        let clip = self.config.optim.clip;
        if let Some(gap) = twin.update(&self.learner, gradients, lr, clip)? {
            return Err(self.disagrees(step, gap));
        }
        if twin.is_done() {
            self.twin = None;
            let device = &self.config.train.device;
            let line = format!("step {step}  the device `{device}` agrees with the CPU so far");
            self.progress.line(&line);
        }
        Ok(())
    }

    fn disagrees(&self, step: u64, gap: String) -> TrainError {
        let device = self.config.train.device.clone();
        TrainError::Disagrees { step, device, gap }
    }

    /// The next step starts from the initial memory.
    fn forget(&mut self) {
        self.learner.forget();
        if let Some(twin) = &mut self.twin {
            twin.forget();
        }
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
        let what = match fault {
            Fault::Loss => format!("the loss is {}", gradients.loss),
            Fault::Gradient => format!("the gradient norm is {}", gradients.norm.value),
            Fault::Memory => "the carried memory is not finite".to_owned(),
            Fault::Huge(huge) => format!(
                "the gradient is finite, but it has an entry of {:.1e}, whose square float32 cannot hold",
                huge.value
            ),
        };
        let place = match fault {
            Fault::Huge(huge) => format!("AdamW's second moment of parameter `{}`", huge.name),
            Fault::Loss | Fault::Gradient | Fault::Memory => {
                let place = self.place(batches, Learner::frozen_state)?;
                let gradient = gradients.norm.nonfinite.as_ref();
                place
                    .or_else(|| gradient.map(|name| format!("gradient of parameter `{name}`")))
                    .unwrap_or_else(|| match fault {
                        Fault::Memory => "the memory after the last token".to_owned(),
                        _ => "the loss itself".to_owned(),
                    })
            }
        };
        let again = match self.state.skipped_in_a_row {
            1 => String::new(),
            times => format!(", {times} steps in a row"),
        };
        let step = self.state.step + 1;
        Ok(Some(format!(
            "step {step}: {what}{again}; first non-finite: {place}"
        )))
    }

    /// The first non-finite place in the passes over these batches, each from the state that
    /// `earlier` gives for it.
    pub(crate) fn place(
        &self,
        batches: &[Batch],
        earlier: impl Fn(&Learner, usize) -> Option<ModelState>,
    ) -> Result<Option<String>, TrainError> {
        let model = self.learner.frozen();
        for (at, batch) in batches.iter().enumerate() {
            let earlier = earlier(&self.learner, at);
            let place = nonfinite::first_place(&model, batch, earlier, &self.device)?;
            if place.is_some() {
                return Ok(place);
            }
        }
        Ok(None)
    }

    /// Tokens a second of training since the latest line of metrics.
    fn speed(&self, batches: &[Batch]) -> f64 {
        let (tokens, training) = self.logged;
        let tokens = self.state.tokens + tokens_of(batches) - tokens;
        tokens as f64 / self.training.saturating_sub(training).as_secs_f64()
    }

    /// Logs what has no point at this step yet.
    pub(crate) fn log(&mut self, step: u64, values: &[(String, f64)]) -> Result<(), TrainError> {
        let new: Vec<_> = (values.iter())
            .filter(|(tag, _)| !self.known.is_at(step, tag))
            .cloned()
            .collect();
        if new.is_empty() {
            return Ok(());
        }
        self.trackers.scalars(step, self.state.tokens, &new)?;
        self.metrics.extend(new);
        Ok(())
    }

    /// Whether the metrics of a step are written.
    pub(crate) fn is_logged(&self, step: u64) -> bool {
        step.is_multiple_of(self.config.log.every) || step == self.config.train.steps
    }

    pub(crate) fn training(&self) -> Duration {
        self.training
    }

    fn is_out_of_time(&self) -> bool {
        let minutes = self.config.train.max_minutes;
        minutes.is_some_and(|minutes| self.begun.elapsed().as_secs_f64() >= minutes * 60.0)
    }
}

fn tokens_of(batches: &[Batch]) -> u64 {
    batches.iter().map(|batch| batch.inputs.len() as u64).sum()
}
