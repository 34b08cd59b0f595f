//! `BoolQ` (Clark et al., 2019).

use crate::{Asked, Question, Reads, Record, TaskError, TaskKind};

pub(super) const KIND: TaskKind = TaskKind {
    name: "boolq",
    summary: "yes or no after a passage: `passage`, `question`, `answer` (true or false) or `label` (1 is yes)",
    reads: Reads::Questions {
        asked: Asked::Choose,
        question,
    },
};

fn question(record: &Record) -> Result<Question, TaskError> {
    let label = if record.has("answer") {
        "answer"
    } else {
        "label"
    };
    let (passage, question) = (record.text("passage")?, record.text("question")?);
    let context = format!("{passage}\nQuestion: {question}?\nAnswer:");
    Ok(Question::after(
        &context,
        &["no", "yes"],
        record.label(label, 2)?,
    ))
}
