//! Files of bAbI.

use std::fs;
use std::path::{Path, PathBuf};

use crate::{TaskError, file};

/// The questions of a file, with the facts that are told before each.
pub(super) struct Stories {
    facts: Vec<String>,
    pub(super) questions: Vec<Asked>,
}

/// A question of a story.
pub(super) struct Asked {
    /// The first fact of its story, and how many were told before it.
    first: usize,
    count: usize,
    pub(super) question: String,
    pub(super) answer: String,
    /// From 1.
    pub(super) line: u64,
}

impl Stories {
    /// Reads a file: `ID sentence`, or `ID question<TAB>answer<TAB>IDs`; a story begins with 1.
    pub(super) fn read(path: &Path) -> Result<Self, TaskError> {
        let mut found = Self {
            facts: Vec::new(),
            questions: Vec::new(),
        };
        let (mut first, mut line) = (0, 0);
        for text in file::whole(path)?.lines() {
            line += 1;
            if text.trim().is_empty() {
                continue;
            }
            let problem = |problem: &str| TaskError::Line {
                path: path.to_owned(),
                line,
                problem: problem.to_owned(),
            };
            let (id, text) = (text.trim_start().split_once(' '))
                .filter(|(id, _)| id.parse::<u32>().is_ok())
                .ok_or_else(|| {
                    problem("a line of bAbI is a number and a sentence, as `1 Mary moved to the office.`")
                })?;
            if id == "1" {
                first = found.facts.len();
            }
            let mut parts = text.split('\t');
            let sentence = parts.next().unwrap_or_default().trim().to_owned();
            match parts.next() {
                None => found.facts.push(sentence),
                Some(answer) if !answer.trim().is_empty() => found.questions.push(Asked {
                    first,
                    count: found.facts.len() - first,
                    question: sentence,
                    answer: answer.trim().to_owned(),
                    line,
                }),
                Some(_) => return Err(problem("a question has its answer behind a tab")),
            }
        }
        if found.questions.is_empty() {
            return Err(TaskError::Usage(format!(
                "{} has no question: a question has its answer behind a tab",
                path.display()
            )));
        }
        Ok(found)
    }

    /// What is told before a question.
    pub(super) fn facts(&self, asked: &Asked) -> &[String] {
        &self.facts[asked.first..asked.first + asked.count]
    }
}

/// The test file of a task in a folder, or in one of its folders that bAbI has them in.
pub(super) fn find(folder: &Path, name: &str) -> Result<PathBuf, TaskError> {
    let mut looked = Vec::new();
    for folder in [folder.to_owned(), folder.join("en-10k"), folder.join("en")] {
        let Ok(entries) = fs::read_dir(&folder) else {
            continue;
        };
        let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
        paths.sort();
        let is_own = |path: &&PathBuf| {
            let file = path.file_name().unwrap_or_default().to_string_lossy();
            file.starts_with(&format!("{name}_"))
                && ["_test.txt", "_test.txt.gz"]
                    .iter()
                    .any(|end| file.ends_with(end))
        };
        if let Some(path) = paths.iter().find(is_own) {
            return Ok(path.clone());
        }
        looked.push(folder.display().to_string());
    }
    let why = match &looked[..] {
        [] => "there is no such folder".to_owned(),
        _ => format!("no file {name}_…_test.txt is in {}", looked.join(" or ")),
    };
    Err(TaskError::Usage(format!(
        "--task babilong={}: {why}; give the folder of bAbI's files, or other tasks with --kind",
        folder.display()
    )))
}
