//! The reports of evaluations in a run folder: their names, and whether they are still about the
//! weights of the run.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::checksum::sha256_hex;
use crate::error::{Result, RunError};
use crate::folder::RunFolder;
use crate::layout;
use crate::manifest;
use crate::names::WEIGHTS;

/// The value of the key `schema` of a report.
pub const REPORT: &str = "miras_eval";

/// The value of the key `schema` of a report on the questions of a data set.
pub const TASK_REPORT: &str = "miras_task";

/// The weights of a run at a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// Optimizer steps done.
    pub step: u64,
    /// SHA-256 of the file of the weights; `None` if the checkpoint cannot be read.
    pub weights: Option<String>,
}

/// The fields that decide whether a report is still about its run.
#[derive(Debug, Clone, Deserialize)]
struct Head {
    schema: String,
    step: u64,
}

/// The name of the report on rows of `length` tokens with memories `memory`; `settings` is the
/// [hash](settings_hash) of all other settings, empty for the defaults.
pub fn report_name(length: u64, memory: &str, settings: &str) -> String {
    match settings {
        "" => format!("eval-{length}-{memory}.json"),
        _ => format!("eval-{length}-{memory}-{settings}.json"),
    }
}

/// The name of the report on the questions of the data set `task` with memories `memory`; `settings`
/// is the [hash](settings_hash) of all other settings, empty for those of a sweep.
pub fn task_report_name(task: &str, memory: &str, settings: &str) -> String {
    match settings {
        "" => format!("task-{task}-{memory}.json"),
        _ => format!("task-{task}-{memory}-{settings}.json"),
    }
}

/// Eight digits, a hash of the settings that differ from their defaults; empty if all are defaults.
pub fn settings_hash(settings: &[(&str, String)]) -> String {
    if settings.is_empty() {
        return String::new();
    }
    let lines: Vec<String> = (settings.iter())
        .map(|(key, value)| format!("{key}={value}\n"))
        .collect();
    sha256_hex(lines.concat().as_bytes())[..8].to_owned()
}

fn is_report(name: &str) -> bool {
    let stem = name.strip_suffix(".json");
    stem.is_some_and(|stem| stem == "eval" || stem.starts_with("eval-"))
}

fn is_task_report(name: &str) -> bool {
    let stem = name.strip_suffix(".json");
    stem.is_some_and(|stem| stem.starts_with("task-"))
}

impl Kept {
    fn read(step: u64, path: &Path) -> Self {
        let files = manifest::read(path, step).map(|manifest| manifest.files);
        let mut files = files.unwrap_or_default().into_iter();
        let weights = files.find(|file| file.name == WEIGHTS);
        Self {
            step,
            weights: weights.map(|file| file.sha256),
        }
    }
}

impl RunFolder {
    /// The files in the folder that have the name of a report, sorted.
    pub fn reports(&self) -> Result<Vec<PathBuf>> {
        self.named(is_report)
    }

    /// The files in the folder that have the name of a report on questions, sorted.
    pub fn task_reports(&self) -> Result<Vec<PathBuf>> {
        self.named(is_task_report)
    }

    fn named(&self, is: fn(&str) -> bool) -> Result<Vec<PathBuf>> {
        let path = self.path();
        let mut found = Vec::new();
        for entry in fs::read_dir(path).map_err(RunError::io("list", path))? {
            let entry = entry.map_err(RunError::io("list", path))?;
            if is(&entry.file_name().to_string_lossy()) {
                found.push(entry.path());
            }
        }
        found.sort();
        Ok(found)
    }

    /// The newest checkpoint, which is not verified; `None` if the run has no checkpoint.
    pub fn newest(&self) -> Result<Option<Kept>> {
        let found = layout::scan(&self.checkpoints_path())?;
        Ok(found.last().map(|(step, path)| Kept::read(*step, path)))
    }

    /// The checkpoint of a step, which is not verified; `None` if the run has none.
    pub fn kept(&self, step: u64) -> Result<Option<Kept>> {
        let found = layout::scan(&self.checkpoints_path())?;
        let found = found.iter().find(|(kept, _)| *kept == step);
        Ok(found.map(|(step, path)| Kept::read(*step, path)))
    }

    /// Removes the reports on later steps, and returns their names: a run that returns to an earlier
    /// step will have other weights at those steps, or none.
    pub fn remove_reports_after(&self, step: u64) -> Result<Vec<String>> {
        self.writable()?;
        let mut removed = Vec::new();
        for path in self.named(|name| is_report(name) || is_task_report(name))? {
            let bytes = fs::read(&path).map_err(RunError::io("read", &path))?;
            // Other files stay.
            let head = serde_json::from_slice::<Head>(&bytes);
            let is_later =
                |head: Head| [REPORT, TASK_REPORT].contains(&&*head.schema) && head.step > step;
            if !head.is_ok_and(is_later) {
                continue;
            }
            match fs::remove_file(&path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                result => result.map_err(RunError::io("remove", &path))?,
            }
            let name = path.file_name().unwrap_or_default();
            removed.push(name.to_string_lossy().into_owned());
        }
        Ok(removed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{CheckpointInfo, Checkpoints, Policy, RunRecord, Start, provenance};

    #[test]
    fn a_name_says_the_settings_and_only_other_ones_have_a_hash() {
        assert_eq!(report_name(256, "live", ""), "eval-256-live.json");
        let one = settings_hash(&[("tokens", "all".to_owned())]);
        let other = settings_hash(&[("tokens", "64".to_owned())]);
        assert_eq!((one.len(), one == other), (8, false));
        assert_eq!(
            report_name(256, "live", &one),
            format!("eval-256-live-{one}.json")
        );
        assert_eq!(settings_hash(&[]), "");
    }

    #[test]
    fn a_run_that_goes_back_loses_the_reports_on_later_steps_alone() {
        let top = tempfile::tempdir().unwrap();
        let start = Start {
            step: 0,
            device: "cpu".into(),
            provenance: provenance(&[], None),
        };
        let record = RunRecord::new(1, "a text", None, start);
        let folder = RunFolder::create(top.path(), "run", "", &record, &[]).unwrap();
        assert_eq!(folder.newest().unwrap(), None);
        let mut checkpoints = Checkpoints::new(&folder, Policy::default());
        for step in [10, 20] {
            let write = |files: &Path| fs::write(files.join(WEIGHTS), step.to_string());
            (checkpoints.save(step, write, &CheckpointInfo::new(1))).unwrap();
        }
        let newest = folder.newest().unwrap().unwrap();
        assert_eq!((newest.step, newest.weights), (20, Some(sha256_hex(b"20"))));

        let report = |step: u64| format!(r#"{{"schema": "{REPORT}", "step": {step}}}"#);
        for (name, text) in [
            ("eval.json", report(20)),
            ("eval-64-live.json", report(10)),
            ("eval-64-reset.json", report(11)),
            ("eval-notes.json", r#"{"step": 99}"#.to_owned()),
            ("eval-torn.json", "{".to_owned()),
            ("evaluation.json", report(99)),
            (
                "task-arc-live-0.json",
                report(20).replace(REPORT, TASK_REPORT),
            ),
            ("task-notes.json", report(20).replace(REPORT, "notes")),
        ] {
            fs::write(folder.path().join(name), text).unwrap();
        }
        let removed = folder.remove_reports_after(10).unwrap();
        assert_eq!(
            removed,
            ["eval-64-reset.json", "eval.json", "task-arc-live-0.json"]
        );
        let left: Vec<_> = (folder.reports().unwrap().iter())
            .map(|path| path.file_name().unwrap().to_str().unwrap().to_owned())
            .collect();
        assert_eq!(
            left,
            ["eval-64-live.json", "eval-notes.json", "eval-torn.json"]
        );
        for left in ["evaluation.json", "task-notes.json"] {
            assert!(folder.path().join(left).is_file());
        }

        fs::write(
            folder
                .checkpoints_path()
                .join("step-00000020/manifest.json"),
            "{",
        )
        .unwrap();
        let newest = folder.newest().unwrap().unwrap();
        assert_eq!((newest.step, newest.weights), (20, None));
        drop(checkpoints);
        drop(folder);
        let reading = RunFolder::open_to_read(top.path(), "run").unwrap();
        assert!(reading.remove_reports_after(0).is_err());
    }
}
