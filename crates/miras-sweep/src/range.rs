//! Ranges of numbers.

use miras_config::{ConfigError, Tree};
use miras_random::Stream;
use serde::{Deserialize, Serialize};
use toml::{Table, Value};

/// The most values of a range.
const MAX_VALUES: usize = 1000;
/// Up to here every whole number is a floating-point number.
const MAX_EXACT_INTEGER: f64 = (1_u64 << 53) as f64;

/// `{ log = [LOW, HIGH], n = 5 }` or `linear = [LOW, HIGH]`; with `integer = true` whole numbers.
#[derive(Debug, Clone)]
pub(crate) struct Range {
    low: f64,
    high: f64,
    scale: Scale,
    n: Option<usize>,
    integer: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scale {
    Linear,
    Log,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Keys {
    log: Option<[f64; 2]>,
    linear: Option<[f64; 2]>,
    n: Option<usize>,
    integer: Option<bool>,
}

impl Range {
    /// Whether a table describes a range.
    pub(crate) fn is_one(table: &Table) -> bool {
        table.contains_key("log") && table["log"].is_array()
            || table.contains_key("linear") && table["linear"].is_array()
    }

    pub(crate) fn read(tree: &Tree, table: &Table, at: &str) -> Result<Self, ConfigError> {
        let refuse = |message: String| Err(tree.error(at, message, None));
        let keys: Keys = match table.clone().try_into() {
            Ok(keys) => keys,
            Err(error) => return refuse(format!("no range: {}", error.message())),
        };
        let (scale, [low, high]) = match (keys.log, keys.linear) {
            (Some(ends), None) => (Scale::Log, ends),
            (None, Some(ends)) => (Scale::Linear, ends),
            _ => return refuse("a range is either `log` or `linear`".to_owned()),
        };
        let is_sound =
            low < high && (high - low).is_finite() && (scale == Scale::Linear || low > 0.0);
        if !is_sound {
            let positive = if scale == Scale::Log { ", above 0" } else { "" };
            return refuse(format!(
                "a range goes from low to high{positive}, got {low} and {high}"
            ));
        }
        if keys.n.is_some_and(|n| !(2..=MAX_VALUES).contains(&n)) {
            return refuse(format!("n must be from 2 to {MAX_VALUES}"));
        }
        // `{ linear = [1, 4], n = 4 }` means whole numbers.
        let ends = table.get("linear").and_then(Value::as_array);
        let is_whole = ends.is_some_and(|ends| ends.iter().all(Value::is_integer))
            && keys.n.is_none_or(|n| (high - low) % (n - 1) as f64 == 0.0);
        let integer = keys.integer.unwrap_or(is_whole);
        let is_countable = |end: f64| end.fract() == 0.0 && end.abs() <= MAX_EXACT_INTEGER;
        if integer && !(is_countable(low) && is_countable(high)) {
            return refuse(format!(
                "a range with integer = true goes from one whole number to another, of at most \
                 2^53, got {low} and {high}"
            ));
        }
        Ok(Self {
            low,
            high,
            scale,
            n: keys.n,
            integer,
        })
    }

    /// The `n` values of a grid, of which rounding may make some equal.
    pub(crate) fn points(
        &self,
        tree: &Tree,
        at: &str,
        key: &str,
    ) -> Result<Vec<Value>, ConfigError> {
        let Some(n) = self.n else {
            let message = format!("the range for `{key}` does not say how many values it has");
            return Err(tree.error(at, message, Some("add n, for example n = 5".to_owned())));
        };
        Ok((0..n)
            .map(|number| self.at(number as f64 / (n - 1) as f64))
            .collect())
    }

    /// A random value, uniform on the scale of the range. A whole number stands for all numbers
    /// that are rounded to it, so the range is wider by one half at both ends.
    pub(crate) fn draw(&self, stream: &mut Stream) -> Value {
        match (self.integer, self.scale) {
            (false, _) => self.at(stream.unit()),
            (true, Scale::Linear) => {
                let (low, high) = (self.low as i64, self.high as i64);
                Value::Integer(low + stream.below(high.abs_diff(low) + 1) as i64)
            }
            (true, Scale::Log) => {
                let (low, high) = (self.low - 0.5, self.high + 0.5);
                let value = low * (high / low).powf(stream.unit());
                Value::Integer(value.round().clamp(self.low, self.high) as i64)
            }
        }
    }

    /// The value at a fraction of the range, from 0 to 1. Between the ends it is rounded to four
    /// digits, so that a table can show exactly what was used.
    fn at(&self, share: f64) -> Value {
        let value = match self.scale {
            Scale::Linear => self.low + share * (self.high - self.low),
            Scale::Log => self.low * (self.high / self.low).powf(share),
        };
        if self.integer {
            return Value::Integer(value.round() as i64);
        }
        let rounded = format!("{value:.3e}").parse().unwrap_or(value);
        Value::Float(match share {
            0.0 => self.low,
            1.0 => self.high,
            _ if (self.low..=self.high).contains(&rounded) => rounded,
            _ => value,
        })
    }
}
