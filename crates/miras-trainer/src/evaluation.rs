//! Evaluations of a model in training.

use miras_data::Dataset;
use miras_model::{Ablation, Pass};
use miras_run::metrics::{LOSS, Means, Metric};
use miras_spec::{Evaluate, Nonfinite, RunConfig, StartFrom, StateRule, Sum};

use crate::TrainError;
use crate::learner::Learner;

/// What an evaluation found.
pub(crate) struct Evaluation {
    /// The mean over scored targets.
    pub(crate) loss: f64,
    /// The loss and the metrics beside it, by their tags.
    pub(crate) values: Vec<(String, f64)>,
    /// Scored targets.
    pub(crate) targets: f64,
    /// Rows with a loss that is NaN or infinite.
    pub(crate) nonfinite: Option<Nonfinite>,
}

/// Evaluates as the model is trained, with memories that are carried where training carries them;
/// tags begin with `prefix`.
pub(crate) fn evaluate(
    config: &RunConfig,
    data: &dyn Dataset,
    learner: &Learner,
    prefix: &str,
    ablation: Ablation,
) -> Result<Evaluation, TrainError> {
    let evaluate = Evaluate {
        task: config.task(),
        model: &learner.inference_model(),
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
        ngram: None,
        device: &learner.device,
    };
    let found = evaluate.run(&|_| {})?;
    let metrics = [&[&LOSS], config.measures()].concat();
    Ok(Evaluation {
        loss: found.means.loss,
        values: values(&metrics, &found.means, prefix),
        targets: Sum::total(&found.positions).weight,
        nonfinite: found.nonfinite,
    })
}

/// The metrics that were measured, by their tags.
pub(crate) fn values(metrics: &[&Metric], means: &Means, prefix: &str) -> Vec<(String, f64)> {
    let measured = |metric: &&Metric| Some((metric.under(prefix), metric.value(means)?));
    metrics.iter().filter_map(measured).collect()
}
