//! Classification: the target of a row is a class.

use burn::tensor::{Device, Int, Tensor, TensorData};
use miras_data::{Batch, CLASSIFY, DataConfig};
use miras_engine::Probe;
use miras_model::{EncoderSpec, Ends, HeadSpec, LanguageModel, ModelState, Pass};
use miras_run::metrics::{ACCURACY, MCC, Metric};
use serde::{Deserialize, Serialize};

use crate::read::{Tokens, sum};
use crate::task::confusion::Confusion;
use crate::task::definition::{Count, Scored, Task, TrainingLoss};
use crate::task::entry::TaskEntry;
use crate::{SpecError, Weights};

pub(super) const ENTRY: TaskEntry<Classify> = TaskEntry {
    name: CLASSIFY,
    summary: "the target of a sequence is a class, by a head on the pooled outputs of the last block",
    keys: &[(
        "pool",
        "what the head reads of the last block, normed: \"mean\", over the tokens of the sequence, or \"last\", of its last token",
    )],
    default: Classify::default,
    take: |section| section.part(),
};

/// The target of a sequence is a class.
///
/// # Formula
/// The last block gives `h_t`, `t = 1 … n`, of a sequence of `n` tokens: `p = softmax(W g)`,
/// `g = (1/n) Σ_t norm(h_t)` with `pool = "mean"` and `g = norm(h_n)` with `"last"`. What is padded
/// behind the sequence has no part in it, for models are causal. The loss is the cross-entropy in nats,
/// one a sequence.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Classify {
    /// What the head reads.
    pub pool: Pool,
}

/// What the head reads of the last block, normed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Pool {
    /// The mean over the tokens of the sequence.
    Mean,
    /// That of its last token.
    Last,
}

impl Default for Classify {
    fn default() -> Self {
        Self { pool: Pool::Mean }
    }
}

static METRICS: [&Metric; 2] = [&ACCURACY, &MCC];

/// The rows of a batch, on the device.
struct Rows {
    /// `[b, 1]`.
    classes: Tensor<2, Int>,
    /// 1 at the last token of each row, else 0: `[b, t]`.
    last: Tensor<2>,
    /// How much each row counts: `[b, 1]`.
    weights: Tensor<2>,
}

/// The place of the target of a row, at its last token: the last place with a weight.
fn last_of(weights: &[f32]) -> usize {
    let scored = weights.iter().rposition(|&weight| weight > 0.0);
    scored.unwrap_or(weights.len() - 1)
}

impl Rows {
    fn new(batch: &Batch, device: &Device) -> Self {
        let (rows, len) = (batch.rows, batch.len);
        let (mut classes, mut weights) = (Vec::new(), Vec::new());
        let mut last = vec![0.0_f32; rows * len];
        for (row, of_row) in batch.weights.chunks(len).enumerate() {
            let at = row * len + last_of(of_row);
            classes.push(batch.targets[at]);
            weights.push(batch.weights[at]);
            last[at] = 1.0;
        }
        let floats = |values, shape| Tensor::from_data(TensorData::new(values, shape), device);
        Self {
            classes: Tensor::from_data(TensorData::new(classes, [rows, 1]), device),
            last: floats(last, [rows, len]),
            weights: floats(weights, [rows, 1]),
        }
    }
}

impl Classify {
    /// What each token has in the mean over its row: `[b, t]`.
    fn shares(&self, batch: &Batch, device: &Device) -> Tensor<2> {
        let mut shares = Vec::with_capacity(batch.weights.len());
        for of_row in batch.weights.chunks(batch.len) {
            let last = last_of(of_row);
            shares.extend((0..batch.len).map(|at| match self.pool {
                Pool::Mean if at <= last => 1.0 / (last + 1) as f32,
                Pool::Last if at == last => 1.0,
                Pool::Mean | Pool::Last => 0.0,
            }));
        }
        Tensor::from_data(TensorData::new(shares, [batch.rows, batch.len]), device)
    }
}

/// The loss of each row, `[b, 1]`, of its logits `[b, n]`.
fn losses(logits: &Tensor<2>, classes: &Tensor<2, Int>) -> Tensor<2> {
    LanguageModel::token_losses(logits.clone().unsqueeze_dim(1), classes.clone())
}

impl Task for Classify {
    fn metrics(&self, _: &DataConfig) -> &'static [&'static Metric] {
        &METRICS
    }

    fn ends(&self, vocab: usize, classes: usize) -> Ends {
        Ends {
            encoder: EncoderSpec::Tokens { vocab },
            head: HeadSpec::Classes(classes),
        }
    }

    fn ends_of(&self, weights: &Weights) -> Result<Ends, SpecError> {
        Ok(self.ends(weights.vocab()?, weights.head_outputs()?))
    }

    fn encode(&self, model: &LanguageModel, batch: &Batch, device: &Device) -> Tensor<3> {
        model.embed(Tokens::new(batch, device).inputs)
    }

    fn outputs(&self, model: &LanguageModel, batch: &Batch, x: Tensor<3>) -> Tensor<2> {
        let shares = self.shares(batch, &x.device());
        model.pooled_logits(x, shares)
    }

    fn train(
        &self,
        model: &LanguageModel,
        batch: &Batch,
        device: &Device,
        state: Option<ModelState>,
        pass: Pass,
        counts_hits: bool,
    ) -> TrainingLoss {
        let hidden = model.hidden(self.encode(model, batch, device), state, pass);
        let rows = Rows::new(batch, device);
        let logits = self.outputs(model, batch, hidden.x);
        let hits = || logits.clone().argmax(1).equal(rows.classes.clone()).float();
        TrainingLoss {
            hits: counts_hits.then(|| sum(hits() * rows.weights.clone())),
            loss: sum(losses(&logits, &rows.classes) * rows.weights),
            state: hidden.state,
        }
    }

    fn score(
        &self,
        model: &LanguageModel,
        batch: &Batch,
        device: &Device,
        state: Option<ModelState>,
        pass: Pass,
    ) -> Scored {
        let hidden = model.hidden(self.encode(model, batch, device), state, pass);
        let rows = Rows::new(batch, device);
        let logits = self.outputs(model, batch, hidden.x);
        let answers = logits.clone().argmax(1);
        let at_last = |of_row: Tensor<2>| of_row * rows.last.clone();
        Scored {
            losses: at_last(losses(&logits, &rows.classes)),
            hits: Some(at_last(answers.clone().equal(rows.classes.clone()).float())),
            marks: Some(at_last(answers.float())),
            write_rates: hidden.probes.iter().map(Probe::write_rate).collect(),
            state: hidden.state,
        }
    }

    fn count(&self, labels: &[String]) -> Box<dyn Count> {
        Box::new(Confusion::new(labels))
    }
}
