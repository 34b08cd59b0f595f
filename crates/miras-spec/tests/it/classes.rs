//! Classification: its loss, its answers, and what has a part in them.

use burn::tensor::{Device, Tensor};
use miras_data::Batch;
use miras_model::{Ends, LanguageModel, Pass, parameters};
use miras_spec::read::read;
use miras_spec::{RunConfig, TaskConfig};

use crate::configs::{ATTENTION, MEMORY, layers};

const CLASSES: usize = 3;
const VOCAB: usize = 16;
const LEN: usize = 21;

fn config(text: &str, sets: &[&str]) -> RunConfig {
    let task = [
        "task.kind=classify",
        "data={ kind = 'csv', path = 'none.csv', tokenizer = 'bases', seq_len = 21 }",
    ];
    let layers = layers(text, &[&task[..], sets].concat());
    let loaded = RunConfig::load(layers, &miras_registry::Registry::builtin());
    loaded.map(|(config, _)| config).unwrap()
}

fn model(config: &RunConfig) -> LanguageModel {
    let ends: Ends = config.task.ends(VOCAB, CLASSES);
    LanguageModel::new(&config.model, ends, 3, &Device::flex())
}

/// Rows of these lengths, with `padding` behind them.
fn batch(lens: &[usize], padding: i32) -> Batch {
    let mut batch = Batch {
        inputs: vec![padding; lens.len() * LEN],
        targets: vec![0; lens.len() * LEN],
        weights: vec![0.0; lens.len() * LEN],
        bytes: 0,
        rows: lens.len(),
        len: LEN,
        series: None,
    };
    for (row, &len) in lens.iter().enumerate() {
        for at in 0..len {
            batch.inputs[row * LEN + at] = ((row * 7 + at * at * 3) % VOCAB) as i32;
        }
        batch.targets[row * LEN + len - 1] = (row % CLASSES) as i32;
        batch.weights[row * LEN + len - 1] = 1.0;
    }
    batch
}

fn each(test: impl Fn(&TaskConfig, &LanguageModel, &str)) {
    for text in [MEMORY, ATTENTION] {
        for pool in ["mean", "last"] {
            let config = config(text, &[&format!("task.pool={pool}")]);
            test(&config.task, &model(&config), pool);
        }
    }
}

#[test]
fn what_is_padded_has_no_part_in_a_class() {
    let lens = [5, 21, 1, 13];
    each(|task, model, pool| {
        let found = |padding| {
            let batch = batch(&lens, padding);
            let scored = task.score(model, &batch, &Device::flex(), None, Pass::default());
            let losses = read(scored.losses).unwrap();
            losses.into_iter().map(f32::to_bits).collect::<Vec<_>>()
        };
        assert_eq!(found(0), found(9), "{pool}");
        // The control: a letter of the sequence has.
        let mut other = batch(&lens, 0);
        other.inputs[2] += 1;
        let scored = task.score(model, &other, &Device::flex(), None, Pass::default());
        let losses = read(scored.losses).unwrap();
        let differing: Vec<usize> = (0..losses.len())
            .filter(|&at| losses[at].to_bits() != found(0)[at])
            .collect();
        assert_eq!(differing, [4], "{pool}");
    });
}

#[test]
fn losses_and_answers_are_the_formula() {
    let lens = [5, 21, 1, 13];
    let device = Device::flex();
    each(|task, model, pool| {
        let batch = batch(&lens, 0);
        let x = task.encode(model, &batch, &device);
        let x: Tensor<3> = model.hidden(x, None, Pass::default()).x;
        let d = x.dims()[2];
        let x = read(x).unwrap();
        let head = (parameters(model).into_iter()).find(|one| one.name == "head.weight");
        let head = read(head.unwrap().values).unwrap();
        let scored = task.score(model, &batch, &device, None, Pass::default());
        let [losses, hits, marks] = [scored.losses, scored.hits.unwrap(), scored.marks.unwrap()]
            .map(|tensor| read(tensor).unwrap());
        let (mut sum, mut right) = (0.0, 0.0);
        for (row, &len) in lens.iter().enumerate() {
            // Gains of the norm are 1 at the start.
            let normed = |at: usize| {
                let of = &x[(row * LEN + at) * d..][..d];
                let of: Vec<f64> = of.iter().copied().map(f64::from).collect();
                let square = of.iter().map(|x| x * x).sum::<f64>() / d as f64;
                of.into_iter()
                    .map(|x| x / (square + 1e-5).sqrt())
                    .collect::<Vec<_>>()
            };
            let from = if pool == "mean" { 0 } else { len - 1 };
            let pooled: Vec<f64> = (0..d)
                .map(|k| (from..len).map(|at| normed(at)[k]).sum::<f64>() / (len - from) as f64)
                .collect();
            let logits: Vec<f64> = (0..CLASSES)
                .map(|class| {
                    let products = pooled.iter().enumerate();
                    products
                        .map(|(k, x)| x * f64::from(head[k * CLASSES + class]))
                        .sum()
                })
                .collect();
            let class = row % CLASSES;
            let expected = logits.iter().map(|x| x.exp()).sum::<f64>().ln() - logits[class];
            let at = row * LEN + len - 1;
            assert!(
                (f64::from(losses[at]) - expected).abs() < 1e-4,
                "{pool}: row {row}"
            );
            let best = (0..CLASSES)
                .max_by(|a, b| logits[*a].total_cmp(&logits[*b]))
                .unwrap();
            assert_eq!(marks[at] as usize, best, "{pool}");
            assert_eq!(hits[at] > 0.5, best == class, "{pool}");
            sum += expected;
            right += f64::from(u8::from(best == class));
        }
        // Nothing stands elsewhere.
        assert_eq!(
            losses.iter().filter(|loss| **loss != 0.0).count(),
            lens.len()
        );
        let trained = task.train(model, &batch, &device, None, Pass::default(), true);
        assert!((f64::from(read(trained.loss).unwrap()[0]) - sum).abs() < 1e-3);
        assert!((f64::from(read(trained.hits.unwrap()).unwrap()[0]) - right).abs() < 1e-6);
    });
}
