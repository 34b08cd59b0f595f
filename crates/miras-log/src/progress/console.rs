//! The output for progress.

use std::fmt;
use std::io::{self, IsTerminal, Write};
use std::sync::{Mutex, PoisonError};

use console::Term;
use indicatif::{ProgressDrawTarget, TermLike};

/// Assumed if the width of a terminal is not known.
const WIDTH: u16 = 80;

/// An output for people, usually the error stream.
pub struct Console {
    writer: Box<dyn Write + Send>,
    kind: Kind,
    dress: Dress,
}

/// Formats a line for a terminal of the given number of columns: breaks and colours it.
pub type Dress = fn(&str, usize) -> String;

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Stderr,
    Writer,
    /// With its columns.
    Terminal(u16),
}

impl Console {
    /// The error stream, whether it is a terminal or not.
    pub fn stderr() -> Self {
        Self {
            writer: Box::new(io::stderr()),
            kind: Kind::Stderr,
            dress: plain,
        }
    }

    /// A writer that is not a terminal.
    pub fn writer(writer: impl Write + Send + 'static) -> Self {
        Self {
            writer: Box::new(writer),
            kind: Kind::Writer,
            dress: plain,
        }
    }

    /// A writer that understands the escape codes of a terminal of 80 columns.
    pub fn terminal(writer: impl Write + Send + 'static) -> Self {
        Self::terminal_of(writer, WIDTH)
    }

    /// A writer that understands the escape codes of a terminal of `columns` columns.
    pub fn terminal_of(writer: impl Write + Send + 'static, width: u16) -> Self {
        Self {
            writer: Box::new(writer),
            kind: Kind::Terminal(width),
            dress: plain,
        }
    }

    /// Lines are formatted by `dress` if this is a terminal.
    #[must_use]
    pub fn dressed(self, dress: Dress) -> Self {
        Self { dress, ..self }
    }

    /// Whether a bar can be drawn.
    pub fn is_terminal(&self) -> bool {
        match self.kind {
            Kind::Stderr => io::stderr().is_terminal(),
            Kind::Writer => false,
            Kind::Terminal(_) => true,
        }
    }

    /// Formats lines, and the source of their width.
    pub(super) fn dresser(&self) -> Dresser {
        Dresser {
            dress: if self.is_terminal() {
                self.dress
            } else {
                plain
            },
            kind: self.kind,
        }
    }

    pub(super) fn into_writer(self) -> Box<dyn Write + Send> {
        self.writer
    }

    pub(super) fn into_target(self) -> ProgressDrawTarget {
        if self.kind == Kind::Stderr && self.is_terminal() {
            return ProgressDrawTarget::stderr();
        }
        let screen = Screen(Mutex::new(self.writer), columns(self.kind));
        ProgressDrawTarget::term_like_with_hz(Box::new(screen), 10)
    }
}

/// Formats lines for the console that it was taken from.
pub(super) struct Dresser {
    dress: Dress,
    kind: Kind,
}

impl Dresser {
    /// The columns of the console, which may change while it is used.
    pub(super) fn width(&self) -> usize {
        columns(self.kind).into()
    }

    pub(super) fn dress(&self, line: &str) -> String {
        (self.dress)(line, self.width())
    }
}

fn columns(kind: Kind) -> u16 {
    match kind {
        Kind::Stderr => (Term::stderr().size_checked()).map_or(WIDTH, |(_, columns)| columns),
        Kind::Writer => WIDTH,
        Kind::Terminal(columns) => columns,
    }
}

fn plain(line: &str, _: usize) -> String {
    line.to_owned()
}

/// A writer as a terminal, and its columns.
struct Screen(Mutex<Box<dyn Write + Send>>, u16);

impl Screen {
    fn put(&self, text: &str) -> io::Result<()> {
        let mut writer = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        writer.write_all(text.as_bytes())
    }

    fn go(&self, n: usize, direction: char) -> io::Result<()> {
        if n == 0 {
            return Ok(());
        }
        self.put(&format!("\x1b[{n}{direction}"))
    }
}

impl TermLike for Screen {
    fn width(&self) -> u16 {
        self.1
    }

    fn move_cursor_up(&self, n: usize) -> io::Result<()> {
        self.go(n, 'A')
    }

    fn move_cursor_down(&self, n: usize) -> io::Result<()> {
        self.go(n, 'B')
    }

    fn move_cursor_right(&self, n: usize) -> io::Result<()> {
        self.go(n, 'C')
    }

    fn move_cursor_left(&self, n: usize) -> io::Result<()> {
        self.go(n, 'D')
    }

    fn write_line(&self, s: &str) -> io::Result<()> {
        self.put(&format!("{s}\n"))
    }

    fn write_str(&self, s: &str) -> io::Result<()> {
        self.put(s)
    }

    fn clear_line(&self) -> io::Result<()> {
        self.put("\r\x1b[2K")
    }

    fn flush(&self) -> io::Result<()> {
        let mut writer = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        writer.flush()
    }
}

impl fmt::Debug for Screen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Screen").finish_non_exhaustive()
    }
}
