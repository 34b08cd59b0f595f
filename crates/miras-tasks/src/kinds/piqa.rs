//! PIQA (Bisk et al., 2020).

use crate::{Asked, Question, Reads, Record, TaskError, TaskKind};

pub(super) const KIND: TaskKind = TaskKind {
    name: "piqa",
    summary: "which of two ways reaches a goal: `goal`, `sol1`, `sol2`, `label` (0 is `sol1`)",
    reads: Reads::Questions {
        asked: Asked::Choose,
        question,
    },
};

fn question(record: &Record) -> Result<Question, TaskError> {
    let context = format!("Question: {}\nAnswer:", record.text("goal")?);
    let ways = [record.text("sol1")?, record.text("sol2")?];
    Ok(Question::after(&context, &ways, record.label("label", 2)?))
}
