//! `metrics.jsonl`: what was logged, step by step.

use std::collections::BTreeMap;
use std::path::Path;

use miras_log::JsonLines;
use miras_run::metrics::{SECONDS, TOKENS_PER_S};
use serde_json::Value;

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

/// Reads the lines, and whether the final one is torn.
pub(super) fn read(path: &Path) -> Result<(Vec<Point>, bool), CompareError> {
    let (lines, is_torn) = JsonLines::read(path)?;
    let points = lines.into_iter().map(|mut line| {
        let tokens = line.values.remove("tokens");
        let values = line.values.into_iter();
        Point {
            step: line.step,
            tokens: tokens
                .and_then(|tokens| tokens.as_u64())
                .unwrap_or_default(),
            seconds: None,
            values: values
                .filter_map(|(tag, value)| Some((tag, number(&value)?)))
                .collect(),
        }
    });
    let mut points: Vec<Point> = points.collect();
    set_seconds(&mut points);
    Ok((points, is_torn))
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

/// Sets the seconds of each point to those of the newest point at or before it that tells them.
fn set_seconds(points: &mut [Point]) {
    let logs_seconds = points.iter().any(|p| p.values.contains_key(SECONDS.name));
    let mut now = None;
    let mut tokens = 0;
    for point in points {
        if logs_seconds {
            now = point.values.get(SECONDS.name).copied().or(now);
        } else if let Some(&speed) = point.values.get(TOKENS_PER_S.name)
            && speed > 0.0
        {
            let passed = point.tokens.saturating_sub(tokens) as f64 / speed;
            now = Some(now.unwrap_or(0.0) + passed);
            tokens = point.tokens;
        }
        point.seconds = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn points(text: &str) -> Vec<Point> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("metrics.jsonl");
        std::fs::write(&path, text).unwrap();
        read(&path).unwrap().0
    }

    fn seconds(points: &[Point]) -> Vec<Option<f64>> {
        points.iter().map(|point| point.seconds).collect()
    }

    #[test]
    fn an_evaluation_has_the_time_of_the_training_before_it() {
        let points = points(
            r#"{"step":0,"tokens":0,"eval/loss":9}
{"step":1,"tokens":10,"train/loss":3,"perf/seconds":2.5,"perf/tokens_per_s":1}
{"step":1,"tokens":10,"eval/loss":3}
"#,
        );
        assert_eq!(seconds(&points), [None, Some(2.5), Some(2.5)]);
    }

    #[test]
    fn without_a_clock_time_is_tokens_by_speed() {
        let points = points(
            r#"{"step":1,"tokens":10,"perf/tokens_per_s":5}
{"step":1,"tokens":10,"eval/loss":3}
{"step":2,"tokens":30,"perf/tokens_per_s":10}
"#,
        );
        assert_eq!(seconds(&points), [Some(2.0), Some(2.0), Some(4.0)]);
    }

    #[test]
    fn numbers_that_json_lacks_are_read_and_other_words_are_not() {
        let points =
            points(r#"{"step":1,"a":"NaN","b":"inf","c":"-inf","d":"word","e":null,"f":1}"#);
        let values = &points[0].values;
        assert!(values["a"].is_nan());
        assert!(values["b"] > f64::MAX && values["c"] < f64::MIN);
        assert_eq!(values.len(), 4);
    }
}
