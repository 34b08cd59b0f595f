//! What an evaluation finds.

use burn::tensor::{Device, Tensor};
use miras_data::{Amount, Batch, DataConfig, Selection};
use miras_model::{Ends, LanguageModel, ModelState, Pass};
use miras_run::metrics::Metric;
use miras_spec::read::Tokens;
use miras_spec::{
    Evaluate, RunConfig, Scored, SpecError, StartFrom, Sum, Task, TrainingLoss, Weights,
};

use crate::configs::{ATTENTION, MEMORY, config};

/// Tokens of a row: more than go through the blocks at once, and no whole number of chunks.
const LEN: usize = 10_001;

/// The task of a configuration, with rows that go through the model in one pass.
struct Whole<'a>(&'a dyn Task);

impl Task for Whole<'_> {
    fn metrics(&self, data: &DataConfig) -> &'static [&'static Metric] {
        self.0.metrics(data)
    }

    fn ends(&self, vocab: usize, classes: usize) -> Ends {
        self.0.ends(vocab, classes)
    }

    fn ends_of(&self, weights: &Weights) -> Result<Ends, SpecError> {
        self.0.ends_of(weights)
    }

    fn encode(&self, model: &LanguageModel, batch: &Batch, device: &Device) -> Tensor<3> {
        self.0.encode(model, batch, device)
    }

    fn outputs(&self, model: &LanguageModel, batch: &Batch, x: Tensor<3>) -> Tensor<2> {
        self.0.outputs(model, batch, x)
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
        let task = self.0;
        task.train(model, batch, device, state, pass, counts_hits)
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
        let output = model.forward(inputs, state, pass);
        let first = output.logits.clone().argmax(2).squeeze_dim::<2>(2);
        Scored {
            hits: Some(first.equal(targets.clone()).float()),
            losses: LanguageModel::token_losses(output.logits, targets),
            marks: None,
            write_rates: Vec::new(),
            state: output.state,
        }
    }
}

fn positions(config: &RunConfig, task: &dyn Task) -> Vec<Sum> {
    let device = Device::flex();
    let data = miras_data::open(&config.data, config.train.seed).unwrap();
    let selection = Selection::new(Amount::Tokens(1), None, LEN, data.eval_tokens()).unwrap();
    let evaluate = Evaluate {
        task,
        model: &LanguageModel::new(&config.model, data.vocab(), 1, &device),
        data: data.as_ref(),
        selection: &selection,
        batch: 1,
        pass: Pass::default(),
        start: StartFrom::Initial,
        ngram: None,
        device: &device,
    };
    evaluate.run(&|_| {}).unwrap().positions
}

#[test]
fn a_long_row_in_pieces_has_the_losses_of_one_pass() {
    let folder = tempfile::tempdir().unwrap();
    let text = |name: &str, first: u64| {
        let path = folder.path().join(name);
        let days = (first..first + 1000).map(|n| format!("Day {n} had {} of them.\n", n * n * n));
        std::fs::write(&path, days.collect::<String>()).unwrap();
        path.display().to_string()
    };
    let (train, valid) = (text("train.txt", 0), text("valid.txt", 5000));
    let data = format!(
        "data={{ kind = 'text', path = '{train}', valid_path = '{valid}', seq_len = {LEN} }}"
    );
    for base in [MEMORY, ATTENTION] {
        let config = config(base, &[&data]);
        let task = config.task();
        let [pieces, whole] = [task, &Whole(task)].map(|task| positions(&config, task));
        assert_eq!([pieces.len(), whole.len()], [LEN; 2]);
        let gaps = pieces
            .iter()
            .zip(&whole)
            .map(|(a, b)| (a.loss - b.loss).abs());
        let gap = gaps.fold(0.0, f64::max);
        assert!(gap < 1e-4, "{gap} nats: {base}");
        let hits = [&pieces, &whole].map(|sums| Sum::total(sums).hits);
        // A tie within rounding may go either way.
        assert!((hits[0] - hits[1]).abs() <= 2.0, "{hits:?}: {base}");
    }
}
