//! `WikiText` (Merity et al., 2016) by pages, as the lm-evaluation-harness reads it: the marks of
//! tokenisation are taken out, and the likelihood is divided by the words and bytes of the file.

use std::path::Path;

use crate::{
    Reads, TaskError, TaskKind, Text, file,
    text::{of_records, words},
};

pub(super) const KIND: TaskKind = TaskKind {
    name: "wikitext",
    summary: "every token of WikiText: pages that begin with ` = Title = `, or `page` of each line of a .jsonl file",
    reads: Reads::Texts(texts),
};

fn texts(path: &Path) -> Result<Vec<Text>, TaskError> {
    if file::has_records(path) {
        return of_records(path, "page", page);
    }
    let text = file::whole(path)?;
    Ok(pages(&text).into_iter().map(page).collect())
}

fn page(text: &str) -> Text {
    Text {
        text: plain(text),
        words: words(text),
        bytes: text.len(),
    }
}

/// The pages of a file; what stands before the first title is one too, unless it is blank.
fn pages(text: &str) -> Vec<&str> {
    let mut starts = vec![0];
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        if is_title(line) {
            starts.push(at);
        }
        at += line.len();
    }
    starts.push(text.len());
    let pages = starts.windows(2).map(|ends| &text[ends[0]..ends[1]]);
    pages.filter(|page| !page.trim().is_empty()).collect()
}

/// Whether a line is ` = Title = `, and not ` = = Section = = `.
fn is_title(line: &str) -> bool {
    let of = |line: &str| {
        let inside = line.strip_prefix("= ")?.strip_suffix(" =")?;
        Some(!inside.starts_with('=') && !inside.ends_with('='))
    };
    of(line.trim()).unwrap_or(false)
}

/// The text with its spaces as they were before it was cut into words.
fn plain(text: &str) -> String {
    const BEFORE: [(&str, &str); 10] = [
        ("s '", "s'"),
        (" @-@ ", "-"),
        (" @,@ ", ","),
        (" @.@ ", "."),
        (" : ", ": "),
        (" ; ", "; "),
        (" . ", ". "),
        (" ! ", "! "),
        (" ? ", "? "),
        (" , ", ", "),
    ];
    const PAIRS: [(char, char); 5] = [('(', ')'), ('[', ']'), ('{', '}'), ('"', '"'), ('\'', '\'')];
    const AFTER: [(&str, &str); 8] = [
        ("= = = =", "===="),
        ("= = =", "==="),
        ("= =", "=="),
        (" ° ", "°"),
        (" \n", "\n"),
        ("\n ", "\n"),
        (" N ", " 1 "),
        (" 's", "'s"),
    ];
    let replaced = |text: String, table: &[(&str, &str)]| {
        (table.iter()).fold(text, |text, (from, to)| text.replace(from, to))
    };
    let text = replaced(text.to_owned(), &BEFORE);
    let text = PAIRS
        .iter()
        .fold(text, |text, pair| tightened(&text, *pair));
    replaced(text, &AFTER)
}

/// Without blanks inside of a pair of brackets or quotes.
fn tightened(text: &str, (open, close): (char, char)) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once(open) {
        kept += before;
        kept.push(open);
        let Some((inside, after)) = behind.split_once(close) else {
            rest = behind;
            break;
        };
        kept += inside.trim();
        kept.push(close);
        rest = after;
    }
    kept + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_of_tokenisation_are_taken_out() {
        for (text, expected) in [
            (
                "a well @-@ known 1 @,@ 000 , b .\n",
                "a well-known 1,000, b .\n",
            ),
            (
                "the dogs ' ( see [ 1 ] ) \" x y \" \n",
                "the dogs' (see [1]) \"x y\"\n",
            ),
            (" = = Section = = \n text", " == Section ==\ntext"),
            ("it 's 5 ° C ( open", "it's 5°C ( open"),
        ] {
            assert_eq!(plain(text), expected);
        }
    }

    #[test]
    fn pages_begin_with_titles() {
        let text = " \n = One = \n a \n = = Part = = \n b \n = Two = \n c\n";
        let expected = [" = One = \n a \n = = Part = = \n b \n", " = Two = \n c\n"];
        assert_eq!(pages(text), expected);
        assert_eq!(pages("no title\n"), ["no title\n"]);
    }
}
