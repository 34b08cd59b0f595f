//! How a run ended: `summary.json`.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// `summary.json`: how a run ended, for a person, a sweep or a comparison.
///
/// Numbers that are NaN or infinite are `null` in the file, and NaN when read back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// Why the run ended.
    pub status: Status,
    /// The error or the first non-finite tensor, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Optimizer steps done.
    pub steps: u64,
    /// Tokens seen.
    pub tokens: u64,
    /// Seconds of training, summed over all starts.
    #[serde(with = "floats::one")]
    pub seconds: f64,
    /// The best evaluation.
    #[serde(default)]
    pub best: Option<Best>,
    /// The last value of each metric, by its tag.
    #[serde(default, with = "floats::map")]
    pub metrics: BTreeMap<String, f64>,
}

/// The best evaluation of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Best {
    /// The metric's tag, for example `eval/loss`.
    pub metric: String,
    /// Its best value.
    #[serde(with = "floats::one")]
    pub value: f64,
    /// The step where it was reached.
    pub step: u64,
}

/// Why a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// All steps are done.
    Finished,
    /// A signal stopped it.
    Interrupted,
    /// NaN or infinity stopped it.
    Nonfinite,
    /// An error stopped it.
    Failed,
    /// The time limit stopped it.
    Time,
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Finished => "finished",
            Self::Interrupted => "interrupted",
            Self::Nonfinite => "nonfinite",
            Self::Failed => "failed",
            Self::Time => "time",
        })
    }
}

/// Numbers that may be NaN, in JSON, which has no NaN: they are written as `null`.
mod floats {
    /// One number.
    pub(crate) mod one {
        use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer};

        #[expect(
            clippy::trivially_copy_pass_by_ref,
            reason = "serde passes a reference"
        )]
        pub(crate) fn serialize<S: Serializer>(value: &f64, to: S) -> Result<S::Ok, S::Error> {
            value.is_finite().then_some(*value).serialize(to)
        }

        pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<f64, D::Error> {
            Ok(Option::deserialize(from)?.unwrap_or(f64::NAN))
        }
    }

    /// Numbers by name.
    pub(crate) mod map {
        use std::collections::BTreeMap;

        use serde::{Deserialize as _, Deserializer, Serializer};

        pub(crate) fn serialize<S: Serializer>(
            values: &BTreeMap<String, f64>,
            to: S,
        ) -> Result<S::Ok, S::Error> {
            to.collect_map(
                values
                    .iter()
                    .map(|(name, value)| (name, value.is_finite().then_some(*value))),
            )
        }

        pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
            from: D,
        ) -> Result<BTreeMap<String, f64>, D::Error> {
            let values = BTreeMap::<String, Option<f64>>::deserialize(from)?;
            Ok(values
                .into_iter()
                .map(|(name, value)| (name, value.unwrap_or(f64::NAN)))
                .collect())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> Summary {
        Summary {
            status: Status::Finished,
            message: None,
            steps: 20,
            tokens: 40_960,
            seconds: 1.5,
            best: Some(Best {
                metric: "eval/loss".into(),
                value: 2.25,
                step: 15,
            }),
            metrics: [
                ("eval/loss".to_owned(), 2.5),
                ("train/loss".to_owned(), 0.1),
            ]
            .into(),
        }
    }

    #[test]
    fn summary_reads_back_equal() {
        let json = serde_json::to_string(&example()).unwrap();
        assert_eq!(serde_json::from_str::<Summary>(&json).unwrap(), example());
    }

    #[test]
    fn numbers_that_json_lacks_are_null_and_read_back_as_nan() {
        let mut summary = example();
        summary.status = Status::Nonfinite;
        summary.metrics.insert("train/loss".into(), f64::INFINITY);
        let json = serde_json::to_value(&summary).unwrap();
        assert!(json["metrics"]["train/loss"].is_null());
        let back: Summary = serde_json::from_value(json).unwrap();
        assert!(back.metrics["train/loss"].is_nan());
        assert_eq!(back.metrics["eval/loss"].to_bits(), 2.5_f64.to_bits());
    }

    #[test]
    fn the_text_of_a_status_is_its_json() {
        use Status::{Failed, Finished, Interrupted, Nonfinite, Time};
        for status in [Finished, Interrupted, Nonfinite, Failed, Time] {
            assert_eq!(serde_json::to_value(status).unwrap(), status.to_string());
        }
    }
}
