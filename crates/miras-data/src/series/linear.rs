//! The linear forecast, solved and not trained.

use super::{
    cholesky::{dot, solve},
    moments::Moments,
    split::Part,
    windows::Series,
};

/// Penalties that are tried, as shares of a standardised channel's variance.
const RIDGES: [f64; 8] = [1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0];

/// One linear map from the values that are read to those that are forecast, for all channels.
///
/// # Formula
/// `ŷ = x_last + W (x − x_last) + b`, which is `NLinear`; `W` and `b` are at the minimum of
/// `Σ |y − ŷ|² + n λ |W|²` over the `n` windows of training, by the normal equations in float64.
/// `λ` is the one of a list with the least squared error on the windows of validation.
///
/// # Reference
/// Zeng et al. 2023, <https://arxiv.org/abs/2205.13504>; in closed form: Toner and Darlow 2024,
/// <https://arxiv.org/abs/2403.14587>.
#[derive(Debug, Clone)]
pub struct Linear {
    /// `[horizon, lookback − 1]`: the last value is 0 when it is subtracted.
    weights: Vec<f64>,
    /// `[horizon]`.
    bias: Vec<f64>,
    ridge: f64,
}

impl Linear {
    /// The longest lookback of which one is solved: the time grows with its third power.
    pub const MOST: usize = 1024;

    /// The best one for a series.
    pub fn fit(series: &Series) -> Self {
        let [train, valid] = [Part::Train, Part::Valid].map(|part| Moments::of(series, part));
        let fits = RIDGES.iter().filter_map(|&ridge| {
            let fit = Self::least_squares(series, &train, ridge)?;
            let error = fit.squared_error(series, &valid);
            Some((error, fit))
        });
        let best = fits.min_by(|(a, _), (b, _)| a.total_cmp(b));
        best.expect("the largest penalty leaves pivots far above rounding")
            .1
    }

    /// The penalty that was chosen.
    pub fn ridge(&self) -> f64 {
        self.ridge
    }

    /// The forecast behind standardised values.
    pub fn forecast(&self, read: &[f64]) -> Vec<f64> {
        let (&last, earlier) = read.split_last().expect("a window has a value to read");
        let centred: Vec<f64> = earlier.iter().map(|value| value - last).collect();
        let rows = (0..self.bias.len()).map(|row| self.row(row, centred.len()));
        (rows.zip(&self.bias))
            .map(|(row, bias)| last + dot(row, &centred) + bias)
            .collect()
    }

    fn row(&self, row: usize, len: usize) -> &[f64] {
        &self.weights[row * len..(row + 1) * len]
    }

    /// None where rounding leaves the equations without a solution.
    fn least_squares(series: &Series, moments: &Moments, ridge: f64) -> Option<Self> {
        let (features, horizon) = (series.lookback - 1, series.horizon);
        let Moments {
            width, count, sums, ..
        } = moments;
        let covariance =
            |i: usize, j: usize| moments.products[i * width + j] - sums[i] * sums[j] / count;
        let mut a = vec![0.0; features * features];
        let mut b = vec![0.0; features * horizon];
        for i in 0..features {
            for j in 0..features {
                a[i * features + j] = covariance(i, j);
            }
            a[i * features + i] += count * ridge;
            for h in 0..horizon {
                b[i * horizon + h] = covariance(i, series.lookback + h);
            }
        }
        let solution = solve(a, features, b, horizon)?;
        let weights: Vec<f64> = (0..horizon)
            .flat_map(|h| (0..features).map(move |i| (i, h)))
            .map(|(i, h)| solution[i * horizon + h])
            .collect();
        let bias = (0..horizon).map(|h| {
            let own = &weights[h * features..(h + 1) * features];
            (sums[series.lookback + h] - dot(own, &sums[..features])) / count
        });
        Some(Self {
            bias: bias.collect(),
            weights,
            ridge,
        })
    }

    /// The mean of `(y − ŷ)²` over the windows of which the moments are.
    fn squared_error(&self, series: &Series, moments: &Moments) -> f64 {
        let (features, width) = (series.lookback - 1, moments.width);
        let row_of = |i: usize| &moments.products[i * width..(i + 1) * width];
        let mut total = 0.0;
        for (h, bias) in self.bias.iter().enumerate() {
            let (w, y) = (self.row(h, features), series.lookback + h);
            let with_y = dot(w, &row_of(y)[..features]);
            let of_w: f64 = (w.iter().enumerate())
                .map(|(i, one)| one * dot(w, &row_of(i)[..features]))
                .sum();
            let sum = dot(w, &moments.sums[..features]) - moments.sums[y];
            total += row_of(y)[y] - 2.0 * with_y + of_w + 2.0 * bias * sum;
            total += moments.count * bias * bias;
        }
        total / (moments.count * series.horizon as f64)
    }
}

#[cfg(test)]
mod tests {
    use miras_random::Stream;

    use super::*;
    use crate::series::windows::Channel;

    /// Two channels that no window foretells exactly.
    fn series(lookback: usize, horizon: usize) -> Series {
        let mut stream = Stream::new(5, "linear", &[]);
        let mut walk = |keep: f64| {
            let mut value = 0.0;
            let next = |_| {
                value = keep * value + stream.normal();
                value + 0.3
            };
            (0..120).map(next).collect::<Vec<f64>>()
        };
        let channel = |name: &str| Channel {
            name: name.to_owned(),
            mean: 0.0,
            deviation: 1.0,
        };
        Series {
            channels: vec![channel("a"), channel("b")],
            values: vec![walk(0.9), walk(-0.5)],
            parts: [0..70, 70..90, 90..120],
            lookback,
            horizon,
        }
    }

    fn all(series: &Series, part: Part) -> impl Iterator<Item = (&[f64], &[f64])> {
        let channels = 0..series.channels.len();
        channels.flat_map(move |channel| {
            (0..series.windows(part)).map(move |at| series.window(part, channel, at))
        })
    }

    fn penalised(fit: &Linear, series: &Series) -> f64 {
        let squares = all(series, Part::Train).map(|(read, y)| {
            let pairs = fit.forecast(read).into_iter().zip(y);
            pairs.map(|(a, b)| (a - b).powi(2)).sum::<f64>()
        });
        let (count, errors) = squares.fold((0.0, 0.0), |(n, sum), own| (n + 1.0, sum + own));
        errors + count * fit.ridge * dot(&fit.weights, &fit.weights)
    }

    #[test]
    fn moments_are_sums_over_windows() {
        for (lookback, horizon) in [(1, 1), (1, 4), (5, 3), (9, 1)] {
            let series = series(lookback, horizon);
            for part in Part::ALL {
                let found = Moments::of(&series, part);
                let (mut sums, mut products) = (vec![0.0; found.width], Vec::new());
                products.resize(found.width * found.width, 0.0);
                let mut count = 0.0;
                for (read, y) in all(&series, part) {
                    let d: Vec<f64> = (read.iter().chain(y))
                        .map(|value| value - read[lookback - 1])
                        .collect();
                    for i in 0..d.len() {
                        sums[i] += d[i];
                        for j in 0..d.len() {
                            products[i * d.len() + j] += d[i] * d[j];
                        }
                    }
                    count += 1.0;
                }
                assert_eq!(found.count.to_bits(), f64::to_bits(count));
                let pairs =
                    (found.sums.iter().zip(&sums)).chain(found.products.iter().zip(&products));
                for (a, b) in pairs {
                    assert!((a - b).abs() < 1e-9, "{a} and {b}");
                }
            }
        }
    }

    #[test]
    fn the_fit_is_at_the_minimum_and_its_error_is_that_of_its_forecasts() {
        for (lookback, horizon) in [(1, 2), (6, 3)] {
            let series = series(lookback, horizon);
            let train = Moments::of(&series, Part::Train);
            for ridge in [1e-6, 0.1] {
                let fit = Linear::least_squares(&series, &train, ridge).unwrap();
                let least = penalised(&fit, &series);
                for at in 0..fit.weights.len() + fit.bias.len() {
                    for step in [-1e-3, 1e-3] {
                        let mut moved = fit.clone();
                        match at.checked_sub(fit.weights.len()) {
                            None => moved.weights[at] += step,
                            Some(at) => moved.bias[at] += step,
                        }
                        assert!(penalised(&moved, &series) > least, "{at}");
                    }
                }
                for part in Part::ALL {
                    let (mut sum, mut count) = (0.0, 0.0);
                    for (read, y) in all(&series, part) {
                        for (a, b) in fit.forecast(read).into_iter().zip(y) {
                            sum += (a - b).powi(2);
                            count += 1.0;
                        }
                    }
                    let found = fit.squared_error(&series, &Moments::of(&series, part));
                    assert!((found - sum / count).abs() < 1e-9, "{found}");
                }
            }
            // What is chosen is the best on the validation part.
            let valid = Moments::of(&series, Part::Valid);
            let chosen = Linear::fit(&series).squared_error(&series, &valid);
            for ridge in RIDGES {
                let other = Linear::least_squares(&series, &train, ridge).unwrap();
                assert!(chosen <= other.squared_error(&series, &valid));
            }
        }
    }
}
