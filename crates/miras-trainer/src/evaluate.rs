//! Evaluation on held-out batches.

use burn::tensor::{Device, Tensor};
use miras_data::{Dataset, Metric};
use miras_model::{Ablation, LanguageModel, Pass};

use crate::TrainError;
use crate::read::{Tokens, read, sum, weight_of};

/// What the held-out data say about a model.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Evaluation {
    /// Mean over scored tokens, in nats.
    pub(crate) loss: f64,
    /// Share of scored targets ranked first.
    pub(crate) accuracy: f64,
    /// Bytes of text behind a scored token, mean.
    pub(crate) bytes: f64,
    /// The first batch whose loss is NaN or infinite.
    pub(crate) nonfinite: Option<u64>,
}

/// Evaluates a model without gradients on the first `batches` batches, or all if there are fewer.
pub(crate) fn evaluate(
    model: &LanguageModel,
    data: &dyn Dataset,
    (batches, rows): (u64, usize),
    ablation: Ablation,
    device: &Device,
) -> Result<Evaluation, TrainError> {
    let batches = data
        .eval_batches(rows)
        .map_or(batches, |all| all.min(batches));
    let pass = Pass {
        ablation,
        ..Pass::default()
    };
    let (mut loss, mut hits, mut weight, mut bytes) = (0.0, 0.0, 0.0, 0);
    let mut nonfinite = None;
    for index in 0..batches {
        let batch = data.eval_batch(index, rows)?;
        let tokens = Tokens::new(&batch, device);
        let logits = model.forward(tokens.inputs.clone(), None, pass).logits;
        let right = tokens.hits(logits.clone());
        let losses = LanguageModel::token_losses(logits, tokens.targets);
        let loss_sum = sum(losses * tokens.weights);
        let numbers = read(Tensor::cat(vec![loss_sum, right], 0))?;
        if !numbers[0].is_finite() {
            nonfinite = nonfinite.or(Some(index));
        }
        loss += f64::from(numbers[0]);
        hits += f64::from(numbers[1]);
        weight += weight_of(&batch);
        bytes += batch.bytes;
    }
    Ok(Evaluation {
        loss: loss / weight,
        accuracy: hits / weight,
        bytes: bytes as f64 / weight,
        nonfinite,
    })
}

/// Means over scored tokens.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scored {
    /// In nats.
    pub(crate) loss: f64,
    /// Share of targets ranked first, if it was asked for.
    pub(crate) accuracy: Option<f64>,
    /// Bytes of text that a token stands for.
    pub(crate) bytes: f64,
}

impl Scored {
    /// The tag that goes beside `<prefix>/loss`, and its value; none for an accuracy that was not
    /// asked for.
    pub(crate) fn beside_loss(self, metric: Metric, prefix: &str) -> Option<(String, f64)> {
        let value = match metric {
            // Both are means over the same tokens, so this is all bits over all bytes.
            Metric::BitsPerByte => self.loss / std::f64::consts::LN_2 / self.bytes,
            Metric::Accuracy => self.accuracy?,
        };
        Some((format!("{prefix}/{}", beside(metric)), value))
    }
}

impl Evaluation {
    /// What is logged of it.
    pub(crate) fn scored(&self) -> Scored {
        Scored {
            loss: self.loss,
            accuracy: Some(self.accuracy),
            bytes: self.bytes,
        }
    }
}

/// What a metric is called in tags.
pub(crate) fn beside(metric: Metric) -> &'static str {
    match metric {
        Metric::BitsPerByte => "bits_per_byte",
        Metric::Accuracy => "accuracy",
    }
}
