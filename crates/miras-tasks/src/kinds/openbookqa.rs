//! `OpenBookQA` (Mihaylov et al., 2018).

use crate::{Asked, Question, Reads, Record, TaskError, TaskKind};

pub(super) const KIND: TaskKind = TaskKind {
    name: "openbookqa",
    summary: "elementary science: `question_stem`, `choices` (`text` and `label`) and `answerKey`, or `choices` (a list) and `label`",
    reads: Reads::Questions {
        asked: Asked::Choose,
        question,
    },
};

fn question(record: &Record) -> Result<Question, TaskError> {
    let (choices, right) = record.choices()?;
    Ok(Question::after(
        record.text("question_stem")?,
        &choices,
        right,
    ))
}
