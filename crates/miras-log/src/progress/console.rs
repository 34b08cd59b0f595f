//! Where progress is shown.

use std::fmt;
use std::io::{self, IsTerminal, Write};
use std::sync::{Mutex, PoisonError};

use indicatif::{ProgressDrawTarget, TermLike};

/// Assumed where the width of a terminal cannot be asked for.
const WIDTH: u16 = 100;

/// A place for people to read, mostly the error stream.
pub struct Console {
    writer: Box<dyn Write + Send>,
    kind: Kind,
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Stderr,
    Writer,
    Terminal,
}

impl Console {
    /// The error stream, whether it is a terminal or not.
    pub fn stderr() -> Self {
        Self {
            writer: Box::new(io::stderr()),
            kind: Kind::Stderr,
        }
    }

    /// A writer that is no terminal.
    pub fn writer(writer: impl Write + Send + 'static) -> Self {
        Self {
            writer: Box::new(writer),
            kind: Kind::Writer,
        }
    }

    /// A writer that understands the escape codes of a terminal.
    pub fn terminal(writer: impl Write + Send + 'static) -> Self {
        Self {
            writer: Box::new(writer),
            kind: Kind::Terminal,
        }
    }

    /// Whether a bar can be drawn.
    pub fn is_terminal(&self) -> bool {
        match self.kind {
            Kind::Stderr => io::stderr().is_terminal(),
            Kind::Writer => false,
            Kind::Terminal => true,
        }
    }

    pub(super) fn into_writer(self) -> Box<dyn Write + Send> {
        self.writer
    }

    pub(super) fn into_target(self) -> ProgressDrawTarget {
        if self.kind == Kind::Stderr && self.is_terminal() {
            return ProgressDrawTarget::stderr();
        }
        let screen = Screen(Mutex::new(self.writer));
        ProgressDrawTarget::term_like_with_hz(Box::new(screen), 10)
    }
}

/// A writer as a terminal.
struct Screen(Mutex<Box<dyn Write + Send>>);

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
        WIDTH
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
