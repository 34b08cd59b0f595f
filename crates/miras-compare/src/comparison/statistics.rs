//! Means, standard deviations and t-tests.

use std::collections::BTreeMap;

use statrs::distribution::{ContinuousCDF as _, StudentsT};

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
}

/// The seeds that each side of a test needs: two values can be near each other by chance, and their
/// spread would then make any difference significant.
pub(crate) const MIN_SEEDS: usize = 3;

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
        if one.keys().eq(other.keys()) {
            let differences = one.iter().map(|(seed, value)| value - other[seed]);
            let sample = Sample::of(&differences.collect::<Vec<_>>())?;
            let error = spread(&sample) / (sample.n as f64).sqrt();
            let is_spread = spread(&sample) > rounding;
            return is_spread
                .then(|| Self::new(sample.mean, error, (sample.n - 1) as f64, true))?;
        }
        let sample = |values: &BTreeMap<u64, f64>| {
            let values: Vec<f64> = values.values().copied().collect();
            Sample::of(&values)
        };
        let (one, other) = (sample(one)?, sample(other)?);
        if spread(&one).max(spread(&other)) <= rounding {
            return None;
        }
        let [a, b] = [one, other].map(|side| spread(&side).powi(2) / side.n as f64);
        let parts = a.powi(2) / (one.n - 1) as f64 + b.powi(2) / (other.n - 1) as f64;
        let degrees = (a + b).powi(2) / parts;
        Self::new(one.mean - other.mean, (a + b).sqrt(), degrees, false)
    }

    fn new(mean: f64, error: f64, degrees_of_freedom: f64, paired: bool) -> Option<Self> {
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
        })
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn close(a: f64, b: f64) {
        assert!((a - b).abs() < 1e-5, "{a} is not {b}");
    }

    /// Values with seeds from `first` on.
    fn seeds(first: u64, values: &[f64]) -> BTreeMap<u64, f64> {
        (first..).zip(values.iter().copied()).collect()
    }

    #[test]
    fn welch_by_hand() {
        // Means 2 and 5, variances 1 and 4: t = -3 / sqrt(5/3), and
        // df = (5/3)² / ((1/9 + 16/9) / 2) = 50/17.
        let (a, b) = (seeds(1, &[1.0, 2.0, 3.0]), seeds(11, &[3.0, 5.0, 7.0]));
        let welch = Difference::of(&a, &b, 0.0).unwrap();
        assert!(!welch.paired);
        close(welch.mean, -3.0);
        close(welch.t, -3.0 / (5.0_f64 / 3.0).sqrt());
        close(welch.degrees_of_freedom, 50.0 / 17.0);
        assert!(welch.p > 0.09 && welch.p < 0.11, "{}", welch.p);
        close(Difference::of(&b, &a, 0.0).unwrap().t, -welch.t);
        // A step of 2 widens the first side to the spread of the second.
        let coarse = Difference::of(&a, &b, 2.0).unwrap();
        close(coarse.t, -3.0 / (8.0_f64 / 3.0).sqrt());
        close(coarse.degrees_of_freedom, 4.0);
    }

    #[test]
    fn seeds_in_common_are_paired() {
        // Differences 0.1, 0.2, 0.3: mean 0.2, deviation 0.1, t = 0.2 / (0.1 / sqrt 3), df 2.
        let (one, other) = (seeds(1, &[5.1, 3.2, 9.3]), seeds(1, &[5.0, 3.0, 9.0]));
        let paired = Difference::of(&one, &other, 0.0).unwrap();
        assert!(paired.paired);
        close(paired.mean, 0.2);
        close(paired.t, 2.0 * 3.0_f64.sqrt());
        close(paired.degrees_of_freedom, 2.0);
        close(paired.half_width, 4.302_653 * 0.1 / 3.0_f64.sqrt());
        // Where p has a closed form: p = 1 - t / sqrt(2 + t²).
        close(paired.p, 1.0 - paired.t / (2.0 + paired.t.powi(2)).sqrt());
        let coarse = Difference::of(&one, &other, 0.5).unwrap();
        close(coarse.half_width, 4.302_653 * 0.5 / 3.0_f64.sqrt());
    }

    #[test]
    fn no_spread_is_never_certainty() {
        // One question in sixteen answered more by both seeds.
        let few = seeds(1, &[0.0625, 0.375]);
        assert_eq!(
            Difference::of(&seeds(1, &[0.125, 0.4375]), &few, 0.0625),
            None
        );
        for first in [1, 7] {
            let (low, high) = (seeds(1, &[2.0; 3]), seeds(first, &[3.0; 3]));
            assert_eq!(Difference::of(&low, &high, 0.0), None, "seeds from {first}");
            assert_eq!(Difference::of(&low, &low, 0.0), None);
            // The last bit of a 32-bit number is no spread.
            let rounded = seeds(1, &[2.0, 2.0 + 1e-7, 2.0 - 1e-7]);
            assert_eq!(Difference::of(&rounded, &high, 0.0), None);
            // One question of sixteen is told by nothing, half of a thousand is.
            let (none, one) = (seeds(1, &[0.25; 3]), seeds(first, &[0.3125; 3]));
            assert!(Difference::of(&none, &one, 0.0625).unwrap().p > 0.2);
            let half = seeds(first, &[0.75; 3]);
            let told = Difference::of(&none, &half, 0.001).unwrap().p;
            assert!(told > 0.0 && told < 0.01, "{told}");
        }
        let many: Vec<f64> = vec![0.0; 400];
        let far = Difference::of(&seeds(1, &many), &seeds(1, &vec![1e4; 400]), 0.01).unwrap();
        assert!(far.p > 0.0, "{}", far.p);
    }

    #[test]
    fn edges() {
        assert_eq!(Sample::of(&[]), None);
        assert_eq!(Sample::of(&[2.0]).unwrap().std, None);
    }

    #[test]
    fn holm_by_hand() {
        let corrected = holm(&[0.01, 0.04, 0.03]);
        for (got, expected) in corrected.iter().zip([0.03, 0.06, 0.06]) {
            close(*got, expected);
        }
        assert!(holm(&[]).is_empty());
    }
}
