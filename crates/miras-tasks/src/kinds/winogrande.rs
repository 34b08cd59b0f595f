//! `WinoGrande` (Sakaguchi et al., 2019), by partial scoring: the same end after either option.

use crate::{Asked, Choice, Question, Reads, Record, TaskError, TaskKind};

pub(super) const KIND: TaskKind = TaskKind {
    name: "winogrande",
    summary: "whom a sentence means: `sentence` with one `_`, `option1`, `option2`, `answer` (1 or 2), or `context_options`, `continuation`, `label`",
    reads: Reads::Questions {
        asked: Asked::ChooseContext,
        question,
    },
};

fn question(record: &Record) -> Result<Question, TaskError> {
    if !record.has("sentence") {
        let contexts = record.texts("context_options")?;
        let end = record.text("continuation")?.trim();
        let choice = |context: &&str| Choice::new(context.trim_end(), format!(" {end}"));
        return Ok(Question {
            choices: contexts.iter().map(choice).collect(),
            right: record.label("label", contexts.len())?,
        });
    }
    let sentence = record.text("sentence")?;
    let blank = || record.error("`sentence` must have one `_`, where an option belongs");
    let (before, behind) = sentence.split_once('_').ok_or_else(blank)?;
    let end = behind.trim();
    let option = |name| {
        Ok::<_, TaskError>(Choice::new(
            format!("{before}{}", record.text(name)?),
            format!(" {end}"),
        ))
    };
    Ok(Question {
        choices: vec![option("option1")?, option("option2")?],
        right: record.label_among("answer", &["1", "2"])?,
    })
}
