//! Evaluation: losses in all, by position and by load.

use std::path::PathBuf;

use miras_data::{Batch, DataConfig, Tokenizer};
use miras_model::{LanguageModel, ModelState};

use crate::held_out::{self, HeldOut};
use crate::report::{ByPairs, Report, SCHEMA, StateUsed, VERSION, Weighed};
use crate::sums::{Sum, by_position, total};
use crate::tensors::{read, tokens};
use crate::{Generator, Memory, Stored, Trained, UseError};

/// What is asked of an evaluation.
#[derive(Debug, Clone, Default)]
pub struct EvalRequest {
    /// Files, folders and patterns of text; empty for the run's own validation data.
    pub data: Vec<String>,
    /// Tokens of a row; those of training by default.
    pub length: Option<usize>,
    /// Rows of a batch; those of training by default.
    pub batch: Option<usize>,
    /// How many batches; `eval.batches` by default.
    pub batches: Option<Batches>,
    /// What memories do.
    pub memory: Memory,
    /// The file of a state that every row starts from.
    pub state: Option<PathBuf>,
    /// Assignments to keys of `[data]`.
    pub sets: Vec<String>,
    /// Numbers of pairs a row; a quarter, half, all and twice those of training by default.
    pub pairs: Vec<usize>,
}

/// How many batches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Batches {
    /// As many as there are.
    All,
    /// So many, or all if there are fewer.
    First(u64),
}

/// Evaluates a run.
pub fn evaluate(trained: &Trained, request: &EvalRequest) -> Result<Report, UseError> {
    evaluate_watched(trained, request, &|_, _| {})
}

/// Evaluates a run, and says after every batch how many are done and how many there are.
pub fn evaluate_watched(
    trained: &Trained,
    request: &EvalRequest,
    watch: &dyn Fn(u64, u64),
) -> Result<Report, UseError> {
    trained.check_memory(request.memory)?;
    let start = start(trained, request)?;
    let (held_out, tokenizer) = held_out::open(trained, request)?;
    let pass = Measure {
        trained,
        request,
        state: start.as_ref().map(|(state, _)| state),
        tokenizer: tokenizer.as_ref(),
    };
    let batches = pass.batches(&held_out)?;
    let loads = pass.loads(&held_out)?;
    let all = batches * (1 + loads.len() as u64);
    let positions = pass.positions(&held_out, batches, &|done| watch(done, all))?;
    let description = held_out.set.describe();
    Ok(Report {
        schema: SCHEMA.to_owned(),
        version: VERSION,
        run: trained.origin.run.clone(),
        step: trained.origin.step,
        trained_tokens: trained.tokens,
        weights: trained.origin.weights.clone(),
        data: Weighed {
            name: description.name,
            bytes: description.valid_bytes,
            fingerprint: (description.valid_fingerprint).unwrap_or(description.fingerprint),
        },
        length: positions.len(),
        batch: pass.rows(),
        batches,
        memory: request.memory,
        state: start.as_ref().map(|(_, used)| used.clone()),
        device: trained.device_name.clone(),
        measured: total(&positions).measured(),
        by_position: by_position(&positions),
        by_pairs: pass.by_pairs(&loads, batches, &|done| watch(batches + done, all))?,
        notes: description.notes,
    })
}

/// The state that every row starts from.
fn start(
    trained: &Trained,
    request: &EvalRequest,
) -> Result<Option<(ModelState, StateUsed)>, UseError> {
    let Some(path) = &request.state else {
        return Ok(None);
    };
    if request.memory == Memory::Reset {
        let message = "a memory that is reset does not go on from a state: leave --state out, or \
                       use --memory live or frozen";
        return Err(UseError::Usage(message.to_owned()));
    }
    let generator = Generator::resume(trained, Memory::Live, Stored::read(path)?)?;
    let used = StateUsed {
        path: path.display().to_string(),
        position: generator.position(),
    };
    Ok(generator.into_state().map(|state| (state, used)))
}

/// An evaluation under way.
struct Measure<'a> {
    trained: &'a Trained,
    request: &'a EvalRequest,
    state: Option<&'a ModelState>,
    tokenizer: Option<&'a Tokenizer>,
}

impl Measure<'_> {
    fn rows(&self) -> usize {
        self.request
            .batch
            .unwrap_or(self.trained.config.train.batch)
    }

    fn batches(&self, held_out: &HeldOut) -> Result<u64, UseError> {
        let all = held_out.set.eval_batches(self.rows());
        let default = Batches::First(self.trained.config.eval.batches);
        match (self.request.batches.unwrap_or(default), all) {
            (Batches::First(0), _) => {
                let message = "--batches must be 1 or more, or all";
                Err(UseError::Usage(message.to_owned()))
            }
            (Batches::First(count), all) => Ok(all.map_or(count, |all| all.min(count))),
            (Batches::All, Some(all)) => Ok(all),
            (Batches::All, None) => {
                let message = "these data are generated without end: give --batches a number";
                Err(UseError::Usage(message.to_owned()))
            }
        }
    }

    /// The sums at each position of the rows.
    fn positions(
        &self,
        held_out: &HeldOut,
        batches: u64,
        watch: &dyn Fn(u64),
    ) -> Result<Vec<Sum>, UseError> {
        let mut positions = vec![Sum::default(); held_out.config_len(self.request)];
        for index in 0..batches {
            let batch = held_out.set.eval_batch(index, self.rows())?;
            let (losses, hits) = self.measure(&batch)?;
            for (at, weight) in batch.weights.iter().enumerate() {
                let weight = f64::from(*weight);
                if weight == 0.0 {
                    continue;
                }
                let target = batch.targets[at];
                let bytes =
                    (self.tokenizer).map_or(0, |tokenizer| tokenizer.decode(&[target]).len());
                positions[at % batch.len].add(&Sum {
                    loss: f64::from(losses[at]) * weight,
                    hits: f64::from(hits[at]) * weight,
                    weight,
                    bytes: bytes as f64 * weight,
                });
            }
            if !total(&positions).loss.is_finite() {
                let message = format!("the loss of batch {index} (counted from 0) is not finite");
                return Err(UseError::NonFinite(message));
            }
            watch(index + 1);
        }
        Ok(positions)
    }

    /// The loss of every target, and whether it is ranked first.
    fn measure(&self, batch: &Batch) -> Result<(Vec<f32>, Vec<f32>), UseError> {
        let device = &self.trained.device;
        let state = (self.state).map(|state| ModelState::cat(&vec![state.clone(); batch.rows]));
        let inputs = tokens(&batch.inputs, batch.rows, device);
        let pass = self.request.memory.pass();
        let logits = self.trained.model.forward(inputs, state, pass).logits;
        let targets = tokens(&batch.targets, batch.rows, device);
        let first = logits.clone().argmax(2).reshape([batch.rows, batch.len]);
        let hits = first.equal(targets.clone()).float();
        let losses = LanguageModel::token_losses(logits, targets);
        Ok((read(losses)?, read(hits)?))
    }

    /// The numbers of pairs to measure at; none where the data are not recall.
    fn loads(&self, held_out: &HeldOut) -> Result<Vec<usize>, UseError> {
        let asked = self.request.pairs.clone();
        let DataConfig::Mqar(config) = &held_out.config else {
            if asked.is_empty() {
                return Ok(asked);
            }
            let message = "--pairs is about recall (data.kind = \"mqar\"): leave it out";
            return Err(UseError::Usage(message.to_owned()));
        };
        if !asked.is_empty() {
            return Ok(asked);
        }
        let all = config.pairs;
        let mut loads = vec![all / 4, all / 2, all, 2 * all];
        loads.retain(|&pairs| {
            let mut config = config.clone();
            config.pairs = pairs;
            config.validate().is_empty()
        });
        Ok(loads)
    }

    fn by_pairs(
        &self,
        loads: &[usize],
        batches: u64,
        watch: &dyn Fn(u64),
    ) -> Result<Vec<ByPairs>, UseError> {
        (loads.iter().zip(0_u64..))
            .map(|(&pairs, at)| {
                let held_out = held_out::with_pairs(self.trained, self.request, pairs)?;
                let watch = |done| watch(at * batches + done);
                let positions = self.positions(&held_out, batches, &watch)?;
                let measured = total(&positions).measured();
                Ok(ByPairs { pairs, measured })
            })
            .collect()
    }
}

impl HeldOut {
    /// Tokens of a row.
    fn config_len(&self, request: &EvalRequest) -> usize {
        request.length.unwrap_or_else(|| self.config.seq_len())
    }
}
