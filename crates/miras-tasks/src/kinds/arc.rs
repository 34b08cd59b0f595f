//! ARC (Clark et al., 2018), easy and challenge.

use crate::{Asked, Question, Reads, Record, TaskError, TaskKind};

pub(super) const KIND: TaskKind = TaskKind {
    name: "arc",
    summary: "school questions: `question`, `choices` (a list, or `text` and `label` as its authors have it), `label` or `answerKey`",
    reads: Reads::Questions {
        asked: Asked::Choose,
        question,
    },
};

fn question(record: &Record) -> Result<Question, TaskError> {
    let (choices, right) = record.choices()?;
    let context = format!("Question: {}\nAnswer:", record.text("question")?);
    Ok(Question::after(&context, &choices, right))
}
