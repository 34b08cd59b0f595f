//! The report: one file with everything in it, for any browser.

mod answer;
mod origin;
mod settings;
mod tables;

use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::CompareError;
use crate::comparison::Comparison;
use crate::plot::Plot;

const STYLE: &str = include_str!("html/style.css");

impl Comparison {
    /// The report as one HTML file. It needs no other file, no network and no script.
    pub fn html(&self) -> Result<String, CompareError> {
        self.html_with(&self.plots())
    }

    pub(crate) fn html_with(&self, plots: &[Plot]) -> Result<String, CompareError> {
        let title = title(self);
        let page = html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    title { (title) }
                    style { (PreEscaped(STYLE)) }
                }
                body {
                    h1 { (title) }
                    p.answer { (answer::answer(self)) }
                    (tables::variants(self))
                    (tables::warnings(self))
                    (tables::more(self))
                    (tables::excluded(self))
                    h2 { "Plots" }
                    @for plot in plots { (figure(plot)?) }
                    (settings::differing(self))
                    (settings::common(self))
                    (settings::each(self))
                    (origin::sweeps(self))
                    (origin::commands(self))
                    (origin::data(self))
                    (origin::starts(self))
                }
            }
        };
        Ok(page.into_string())
    }
}

fn title(comparison: &Comparison) -> String {
    let sweeps: Vec<&str> = comparison
        .sweeps
        .iter()
        .map(|sweep| sweep.name.as_str())
        .collect();
    let what = if sweeps.is_empty() {
        crate::table::number::count(comparison.runs().count(), "run")
    } else {
        sweeps.join(", ")
    };
    format!("{what}, compared by {}", comparison.metric)
}

fn figure(plot: &Plot) -> Result<Markup, CompareError> {
    // The drawing's own text is escaped where it is drawn.
    let svg = PreEscaped(plot.svg()?);
    Ok(html! { figure id=(plot.name()) { (svg) } })
}

/// A text that may be broken within words too, after the marks that keys and paths are made of:
/// a table must not be wider than its page.
fn breakable(text: &str) -> Markup {
    let words = text.split_inclusive(' ');
    let pieces: Vec<String> = words.flat_map(pieces).collect();
    let is_end = |at: usize| pieces[at].ends_with(' ');
    html! {
        @for (at, piece) in pieces.iter().enumerate() {
            @if at > 0 && !is_end(at - 1) { wbr; }
            (piece)
        }
    }
}

/// A word in pieces of a few letters at least; numbers are whole.
fn pieces(word: &str) -> Vec<String> {
    const MARKS: [char; 5] = ['.', '_', '/', '=', '-'];
    /// No piece is shorter, and letters without a mark, as a checksum's, are cut after this many.
    const SHORTEST: usize = 4;
    const LONGEST: usize = 24;
    let count = word.trim_end().chars().count();
    if word.starts_with(|first: char| first.is_ascii_digit() || "+-<±".contains(first)) {
        return vec![word.to_owned()];
    }
    let mut pieces = vec![String::new()];
    let mut length = 0;
    for (at, letter) in word.chars().enumerate() {
        if let Some(piece) = pieces.last_mut() {
            piece.push(letter);
        }
        length += 1;
        let rest = count.saturating_sub(at + 1);
        let is_mark = MARKS.contains(&letter) && length >= SHORTEST;
        if rest >= SHORTEST && (is_mark || length >= LONGEST) {
            pieces.push(String::new());
            length = 0;
        }
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_broken_after_marks_and_numbers_are_not() {
        for (word, expected) in [
            ("algorithm.step_max", vec!["algorithm.", "step_max"]),
            ("tokens/s", vec!["tokens/s"]),
            ("-0.0123", vec!["-0.0123"]),
            ("4.1k", vec!["4.1k"]),
            ("lr=0.003", vec!["lr=0.003"]),
            (
                "decay_of_weights=by_channel",
                vec!["decay_", "of_weights=", "by_channel"],
            ),
        ] {
            assert_eq!(pieces(word), expected, "{word}");
        }
        let sum = "a".repeat(64);
        assert_eq!(pieces(&sum).iter().map(String::len).max(), Some(24));
        assert_eq!(
            breakable("memory.depth of all").into_string(),
            "memory.<wbr>depth of all"
        );
    }
}
