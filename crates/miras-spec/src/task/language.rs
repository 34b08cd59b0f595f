//! Language modelling: the target of a token is a token.

use burn::tensor::{Device, Tensor};
use miras_data::{Batch, DataConfig, LANGUAGE, Targets};
use miras_model::{Ends, LanguageModel, ModelState, Pass};
use miras_run::metrics::{ACCURACY, BITS_PER_BASE, BITS_PER_BYTE, Metric};
use serde::{Deserialize, Serialize};

use crate::read::{Tokens, sum};
use crate::task::definition::{Scored, Task, TrainingLoss};
use crate::task::entry::TaskEntry;
use crate::{SpecError, Weights};

pub(super) const ENTRY: TaskEntry<Language> = TaskEntry {
    name: LANGUAGE,
    summary: "the target of a token is a token: the next one of a text, or an answer",
    keys: &[],
    default: || Language {},
    take: |section| section.part(),
};

static OF_TEXT: [&Metric; 1] = [&BITS_PER_BYTE];
static OF_BASES: [&Metric; 1] = [&BITS_PER_BASE];
static OF_ANSWERS: [&Metric; 1] = [&ACCURACY];

/// The target of a token is a token: the next one of a text, or an answer at marked positions.
/// The loss is the cross-entropy in nats.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Language {}

impl Task for Language {
    fn metrics(&self, data: &DataConfig) -> &'static [&'static Metric] {
        match data.targets() {
            Targets::Text => &OF_TEXT,
            Targets::Bases => &OF_BASES,
            Targets::Answers | Targets::Classes | Targets::Values => &OF_ANSWERS,
        }
    }

    fn ends(&self, vocab: usize, _: usize) -> Ends {
        Ends::tokens(vocab)
    }

    fn ends_of(&self, weights: &Weights) -> Result<Ends, SpecError> {
        weights.vocab().map(Ends::tokens)
    }

    fn encode(&self, model: &LanguageModel, batch: &Batch, device: &Device) -> Tensor<3> {
        model.embed(Tokens::new(batch, device).inputs)
    }

    fn outputs(&self, model: &LanguageModel, _: &Batch, x: Tensor<3>) -> Tensor<2> {
        model.logits(x).flatten(1, 2)
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
        let Tokens {
            inputs,
            targets,
            weights,
        } = Tokens::new(batch, device);
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
        batch: &Batch,
        device: &Device,
        state: Option<ModelState>,
        pass: Pass,
    ) -> Scored {
        let Tokens {
            inputs, targets, ..
        } = Tokens::new(batch, device);
        model.score(inputs, targets, state, pass).into()
    }
}
