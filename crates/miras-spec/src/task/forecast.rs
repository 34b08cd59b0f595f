//! Forecasting: the target of a row of values is the values that come.

use burn::tensor::{Device, Tensor, TensorData};
use miras_config::{ConfigError, Section};
use miras_data::{Batch, DataConfig, FORECAST, Problem, SeriesConfig, SeriesRows};
use miras_engine::Probe;
use miras_model::{EncoderSpec, Ends, HeadSpec, Hidden, LanguageModel, ModelState, Pass};
use miras_run::metrics::{MAE, MSE, Means, Metric};
use serde::{Deserialize, Serialize};

use crate::read::sum;
use crate::task::definition::{Count, Scored, Task, TrainingLoss};
use crate::task::details::{Details, Forecasts};
use crate::task::entry::TaskEntry;
use crate::{SpecError, Weights};

pub(super) const ENTRY: TaskEntry<Forecast> = TaskEntry {
    name: FORECAST,
    summary: "the target of a row of values is the values that come",
    keys: &[
        ("horizon", "values that are forecast, from 1 to 65536"),
        (
            "patch",
            "values of a token, from 1 to 65536, which a linear map makes a row of: `data.seq_len` is a multiple of it",
        ),
        (
            "normalise",
            "\"instance\": each window without its mean and divided by its deviation, which are put back into its forecast; \"none\"",
        ),
    ],
    default: Forecast::default,
    take: Forecast::take,
};

/// The largest horizon and patch.
const MOST: usize = 1 << 16;
/// Added to the variance of a window.
const EPSILON: f64 = 1e-5;

/// The target of a row of values is the `horizon` values that come.
///
/// # Formula
/// A token is `patch` values, `x_i = p_i W`; the head reads the last token, `ŷ = norm(h_T) V`. With
/// `normalise = "instance"` the model reads `(z − μ) / σ` and forecasts `ŷ σ + μ`, with mean and
/// deviation of the values of the window, `σ² = Σ (z − μ)² / n + 1e-5`. The loss is the mean of
/// `(y − ŷ)²` over standardised values.
///
/// # Reference
/// Patches, one channel at a time: Nie et al. 2023, `PatchTST`, <https://arxiv.org/abs/2211.14730>.
/// Instance normalisation, here without learned gain and shift: Kim et al. 2022, `RevIN`,
/// <https://openreview.net/forum?id=cGDAkQo1C0p>.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Forecast {
    /// Values that are forecast.
    pub horizon: usize,
    /// Values of a token.
    pub patch: usize,
    /// What windows are divided by.
    pub normalise: Normalise,
}

/// What is taken from windows, and put back into their forecasts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Normalise {
    /// Mean and deviation of the window.
    #[default]
    Instance,
    /// Nothing.
    None,
}

impl Default for Forecast {
    fn default() -> Self {
        Self {
            horizon: 96,
            patch: 16,
            normalise: Normalise::Instance,
        }
    }
}

/// A batch on the device.
struct Windows {
    /// `[b, t, patch]`.
    read: Tensor<3>,
    /// `[b, horizon]`.
    next: Tensor<2>,
    /// Of what the model reads, `[b, 1]` each.
    mean: Tensor<2>,
    deviation: Tensor<2>,
    /// `[b, horizon]`.
    weights: Tensor<2>,
}

impl Forecast {
    fn take(section: &mut Section<'_>) -> Result<Self, ConfigError> {
        let config: Self = section.part()?;
        for (key, value) in [("horizon", config.horizon), ("patch", config.patch)] {
            if !(1..=MOST).contains(&value) {
                let message = format!("{} must be from 1 to {MOST}, got {value}", section.key(key));
                let mistake = section.error(key, message, None);
                section.note(mistake)?;
            }
        }
        Ok(config)
    }

    /// Mean and deviation of a window.
    fn moments(&self, values: &[f32]) -> (f64, f64) {
        match self.normalise {
            Normalise::None => (0.0, 1.0),
            Normalise::Instance => {
                let count = values.len() as f64;
                let mean = values.iter().copied().map(f64::from).sum::<f64>() / count;
                let squares = values
                    .iter()
                    .map(|&value| (f64::from(value) - mean).powi(2));
                (mean, (squares.sum::<f64>() / count + EPSILON).sqrt())
            }
        }
    }

    fn windows(&self, batch: &Batch, device: &Device) -> Windows {
        let SeriesRows { read, next } = series(batch);
        let rows = batch.rows;
        let of_row = read.chunks(read.len() / rows);
        let moments: Vec<(f64, f64)> = of_row.clone().map(|row| self.moments(row)).collect();
        let values = of_row.zip(&moments).flat_map(|(row, (mean, deviation))| {
            let standard = move |&value: &f32| ((f64::from(value) - mean) / deviation) as f32;
            row.iter().map(standard)
        });
        let values = TensorData::new(values.collect(), [rows, batch.len, self.patch]);
        let column = |of: fn(&(f64, f64)) -> f64| {
            let values: Vec<f32> = moments.iter().map(|one| of(one) as f32).collect();
            Tensor::from_data(TensorData::new(values, [rows, 1]), device)
        };
        let targets = [rows, next.len() / rows];
        let of_targets =
            |values: &[f32]| Tensor::from_data(TensorData::new(values.to_vec(), targets), device);
        Windows {
            read: Tensor::from_data(values, device),
            next: of_targets(next),
            mean: column(|(mean, _)| *mean),
            deviation: column(|(_, deviation)| *deviation),
            weights: of_targets(&batch.weights),
        }
    }

    /// What forecasts are more than what came, `[b, horizon]`; and what else a pass gives.
    fn errors(
        model: &LanguageModel,
        windows: Windows,
        state: Option<ModelState>,
        pass: Pass,
    ) -> (Tensor<2>, Hidden) {
        let hidden = model.hidden(model.embed_values(windows.read), state, pass);
        let forecast = model.values_after(hidden.x.clone());
        let forecast = forecast * windows.deviation + windows.mean;
        (forecast - windows.next, hidden)
    }
}

/// The windows of a batch.
fn series(batch: &Batch) -> &SeriesRows {
    let series = batch.series.as_ref();
    series.expect("data of this task are series")
}

impl Task for Forecast {
    fn metrics(&self, _: &DataConfig) -> &'static [&'static Metric] {
        static METRICS: [&Metric; 2] = [&MSE, &MAE];
        &METRICS
    }

    fn fit(&self, data: DataConfig) -> Result<DataConfig, Problem> {
        let DataConfig::Series(config) = data else {
            return Ok(data);
        };
        let (values, patch) = (config.seq_len, self.patch);
        if !values.is_multiple_of(patch) {
            let (below, above) = (values / patch * patch, values.next_multiple_of(patch));
            let below = if below > 0 {
                format!("{below} or ")
            } else {
                String::new()
            };
            let problem = format!(
                "must be a multiple of task.patch = {patch}, got {values}: {below}{above} is one"
            );
            return Err(("seq_len", problem));
        }
        let config = SeriesConfig {
            horizon: self.horizon,
            patch,
            ..config
        };
        Ok(config.into())
    }

    fn ends(&self, _: usize, _: usize) -> Ends {
        Ends {
            encoder: EncoderSpec::Values { patch: self.patch },
            head: HeadSpec::Horizon(self.horizon),
        }
    }

    fn ends_of(&self, _: &Weights) -> Result<Ends, SpecError> {
        Ok(self.ends(0, 0))
    }

    fn encode(&self, model: &LanguageModel, batch: &Batch, device: &Device) -> Tensor<3> {
        model.embed_values(self.windows(batch, device).read)
    }

    fn outputs(&self, model: &LanguageModel, _: &Batch, x: Tensor<3>) -> Tensor<2> {
        model.values_after(x)
    }

    fn train(
        &self,
        model: &LanguageModel,
        batch: &Batch,
        device: &Device,
        state: Option<ModelState>,
        pass: Pass,
        _: bool,
    ) -> TrainingLoss {
        let windows = self.windows(batch, device);
        let weights = windows.weights.clone();
        let (errors, Hidden { state, .. }) = Self::errors(model, windows, state, pass);
        TrainingLoss {
            loss: sum(errors.clone() * errors * weights),
            hits: None,
            state,
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
        let windows = self.windows(batch, device);
        let (errors, Hidden { state, probes, .. }) = Self::errors(model, windows, state, pass);
        Scored {
            losses: errors.clone() * errors.clone(),
            hits: None,
            marks: Some(errors),
            write_rates: probes.iter().map(Probe::write_rate).collect(),
            state,
        }
    }

    fn count(&self, _: &[String]) -> Box<dyn Count> {
        Box::new(Errors::default())
    }
}

/// Errors of windows: their sums, and the sums of their squares.
#[derive(Default)]
struct Errors {
    windows: f64,
    squared: [f64; 2],
    absolute: [f64; 2],
}

impl Errors {
    /// Mean, and its standard error over windows, of which one alone tells nothing.
    fn mean([sum, squares]: [f64; 2], windows: f64) -> (f64, Option<f64>) {
        let mean = sum / windows;
        let variance = (squares / windows - mean * mean).max(0.0);
        let error = (variance / (windows - 1.0)).sqrt();
        (mean, (windows > 1.0).then_some(error))
    }
}

impl Count for Errors {
    fn add(&mut self, batch: &Batch, marks: &[f32]) {
        for errors in marks.chunks(marks.len() / batch.rows) {
            let mean = |of: fn(f64) -> f64| {
                let sum: f64 = errors.iter().map(|&error| of(f64::from(error))).sum();
                sum / errors.len() as f64
            };
            let (squared, absolute) = (mean(|error| error * error), mean(f64::abs));
            self.windows += 1.0;
            for (sums, own) in [(&mut self.squared, squared), (&mut self.absolute, absolute)] {
                sums[0] += own;
                sums[1] += own * own;
            }
        }
    }

    fn finish(&self, means: &mut Means, details: &mut Details) {
        let (mse, mse_stderr) = Self::mean(self.squared, self.windows);
        let (mae, mae_stderr) = Self::mean(self.absolute, self.windows);
        means.mae = Some(mae);
        details.forecasts = Some(Forecasts {
            part: String::new(),
            windows: self.windows as u64,
            mse,
            mse_stderr,
            mae,
            mae_stderr,
            baselines: Vec::new(),
        });
    }
}
