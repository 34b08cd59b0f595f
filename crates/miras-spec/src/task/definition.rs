//! What a task is.

use burn::tensor::{Device, Tensor};
use miras_data::{Batch, DataConfig, Problem};
use miras_model::{Ends, LanguageModel, ModelState, Pass, Scores, WriteRate};
use miras_run::metrics::{Means, Metric};

use crate::{SpecError, Weights, task::details::Details};

/// What a model is trained for.
pub trait Task: Send + Sync {
    /// The metrics that are reported beside the loss, one or more. The first is that of training
    /// too, so it is made of the loss and the share of right targets alone.
    fn metrics(&self, data: &DataConfig) -> &'static [&'static Metric];

    /// Data as the task reads them: with those of its settings that they follow.
    ///
    /// # Errors
    /// A key of `[data]` and what is wrong with it, if its value does not go with the task.
    fn fit(&self, data: DataConfig) -> Result<DataConfig, Problem> {
        Ok(data)
    }

    /// The ends of a model for data of so many token values and classes.
    fn ends(&self, vocab: usize, classes: usize) -> Ends;

    /// The ends of the model that these weights are of.
    ///
    /// # Errors
    /// If they are not those of a model of this task.
    fn ends_of(&self, weights: &Weights) -> Result<Ends, SpecError>;

    /// What the first block gets: `[b, t, d]`.
    fn encode(&self, model: &LanguageModel, batch: &Batch, device: &Device) -> Tensor<3>;

    /// What the head makes of the last block's output `[b, t, d]`.
    fn outputs(&self, model: &LanguageModel, batch: &Batch, x: Tensor<3>) -> Tensor<2>;

    /// A pass whose loss has gradients; it counts right targets if that is asked for and the task
    /// has any.
    fn train(
        &self,
        model: &LanguageModel,
        batch: &Batch,
        device: &Device,
        state: Option<ModelState>,
        pass: Pass,
        counts_hits: bool,
    ) -> TrainingLoss;

    /// What is known of every target, without gradients.
    fn score(
        &self,
        model: &LanguageModel,
        batch: &Batch,
        device: &Device,
        state: Option<ModelState>,
        pass: Pass,
    ) -> Scored;

    /// What is counted in an evaluation beside losses and right targets, on data with these
    /// classes; nothing by default.
    fn count(&self, labels: &[String]) -> Box<dyn Count> {
        let _ = labels;
        Box::new(Nothing)
    }
}

/// What [`Task::train`] gives.
pub struct TrainingLoss {
    /// Sum over the targets of weight times loss.
    pub loss: Tensor<1>,
    /// Sum of the weights of targets that are right, if it was asked for.
    pub hits: Option<Tensor<1>>,
    /// The state after the last tokens.
    pub state: ModelState,
}

/// What [`Task::score`] gives; tensors have the shape of the batch's weights, `[b, n]`.
pub struct Scored {
    /// The loss of each target.
    pub losses: Tensor<2>,
    /// 1 where it is right, else 0; none where no target is right or wrong.
    pub hits: Option<Tensor<2>>,
    /// What [`Count::add`] is given of it.
    pub marks: Option<Tensor<2>>,
    /// What the gates of each memory layer left of steps, in a pass with probes.
    pub write_rates: Vec<Option<WriteRate>>,
    /// The state after the last tokens.
    pub state: ModelState,
}

impl From<Scores> for Scored {
    fn from(scores: Scores) -> Self {
        Self {
            losses: scores.losses,
            hits: Some(scores.hits),
            marks: None,
            write_rates: scores.write_rates,
            state: scores.state,
        }
    }
}

/// What a task counts over the targets of an evaluation.
pub trait Count {
    /// Adds the targets of a batch that have a weight; `marks` are those of [`Scored`], one a
    /// target.
    fn add(&mut self, batch: &Batch, marks: &[f32]);

    /// Adds what comes of it.
    fn finish(&self, means: &mut Means, details: &mut Details);
}

/// Counts nothing.
struct Nothing;

impl Count for Nothing {
    fn add(&mut self, _: &Batch, _: &[f32]) {}

    fn finish(&self, _: &mut Means, _: &mut Details) {}
}
