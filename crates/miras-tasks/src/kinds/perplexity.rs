//! The likelihood of any texts, as of C4 in the papers.

use std::path::Path;

use crate::{Reads, TaskError, TaskKind, Text, file, text::of_records};

pub(super) const KIND: TaskKind = TaskKind {
    name: "perplexity",
    summary: "every token of texts: `text` of each line of a .jsonl file, or another file as a whole",
    reads: Reads::Texts(texts),
};

fn texts(path: &Path) -> Result<Vec<Text>, TaskError> {
    if file::has_records(path) {
        return of_records(path, "text", |text| Text::of(text.to_owned()));
    }
    Ok(vec![Text::of(file::whole(path)?)])
}
