//! The output and the error stream.

use std::{
    fmt,
    io::{self, Write},
};

use console::Term;

use crate::dress::{self, WIDTH};

/// Standard output; what cannot be written is a [`Closed`] error, never a panic.
pub(crate) struct Out(io::StdoutLock<'static>);

/// Nobody takes the output any more, or the disk under it is full.
#[derive(Debug)]
pub(crate) struct Closed(pub(crate) io::Error);

impl Out {
    pub(crate) fn new() -> Self {
        Self(io::stdout().lock())
    }

    /// Writes text and ends the line, if the text does not end it itself.
    pub(crate) fn text(&mut self, text: &str) -> anyhow::Result<()> {
        let text = text.strip_suffix('\n').unwrap_or(text);
        writeln!(self.0, "{text}")
            .and_then(|()| self.0.flush())
            .map_err(|error| Closed(error).into())
    }

    /// Writes sentences: lines are broken at words where this is a terminal.
    pub(crate) fn prose(&mut self, text: &str) -> anyhow::Result<()> {
        let Some(columns) = columns_of(&Term::stdout()) else {
            return self.text(text);
        };
        let lines: Vec<String> = (text.lines())
            .flat_map(|line| dress::broken(line, columns))
            .collect();
        self.text(&lines.join("\n"))
    }

    /// Writes text as it is, at once.
    pub(crate) fn piece(&mut self, text: &str) -> anyhow::Result<()> {
        (self.0.write_all(text.as_bytes()))
            .and_then(|()| self.0.flush())
            .map_err(|error| Closed(error).into())
    }
}

/// The columns that a table may have.
pub(crate) fn columns() -> usize {
    columns_of(&Term::stdout()).unwrap_or(WIDTH)
}

/// The columns of a terminal, which does not always know them; none of anything else.
pub(crate) fn columns_of(stream: &Term) -> Option<usize> {
    let known = || stream.size_checked().map(|(_, columns)| columns.into());
    stream.is_term().then(|| known().unwrap_or(WIDTH))
}

/// A heading, which stands out where the output is a terminal.
pub(crate) fn heading(text: &str) -> String {
    console::style(text).bold().to_string()
}

/// What matters less than what stands beside it, where the output is a terminal.
pub(crate) fn faint(text: &str) -> String {
    console::style(text).dim().to_string()
}

/// Writes a line on the error stream. If that is closed, the line is lost.
pub(crate) fn eprint_line(text: impl fmt::Display) {
    let mut text = text.to_string();
    if let Some(columns) = columns_of(&Term::stderr()) {
        text = dress::for_errors(&text, columns);
    }
    // In one write, so that lines of several processes do not mix.
    let _ = io::stderr().write_all(format!("{text}\n").as_bytes());
}

impl fmt::Display for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("cannot write to the output")
    }
}

impl std::error::Error for Closed {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.0)
    }
}
