//! Answering the questions of a data set.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use miras_run::{TASK_REPORT, settings_hash, task_report_name};
use miras_tasks::{
    Answer, Asked, Measure, Question, Reads, Records, TaskKind, Text, checksum, of_answers,
};
use serde::{Deserialize, Serialize};

use crate::{At, Memory, Scorer, Trained, UseError};

/// What is asked of a model.
#[derive(Debug, Clone)]
pub struct TaskRequest {
    /// The data set.
    pub kind: &'static TaskKind,
    /// Its file.
    pub path: PathBuf,
    /// So many questions or texts, from the first on; all by default.
    pub limit: Option<usize>,
    /// Of texts, the tokens of a window; those of a row of training by default.
    pub window: Option<usize>,
    /// Of texts, the tokens from the start of a window to that of the next one; those of a window by
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
    /// The file of the questions.
    pub file: String,
    /// Its SHA-256.
    pub fingerprint: String,
    /// Eight digits that stand for the file, the limit, the windows and the checkpoint.
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
    /// Questions that were asked, or texts that were scored.
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
        path,
        limit,
        window,
        stride,
        memory,
    } = request;
    let fingerprint = checksum(path)?;
    let found = match kind.reads {
        Reads::Questions { asked, question } => {
            if window.or(*stride).is_some() {
                let name = kind.name;
                let message = format!(
                    "--length and --stride are about texts, and {name} asks questions: leave them out"
                );
                return Err(UseError::Usage(message));
            }
            let records = Records::open(path)?.take(limit.unwrap_or(usize::MAX));
            let questions: Vec<Question> = records
                .map(|record| question(&record?))
                .collect::<Result<_, _>>()?;
            of_questions(trained, request, &questions, asked, watch)?
        }
        Reads::Texts(texts) => {
            let mut texts = texts(path)?;
            texts.truncate(limit.unwrap_or(usize::MAX));
            of_texts(trained, request, &texts, watch)?
        }
    };
    let mut settings = vec![("file", fingerprint.clone())];
    let numbers = [("limit", limit), ("length", window), ("stride", stride)];
    for (name, number) in numbers {
        settings.extend(number.map(|number| (name, number.to_string())));
    }
    if trained.at != At::Latest {
        settings.push(("step", trained.origin.step.to_string()));
    }
    let mut measures = BTreeMap::new();
    for Measure {
        name,
        value,
        stderr,
    } in found.measures.iter().copied()
    {
        measures.insert(name.to_owned(), value);
        measures.extend(stderr.map(|stderr| (stderr_name(name), stderr)));
    }
    Ok(TaskReport {
        schema: TASK_REPORT.to_owned(),
        version: 1,
        run: trained.origin.run.clone(),
        step: trained.origin.step,
        trained_tokens: trained.tokens,
        weights: trained.origin.weights.clone(),
        task: kind.name.to_owned(),
        file: path.display().to_string(),
        fingerprint,
        settings: settings_hash(&settings),
        memory: *memory,
        device: trained.device_name.clone(),
        limit: *limit,
        length: found.windows.map(|[window, _]| window),
        stride: found.windows.map(|[_, stride]| stride),
        metrics: found
            .measures
            .iter()
            .map(|one| one.name.to_owned())
            .collect(),
        questions: found.questions,
        tokens: found.tokens,
        measures,
    })
}

struct Found {
    questions: usize,
    tokens: Option<usize>,
    windows: Option<[usize; 2]>,
    measures: Vec<Measure>,
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
        questions: questions.len(),
        tokens: None,
        windows: None,
        measures: of_answers(&answers, asked),
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
        questions: texts.len(),
        tokens: Some(scored.tokens),
        windows: Some([window, stride]),
        measures: miras_tasks::of_texts(texts, scored.likelihood.log, scored.tokens),
    })
}

/// The key of the standard error of a metric.
fn stderr_name(of: &str) -> String {
    match of {
        "accuracy" => "stderr".to_owned(),
        name => format!("{name}_stderr"),
    }
}
