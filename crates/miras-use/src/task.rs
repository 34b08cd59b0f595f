//! Answering the questions of a data set.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use miras_run::{TASK_REPORT, settings_hash, sha256_hex, task_report_name};
use miras_tasks::{
    Answer, Asked, Generated, Measure, Options, Question, Reads, Records, TaskKind, Text, checksum,
    of_answers,
};
use serde::{Deserialize, Serialize};

use crate::prompts::{means, values};
use crate::{At, CellReport, Memory, Scorer, Trained, UseError};

/// What is asked of a model.
#[derive(Debug, Clone)]
pub struct TaskRequest {
    /// The data set.
    pub kind: &'static TaskKind,
    /// Its file, and what is asked of prompts that are made.
    pub options: Options,
    /// So many questions or texts, from the first on; all by default.
    pub limit: Option<usize>,
    /// Of texts, the tokens of a window; those of a row of training by default.
    pub window: Option<usize>,
    /// Of texts, the tokens from the end of a window to that of the next one; those of a window by
    /// default.
    pub stride: Option<usize>,
    /// What memories do with what they read.
    pub memory: Memory,
}

/// What the answers say: the content of `task-NAME-MEMORY-SETTINGS.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TaskReport {
    /// `miras_task`.
    pub schema: String,
    /// 1.
    pub version: u32,
    /// The run that the weights are from.
    pub run: String,
    /// Optimiser steps of the checkpoint.
    pub step: u64,
    /// Tokens it was trained on.
    pub trained_tokens: u64,
    /// SHA-256 of the file of the weights.
    pub weights: String,
    /// The name of the data set.
    pub task: String,
    /// The files of the questions, or of what prompts are made of.
    pub file: String,
    /// The SHA-256 of the file, or of those of the files one after the other; empty without one.
    pub fingerprint: String,
    /// What was asked of prompts that are made, by the names of the options.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub options: BTreeMap<String, String>,
    /// Eight digits that stand for the file, the limit, the windows, the options and the checkpoint.
    pub settings: String,
    /// What memories did.
    pub memory: Memory,
    /// Where it was computed.
    pub device: String,
    /// So many were asked for; all where there is no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
    /// Of texts, the tokens of a window.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub length: Option<usize>,
    /// Of texts, the tokens between the ends of windows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stride: Option<usize>,
    /// Questions that were asked, texts that were scored, or prompts that were made.
    pub questions: usize,
    /// Tokens of the texts; none of questions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens: Option<usize>,
    /// The names of the metrics.
    pub metrics: Vec<String>,
    /// The metrics by name, and the standard error of each that has one: that of `accuracy` is
    /// `stderr`, that of another `NAME_stderr`.
    #[serde(flatten)]
    pub measures: BTreeMap<String, f64>,
    /// Of prompts that are made, the same by cell.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cells: Vec<CellReport>,
    /// Whether the cells lie on a map of length and depth; not in the file.
    #[serde(skip)]
    pub is_map: bool,
}

impl TaskReport {
    /// The standard error of a metric, if it has one.
    pub fn stderr(&self, metric: &str) -> Option<f64> {
        self.measures.get(&stderr_name(metric)).copied()
    }

    /// The metrics, without the standard errors.
    pub fn metrics(&self) -> impl Iterator<Item = (&str, f64)> {
        let value = |name: &String| self.measures.get(name).copied();
        let all = self.metrics.iter();
        all.filter_map(move |name| Some((&**name, value(name)?)))
    }

    /// Its file in the folder of the run: one for each setting.
    pub fn path_in(&self, folder: &Path) -> PathBuf {
        folder.join(task_report_name(
            &self.task,
            self.memory.name(),
            &self.settings,
        ))
    }
}

/// Asks a model the questions of a file, or lets it predict its texts, and says after each pass how
/// much is done and how much there is.
pub fn answer(
    trained: &Trained,
    request: &TaskRequest,
    watch: &dyn Fn(u64, u64),
) -> Result<TaskReport, UseError> {
    let TaskRequest {
        kind,
        options,
        limit,
        window,
        stride,
        memory,
    } = request;
    trained.check_language("--task")?;
    kind.check(options)?;
    let about_texts = |what: &str| {
        let name = kind.name;
        let message =
            format!("--length and --stride are about texts, and {name} {what}: leave them out");
        Err(UseError::Usage(message))
    };
    let path = || options.path.as_deref().unwrap_or(Path::new(""));
    let found = match &kind.reads {
        Reads::Questions { asked, question } => {
            if window.or(*stride).is_some() {
                return about_texts("asks questions");
            }
            let records = Records::open(path())?.take(limit.unwrap_or(usize::MAX));
            let questions: Vec<Question> = records
                .map(|record| question(&record?))
                .collect::<Result<_, _>>()?;
            of_questions(trained, request, &questions, *asked, watch)?
        }
        Reads::Texts(texts) => {
            let mut texts = texts(path())?;
            texts.truncate(limit.unwrap_or(usize::MAX));
            of_texts(trained, request, &texts, watch)?
        }
        Reads::Generated(made) => {
            if window.or(*stride).is_some() {
                return about_texts("has --lengths or --distances");
            }
            if limit.is_some() {
                let message = format!("--limit is about files, and {} has --samples", kind.name);
                return Err(UseError::Usage(message));
            }
            of_prompts(trained, request, made, watch)?
        }
    };
    let fingerprint = fingerprint(&found.files)?;
    let mut settings = vec![("file", fingerprint.clone())];
    let numbers = [("limit", limit), ("length", window), ("stride", stride)];
    for (name, number) in numbers {
        settings.extend(number.map(|number| (name, number.to_string())));
    }
    let given = options.given();
    // Files are known by what they hold.
    settings.extend(
        given
            .iter()
            .filter(|(name, _)| *name != "haystack")
            .cloned(),
    );
    if trained.at != At::Latest {
        settings.push(("step", trained.origin.step.to_string()));
    }
    let listed = found.files.iter().map(|path| path.display().to_string());
    Ok(TaskReport {
        schema: TASK_REPORT.to_owned(),
        version: 1,
        run: trained.origin.run.clone(),
        step: trained.origin.step,
        trained_tokens: trained.tokens,
        weights: trained.origin.weights.clone(),
        task: kind.name.to_owned(),
        file: listed.collect::<Vec<_>>().join(", "),
        fingerprint,
        options: given
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect(),
        settings: settings_hash(&settings),
        memory: *memory,
        device: trained.device_name.clone(),
        limit: *limit,
        length: found.windows.map(|[window, _]| window),
        stride: found.windows.map(|[_, stride]| stride),
        questions: found.questions,
        tokens: found.tokens,
        metrics: (found.measures.iter())
            .map(|one| one.name.to_owned())
            .collect(),
        measures: by_name(found.measures),
        cells: found.cells,
        is_map: found.is_map,
    })
}

/// The measures by name, with the standard errors of those that have one.
fn by_name(measures: Vec<Measure>) -> BTreeMap<String, f64> {
    let mut found = BTreeMap::new();
    for Measure {
        name,
        value,
        stderr,
    } in measures
    {
        found.insert(name.to_owned(), value);
        found.extend(stderr.map(|stderr| (stderr_name(name), stderr)));
    }
    found
}

/// The checksum of a file; of several, that of theirs; of none, nothing.
fn fingerprint(files: &[PathBuf]) -> Result<String, UseError> {
    let sums = files.iter().map(|path| checksum(path));
    let sums: Vec<String> = sums.collect::<Result<_, _>>()?;
    Ok(match &sums[..] {
        [] => String::new(),
        [one] => one.clone(),
        several => sha256_hex(several.concat().as_bytes()),
    })
}

#[derive(Default)]
struct Found {
    files: Vec<PathBuf>,
    questions: usize,
    tokens: Option<usize>,
    windows: Option<[usize; 2]>,
    measures: Vec<Measure>,
    cells: Vec<CellReport>,
    is_map: bool,
}

fn of_prompts(
    trained: &Trained,
    request: &TaskRequest,
    made: &Generated,
    watch: &dyn Fn(u64, u64),
) -> Result<Found, UseError> {
    trained.check_carried(request.memory)?;
    let tokenizer = Arc::new(trained.tokenizer()?);
    let prompts = (made.make)(&request.options, Arc::clone(&tokenizer))?;
    let values = values(trained, request.memory, &tokenizer, prompts.as_ref(), watch)?;
    let cells = prompts.cells().iter().zip(&values);
    Ok(Found {
        files: prompts.files(),
        questions: values.iter().map(Vec::len).sum(),
        tokens: None,
        windows: None,
        measures: means(values.iter().flatten()),
        cells: cells
            .map(|(cell, values)| CellReport {
                cell: cell.clone(),
                samples: values.len() as u64,
                measures: by_name(means(values.iter())),
            })
            .collect(),
        is_map: prompts.is_map(),
    })
}

fn of_questions(
    trained: &Trained,
    request: &TaskRequest,
    questions: &[Question],
    asked: Asked,
    watch: &dyn Fn(u64, u64),
) -> Result<Found, UseError> {
    let choices: Vec<_> = questions
        .iter()
        .flat_map(|question| &question.choices)
        .collect();
    let all = choices.len() as u64;
    let scorer = Scorer::new(trained, request.memory)?;
    let scored = scorer.score(&choices, &|done| watch(done, all))?;
    let mut likelihoods = scored.iter().map(|scored| scored.likelihood);
    let answers: Vec<Answer> = (questions.iter())
        .map(|question| {
            let own: Vec<_> = likelihoods.by_ref().take(question.choices.len()).collect();
            Answer::new(question, asked, &own)
        })
        .collect();
    Ok(Found {
        files: Vec::from_iter(request.options.path.clone()),
        questions: questions.len(),
        measures: of_answers(&answers, asked),
        ..Found::default()
    })
}

fn of_texts(
    trained: &Trained,
    request: &TaskRequest,
    texts: &[Text],
    watch: &dyn Fn(u64, u64),
) -> Result<Found, UseError> {
    let window = request.window.unwrap_or(trained.config.data.seq_len());
    let stride = request.stride.unwrap_or(window);
    if stride > window {
        let message = format!(
            "--stride {stride} is more than the {window} tokens of a window, so that tokens between \
             windows would be left out: give at most that"
        );
        return Err(UseError::Usage(message));
    }
    let all: Vec<_> = texts.iter().map(|text| &*text.text).collect();
    let scorer = Scorer::new(trained, request.memory)?;
    let scored = scorer.score_texts(&all, [window, stride], watch)?;
    Ok(Found {
        files: Vec::from_iter(request.options.path.clone()),
        questions: texts.len(),
        tokens: Some(scored.tokens),
        windows: Some([window, stride]),
        measures: miras_tasks::of_texts(texts, scored.likelihood.log, scored.tokens),
        ..Found::default()
    })
}

/// The key of the standard error of a metric.
fn stderr_name(of: &str) -> String {
    match of {
        "accuracy" => "stderr".to_owned(),
        name => format!("{name}_stderr"),
    }
}
