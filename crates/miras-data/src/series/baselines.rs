//! What is reached without a model, on the same windows.

use super::{linear::Linear, split::Part, windows::Series};

/// Errors of forecasts, over all windows, channels and moments of the horizon.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ForecastErrors {
    /// Mean squared error of standardised values.
    pub mse: f64,
    /// Mean absolute error of standardised values.
    pub mae: f64,
}

/// A forecast without a model, and its errors.
#[derive(Clone, Debug, PartialEq)]
pub struct Baseline {
    /// Its name.
    pub name: &'static str,
    /// Its errors.
    pub errors: ForecastErrors,
}

impl Series {
    /// What is reached without a model on all windows of a part: by the last value, repeated, and
    /// by [`Linear`].
    pub fn baselines(&self, part: Part) -> [Baseline; 2] {
        let linear = Linear::fit(self);
        let repeat = |read: &[f64]| vec![read[read.len() - 1]; self.horizon];
        [
            Baseline {
                name: "repeat",
                errors: self.errors(part, &repeat),
            },
            Baseline {
                name: "linear",
                errors: self.errors(part, &|read| linear.forecast(read)),
            },
        ]
    }

    /// The errors of a forecast on all windows of a part.
    fn errors(&self, part: Part, forecast: &dyn Fn(&[f64]) -> Vec<f64>) -> ForecastErrors {
        let (mut squares, mut sizes) = (0.0, 0.0);
        for channel in 0..self.channels.len() {
            for at in 0..self.windows(part) {
                let (read, expected) = self.window(part, channel, at);
                for (found, expected) in forecast(read).into_iter().zip(expected) {
                    squares += (found - expected).powi(2);
                    sizes += (found - expected).abs();
                }
            }
        }
        let count = (self.channels.len() * self.windows(part) * self.horizon) as f64;
        ForecastErrors {
            mse: squares / count,
            mae: sizes / count,
        }
    }
}
