//! `HellaSwag` (Zellers et al., 2019).

use crate::{Asked, Question, Reads, Record, TaskError, TaskKind};

pub(super) const KIND: TaskKind = TaskKind {
    name: "hellaswag",
    summary: "how a scene goes on: `activity_label`, `ctx` (or `ctx_a` and `ctx_b`), `endings`, `label`",
    reads: Reads::Questions {
        asked: Asked::Choose,
        question,
    },
};

fn question(record: &Record) -> Result<Question, TaskError> {
    let ctx = if record.has("ctx_a") {
        format!(
            "{} {}",
            record.text("ctx_a")?,
            capitalized(record.text("ctx_b")?)
        )
    } else {
        record.text("ctx")?.to_owned()
    };
    let context = plain(&format!("{}: {ctx}", record.text("activity_label")?));
    let endings: Vec<String> = (record.texts("endings")?.into_iter()).map(plain).collect();
    let right = record.label("label", endings.len())?;
    Ok(Question::after(&context, &endings, right))
}

/// As Python's `str.capitalize`.
fn capitalized(text: &str) -> String {
    let mut chars = text.chars();
    let first = chars.next().map(|first| first.to_uppercase().to_string());
    first.unwrap_or_default() + &chars.as_str().to_lowercase()
}

/// Without the brackets of `WikiHow`, as the lm-evaluation-harness has it.
fn plain(text: &str) -> String {
    let text = text.trim().replace(" [title]", ". ");
    let mut rest = &*text;
    let mut kept = String::new();
    while let Some((before, behind)) = rest.split_once('[') {
        kept += before;
        // A bracket does not reach over the end of a line.
        match behind.split_once(']') {
            Some((inside, after)) if !inside.contains('\n') => rest = after,
            _ => {
                kept.push('[');
                rest = behind;
            }
        }
    }
    (kept + rest).replace("  ", " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brackets_are_taken_out_as_by_the_harness() {
        for (text, expected) in [
            (
                " How to [header] [title] Do it [step] now ",
                "How to . Do it now",
            ),
            ("a [b", "a [b"),
            ("a  b [substeps] c", "a b c"),
        ] {
            assert_eq!(plain(text), expected);
        }
        assert_eq!(capitalized("then He Left"), "Then he left");
        assert_eq!(capitalized(""), "");
    }
}
