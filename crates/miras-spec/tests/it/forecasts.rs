//! Forecasting: its formula, and what a window's mean and deviation have to do with it.

use burn::tensor::Device;
use miras_data::{Batch, SeriesRows};
use miras_model::{LanguageModel, Pass, parameters};
use miras_spec::read::{read, weight_of};
use miras_spec::{RunConfig, Task};

use crate::configs::{ATTENTION, MEMORY, config, layers};

const HORIZON: usize = 3;
const PATCH: usize = 4;
const TOKENS: usize = 5;
const ROWS: usize = 2;

fn forecast(text: &str, normalise: &str) -> RunConfig {
    let task = format!(
        "task={{ kind = 'forecast', horizon = {HORIZON}, patch = {PATCH}, normalise = '{normalise}' }}"
    );
    let data = "data={ kind = 'csv', path = 'none.csv', seq_len = 20 }";
    config(text, &[&task, data])
}

fn model(config: &RunConfig) -> LanguageModel {
    let ends = config.ends_unopened().unwrap();
    LanguageModel::new(&config.model, ends, 3, &Device::flex())
}

/// Windows times `scale`, plus `shift`.
fn batch(scale: f64, shift: f64) -> Batch {
    let values = |count: usize, step: usize| -> Vec<f32> {
        let value = |at: usize| (at * at * step % 13) as f64 / 6.0 - 1.0;
        (0..count)
            .map(|at| (scale * value(at) + shift) as f32)
            .collect()
    };
    let series = SeriesRows {
        read: values(ROWS * TOKENS * PATCH, 3),
        next: values(ROWS * HORIZON, 5),
    };
    Batch::of_series(ROWS, TOKENS, series).unwrap()
}

/// What forecasts miss.
fn errors(task: &dyn Task, model: &LanguageModel, batch: &Batch) -> Vec<f64> {
    let scored = task.score(model, batch, &Device::flex(), None, Pass::default());
    assert!(scored.hits.is_none());
    let errors = read(scored.marks.unwrap()).unwrap();
    let losses = read(scored.losses).unwrap();
    let each = errors.into_iter().map(f64::from);
    let each: Vec<f64> = each.collect();
    for (error, loss) in each.iter().zip(losses) {
        assert!((error * error - f64::from(loss)).abs() < 1e-5 * (1.0 + error * error));
    }
    each
}

/// The values of a parameter.
fn weights(model: &LanguageModel, name: &str) -> Vec<f64> {
    let mut all = parameters(model).into_iter();
    let one = all.find(|one| one.name == name).unwrap();
    let values = read(one.values).unwrap();
    values.into_iter().map(f64::from).collect()
}

#[test]
fn forecasts_are_the_formula() {
    for text in [MEMORY, ATTENTION] {
        for normalise in ["instance", "none"] {
            let config = forecast(text, normalise);
            let (model, batch) = (model(&config), batch(1.5, 2.0));
            let SeriesRows { read: seen, next } = batch.series.clone().unwrap();
            let seen: Vec<f64> = seen.into_iter().map(f64::from).collect();
            let moments = seen.chunks(TOKENS * PATCH).map(|row| {
                let count = row.len() as f64;
                let mean = row.iter().sum::<f64>() / count;
                let squares: f64 = row.iter().map(|x| (x - mean).powi(2)).sum();
                match normalise {
                    "instance" => (mean, (squares / count + 1e-5).sqrt()),
                    _ => (0.0, 1.0),
                }
            });
            let moments: Vec<(f64, f64)> = moments.collect();
            let device = Device::flex();
            let x = config.task.encode(&model, &batch, &device);
            let d = x.dims()[2];
            let (table, head) = (weights(&model, "embedding"), weights(&model, "head.weight"));
            let encoded = read(x.clone()).unwrap();
            for (at, found) in encoded.into_iter().enumerate() {
                let (token, feature) = (at / d, at % d);
                let (mean, deviation) = moments[token / TOKENS];
                let sum: f64 = (0..PATCH)
                    .map(|k| {
                        let value = (seen[token * PATCH + k] - mean) / deviation;
                        value * table[k * d + feature]
                    })
                    .sum();
                assert!((f64::from(found) - sum).abs() < 1e-4, "{normalise}");
            }
            let hidden = read(model.hidden(x, None, Pass::default()).x).unwrap();
            let found = errors(config.task(), &model, &batch);
            let mut loss = 0.0;
            for row in 0..ROWS {
                let last = &hidden[((row + 1) * TOKENS - 1) * d..][..d];
                let last: Vec<f64> = last.iter().copied().map(f64::from).collect();
                let square = last.iter().map(|x| x * x).sum::<f64>() / d as f64;
                for step in 0..HORIZON {
                    // Gains of the norm are 1 at the start.
                    let product: f64 = (0..d)
                        .map(|k| last[k] / (square + 1e-5).sqrt() * head[k * HORIZON + step])
                        .sum();
                    let (mean, deviation) = moments[row];
                    let at = row * HORIZON + step;
                    let expected = product * deviation + mean - f64::from(next[at]);
                    assert!((found[at] - expected).abs() < 1e-4, "{normalise}");
                    loss += expected * expected;
                }
            }
            let trained =
                (config.task).train(&model, &batch, &device, None, Pass::default(), false);
            assert!((f64::from(read(trained.loss).unwrap()[0]) - loss).abs() < 1e-3);
            assert!((weight_of(&batch) - (ROWS * HORIZON) as f64).abs() < 1e-9);
        }
    }
}

#[test]
fn a_normalised_window_in_another_unit_has_its_forecast_in_that_unit() {
    for text in [MEMORY, ATTENTION] {
        for (normalise, follows) in [("instance", true), ("none", false)] {
            let config = forecast(text, normalise);
            let model = model(&config);
            let [one, other] =
                [(1.0, 0.0), (10.0, -30.0)].map(|(scale, shift)| batch(scale, shift));
            let one = errors(config.task(), &model, &one);
            let other = errors(config.task(), &model, &other);
            // The shift is in the forecast and in what came; 1e-5 beside a variance is not scaled.
            let same = one
                .iter()
                .zip(&other)
                .all(|(a, b)| (10.0 * a - b).abs() < 1e-2);
            assert_eq!(same, follows, "{normalise}: {one:?} {other:?}");
        }
    }
}

#[test]
fn settings_that_do_not_go_together_are_refused_at_their_keys() {
    let base = "task={ kind = 'forecast', horizon = 3, patch = 4 }";
    let data = "data={ kind = 'csv', path = 'none.csv', seq_len = 20 }";
    for (set, said) in [
        (
            "data.seq_len=18",
            "data.seq_len: must be a multiple of task.patch = 4, got 18: 16 or 20 is one",
        ),
        (
            "data.seq_len=3",
            "data.seq_len: must be a multiple of task.patch = 4, got 3: 4 is one",
        ),
        ("task.patch=0", "task.patch must be from 1 to 65536, got 0"),
        (
            "task.horizon=0",
            "task.horizon must be from 1 to 65536, got 0",
        ),
        (
            "task.normalise=both",
            "unknown value `both`, expected `instance` or `none`",
        ),
        ("data.split=[0.5, 0.1]", "data.split"),
        (
            "data.split=[0.5, 0.1, 0.1]",
            "data.split: must be three counts of rows",
        ),
        ("data.columns=['a', 'a']", "data.columns: names `a` twice"),
        ("data.path=''", "data.path: must name a CSV file"),
        (
            "train.state=carry",
            "train.state = \"carry\" needs data in order",
        ),
        (
            "model.tie_head=false",
            "model.tie_head = false is about language models",
        ),
    ] {
        let layers = layers(MEMORY, &[base, data, set]);
        let refused = RunConfig::load(layers, &miras_registry::Registry::builtin());
        let error = refused
            .err()
            .map(|error| error.to_string())
            .unwrap_or_default();
        assert!(error.contains(said), "{set}: {said}\n{error}");
    }
}
