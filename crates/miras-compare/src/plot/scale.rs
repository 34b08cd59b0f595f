//! From values to places along an axis, and the ticks on it.

use super::figure::{Axis, Values};
use super::number;

/// A range wider than this, from its smallest to its largest value, is drawn by logarithms.
const WIDE: f64 = 20.0;
/// The same for values that somebody chose: those are seldom so far apart by even steps.
const WIDE_CHOICE: f64 = 7.5;

/// One axis, ready to be drawn.
#[derive(Debug, Clone)]
pub(super) struct Scale {
    low: f64,
    high: f64,
    is_log: bool,
    /// Values, and what stands beside them.
    pub(super) ticks: Vec<(f64, String)>,
}

impl Scale {
    /// `pad` is the share of the range that is left free on both sides; `most` the number of
    /// ticks that there is room for.
    pub(super) fn new(axis: &Axis, values: &[f64], pad: f64, most: usize) -> Self {
        let kind = &axis.values;
        if let Values::Names(names) = kind {
            let ticks = names.iter().enumerate();
            return Self {
                low: -0.5,
                high: names.len() as f64 - 0.5,
                is_log: false,
                ticks: ticks.map(|(at, name)| (at as f64, name.clone())).collect(),
            };
        }
        let least = values.iter().copied().fold(f64::INFINITY, f64::min);
        let most_value = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let wide = match kind {
            _ if axis.in_logs => 1.0,
            Values::Chosen(chosen) if chosen.len() > 2 => WIDE_CHOICE,
            _ => WIDE,
        };
        let is_log = least > 0.0 && most_value > least * wide;
        let (mut low, mut high) = if is_log {
            (least.log10(), most_value.log10())
        } else {
            (least, most_value)
        };
        if high - low <= low.abs().max(1e-12) * 1e-9 {
            let room = if low == 0.0 { 1.0 } else { low.abs() * 0.1 };
            (low, high) = (low - room, high + room);
        }
        let room = (high - low) * pad;
        let mut scale = Self {
            low: low - room,
            high: high + room,
            is_log,
            ticks: Vec::new(),
        };
        scale.ticks = match kind {
            Values::Chosen(chosen) if scale.fits(chosen, most) => chosen
                .iter()
                .map(|&value| (value, number::alone(value)))
                .collect(),
            _ if is_log => scale.log_ticks(most),
            _ => scale.even_ticks(most),
        };
        scale
    }

    /// Where a value is: 0 at the low end, 1 at the high one.
    pub(super) fn place(&self, value: f64) -> f64 {
        let value = if self.is_log {
            // What has no logarithm is at the low end.
            value.max(f64::MIN_POSITIVE).log10()
        } else {
            value
        };
        ((value - self.low) / (self.high - self.low)).clamp(0.0, 1.0)
    }

    /// Whether labels at these values would stand apart.
    fn fits(&self, values: &[f64], most: usize) -> bool {
        let gap = 0.6 / most as f64;
        let places: Vec<f64> = values.iter().map(|&value| self.place(value)).collect();
        values.len() <= 12 && places.windows(2).all(|pair| pair[1] - pair[0] >= gap)
    }

    fn even_ticks(&self, most: usize) -> Vec<(f64, String)> {
        let rough = (self.high - self.low) / most.max(1) as f64;
        let power = 10_f64.powf(rough.log10().floor());
        let steps = [1.0, 2.0, 2.5, 5.0, 10.0].map(|digit| digit * power);
        let step = steps
            .into_iter()
            .find(|&step| step >= rough * 0.999)
            .unwrap_or(10.0 * power);
        if !step.is_normal() {
            return Vec::new();
        }
        let first = (self.low / step).ceil() as i64;
        let last = (self.high / step).floor() as i64;
        let largest = self.low.abs().max(self.high.abs());
        (first..=last)
            .map(|at| at as f64 * step)
            .map(|value| (value, number::on_step(value, step, largest)))
            .collect()
    }

    fn log_ticks(&self, most: usize) -> Vec<(f64, String)> {
        let (first, last) = (self.low.floor() as i32, self.high.ceil() as i32);
        let within = |digits: &[f64], every: i32| -> Vec<(f64, String)> {
            (first..=last)
                .filter(|power| power % every == 0)
                .flat_map(|power| digits.iter().map(move |digit| digit * 10_f64.powi(power)))
                .filter(|value| (self.low..=self.high).contains(&value.log10()))
                .map(|value| (value, number::alone(value)))
                .collect()
        };
        let choices: [(&[f64], i32); 5] = [
            (&[1.0, 2.0, 5.0], 1),
            (&[1.0, 3.0], 1),
            (&[1.0], 1),
            (&[1.0], 2),
            (&[1.0], 4),
        ];
        choices
            .into_iter()
            .map(|(digits, every)| within(digits, every))
            .find(|ticks| ticks.len() <= most.max(2) + 2)
            .unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(values: &[f64], most: usize) -> Vec<String> {
        let scale = Scale::new(&Axis::numbers(""), values, 0.0, most);
        scale.ticks.into_iter().map(|(_, label)| label).collect()
    }

    #[test]
    fn ticks_are_round_and_have_the_digits_they_need() {
        assert_eq!(labels(&[2.3, 2.7], 5), ["2.3", "2.4", "2.5", "2.6", "2.7"]);
        assert_eq!(labels(&[0.0, 10.0], 4), ["0", "2.5", "5.0", "7.5", "10.0"]);
        assert_eq!(
            labels(&[100_000.0, 500_000.0], 4),
            ["100k", "200k", "300k", "400k", "500k"]
        );
        assert_eq!(labels(&[1e6, 2.5e6], 3), ["1.0M", "1.5M", "2.0M", "2.5M"]);
    }

    #[test]
    fn wide_ranges_are_logarithmic() {
        assert_eq!(labels(&[1.0, 1000.0], 4), ["1", "10", "100", "1000"]);
        let scale = Scale::new(&Axis::numbers(""), &[1.0, 100.0], 0.0, 4);
        assert!((scale.place(10.0) - 0.5).abs() < 1e-12);
        assert!(scale.place(-1.0) == 0.0);
    }

    #[test]
    fn one_value_is_in_the_middle() {
        let scale = Scale::new(&Axis::numbers(""), &[3.0, 3.0], 0.0, 4);
        assert!((scale.place(3.0) - 0.5).abs() < 1e-12);
        assert!(!scale.ticks.is_empty());
    }

    #[test]
    fn numbers_at_the_ends_of_their_range_do_no_harm() {
        for values in [
            [5e-324, 1e-323],
            [-1e308, 1e308],
            [0.0, 0.0],
            [1e-300, 1e300],
        ] {
            let scale = Scale::new(&Axis::numbers(""), &values, 0.05, 7);
            assert!(scale.ticks.len() < 20, "{values:?}");
        }
    }

    #[test]
    fn chosen_values_are_marked_if_there_is_room() {
        let marks = |values: &[f64]| {
            let axis = Axis::chosen("", values.to_vec());
            let scale = Scale::new(&axis, values, 0.05, 8);
            scale
                .ticks
                .into_iter()
                .map(|(value, _)| value)
                .collect::<Vec<_>>()
        };
        assert_eq!(marks(&[1.0, 2.0, 4.0]), [1.0, 2.0, 4.0]);
        assert_ne!(marks(&[1.0, 1.001, 4.0]), [1.0, 1.001, 4.0]);
    }
}
