//! A folder for runs, and ways to run.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use miras_config::Layers;
use miras_data::{Batch, DataError, Dataset, Description};
use miras_log::{Console, ProgressMode};
use miras_registry::Registry;
use miras_spec::RunConfig;
use miras_trainer::{Outcome, Resume, RunRequest, TrainError, run_on};
use serde_json::Value;
use tempfile::TempDir;

#[path = "../../../miras-spec/tests/it/configs.rs"]
mod configs;

pub(crate) use configs::{ATTENTION, MEMORY, RECALL, config, layers};

/// The configurations of `configs/presets` by name, each shrunk to a size for tests.
pub(crate) fn presets() -> Vec<(String, RunConfig)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../configs/presets");
    let mut files: Vec<PathBuf> = (std::fs::read_dir(folder).unwrap())
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "toml")
        })
        .collect();
    files.sort();
    files
        .iter()
        .map(|path| (path.display().to_string(), small(path)))
        .collect()
}

fn small(path: &Path) -> RunConfig {
    let load = |sets: &[&str]| {
        let mut layers = Layers::new();
        layers.file(path).unwrap();
        for set in sets {
            layers.set(set).unwrap();
        }
        RunConfig::load(layers, &Registry::builtin())
            .unwrap_or_else(|error| panic!("{error}"))
            .0
    };
    let chunk = load(&[]).model.has_memory().then_some("algorithm.chunk=8");
    // Entries of a hybrid name its layers.
    let is_hybrid = std::fs::read_to_string(path)
        .unwrap()
        .contains("[[layers]]");
    let layers = if is_hybrid {
        "model.layers=4"
    } else {
        "model.layers=2"
    };
    let sets = [
        "model.dim=16",
        "model.ffn_dim=16",
        layers,
        "mixer.heads=2",
        "data={ kind = 'builtin', seq_len = 20 }",
        "train.batch=2",
        "eval.tokens=40",
        "eval.every=2",
        "log.every=1",
    ];
    load(&sets.into_iter().chain(chunk).collect::<Vec<_>>())
}

/// A folder for runs.
pub(crate) struct Bench {
    folder: TempDir,
    said: Said,
    stop: Arc<AtomicBool>,
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            said: Said::default(),
            stop: Arc::default(),
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn request(&self, name: &str, resume: Option<Resume>) -> RunRequest {
        RunRequest {
            runs: self.folder.path().to_owned(),
            name: Some(name.to_owned()),
            stem: "stem".to_owned(),
            resume,
            device: None,
            progress: ProgressMode::Plain,
            console: Console::writer(self.said.clone()),
            stop: Arc::clone(&self.stop),
            resume_command: "miras-train run x.toml".to_owned(),
            built_from: None,
        }
    }

    pub(crate) fn try_run(
        &self,
        name: &str,
        config: RunConfig,
        resume: Option<Resume>,
    ) -> Result<Outcome, TrainError> {
        self.stop.store(false, Ordering::Relaxed);
        miras_trainer::run(config, self.request(name, resume))
    }

    pub(crate) fn run(&self, name: &str, config: RunConfig) -> Outcome {
        self.try_run(name, config, None).unwrap()
    }

    pub(crate) fn resume(&self, name: &str, config: RunConfig) -> Outcome {
        self.try_run(name, config, Some(Resume::Latest)).unwrap()
    }

    /// Runs on data that do something at certain batches.
    pub(crate) fn run_with(
        &self,
        name: &str,
        config: RunConfig,
        resume: Option<Resume>,
        mischief: Mischief,
    ) -> Outcome {
        self.try_run_with(name, config, resume, mischief).unwrap()
    }

    pub(crate) fn try_run_with(
        &self,
        name: &str,
        config: RunConfig,
        resume: Option<Resume>,
        mischief: Mischief,
    ) -> Result<Outcome, TrainError> {
        self.stop.store(false, Ordering::Relaxed);
        let data = Mischievous {
            inner: miras_data::open(&config.data, config.train.seed).unwrap(),
            mischief,
            stop: Arc::clone(&self.stop),
        };
        run_on(config, Box::new(data), self.request(name, resume))
    }

    /// Everything printed so far.
    pub(crate) fn said(&self) -> String {
        self.said.text()
    }

    pub(crate) fn lines(&self, name: &str) -> Vec<BTreeMap<String, Value>> {
        let text = std::fs::read_to_string(self.path(name).join("metrics.jsonl")).unwrap();
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    /// The values of a tag by step.
    pub(crate) fn values(&self, name: &str, tag: &str) -> Vec<(u64, f64)> {
        (self.lines(name).iter())
            .filter_map(|line| Some((line["step"].as_u64()?, line.get(tag)?.as_f64()?)))
            .collect()
    }

    pub(crate) fn checkpoints(&self, name: &str) -> Vec<String> {
        let Ok(found) = std::fs::read_dir(self.path(name).join("checkpoints")) else {
            return Vec::new();
        };
        let mut names: Vec<String> = found
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    pub(crate) fn file(&self, name: &str, step: u64, file: &str) -> Vec<u8> {
        let folder = self.path(name).join(format!("checkpoints/step-{step:08}"));
        std::fs::read(folder.join(file)).unwrap()
    }

    pub(crate) fn json(&self, name: &str, file: &str) -> Value {
        read_json(&self.path(name).join(file))
    }
}

pub(crate) fn read_json(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// What the data do beside giving batches.
#[derive(Clone, Default)]
pub(crate) struct Mischief {
    /// Sets the stop flag at this training step, counted from 0.
    pub(crate) stop_at: Option<u64>,
    /// Training steps whose loss is NaN.
    pub(crate) poisoned: Vec<u64>,
    /// A training step whose rows cannot be read.
    pub(crate) missing: Option<u64>,
    /// No held-out token is scored.
    pub(crate) nothing_asked: bool,
}

struct Mischievous {
    inner: Box<dyn Dataset>,
    mischief: Mischief,
    stop: Arc<AtomicBool>,
}

impl Dataset for Mischievous {
    fn vocab(&self) -> usize {
        self.inner.vocab()
    }

    fn train_batch(&self, step: u64, rows: Range<usize>) -> Result<Batch, DataError> {
        if self.mischief.stop_at == Some(step) {
            self.stop.store(true, Ordering::Relaxed);
        }
        if self.mischief.missing == Some(step) {
            return Err(DataError::EvalStart {
                start: step,
                tokens: 0,
            });
        }
        let mut batch = self.inner.train_batch(step, rows)?;
        if self.mischief.poisoned.contains(&step) {
            batch.weights[0] = f32::NAN;
        }
        Ok(batch)
    }

    fn stream_steps(&self, rows: usize) -> Result<u64, DataError> {
        self.inner.stream_steps(rows)
    }

    fn stream_batch(&self, step: u64, rows: Range<usize>, of: usize) -> Result<Batch, DataError> {
        let mut batch = self.inner.stream_batch(step, rows, of)?;
        if self.mischief.poisoned.contains(&step) {
            batch.weights[0] = f32::NAN;
        }
        Ok(batch)
    }

    fn eval_tokens(&self) -> Option<u64> {
        self.inner.eval_tokens()
    }

    fn eval_rows(&self, starts: &[u64]) -> Result<Batch, DataError> {
        let mut batch = self.inner.eval_rows(starts)?;
        if self.mischief.nothing_asked {
            batch.weights.fill(0.0);
        }
        Ok(batch)
    }

    fn bytes_of(&self, target: i32) -> u64 {
        self.inner.bytes_of(target)
    }

    fn describe(&self) -> Description {
        self.inner.describe()
    }
}

#[derive(Clone, Default)]
struct Said(Arc<Mutex<Vec<u8>>>);

impl Said {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Said {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
