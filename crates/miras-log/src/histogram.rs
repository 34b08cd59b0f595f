//! Counts in buckets of equal width.

use tensorboard_proto::summary::HistogramProto;

/// The number of buckets of TensorBoard's own summaries.
const BUCKETS: usize = 30;

/// A distribution as TensorBoard stores it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Histogram {
    /// Smallest finite value; 0 if there is none.
    pub min: f64,
    /// Largest finite value; 0 if there is none.
    pub max: f64,
    /// The number of finite values.
    pub count: f64,
    /// Their sum.
    pub sum: f64,
    /// The sum of their squares.
    pub sum_squares: f64,
    /// Upper edge of each bucket; the first bucket begins at `min`.
    pub limits: Vec<f64>,
    /// The number of values in each bucket.
    pub counts: Vec<f64>,
}

impl Histogram {
    /// Counts the finite ones among `values`.
    ///
    /// Without finite values there is no bucket; equal values give one bucket of width 0.
    pub fn of(values: &[f32]) -> Self {
        let finite = || {
            let values = values.iter().filter(|value| value.is_finite());
            values.map(|value| f64::from(*value))
        };
        let Some(min) = finite().reduce(f64::min) else {
            return Self::default();
        };
        let max = finite().fold(min, f64::max);
        let buckets = if min < max { BUCKETS } else { 1 };
        let width = (max - min) / buckets as f64;
        let mut counts = vec![0.0; buckets];
        for value in finite() {
            // Equal values make this 0/0, which casts to 0.
            let bucket = ((value - min) / width) as usize;
            counts[bucket.min(buckets - 1)] += 1.0;
        }
        let edge = |bucket: usize| min + width * bucket as f64;
        let inner = (1..buckets).map(edge);
        Self {
            min,
            max,
            count: finite().count() as f64,
            sum: finite().sum(),
            sum_squares: finite().map(|value| value * value).sum(),
            limits: inner.chain([max]).collect(),
            counts,
        }
    }

    pub(crate) fn to_proto(&self) -> HistogramProto {
        let mut proto = HistogramProto::new();
        proto.set_min(self.min);
        proto.set_max(self.max);
        proto.set_num(self.count);
        proto.set_sum(self.sum);
        proto.set_sum_squares(self.sum_squares);
        proto.set_bucket_limit(self.limits.clone());
        proto.set_bucket(self.counts.clone());
        proto
    }

    pub(crate) fn from_proto(proto: &HistogramProto) -> Self {
        Self {
            min: proto.min,
            max: proto.max,
            count: proto.num,
            sum: proto.sum,
            sum_squares: proto.sum_squares,
            limits: proto.bucket_limit.clone(),
            counts: proto.bucket.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_have_equal_width_and_hold_every_value() {
        let values: Vec<f32> = (0..=60).map(|value| value as f32).collect();
        let histogram = Histogram::of(&values);
        let Histogram { min, max, .. } = histogram;
        assert_eq!((min, max), (0.0, 60.0));
        assert_eq!((histogram.count, histogram.sum), (61.0, 1830.0));
        let edges = (histogram.limits[0], histogram.limits[29]);
        assert_eq!(edges, (2.0, 60.0));
        let mut expected = vec![2.0; 30];
        expected[29] = 3.0;
        assert_eq!(histogram.counts, expected);
    }

    #[test]
    fn constant_values_share_one_bucket() {
        let histogram = Histogram::of(&[0.5; 7]);
        assert_eq!(histogram.limits, [0.5]);
        assert_eq!(histogram.counts, [7.0]);
    }

    #[test]
    fn only_finite_values_count() {
        let some = Histogram::of(&[f32::NAN, 1.0, f32::INFINITY, 2.0, f32::NEG_INFINITY]);
        assert_eq!((some.min, some.max, some.count), (1.0, 2.0, 2.0));
        assert_eq!(Histogram::of(&[f32::NAN]), Histogram::default());
        assert_eq!(Histogram::of(&[]), Histogram::default());
    }

    #[test]
    fn the_widest_range_fits() {
        let histogram = Histogram::of(&[f32::MIN, f32::MAX, f32::MIN_POSITIVE]);
        assert!(histogram.limits.iter().all(|limit| limit.is_finite()));
        assert_eq!((histogram.counts[0], histogram.counts[29]), (1.0, 1.0));
    }
}
