//! The model, and what it says of tokens.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use burn::tensor::{Int, Tensor, TensorData};
use miras_model::{ModelState, Pass};
use miras_spec::read::read;
use miras_use::Trained;

use crate::error::ApiError;
use crate::job::Told;
use crate::metrics::Metrics;

/// Tokens that go through the blocks at once.
pub(super) const TOKENS: usize = 4096;
/// Logits that are made at once.
const LOGITS: usize = 1 << 22;
/// Rows that are read at once, a token each.
pub(super) const ROWS: usize = 64;

/// A model without gradients.
pub(super) struct Model {
    trained: Trained,
    metrics: Arc<Metrics>,
}

/// What a pass gives.
pub(super) struct Passed {
    /// The state after the last tokens.
    pub(super) state: ModelState,
    /// For each row, the logits after the token that was asked for.
    pub(super) logits: Vec<Vec<f32>>,
    /// For each row, what is said of its targets, if that was asked for.
    pub(super) told: Vec<Vec<Told>>,
}

/// Rows of one length, filled up with any token.
pub(super) struct Rows<'a> {
    /// What is read.
    pub(super) tokens: Vec<&'a [i32]>,
    /// What is scored, and how many of the likeliest tokens are told in each place: of each row, the
    /// tokens that follow its tokens. The last token of a text has no follower, so that its row is
    /// one shorter here. `None` scores nothing.
    pub(super) targets: Option<(Vec<&'a [i32]>, usize)>,
}

impl Model {
    pub(super) fn new(trained: Trained, metrics: Arc<Metrics>) -> Self {
        Self { trained, metrics }
    }

    pub(super) fn trained(&self) -> &Trained {
        &self.trained
    }

    /// A token was written.
    pub(super) fn wrote(&self) {
        self.metrics.written.fetch_add(1, Ordering::Relaxed);
    }

    /// Reads rows from a state on, and says what comes after the last token of each.
    pub(super) fn pass(&self, rows: &Rows, state: Option<ModelState>) -> Result<Passed, ApiError> {
        let count = rows.tokens.len();
        let len = rows.tokens.iter().map(|row| row.len()).max().unwrap_or(1);
        let read_now: usize = rows.tokens.iter().map(|row| row.len()).sum();
        let (x, state) = (self.trained.model).hidden_states(
            self.filled(&rows.tokens, len),
            state,
            Pass::default(),
        );
        let [_, _, d] = x.dims();
        let last = rows.tokens.iter().enumerate().map(|(row, tokens)| {
            x.clone()
                .slice([row..row + 1, tokens.len() - 1..tokens.len(), 0..d])
        });
        let last = Tensor::cat(last.collect(), 0);
        let logits = numbers(self.trained.model.logits(last))?;
        let logits: Vec<Vec<f32>> = logits
            .chunks(self.trained.ends.vocab())
            .map(<[f32]>::to_vec)
            .collect();
        let told = match &rows.targets {
            None => vec![Vec::new(); count],
            Some((targets, likeliest)) => self.told(&x, targets, *likeliest)?,
        };
        self.metrics
            .read
            .fetch_add(read_now as u64, Ordering::Relaxed);
        Ok(Passed {
            state,
            logits,
            told,
        })
    }

    fn filled(&self, rows: &[&[i32]], len: usize) -> Tensor<2, Int> {
        let mut tokens = Vec::with_capacity(rows.len() * len);
        for row in rows {
            tokens.extend_from_slice(row);
            tokens.resize(tokens.len() + len - row.len(), 0);
        }
        let data = TensorData::new(tokens, [rows.len(), len]);
        Tensor::from_data(data, &self.trained.device)
    }

    /// The likelihood of each target, and the likeliest tokens in its place.
    fn told(
        &self,
        x: &Tensor<3>,
        targets: &[&[i32]],
        likeliest: usize,
    ) -> Result<Vec<Vec<Told>>, ApiError> {
        let [b, t, d] = x.dims();
        let positions = b * t;
        let x = x.clone().reshape([1, positions, d]);
        let all = self.filled(targets, t).reshape([1, positions]);
        let piece = (LOGITS / self.trained.ends.vocab()).max(1);
        let (mut losses, mut ids, mut of_ids) = (Vec::new(), Vec::new(), Vec::new());
        for from in (0..positions).step_by(piece) {
            let count = piece.min(positions - from);
            let logits = self.trained.model.logits(x.clone().narrow(1, from, count));
            let loss = |ids| miras_model::LanguageModel::token_losses(logits.clone(), ids);
            losses.extend(numbers(loss(all.clone().narrow(1, from, count)))?);
            let best = match likeliest {
                0 => continue,
                1 => logits.clone().argmax(2),
                _ => logits.clone().topk_with_indices(likeliest, 2).1,
            };
            // Of each place, one after the other, as those of the targets: equal tokens have equal bits.
            let mut of_best = Vec::new();
            for at in 0..likeliest {
                let ids = best.clone().narrow(2, at, 1).reshape([1, count]);
                of_best.push(numbers(loss(ids))?);
            }
            let best = best.into_data().convert::<i32>();
            let best = best.try_into_vec::<i32>();
            ids.extend(best.map_err(|error| ApiError::failed(error.to_string()))?);
            of_ids.extend((0..count).flat_map(|at| of_best.iter().map(move |losses| losses[at])));
        }
        let told = |at: usize, id: i32| Told {
            id,
            log: Some(-losses[at]),
            likeliest: (at * likeliest..(at + 1) * likeliest)
                .map(|at| (ids[at], -of_ids[at]))
                .collect(),
        };
        let row = |(row, targets): (usize, &&[i32])| {
            let all = targets.iter().enumerate();
            all.map(|(at, id)| told(row * t + at, *id)).collect()
        };
        Ok(targets.iter().enumerate().map(row).collect())
    }
}

/// Refuses logits that are not finite: nothing can be chosen by them.
pub(super) fn check_finite(logits: &[f32], after: usize) -> Result<(), ApiError> {
    if logits.iter().all(|logit| logit.is_finite()) {
        return Ok(());
    }
    let message = format!("what comes after {after} tokens is not finite");
    Err(ApiError::failed(message))
}

fn numbers<const D: usize>(x: Tensor<D>) -> Result<Vec<f32>, ApiError> {
    read(x).map_err(|error| ApiError::failed(error.to_string()))
}

/// The logarithm of the probability of each token.
pub(super) fn log_probabilities(logits: &[f32]) -> Vec<f32> {
    let largest = logits.iter().copied().fold(f32::MIN, f32::max);
    let sum: f64 = logits.iter().map(|x| f64::from(x - largest).exp()).sum();
    let rest = sum.ln();
    (logits.iter())
        .map(|x| (f64::from(x - largest) - rest) as f32)
        .collect()
}
