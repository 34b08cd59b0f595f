//! What is reached without a model, on the same windows.

use serde::{Deserialize, Serialize};

use super::{linear::Linear, split::Part, windows::Series};

/// Errors of forecasts of standardised values, over windows and moments of the horizon.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ForecastErrors {
    /// Mean squared error.
    pub mse: f64,
    /// Mean absolute error.
    pub mae: f64,
}

/// A forecast without a model, and its errors.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Baseline {
    /// Its name: `repeat`, the last value for all that come; `linear`, [`Linear`].
    pub name: String,
    /// Its errors.
    #[serde(flatten)]
    pub errors: ForecastErrors,
}

impl Series {
    /// What is reached without a model on windows of a part, each a channel and the number of its
    /// window: by the last value, repeated, and, of a lookback of [`Linear::MOST`] or less, by
    /// [`Linear`].
    pub fn baselines(&self, part: Part, windows: &[(usize, usize)]) -> Vec<Baseline> {
        let linear = (self.lookback() <= Linear::MOST).then(|| Linear::fit(self));
        let repeat = |read: &[f64]| vec![read[read.len() - 1]; self.horizon()];
        let of = |name: &str, forecast: &dyn Fn(&[f64]) -> Vec<f64>| Baseline {
            name: name.to_owned(),
            errors: self.errors(part, windows, forecast),
        };
        let linear = linear.map(|linear| of("linear", &|read| linear.forecast(read)));
        std::iter::once(of("repeat", &repeat))
            .chain(linear)
            .collect()
    }

    /// The errors of a forecast on windows of a part.
    fn errors(
        &self,
        part: Part,
        windows: &[(usize, usize)],
        forecast: &dyn Fn(&[f64]) -> Vec<f64>,
    ) -> ForecastErrors {
        let (mut squares, mut sizes) = (0.0, 0.0);
        for &(channel, window) in windows {
            let (read, expected) = self.window(part, channel, window);
            for (found, expected) in forecast(read).into_iter().zip(expected) {
                squares += (found - expected).powi(2);
                sizes += (found - expected).abs();
            }
        }
        let count = (windows.len() * self.horizon()) as f64;
        ForecastErrors {
            mse: squares / count,
            mae: sizes / count,
        }
    }
}
