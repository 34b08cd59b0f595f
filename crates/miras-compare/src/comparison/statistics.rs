//! Means, spreads, and whether two means can be told apart.

use std::collections::BTreeMap;

use statrs::distribution::{ContinuousCDF as _, StudentsT};

/// A mean over seeds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sample {
    /// How many values there are.
    pub n: usize,
    /// Their mean.
    pub mean: f64,
    /// Their sample standard deviation (n − 1); none of one value.
    pub std: Option<f64>,
}

/// How much larger one mean is than another, and how sure that is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Difference {
    /// The difference of the means.
    pub mean: f64,
    /// Half the width of its 95 % confidence interval.
    pub half: f64,
    /// The difference in units of its standard error.
    pub t: f64,
    /// Degrees of freedom.
    pub degrees: f64,
    /// Two-sided: how often a difference as large comes about by chance.
    pub p: f64,
    /// Whether values of the same seeds were compared with each other.
    pub paired: bool,
}

/// Seeds that each side of a test needs: two values can be near each other by chance, and then
/// their spread says that everything is certain.
pub(crate) const SEEDS: usize = 3;

impl Difference {
    /// Of values by seed: paired where both sides have the same seeds, for then data and chance
    /// are the same on both, else by Welch.
    ///
    /// `resolution` is the smallest step in which a value can change, 0 if it is not known. A
    /// spread is taken to be no smaller: values that are equal to a step are not equal beyond it.
    ///
    /// `None` if a side has fewer than [`SEEDS`] values, or if there is no spread at all: seeds that
    /// change nothing are no measure of chance.
    pub fn of(
        one: &BTreeMap<u64, f64>,
        other: &BTreeMap<u64, f64>,
        resolution: f64,
    ) -> Option<Self> {
        if one.len() < SEEDS || other.len() < SEEDS {
            return None;
        }
        let largest = (one.values().chain(other.values()))
            .fold(0.0_f64, |largest, value| largest.max(value.abs()));
        // What 32-bit numbers do not tell apart is no spread.
        let rounding = largest * f64::from(f32::EPSILON);
        let spread = |sample: &Sample| sample.std.map(|std| std.max(resolution));
        if one.keys().eq(other.keys()) {
            let differences: Vec<f64> = one
                .iter()
                .map(|(seed, value)| value - other[seed])
                .collect();
            let sample = Sample::of(&differences)?;
            let spread = spread(&sample).filter(|&spread| spread > rounding)?;
            let error = spread / (sample.n as f64).sqrt();
            return Self::new(sample.mean, error, (sample.n - 1) as f64, true);
        }
        let sample =
            |values: &BTreeMap<u64, f64>| Sample::of(&values.values().copied().collect::<Vec<_>>());
        let (one, other) = (sample(one)?, sample(other)?);
        let [own, others] = [&one, &other].map(|side| spread(side).unwrap_or(0.0));
        if own.max(others) <= rounding {
            return None;
        }
        let own = own.powi(2) / one.n as f64;
        let others = others.powi(2) / other.n as f64;
        let parts = own.powi(2) / (one.n - 1) as f64 + others.powi(2) / (other.n - 1) as f64;
        let degrees = (own + others).powi(2) / parts;
        Self::new(one.mean - other.mean, (own + others).sqrt(), degrees, false)
    }

    fn new(mean: f64, error: f64, degrees: f64, paired: bool) -> Option<Self> {
        let distribution = StudentsT::new(0.0, 1.0, degrees).ok()?;
        let t = mean / error;
        Some(Self {
            mean,
            half: distribution.inverse_cdf(0.975) * error,
            t,
            degrees,
            // Too small for a number is not impossible.
            p: (2.0 * distribution.cdf(-t.abs())).max(f64::MIN_POSITIVE),
            paired,
        })
    }
}

impl Sample {
    /// Of these values; none of no value.
    pub fn of(values: &[f64]) -> Option<Self> {
        let n = values.len();
        if n == 0 {
            return None;
        }
        let mean = values.iter().sum::<f64>() / n as f64;
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        Some(Self {
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

/// The middle value, or the mean of the two middle ones.
pub(crate) fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => None,
        n if n % 2 == 1 => Some(values[middle]),
        _ => Some(f64::midpoint(values[middle - 1], values[middle])),
    }
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
        close(welch.degrees, 50.0 / 17.0);
        assert!(welch.p > 0.09 && welch.p < 0.11, "{}", welch.p);
        close(Difference::of(&b, &a, 0.0).unwrap().t, -welch.t);
        // A step of 2 widens the first side to the spread of the second.
        let coarse = Difference::of(&a, &b, 2.0).unwrap();
        close(coarse.t, -3.0 / (8.0_f64 / 3.0).sqrt());
        close(coarse.degrees, 4.0);
    }

    #[test]
    fn seeds_in_common_are_paired() {
        // Differences 0.1, 0.2, 0.3: mean 0.2, deviation 0.1, t = 0.2 / (0.1 / sqrt 3), df 2.
        let (one, other) = (seeds(1, &[5.1, 3.2, 9.3]), seeds(1, &[5.0, 3.0, 9.0]));
        let paired = Difference::of(&one, &other, 0.0).unwrap();
        assert!(paired.paired);
        close(paired.mean, 0.2);
        close(paired.t, 2.0 * 3.0_f64.sqrt());
        close(paired.degrees, 2.0);
        close(paired.half, 4.302_653 * 0.1 / 3.0_f64.sqrt());
        // Where p has a closed form: p = 1 - t / sqrt(2 + t²).
        close(paired.p, 1.0 - paired.t / (2.0 + paired.t.powi(2)).sqrt());
        let coarse = Difference::of(&one, &other, 0.5).unwrap();
        close(coarse.half, 4.302_653 * 0.5 / 3.0_f64.sqrt());
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
        assert_eq!(median(vec![]), None);
        assert_eq!(median(vec![4.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), Some(2.5));
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
