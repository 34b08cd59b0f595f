//! What a model is trained for: the loss, and the metrics beside it.
//!
//! Training, evaluation and `bench` compute losses through a [`Task`], and metrics get their names
//! there. Which task it is follows from the data: [`RunConfig::task`].
//!
//! A task also decides what goes into the first block (its input encoder) and what is made of the
//! last one (its head). These hold weights, so they are fields of the model: language modelling
//! has the embedding and the head of [`LanguageModel`].

use burn::tensor::Tensor;
use miras_data::{DataConfig, Targets};
use miras_model::{LanguageModel, ModelState, Pass, Scores};
use miras_run::metrics::{ACCURACY, BITS_PER_BASE, BITS_PER_BYTE, Metric};

use crate::RunConfig;
use crate::read::{Tokens, sum};

/// What a model is trained for.
pub trait Task: Sync {
    /// The metric that is reported beside the loss.
    fn metric(&self, data: &DataConfig) -> &'static Metric;

    /// A pass whose loss has gradients; it counts right targets if `metric` needs them.
    fn train(
        &self,
        model: &LanguageModel,
        batch: Tokens,
        state: Option<ModelState>,
        pass: Pass,
        counts_hits: bool,
    ) -> TrainingLoss;

    /// The loss of every target, and whether the model answers it right, without gradients.
    fn score(
        &self,
        model: &LanguageModel,
        batch: Tokens,
        state: Option<ModelState>,
        pass: Pass,
    ) -> Scores;
}

/// What [`Task::train`] gives.
pub struct TrainingLoss {
    /// Sum over the targets of weight times loss.
    pub loss: Tensor<1>,
    /// Sum of the weights of targets that the model ranks first, if it was asked for.
    pub hits: Option<Tensor<1>>,
    /// The state after the last tokens.
    pub state: ModelState,
}

impl RunConfig {
    /// The task of its data: a kind of data for another task than language modelling chooses it
    /// here.
    pub fn task(&self) -> &'static dyn Task {
        &LanguageModelling
    }

    /// The metric that is reported beside the loss.
    pub fn metric(&self) -> &'static Metric {
        self.task().metric(&self.data)
    }
}

/// The target of a token is a token: the next one of a text, or an answer at marked positions.
/// The loss is the cross-entropy in nats.
struct LanguageModelling;

impl Task for LanguageModelling {
    fn metric(&self, data: &DataConfig) -> &'static Metric {
        match data.targets() {
            Targets::Text => &BITS_PER_BYTE,
            Targets::Bases => &BITS_PER_BASE,
            Targets::Answers => &ACCURACY,
        }
    }

    fn train(
        &self,
        model: &LanguageModel,
        batch: Tokens,
        state: Option<ModelState>,
        pass: Pass,
        counts_hits: bool,
    ) -> TrainingLoss {
        let Tokens {
            inputs,
            targets,
            weights,
        } = batch;
        let scores = model.train_scores(inputs, targets, weights.clone(), state, pass, counts_hits);
        let loss = sum(scores.losses * weights.clone());
        TrainingLoss {
            loss: match scores.gradients {
                Some(gradients) => loss + gradients,
                None => loss,
            },
            hits: scores.hits.map(|hits| sum(hits * weights)),
            state: scores.state,
        }
    }

    fn score(
        &self,
        model: &LanguageModel,
        batch: Tokens,
        state: Option<ModelState>,
        pass: Pass,
    ) -> Scores {
        model.score(batch.inputs, batch.targets, state, pass)
    }
}
