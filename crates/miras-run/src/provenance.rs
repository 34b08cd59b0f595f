//! The origin of a run: `run.json`.

use std::collections::BTreeMap;
use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::inputs::Inputs;

/// `run.json`: a description of the run, and every start of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunRecord {
    /// Seed of all random numbers of the run.
    pub seed: u64,
    /// A description of its data.
    pub data: String,
    /// The size of the model; `None` in the record of an earlier version.
    #[serde(default)]
    pub cost: Option<Cost>,
    /// SHA-256 of the file of its initial weights; `None` if they were random, and in the record of
    /// an earlier version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub init: Option<String>,
    /// The first start, then each resume.
    pub starts: Vec<Start>,
}

/// The size of a model, computed from its configuration.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Cost {
    /// Parameters that the outer loop learns.
    pub parameters: u64,
    /// Those of them that belong to the memories: initial weights and gains.
    pub memory_parameters: u64,
    /// Weights that the inner loop learns at test time, for each sequence.
    pub fast_weights: u64,
    /// Bytes of the state of a sequence, independent of its length.
    pub state_bytes: u64,
    /// Further bytes of the state for each past token.
    pub state_bytes_per_token: u64,
    /// FLOPs of one token in training, forward and backward.
    pub flops_per_token: f64,
}

/// One start of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Start {
    /// Steps done before: 0 for a new run, the step of the checkpoint for a resume.
    pub step: u64,
    /// A description of the device.
    pub device: String,
    /// Code, command and machine.
    #[serde(flatten)]
    pub provenance: Provenance,
}

/// Code, command and machine of one start.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Provenance {
    /// When, in UTC, as RFC 3339.
    pub time: String,
    /// The command line, program first.
    pub command: Vec<String>,
    /// The source tree that the program was built from, if it was known then.
    pub built_from: Option<SourceTree>,
    /// Versions of the crates that matter, by name.
    pub versions: BTreeMap<String, String>,
    /// Operating system.
    pub os: String,
    /// Processor architecture.
    pub arch: String,
    /// Processors that the process may use.
    pub cpus: usize,
}

/// A git working tree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceTree {
    /// Full hash of the commit.
    pub commit: String,
    /// Whether files differ from the commit or are not in it; ignored files do not count.
    pub dirty: bool,
}

impl RunRecord {
    /// The record of a new run.
    pub fn new(seed: u64, data: impl Into<String>, cost: Option<Cost>, first: Start) -> Self {
        Self {
            seed,
            data: data.into(),
            cost,
            init: None,
            starts: vec![first],
        }
    }

    /// Checksums of what the run reads.
    pub fn inputs(&self) -> Inputs {
        Inputs {
            weights: self.init.clone(),
            ..Inputs::of_words(&self.data)
        }
    }
}

/// The present command and machine; `built_from` is known by the program.
///
/// Neither the environment nor the name of the host is recorded.
pub fn provenance(versions: &[(&str, &str)], built_from: Option<SourceTree>) -> Provenance {
    Provenance {
        time: rfc3339(SystemTime::now()),
        command: std::env::args_os()
            .map(|word| word.to_string_lossy().into_owned())
            .collect(),
        built_from,
        versions: versions
            .iter()
            .map(|&(name, text)| (name.to_owned(), text.to_owned()))
            .collect(),
        os: std::env::consts::OS.to_owned(),
        arch: std::env::consts::ARCH.to_owned(),
        cpus: thread::available_parallelism().map_or(1, usize::from),
    }
}

/// A time in UTC as RFC 3339, to the second: `2026-01-31T09:05:00Z`.
///
/// Times before 1970 are written as the start of 1970.
pub fn rfc3339(time: SystemTime) -> String {
    humantime::format_rfc3339_seconds(time.max(UNIX_EPOCH)).to_string()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn times_are_in_utc_and_none_panics() {
        let second = Duration::from_secs(1);
        assert_eq!(
            rfc3339(UNIX_EPOCH + 951_782_399 * second),
            "2000-02-28T23:59:59Z"
        );
        assert_eq!(rfc3339(UNIX_EPOCH - second), "1970-01-01T00:00:00Z");
    }

    #[test]
    fn provenance_describes_this_process() {
        let now = provenance(&[("burn", "0.22.1"), ("miras-run", "0.1.0")], None);
        assert_eq!(now.time.len(), "2026-01-31T09:05:00Z".len());
        assert_eq!(now.command.len(), std::env::args_os().count());
        assert_eq!(now.versions["burn"], "0.22.1");
        assert_eq!(now.os, std::env::consts::OS);
        assert!(now.cpus > 0);
        assert_eq!(now.built_from, None);
    }

    #[test]
    fn a_record_keeps_every_start_and_reads_back_equal() {
        let tree = SourceTree {
            commit: "0123456789abcdef".to_owned(),
            dirty: true,
        };
        let start = |step| Start {
            step,
            device: "cpu".into(),
            provenance: provenance(&[], Some(tree.clone())),
        };
        let mut record = RunRecord::new(7, "alice.txt, 163 kB, bytes", None, start(0));
        record.starts.push(start(20));
        let json = serde_json::to_value(&record).unwrap();
        assert_eq!(json["seed"], 7);
        assert_eq!(json["starts"][0]["step"], 0);
        assert_eq!(json["starts"][1]["step"], 20);
        for key in [
            "time",
            "command",
            "built_from",
            "versions",
            "device",
            "os",
            "arch",
            "cpus",
        ] {
            assert!(json["starts"][1].get(key).is_some(), "{key}");
        }
        assert_eq!(serde_json::from_value::<RunRecord>(json).unwrap(), record);
    }
}
