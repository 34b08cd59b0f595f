//! Means, spreads, and whether two means can be told apart.

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

/// The outcome of Welch's t-test.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Welch {
    /// The difference in units of its standard error.
    pub t: f64,
    /// Degrees of freedom, by Welch and Satterthwaite.
    pub degrees: f64,
    /// Two-sided: how often a difference as large comes about by chance.
    pub p: f64,
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

    /// Welch's t-test against another sample; none if either is of one value.
    pub fn welch(&self, other: &Self) -> Option<Welch> {
        let own = self.std?.powi(2) / self.n as f64;
        let others = other.std?.powi(2) / other.n as f64;
        let difference = self.mean - other.mean;
        if own + others == 0.0 {
            // Without any spread, every difference is one.
            let p = if difference == 0.0 { 1.0 } else { 0.0 };
            let t = if difference == 0.0 {
                0.0
            } else {
                f64::INFINITY.copysign(difference)
            };
            let degrees = (self.n + other.n - 2) as f64;
            return Some(Welch { t, degrees, p });
        }
        let t = difference / (own + others).sqrt();
        let degrees = (own + others).powi(2)
            / (own.powi(2) / (self.n - 1) as f64 + others.powi(2) / (other.n - 1) as f64);
        let distribution = StudentsT::new(0.0, 1.0, degrees).ok()?;
        let p = 2.0 * distribution.cdf(-t.abs());
        Some(Welch { t, degrees, p })
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

    #[test]
    fn welch_by_hand() {
        // Means 2 and 5, variances 1 and 4: t = -3 / sqrt(5/3), and
        // df = (5/3)² / ((1/9 + 16/9) / 2) = 50/17.
        let a = Sample::of(&[1.0, 2.0, 3.0]).unwrap();
        let b = Sample::of(&[3.0, 5.0, 7.0]).unwrap();
        let welch = a.welch(&b).unwrap();
        close(welch.t, -3.0 / (5.0_f64 / 3.0).sqrt());
        close(welch.degrees, 50.0 / 17.0);
        assert!(welch.p > 0.09 && welch.p < 0.11, "{}", welch.p);
        close(b.welch(&a).unwrap().t, -welch.t);
    }

    #[test]
    fn p_where_students_t_has_a_closed_form() {
        // Equal variances and n = 2: df = 2, where p = 1 - t / sqrt(2 + t²).
        let a = Sample::of(&[0.0, 2.0]).unwrap();
        let b = Sample::of(&[5.0, 7.0]).unwrap();
        let welch = a.welch(&b).unwrap();
        let t = 5.0 / 2.0_f64.sqrt();
        close(welch.degrees, 2.0);
        close(welch.p, 1.0 - t / (2.0 + t * t).sqrt());
    }

    #[test]
    fn edges() {
        assert_eq!(Sample::of(&[]), None);
        let one = Sample::of(&[2.0]).unwrap();
        assert_eq!(one.std, None);
        let still = Sample::of(&[2.0, 2.0]).unwrap();
        assert_eq!(one.welch(&still), None);
        close(still.welch(&still).unwrap().p, 1.0);
        let other = Sample::of(&[3.0, 3.0]).unwrap();
        close(still.welch(&other).unwrap().p, 0.0);
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
