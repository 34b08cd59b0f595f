//! The axes of plots: their values, range, linear or logarithmic, and ticks.

use std::ops::Range;

use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};
use plotters::coord::types::RangedCoordf64;

use crate::number::{trimmed, with_letter};

/// An axis is logarithmic if its largest value is more than this many times the smallest one.
const LOG_RATIO: f64 = 20.0;
/// The same for chosen values, which are seldom so far apart in even steps.
const LOG_RATIO_CHOSEN: f64 = 7.5;
/// Larger values are drawn here, so that all ranges are finite.
const LARGEST: f64 = 1e300;

#[derive(Debug, Clone)]
pub(crate) struct Axis {
    /// With the unit.
    pub(crate) label: String,
    pub(crate) values: Values,
    /// Logarithmic even if the range is narrow. Wide ranges always are. Needs positive values.
    pub(crate) is_log: bool,
}

/// What values an axis has.
#[derive(Debug, Clone)]
pub(crate) enum Values {
    /// A continuous range.
    Numbers,
    /// A few values, each with a tick if there is room.
    Chosen(Vec<f64>),
    /// Names, at 0, 1, 2, ….
    Names(Vec<String>),
}

impl Axis {
    pub(crate) fn new(label: impl Into<String>, values: Values) -> Self {
        Self {
            label: label.into(),
            values,
            is_log: false,
        }
    }

    pub(crate) fn numbers(label: impl Into<String>) -> Self {
        Self::new(label, Values::Numbers)
    }

    pub(crate) fn chosen(label: impl Into<String>, mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        values.dedup();
        Self::new(label, Values::Chosen(values))
    }

    pub(crate) fn log(self) -> Self {
        Self {
            is_log: true,
            ..self
        }
    }
}

/// An axis with its range. A position is a value, or its logarithm on a logarithmic axis.
#[derive(Debug, Clone)]
pub(crate) struct Scale {
    /// The first and the last position.
    low: f64,
    high: f64,
    is_log: bool,
    /// Values.
    ticks: Vec<f64>,
    names: Vec<String>,
}

impl Scale {
    /// `pad` is the share of the range that is left free on both sides, `max_ticks` the number of
    /// ticks that there is room for.
    pub(crate) fn new(axis: &Axis, values: &[f64], pad: f64, max_ticks: usize) -> Self {
        let mut scale = Self {
            low: -0.5,
            high: 0.5,
            is_log: false,
            ticks: Vec::new(),
            names: Vec::new(),
        };
        if let Values::Names(names) = &axis.values {
            scale.high = names.len() as f64 - 0.5;
            scale.ticks = (0..names.len()).map(|at| at as f64).collect();
            scale.names.clone_from(names);
            return scale;
        }
        let values = || values.iter().map(|value| value.clamp(-LARGEST, LARGEST));
        let least = values().fold(f64::INFINITY, f64::min);
        let greatest = values().fold(f64::NEG_INFINITY, f64::max);
        let ratio = match &axis.values {
            _ if axis.is_log => 1.0,
            Values::Chosen(chosen) if chosen.len() > 2 => LOG_RATIO_CHOSEN,
            _ => LOG_RATIO,
        };
        scale.is_log = least > 0.0 && greatest > least * ratio;
        let (mut low, mut high) = (scale.position(least), scale.position(greatest));
        if high - low <= low.abs().max(1e-12) * 1e-9 {
            let room = if low == 0.0 { 1.0 } else { low.abs() * 0.1 };
            (low, high) = (low - room, high + room);
        }
        let room = (high - low) * pad;
        (scale.low, scale.high) = (low - room, high + room);
        scale.ticks = match &axis.values {
            Values::Chosen(chosen) if scale.has_room_for(chosen, max_ticks) => chosen.clone(),
            _ if scale.is_log => scale.log_ticks(max_ticks),
            _ => RangedCoordf64::from(scale.low..scale.high).key_points(max_ticks),
        };
        scale
    }

    fn position(&self, value: f64) -> f64 {
        if self.is_log {
            value.max(f64::MIN_POSITIVE).log10()
        } else {
            value
        }
    }

    /// The value at a distance from another one, as a share of the axis.
    pub(crate) fn shifted(&self, value: f64, share: f64) -> f64 {
        let position = self.position(value) + share * (self.high - self.low);
        if self.is_log {
            10_f64.powf(position)
        } else {
            position
        }
    }

    /// The names of the ticks.
    pub(crate) fn labels(&self) -> impl Iterator<Item = String> {
        self.ticks.iter().map(|tick| self.format_ext(tick))
    }

    fn has_room_for(&self, ticks: &[f64], max_ticks: usize) -> bool {
        let gap = 0.6 * (self.high - self.low) / max_ticks as f64;
        let is_apart = |pair: &[f64]| self.position(pair[1]) - self.position(pair[0]) >= gap;
        ticks.len() <= 12 && ticks.windows(2).all(is_apart)
    }

    /// Round values: as many digits of each power of ten as there is room for.
    fn log_ticks(&self, max_ticks: usize) -> Vec<f64> {
        let choices: [(&[f64], i32); 5] = [
            (&[1.0, 2.0, 5.0], 1),
            (&[1.0, 3.0], 1),
            (&[1.0], 1),
            (&[1.0], 2),
            (&[1.0], 4),
        ];
        let ticks = choices.into_iter().map(|(digits, every)| -> Vec<f64> {
            let powers = self.low.floor() as i32..=self.high.ceil() as i32;
            let powers = powers.filter(|power| power % every == 0);
            powers
                .flat_map(|power| digits.iter().map(move |digit| digit * 10_f64.powi(power)))
                .filter(|value| (self.low..=self.high).contains(&value.log10()))
                .collect()
        });
        let mut fitting = ticks.filter(|ticks| ticks.len() <= max_ticks.max(2) + 2);
        fitting.next().unwrap_or_default()
    }
}

/// How plotters maps values to pixels.
impl Ranged for Scale {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    /// Values outside of the range are at its ends.
    fn map(&self, value: &f64, pixels: (i32, i32)) -> i32 {
        let position = self.position(*value).clamp(self.low, self.high);
        RangedCoordf64::from(self.low..self.high).map(&position, pixels)
    }

    fn key_points<Hint: KeyPointHint>(&self, hint: Hint) -> Vec<f64> {
        if hint.weight().allow_light_points() {
            Vec::new()
        } else {
            self.ticks.clone()
        }
    }

    fn range(&self) -> Range<f64> {
        self.low..self.high
    }
}

impl ValueFormatter<f64> for Scale {
    fn format_ext(&self, value: &f64) -> String {
        let size = value.abs();
        if let Some(name) = self.names.get(*value as usize) {
            name.clone()
        } else if size < (self.high - self.low) * 1e-9 && !self.is_log {
            "0".to_owned()
        } else if size < 1e-4 {
            format!("{value:e}")
        } else if size < 10_000.0 {
            trimmed(*value, 6)
        } else {
            with_letter(*value, 3)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(axis: &Axis, values: &[f64], max_ticks: usize) -> Vec<String> {
        Scale::new(axis, values, 0.0, max_ticks).labels().collect()
    }

    #[test]
    fn ticks_are_round_and_have_the_digits_they_need() {
        let labels = |low, high, max| labels(&Axis::numbers(""), &[low, high], max);
        assert_eq!(labels(2.3, 2.7, 5), ["2.3", "2.4", "2.5", "2.6", "2.7"]);
        assert_eq!(labels(0.0, 10.0, 6), ["0", "2", "4", "6", "8", "10"]);
        assert_eq!(labels(1e6, 2.5e6, 4), ["1M", "1.5M", "2M", "2.5M"]);
        assert_eq!(labels(1.0, 1000.0, 4), ["1", "10", "100", "1000"]);
        assert_eq!(labels(2e-6, 1e-3, 2), ["1e-5", "0.0001", "0.001"]);
    }

    #[test]
    fn logarithms_and_single_values_are_in_the_range() {
        let scale = |low, high| Scale::new(&Axis::numbers(""), &[low, high], 0.0, 4);
        let wide = scale(1.0, 100.0);
        let pixels = [-1.0, 1.0, 10.0, 100.0].map(|value| wide.map(&value, (0, 1000)));
        assert_eq!(pixels, [0, 0, 500, 1000]);
        let single = scale(3.0, 3.0);
        assert_eq!(single.map(&3.0, (0, 1000)), 500);
        assert!(!single.ticks.is_empty());
    }

    #[test]
    fn extreme_ranges_have_few_ticks() {
        for values in [
            [5e-324, 1e-323],
            [-f64::MAX, f64::MAX],
            [0.0, 0.0],
            [1e17, 1e17 + 64.0],
            [1e-300, 1e300],
        ] {
            let scale = Scale::new(&Axis::numbers(""), &values, 0.05, 7);
            assert!(scale.ticks.len() < 20, "{values:?}");
        }
    }

    #[test]
    fn chosen_values_have_ticks_if_there_is_room() {
        let labels = |values: &[f64]| labels(&Axis::chosen("", values.to_vec()), values, 8);
        assert_eq!(labels(&[1.0, 2.0, 4.0]), ["1", "2", "4"]);
        assert_ne!(labels(&[1.0, 1.001, 4.0]), ["1", "1.001", "4"]);
    }
}
