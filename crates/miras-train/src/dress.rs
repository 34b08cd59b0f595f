//! Text for a terminal: lines that are broken at words, and colours.

use std::borrow::Cow;

use console::{measure_text_width as wide, style};
use textwrap::{WordSeparator, WordSplitter, core::Word};

/// The columns where no terminal says otherwise.
pub(crate) const WIDTH: usize = 80;
/// A label further to the right begins no column.
const LABEL: usize = 34;
/// What stands behind these words is for a shell, so it is not broken.
const COMMAND: &str = "go on with: ";

/// Breaks lines for the error stream, and colours them if that is wanted there.
pub(crate) fn for_errors(text: &str, width: usize) -> String {
    let has_colours = console::colors_enabled_stderr();
    dressed(text, width, has_colours)
}

fn dressed(text: &str, width: usize, has_colours: bool) -> String {
    let lines = text.lines().flat_map(|line| broken(line, width));
    let lines: Vec<String> = if has_colours {
        lines.map(|line| coloured(&line)).collect()
    } else {
        lines.collect()
    };
    lines.join("\n")
}

/// A line as lines that fit. Lines after the first begin where the text of the first does, behind
/// its label. Pieces of configurations and commands are not broken.
pub(crate) fn broken(line: &str, width: usize) -> Vec<String> {
    if wide(line) <= width || is_excerpt(line) {
        return vec![line.to_owned()];
    }
    let indent = " ".repeat(indent(line).min(width / 2));
    let options = plain_wrap(width).word_separator(WordSeparator::Custom(|line| {
        Box::new(words(line).into_iter().map(Word::from))
    }));
    let lines = textwrap::wrap(line, options.subsequent_indent(&indent));
    lines.into_iter().map(Cow::into_owned).collect()
}

/// Lines are broken at blanks alone, and words never.
pub(crate) fn plain_wrap(width: usize) -> textwrap::Options<'static> {
    textwrap::Options::new(width)
        .word_separator(WordSeparator::AsciiSpace)
        .word_splitter(WordSplitter::NoHyphenation)
        .break_words(false)
}

/// The pieces between which a line may be broken, each with the blanks after it: what stands in
/// backticks and what follows on [`COMMAND`] is one piece.
fn words(line: &str) -> Vec<&str> {
    let end = line
        .find(COMMAND)
        .map_or(line.len(), |at| at + COMMAND.len());
    let mut words = Vec::new();
    let mut start = 0;
    let mut is_quoted = false;
    // The blanks in front of the text belong to its first word.
    let first = line.len() - line.trim_start().len();
    for (at, c) in line[..end].char_indices() {
        match c {
            '`' => is_quoted = !is_quoted,
            ' ' if !is_quoted && at >= first => {
                words.push(&line[start..=at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    words.push(&line[start..]);
    words
}

/// Where the text of a line begins, behind its label.
fn indent(line: &str) -> usize {
    for label in ["  = help: ", "error: ", "warning: ", "note: "] {
        if line.trim_start().starts_with(label.trim_start()) {
            let blanks = line.len() - line.trim_start().len();
            return blanks + label.trim_start().len();
        }
    }
    let blanks = line.chars().take_while(|c| *c == ' ').count();
    let text = &line[blanks..];
    match text.find("  ") {
        Some(gap) if blanks + wide(&text[..gap]) <= LABEL => {
            let rest = &text[gap..];
            blanks + wide(&text[..gap]) + (rest.len() - rest.trim_start().len())
        }
        // A paragraph that stands below its label, or a line that begins one.
        _ if blanks >= 8 => blanks,
        _ => blanks + 2,
    }
}

/// `3 | dim = 9` or the carets below it.
fn is_excerpt(line: &str) -> bool {
    line.split_once('|')
        .is_some_and(|(number, _)| number.chars().all(|c| c.is_ascii_digit() || c == ' '))
}

fn coloured(line: &str) -> String {
    let force = |text: console::StyledObject<&str>| text.force_styling(true).to_string();
    let label = |word: &str, paint: fn(&str) -> console::StyledObject<&str>| {
        let rest = line.strip_prefix(word)?;
        Some(format!("{}{rest}", force(paint(&line[..word.len()]))))
    };
    if is_excerpt(line) {
        let (number, text) = line.split_once('|').unwrap_or((line, ""));
        let gutter = format!("{number}|");
        let gutter = force(style(&*gutter).blue());
        let is_carets = !text.trim().is_empty() && text.trim().chars().all(|c| c == '^');
        return if is_carets {
            gutter + &force(style(text).red().bold())
        } else {
            gutter + text
        };
    }
    if let Some((blanks, place)) = line.split_once("--> ")
        && blanks.trim().is_empty()
    {
        return format!("{blanks}{}{place}", force(style("--> ").blue()));
    }
    label("error:", |word| style(word).red().bold())
        .or_else(|| label("warning:", |word| style(word).yellow().bold()))
        .or_else(|| label("note:", |word| style(word).cyan()))
        .or_else(|| label("note ", |word| style(word).cyan()))
        .or_else(|| {
            let (blanks, rest) = line.split_once("= help:")?;
            let is_help = blanks.trim().is_empty();
            is_help.then(|| format!("{blanks}{}{rest}", force(style("= help:").green())))
        })
        .or_else(|| {
            // The head of a run: a word, then what it is.
            let gap = line.find("  ").or_else(|| line.find(' '))?;
            let is_label = HEAD.contains(&&line[..gap]);
            is_label.then(|| format!("{}{}", force(style(&line[..gap]).bold()), &line[gap..]))
        })
        .unwrap_or_else(|| line.to_owned())
}

/// The labels at the head of a run.
const HEAD: [&str; 8] = [
    "run", "device", "model", "weights", "start", "data", "training", "eval",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_broken_at_words_behind_their_label() {
        let line = "note     the learning rate falls until optim.decay_steps = 300; with train.steps = 20 it is still falling at the end";
        for width in [40, 60, 80] {
            let lines = broken(line, width);
            assert!(lines.len() > 1, "{lines:?}");
            for line in &lines {
                assert!(line.chars().count() <= width, "{line}");
            }
            assert!(lines[1..].iter().all(|line| line.starts_with("         ")));
            let words = |text: &str| {
                text.split_whitespace()
                    .map(str::to_owned)
                    .collect::<Vec<_>>()
            };
            assert_eq!(words(&lines.join(" ")), words(line));
        }
        assert_eq!(broken("short", 80), ["short"]);
        let help = broken("  = help: one two three four five six seven", 24);
        assert_eq!(help[1], "          four five six");
    }

    #[test]
    fn commands_and_excerpts_stay_in_one_piece() {
        let command = "miras-train run --name 'a b' --resume --set train.steps=2000";
        let lines = broken(
            &format!("interrupted at step 20, which is far from the end; go on with: {command}"),
            60,
        );
        assert!(lines.last().unwrap().ends_with(command), "{lines:?}");
        let lines = broken(
            &format!("a few words in front of it, then `{command}` is typed"),
            50,
        );
        assert!(
            lines
                .iter()
                .any(|line| line.contains(&format!("`{command}`")))
        );
        let excerpt = format!("3 | path = \"{}\"", "a b ".repeat(30));
        assert_eq!(broken(&excerpt, 40), [&*excerpt]);
    }

    #[test]
    fn errors_are_red_and_without_colours_there_is_no_code() {
        let error = "error: bad\n --> a.toml:3:1  (x)\n  |\n3 | x = 1\n  | ^\n  = help: do";
        assert_eq!(dressed(error, 80, false), error);
        let coloured = dressed(error, 80, true);
        assert!(
            coloured.starts_with("\x1b[31m\x1b[1merror:\x1b[0m bad"),
            "{coloured:?}"
        );
        assert_eq!(console::strip_ansi_codes(&coloured), error);
        assert!(dressed("warning: x", 80, true).starts_with("\x1b[33m"));
        assert!(dressed("run      a in runs/a", 80, true).starts_with("\x1b[1mrun\x1b[0m "));
    }
}
