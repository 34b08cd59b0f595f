//! The progress of a run, shown to a person.

mod console;

use std::io::Write;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressFinish, ProgressStyle};

use self::console::Dresser;
pub use self::console::{Console, Dress};

/// How progress is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ProgressMode {
    /// A bar on a terminal, plain lines elsewhere.
    #[default]
    Auto,
    /// A bar, terminal or not.
    Bar,
    /// A line every few steps.
    Plain,
    /// No output.
    Quiet,
}

/// The steps of the run, and the start of this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// Steps done before this process; 0 for a fresh run.
    pub start: u64,
    /// Tokens trained on before this process; 0 for a fresh run.
    pub start_tokens: u64,
    /// The last step of the run.
    pub total: u64,
    /// The number of steps between plain lines.
    pub every: u64,
}

/// The progress of a run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tick {
    /// Steps done, including those before this process.
    pub step: u64,
    /// Tokens trained on, including those before this process.
    pub tokens: u64,
    /// The latest loss.
    pub loss: f64,
    /// Time that this process has spent training. It excludes evaluation and
    /// checkpoints, so that speed and remaining time are those of training.
    pub training: Duration,
}

/// A bar on a terminal, plain lines elsewhere.
///
/// A run does not stop because its console cannot be written to: errors are
/// ignored here.
pub struct Progress {
    output: Output,
    dresser: Dresser,
    span: Span,
    last: u64,
}

enum Output {
    /// The bar, and its columns.
    Bar(ProgressBar, usize),
    Plain(Box<dyn Write + Send>),
    Quiet,
}

impl Progress {
    /// Shows nothing yet.
    pub fn new(mode: ProgressMode, console: Console, span: Span) -> Self {
        let draws = match mode {
            ProgressMode::Auto => console.is_terminal(),
            ProgressMode::Bar => true,
            ProgressMode::Plain | ProgressMode::Quiet => false,
        };
        let dresser = console.dresser();
        let output = if mode == ProgressMode::Quiet {
            Output::Quiet
        } else if draws {
            Output::Bar(bar(console, span), 0)
        } else {
            Output::Plain(console.into_writer())
        };
        let last = span.start;
        Self {
            output,
            dresser,
            span,
            last,
        }
    }

    /// Updates the bar, or prints a line every `every` steps and after the last
    /// step.
    pub fn tick(&mut self, tick: &Tick) {
        let Span { total, every, .. } = self.span;
        let step = tick.step;
        match &mut self.output {
            Output::Quiet => {}
            Output::Bar(bar, columns) => {
                // One column is for the cursor.
                let room = self.dresser.width().saturating_sub(1);
                let text = fitting(self.span, tick, room);
                let free = room.saturating_sub(text.chars().count() + 1);
                let wanted = if free < MIN_BAR { 0 } else { free.min(MAX_BAR) };
                if *columns != wanted {
                    bar.set_style(style(wanted));
                    *columns = wanted;
                }
                bar.set_message(text);
                bar.set_position(step);
            }
            Output::Plain(writer) => {
                let every = every.max(1);
                if step / every > self.last / every || step >= total {
                    print(writer, &texts(self.span, tick)[0]);
                    self.last = step;
                }
            }
        }
    }

    /// Prints a line, above the bar if there is one.
    pub fn line(&mut self, text: &str) {
        match &mut self.output {
            Output::Quiet => {}
            Output::Bar(bar, _) => bar.println(self.dresser.dress(text)),
            Output::Plain(writer) => print(writer, &self.dresser.dress(text)),
        }
    }

    /// Removes the bar.
    pub fn finish(&mut self) {
        if let Output::Bar(bar, _) = &self.output {
            bar.finish_and_clear();
        }
    }
}

fn bar(console: Console, span: Span) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(span.total), console.into_target())
        .with_style(style(0))
        .with_finish(ProgressFinish::AndClear);
    bar.set_position(span.start);
    bar
}

/// The most columns of the bar itself, and the fewest with which it is drawn.
const MAX_BAR: usize = 24;
const MIN_BAR: usize = 4;

/// A bar of the given number of columns, then the message.
fn style(columns: usize) -> ProgressStyle {
    let template = match columns {
        0 => "{msg}".to_owned(),
        columns => format!("{{bar:{columns}.cyan}} {{msg}}"),
    };
    ProgressStyle::with_template(&template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

/// Writes a line in one write, so that lines of several processes do not mix.
fn print(writer: &mut dyn Write, text: &str) {
    let _ = writer.write_all(format!("{text}\n").as_bytes());
    let _ = writer.flush();
}

/// The longest form of the numbers that fits into the given number of columns.
fn fitting(span: Span, tick: &Tick, room: usize) -> String {
    let [whole, shorter, short] = texts(span, tick);
    let fits = |text: &String| text.chars().count() <= room;
    if fits(&whole) {
        whole
    } else if fits(&shorter) {
        shorter
    } else {
        short.chars().take(room).collect()
    }
}

/// `step 20/200 (10%)  loss 2.3412  1234 tok/s  eta 00:01:23`, and shorter forms.
/// Speed and remaining time are measured from the start of this process.
fn texts(span: Span, tick: &Tick) -> [String; 3] {
    let seconds = tick.training.as_secs_f64();
    let steps = tick.step.saturating_sub(span.start);
    let tokens = tick.tokens.saturating_sub(span.start_tokens);
    let speed = if seconds > 0.0 {
        format!("{:.0}", tokens as f64 / seconds)
    } else {
        "--".to_owned()
    };
    let left = span.total.saturating_sub(tick.step);
    let eta = if steps > 0 {
        clock(seconds / steps as f64 * left as f64)
    } else {
        "--:--:--".to_owned()
    };
    let Span { total, .. } = span;
    let Tick { step, loss, .. } = tick;
    let percent = (step * 100).checked_div(total).unwrap_or(100);
    [
        format!("step {step}/{total} ({percent}%)  loss {loss:.4}  {speed} tok/s  eta {eta}"),
        format!("step {step}/{total}  loss {loss:.4}  eta {eta}"),
        format!("{step}/{total}  {loss:.4}"),
    ]
}

fn clock(seconds: f64) -> String {
    let seconds = seconds.round() as u64;
    let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
    format!("{hours:02}:{minutes:02}:{:02}", seconds % 60)
}
