//! What a task is.

use std::path::Path;

use crate::{Asked, Question, Record, TaskError, Text};

/// A data set of the field.
#[derive(Debug, Clone, Copy)]
pub struct TaskKind {
    /// Its name on the command line and in reports.
    pub name: &'static str,
    /// What is asked, and the fields of a record.
    pub summary: &'static str,
    /// What its file holds.
    pub reads: Reads,
}

/// What the file of a task holds.
#[derive(Debug, Clone, Copy)]
pub enum Reads {
    /// Questions with known answers, one a line.
    Questions {
        /// How an answer is found.
        asked: Asked,
        /// Makes a question of a record.
        question: fn(&Record) -> Result<Question, TaskError>,
    },
    /// Texts, every token of which is predicted.
    Texts(fn(&Path) -> Result<Vec<Text>, TaskError>),
}
