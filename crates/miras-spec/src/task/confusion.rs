//! Which classes are taken for which.

use miras_data::Batch;
use miras_run::metrics::Means;

use crate::task::definition::Count;
use crate::task::details::{Classes, Details};

/// The targets of each class by the class that was answered.
pub(super) struct Confusion {
    labels: Vec<String>,
    /// Row-major, a row a class of targets.
    counts: Vec<u64>,
}

impl Confusion {
    pub(super) fn new(labels: &[String]) -> Self {
        Self {
            labels: labels.to_vec(),
            counts: vec![0; labels.len() * labels.len()],
        }
    }

    fn rows(&self) -> impl Iterator<Item = &[u64]> {
        self.counts.chunks(self.labels.len())
    }

    /// The Matthews correlation of several classes.
    ///
    /// # Formula
    /// `R = (c s − Σ_k p_k t_k) / √((s² − Σ_k p_k²) (s² − Σ_k t_k²))`: of `s` targets, `c` are
    /// answered right, `t_k` are of class `k`, and `k` is the answer to `p_k`. It is 0 where all
    /// targets, or all answers, are of one class. Of two classes it is the Matthews correlation
    /// coefficient.
    ///
    /// # Reference
    /// Gorodkin 2004, Computational Biology and Chemistry 28 (5–6), 367–374.
    fn mcc(&self) -> f64 {
        let targets: Vec<f64> = (self.rows())
            .map(|row| row.iter().sum::<u64>() as f64)
            .collect();
        let answer = |class: usize| self.rows().map(|row| row[class]).sum::<u64>() as f64;
        let answers: Vec<f64> = (0..self.labels.len()).map(answer).collect();
        let right = |(class, row): (usize, &[u64])| row[class];
        let right = self.rows().enumerate().map(right).sum::<u64>() as f64;
        let all: f64 = targets.iter().sum();
        let product = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        let spread = |of: &[f64]| all * all - product(of, of);
        let scale = (spread(&targets) * spread(&answers)).sqrt();
        if scale > 0.0 {
            (right * all - product(&targets, &answers)) / scale
        } else {
            0.0
        }
    }
}

impl Count for Confusion {
    fn add(&mut self, batch: &Batch, marks: &[f32]) {
        let scored = batch.weights.iter().zip(&batch.targets).zip(marks);
        for ((_, &target), &answer) in scored.filter(|((weight, _), _)| **weight > 0.0) {
            self.counts[target as usize * self.labels.len() + answer as usize] += 1;
        }
    }

    fn finish(&self, means: &mut Means, details: &mut Details) {
        let mcc = self.mcc();
        means.mcc = Some(mcc);
        let all = self.counts.iter().sum::<u64>() as f64;
        // A number that is NaN or infinite has no answers that count.
        let error = (means.accuracy).map(|share| (share * (1.0 - share) / all).sqrt());
        *details = Details {
            mcc: Some(mcc),
            accuracy_stderr: error,
            classes: Some(Classes {
                labels: self.labels.clone(),
                confusion: self.rows().map(<[u64]>::to_vec).collect(),
            }),
            ..Details::default()
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn confusion(counts: &[u64]) -> Confusion {
        let classes = counts.len().isqrt();
        Confusion {
            labels: (0..classes).map(|class| class.to_string()).collect(),
            counts: counts.to_vec(),
        }
    }

    #[test]
    fn of_two_classes_it_is_the_matthews_correlation_coefficient() {
        for [true_positive, false_negative, false_positive, true_negative] in
            [[90, 10, 20, 80], [5, 1, 0, 4], [1, 30, 40, 2], [7, 7, 7, 7]]
        {
            let found =
                confusion(&[true_positive, false_negative, false_positive, true_negative]).mcc();
            let [tp, fn_, fp, tn] =
                [true_positive, false_negative, false_positive, true_negative].map(|n| n as f64);
            let scale = ((tp + fp) * (tp + fn_) * (tn + fp) * (tn + fn_)).sqrt();
            let expected = (tp * tn - fp * fn_) / scale;
            assert!((found - expected).abs() < 1e-12, "{found} {expected}");
        }
    }

    #[test]
    fn all_right_is_1_and_one_answer_to_all_is_0() {
        for (counts, expected) in [
            (&[5, 0, 0, 0, 3, 0, 0, 0, 2][..], 1.0),
            (&[5, 0, 0, 3, 0, 0, 2, 0, 0], 0.0),
            (&[2, 3, 0, 0, 0, 0, 0, 0, 0], 0.0),
            // Worked by hand: c = 6, s = 10, t = [4, 3, 3], p = [3, 4, 3]: 27 / (√66 √66).
            (&[2, 1, 1, 1, 2, 0, 0, 1, 2], 27.0 / 66.0),
        ] {
            let found = confusion(counts).mcc();
            assert!((found - expected).abs() < 1e-12, "{counts:?}: {found}");
        }
    }

    #[test]
    fn scored_targets_are_counted_by_their_class_and_the_answer() {
        let mut found = confusion(&[0; 4]);
        let batch = Batch {
            series: None,
            inputs: vec![0; 4],
            targets: vec![0, 1, 9, 0],
            weights: vec![0.0, 1.0, 0.0, 1.0],
            bytes: 0,
            rows: 2,
            len: 2,
        };
        found.add(&batch, &[7.0, 0.0, 7.0, 0.0]);
        assert_eq!(found.counts, [1, 0, 1, 0]);
        let mut means = Means {
            accuracy: Some(0.5),
            ..Means::default()
        };
        let mut details = Details::default();
        found.finish(&mut means, &mut details);
        assert_eq!(means.mcc, Some(0.0));
        assert_eq!(details.classes.unwrap().confusion, [[1, 0], [1, 0]]);
        assert!((details.accuracy_stderr.unwrap() - 0.125_f64.sqrt()).abs() < 1e-12);
    }
}
