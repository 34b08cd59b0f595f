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

impl Difference {
    /// Of values by seed: paired where both sides have the same seeds, for then data and chance
    /// are the same on both, else by Welch. None if a side has fewer than two.
    pub fn of(one: &BTreeMap<u64, f64>, other: &BTreeMap<u64, f64>) -> Option<Self> {
        if one.len() < 2 || other.len() < 2 {
            return None;
        }
        if one.keys().eq(other.keys()) {
            let differences: Vec<f64> = one
                .iter()
                .map(|(seed, value)| value - other[seed])
                .collect();
            let sample = Sample::of(&differences)?;
            let error = sample.std? / (sample.n as f64).sqrt();
            return Self::new(sample.mean, error, (sample.n - 1) as f64, true);
        }
        let sample =
            |values: &BTreeMap<u64, f64>| Sample::of(&values.values().copied().collect::<Vec<_>>());
        let (one, other) = (sample(one)?, sample(other)?);
        let own = one.std?.powi(2) / one.n as f64;
        let others = other.std?.powi(2) / other.n as f64;
        let parts = own.powi(2) / (one.n - 1) as f64 + others.powi(2) / (other.n - 1) as f64;
        let degrees = if parts > 0.0 {
            (own + others).powi(2) / parts
        } else {
            (one.n + other.n - 2) as f64
        };
        Self::new(one.mean - other.mean, (own + others).sqrt(), degrees, false)
    }

    fn new(mean: f64, error: f64, degrees: f64, paired: bool) -> Option<Self> {
        let distribution = StudentsT::new(0.0, 1.0, degrees).ok()?;
        // Without any spread, every difference is one.
        let (t, p) = match (error > 0.0, mean == 0.0) {
            (true, _) => (mean / error, 2.0 * distribution.cdf(-(mean / error).abs())),
            (false, true) => (0.0, 1.0),
            (false, false) => (f64::INFINITY.copysign(mean), 0.0),
        };
        Some(Self {
            mean,
            half: distribution.inverse_cdf(0.975) * error,
            t,
            degrees,
            p,
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
        let welch = Difference::of(&a, &b).unwrap();
        assert!(!welch.paired);
        close(welch.mean, -3.0);
        close(welch.t, -3.0 / (5.0_f64 / 3.0).sqrt());
        close(welch.degrees, 50.0 / 17.0);
        assert!(welch.p > 0.09 && welch.p < 0.11, "{}", welch.p);
        close(Difference::of(&b, &a).unwrap().t, -welch.t);
    }

    #[test]
    fn p_where_students_t_has_a_closed_form() {
        // Equal variances and n = 2: df = 2, where p = 1 - t / sqrt(2 + t²) and the 97.5 %
        // point is 4.302653.
        let welch = Difference::of(&seeds(1, &[0.0, 2.0]), &seeds(5, &[5.0, 7.0])).unwrap();
        let t = 5.0 / 2.0_f64.sqrt();
        close(welch.degrees, 2.0);
        close(welch.p, 1.0 - t / (2.0 + t * t).sqrt());
        close(welch.half, 4.302_653 * 2.0_f64.sqrt());
    }

    #[test]
    fn seeds_in_common_are_paired() {
        // Differences 0.1, 0.2, 0.3: mean 0.2, deviation 0.1, t = 0.2 / (0.1 / sqrt 3), df 2.
        let difference = Difference::of(&seeds(1, &[5.1, 3.2, 9.3]), &seeds(1, &[5.0, 3.0, 9.0]));
        let paired = difference.unwrap();
        assert!(paired.paired);
        close(paired.mean, 0.2);
        close(paired.t, 2.0 * 3.0_f64.sqrt());
        close(paired.degrees, 2.0);
        close(paired.half, 4.302_653 * 0.1 / 3.0_f64.sqrt());
    }

    #[test]
    fn edges() {
        assert_eq!(Sample::of(&[]), None);
        assert_eq!(Sample::of(&[2.0]).unwrap().std, None);
        let still = seeds(1, &[2.0, 2.0]);
        assert_eq!(Difference::of(&seeds(1, &[2.0]), &still), None);
        close(Difference::of(&still, &still).unwrap().p, 1.0);
        close(
            Difference::of(&still, &seeds(7, &[3.0, 3.0])).unwrap().p,
            0.0,
        );
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
