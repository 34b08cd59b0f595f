//! `metrics.jsonl`: what was logged, step by step.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use serde_json::Value;

use super::json;
use crate::CompareError;

/// One line of `metrics.jsonl`.
#[derive(Debug, Clone, PartialEq)]
pub struct Point {
    /// Optimizer steps done.
    pub step: u64,
    /// Tokens trained on.
    pub tokens: u64,
    /// Seconds of training, if the run tells: by `perf/seconds`, or by tokens and
    /// `perf/tokens_per_s`.
    pub seconds: Option<f64>,
    /// The scalars of this line, by tag.
    pub values: BTreeMap<String, f64>,
}

#[derive(Deserialize)]
struct Line {
    step: u64,
    #[serde(default)]
    tokens: u64,
    #[serde(flatten)]
    values: BTreeMap<String, Value>,
}

/// Reads the lines; none if nothing was logged.
pub(super) fn read(path: &Path) -> Result<Vec<Point>, CompareError> {
    let mut points: Vec<Point> = json::lines::<Line>(path)?
        .into_iter()
        .map(|line| Point {
            step: line.step,
            tokens: line.tokens,
            seconds: None,
            values: line
                .values
                .into_iter()
                .filter_map(|(tag, value)| Some((tag, number(&value)?)))
                .collect(),
        })
        .collect();
    time(&mut points);
    Ok(points)
}

/// Numbers that JSON lacks are strings in this file.
fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64(),
        Value::String(word) => match word.as_str() {
            "NaN" => Some(f64::NAN),
            "inf" => Some(f64::INFINITY),
            "-inf" => Some(f64::NEG_INFINITY),
            _ => None,
        },
        _ => None,
    }
}

/// Gives each point the time of the newest point at or before it that tells one.
fn time(points: &mut [Point]) {
    let logs_seconds = points.iter().any(|p| p.values.contains_key("perf/seconds"));
    let mut now = None;
    let mut tokens = 0;
    for point in points {
        if logs_seconds {
            now = point.values.get("perf/seconds").copied().or(now);
        } else if let Some(&speed) = point.values.get("perf/tokens_per_s")
            && speed > 0.0
        {
            let passed = point.tokens.saturating_sub(tokens) as f64 / speed;
            now = Some(now.unwrap_or(0.0) + passed);
            tokens = point.tokens;
        }
        point.seconds = now;
    }
}
