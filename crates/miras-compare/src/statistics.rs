//! Means, standard deviations and t-tests.

use std::collections::BTreeMap;

use statrs::distribution::{ChiSquared, ContinuousCDF as _, StudentsT};

/// A mean over seeds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sample {
    /// How many values there are.
    pub n: usize,
    /// Their mean.
    pub mean: f64,
    /// Their sample standard deviation (n − 1); `None` of one value.
    pub std: Option<f64>,
}

/// How much larger one mean is than another, and a t-test of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Difference {
    /// The difference of the means.
    pub mean: f64,
    /// Half the width of its 95 % confidence interval.
    pub half_width: f64,
    /// The difference in units of its standard error.
    pub t: f64,
    /// The degrees of freedom of the test.
    pub degrees_of_freedom: f64,
    /// The two-sided p: how often chance alone makes a difference as large.
    pub p: f64,
    /// Whether values of the same seeds were compared with each other.
    pub paired: bool,
    /// The standard deviation of one difference: of the two values of a seed where they are paired,
    /// else of a value of either side.
    pub spread: f64,
}

/// Seeds with which a difference is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seeds {
    /// If the spread is that of the pilot.
    pub expected: usize,
    /// If the spread is the most that the pilot leaves likely, with 80 %.
    pub at_most: usize,
}

/// The seeds that each side of a test needs: two values can be near each other by chance, and their
/// spread would then make any difference significant.
pub(crate) const MIN_SEEDS: usize = 3;

/// Differences with a smaller p are significant.
const LEVEL: f64 = 0.05;

/// The chance with which a difference is to be found.
const POWER: f64 = 0.8;

/// More seeds are not counted.
const MOST_SEEDS: usize = 1_000_000;

impl Difference {
    /// Of values by seed: a paired t-test where both sides have the same seeds, which have the same
    /// data and initial weights on both, else Welch's.
    ///
    /// `resolution` is the smallest step in which a value can change, 0 if it is not known. No
    /// spread is taken to be smaller: values that are equal to a step are not equal beyond it.
    ///
    /// `None` if a side has fewer than three values, or if there is no spread at all: seeds that
    /// change nothing are no measure of the noise.
    pub fn of(
        one: &BTreeMap<u64, f64>,
        other: &BTreeMap<u64, f64>,
        resolution: f64,
    ) -> Option<Self> {
        if one.len() < MIN_SEEDS || other.len() < MIN_SEEDS {
            return None;
        }
        let all = one.values().chain(other.values());
        let largest = all.fold(0.0_f64, |largest, value| largest.max(value.abs()));
        // 32-bit numbers are not told apart below this.
        let rounding = largest * f64::from(f32::EPSILON);
        let spread = |sample: &Sample| sample.std.unwrap_or(0.0).max(resolution);
        let sample = |values: Vec<f64>| Sample::of(&values);
        if one.keys().eq(other.keys()) {
            let differences = one.iter().map(|(seed, value)| value - other[seed]);
            let sample = sample(differences.collect())?;
            let error = spread(&sample) / (sample.n as f64).sqrt();
            return (spread(&sample) > rounding).then(|| {
                Self::new(
                    sample.mean,
                    error,
                    spread(&sample),
                    (sample.n - 1) as f64,
                    true,
                )
            })?;
        }
        let one = sample(one.values().copied().collect())?;
        let other = sample(other.values().copied().collect())?;
        if spread(&one).max(spread(&other)) <= rounding {
            return None;
        }
        let [a, b] = [one, other].map(|side| spread(&side).powi(2) / side.n as f64);
        let parts = a.powi(2) / (one.n - 1) as f64 + b.powi(2) / (other.n - 1) as f64;
        let degrees = (a + b).powi(2) / parts;
        let both = spread(&one).hypot(spread(&other));
        Self::new(one.mean - other.mean, (a + b).sqrt(), both, degrees, false)
    }

    /// Seeds of each side; of the smaller one, about, where they are not the same.
    pub fn seeds(&self) -> usize {
        if self.paired {
            return self.degrees_of_freedom.round() as usize + 1;
        }
        let error = self.half_width / quantile(1.0 - LEVEL / 2.0, self.degrees_of_freedom);
        ((self.spread / error).powi(2)).round() as usize
    }

    /// The smallest difference that as many seeds find at 95 %, two-sided, with a chance of 80 %.
    pub fn smallest(&self) -> f64 {
        self.spread * self.units(self.seeds())
    }

    /// The seeds of each side with which a difference of `effect` is found at 95 %, two-sided, with a
    /// chance of 80 %: the fewest `n`, three at least, with `σ (t₀.₉₇₅ + t₀.₈) / √n ≤ effect`, both
    /// quantiles of the degrees of freedom that `n` seeds have.
    ///
    /// `σ` is the spread, and in [`Seeds::at_most`] the upper end of its one-sided confidence interval
    /// at 80 %, `σ √(df / χ²₀.₂(df))` (Browne 1995, doi:10.1002/sim.4780141709): the spread of a few
    /// seeds is itself uncertain.
    pub fn seeds_for(&self, effect: f64) -> Seeds {
        let needed = |spread: f64| {
            let ratio = spread / effect.abs();
            let enough = |seeds: &usize| ratio * self.units(*seeds) <= 1.0;
            // With normal quantiles, which are smaller, fewer would be enough.
            let normal = (2.8 * ratio).powi(2);
            if normal >= MOST_SEEDS as f64 {
                return MOST_SEEDS;
            }
            let from = (normal as usize).max(MIN_SEEDS);
            (from..MOST_SEEDS).find(enough).unwrap_or(MOST_SEEDS)
        };
        let degrees = self.degrees_of_freedom;
        let upper = ChiSquared::new(degrees).map_or(f64::INFINITY, |distribution| {
            (degrees / distribution.inverse_cdf(1.0 - POWER)).sqrt()
        });
        Seeds {
            expected: needed(self.spread),
            at_most: needed(self.spread * upper),
        }
    }

    /// The smallest difference that is found with so many seeds, in units of the spread.
    fn units(&self, seeds: usize) -> f64 {
        let sides = if self.paired { 1 } else { 2 };
        let degrees = (sides * seeds.saturating_sub(1)) as f64;
        let both = quantile(1.0 - LEVEL / 2.0, degrees) + quantile(POWER, degrees);
        both / (seeds as f64).sqrt()
    }

    fn new(
        mean: f64,
        error: f64,
        spread: f64,
        degrees_of_freedom: f64,
        paired: bool,
    ) -> Option<Self> {
        let distribution = StudentsT::new(0.0, 1.0, degrees_of_freedom).ok()?;
        let t = mean / error;
        Some(Self {
            mean,
            half_width: distribution.inverse_cdf(0.975) * error,
            t,
            degrees_of_freedom,
            // A p that is too small for a number is not 0.
            p: (2.0 * distribution.cdf(-t.abs())).max(f64::MIN_POSITIVE),
            paired,
            spread,
        })
    }
}

/// A quantile of Student's t; infinite without a degree of freedom.
fn quantile(p: f64, degrees_of_freedom: f64) -> f64 {
    StudentsT::new(0.0, 1.0, degrees_of_freedom).map_or(f64::INFINITY, |one| one.inverse_cdf(p))
}

impl Sample {
    /// Of these values; `None` without any.
    pub fn of(values: &[f64]) -> Option<Self> {
        let n = values.len();
        let mean = values.iter().sum::<f64>() / n as f64;
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        (n > 0).then(|| Self {
            n,
            mean,
            std: (n > 1).then(|| (squares / (n - 1) as f64).sqrt()),
        })
    }
}

/// Holm's correction of p-values for the number of them, in their order.
pub fn holm(ps: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..ps.len()).collect();
    order.sort_by(|&a, &b| ps[a].total_cmp(&ps[b]));
    let mut corrected = vec![1.0; ps.len()];
    let mut largest = 0.0_f64;
    for (rank, at) in order.into_iter().enumerate() {
        largest = largest.max((ps[at] * (ps.len() - rank) as f64).min(1.0));
        corrected[at] = largest;
    }
    corrected
}

/// The corrected p of each difference, and whether it is significant.
pub(crate) fn significances(differences: impl Iterator<Item = Difference>) -> Vec<(f64, bool)> {
    let ps: Vec<f64> = differences.map(|one| one.p).collect();
    holm(&ps).into_iter().map(|p| (p, p < LEVEL)).collect()
}
