//! LAMBADA (Paperno et al., 2016).

use crate::{Asked, Choice, Question, Reads, Record, TaskError, TaskKind};

pub(super) const KIND: TaskKind = TaskKind {
    name: "lambada",
    summary: "the last word of a passage: `context` and `target`, or `text`",
    reads: Reads::Questions {
        asked: Asked::Write,
        question,
    },
};

fn question(record: &Record) -> Result<Question, TaskError> {
    let (context, target) = if record.has("text") {
        let text = record.text("text")?;
        (text.rsplit_once(' '))
            .ok_or_else(|| record.error("`text` has no space before its last word"))?
    } else {
        (
            record.text("context")?.trim_end(),
            record.text("target")?.trim(),
        )
    };
    Ok(Question {
        choices: vec![Choice::new(context, format!(" {target}"))],
        right: 0,
    })
}
