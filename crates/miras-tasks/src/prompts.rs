//! Prompts of any length, cell by cell.

use std::path::PathBuf;

use miras_data::Row;
use serde::{Deserialize, Serialize};

use crate::TaskError;

/// Prompts that are made, each a function of its cell and its number.
pub trait Prompts {
    /// What is measured apart; each has as many prompts.
    fn cells(&self) -> &[Cell];

    /// Prompts of each cell.
    fn samples(&self) -> u64;

    /// A prompt of a cell.
    ///
    /// # Errors
    /// If it cannot be spelled in tokens.
    fn prompt(&self, cell: usize, sample: u64) -> Result<Prompt, TaskError>;

    /// The files that they are made of.
    fn files(&self) -> Vec<PathBuf>;

    /// A measure of a prompt that is the difference of two others.
    fn difference(&self) -> Option<Difference> {
        None
    }

    /// Whether cells of a kind lie on a map, of length and depth.
    fn is_map(&self) -> bool {
        false
    }
}

/// A measure that is the difference of two others of the same prompt, so that its standard error is
/// that of pairs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Difference {
    /// Its name.
    pub name: &'static str,
    /// The measure that it is of.
    pub of: &'static str,
    /// The one that is taken off.
    pub less: &'static str,
}

/// What tells prompts apart; none of what does not.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Cell {
    /// Which of the tasks of a kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Tokens that are read before the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub length: Option<usize>,
    /// Where something is hidden, in percent of the haystack.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub depth: Option<f64>,
    /// Tokens from the start of an occurrence to that of the next one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub distance: Option<usize>,
}

/// What a model reads, and what it is asked then.
#[derive(Debug, Clone, Default)]
pub struct Prompt {
    /// One after the other.
    pub steps: Vec<Step>,
    /// At the end.
    pub ask: Option<Ask>,
}

/// Tokens of a prompt.
#[derive(Debug, Clone)]
pub enum Step {
    /// They are read.
    Read(Row),
    /// They are read, and the mean loss of a token is a measure.
    Score(&'static str, Vec<i32>),
}

/// What is asked at the end of a prompt.
#[derive(Debug, Clone)]
pub struct Ask {
    /// So many tokens are written, each the likeliest, or fewer if the grades are known before.
    pub write: usize,
    /// The measures of what is written.
    pub grades: Vec<(&'static str, Grade)>,
    /// What is read before the choices, in the place of what is written.
    pub lead: Vec<i32>,
    /// What the model chooses from, by likelihood; the first one is right.
    pub choices: Vec<Vec<i32>>,
}

/// When a written answer is right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Grade {
    /// A text stands in it, in capitals or not.
    Contains(String),
    /// Its first sentence has one label alone, the right one, beside those that the question has.
    OneLabel {
        /// The right label.
        target: String,
        /// What was asked.
        question: String,
        /// All labels.
        labels: &'static [&'static str],
    },
}

impl Grade {
    /// Whether an answer is right.
    pub fn is_right(&self, written: &str) -> bool {
        let written = written.to_lowercase();
        match self {
            Self::Contains(text) => written.contains(&text.to_lowercase()),
            Self::OneLabel {
                target,
                question,
                labels,
            } => {
                let first = ["<context>", "<example>", "."]
                    .iter()
                    .fold(&*written, |text, end| {
                        text.split(end).next().unwrap_or(text)
                    });
                let question = question.to_lowercase();
                let labels = labels.iter().map(|label| label.to_lowercase());
                let found =
                    labels.filter(|label| first.contains(label) && !question.contains(label));
                found.eq([target.to_lowercase()])
            }
        }
    }

    /// Whether no more of an answer can change that.
    pub fn is_known(&self, written: &str) -> bool {
        match self {
            Self::Contains(_) => self.is_right(written),
            Self::OneLabel { .. } => written.contains('.'),
        }
    }
}
