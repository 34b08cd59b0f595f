//! What a person sees while a run goes on.

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
    /// A line now and then.
    Plain,
    /// Nothing at all.
    Quiet,
}

/// The steps that are to be done, and where this process begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// Steps done before this process; 0 for a fresh run.
    pub start: u64,
    /// Tokens trained on before this process; 0 for a fresh run.
    pub start_tokens: u64,
    /// The step after which the run is done.
    pub total: u64,
    /// Plain lines are this many steps apart.
    pub every: u64,
}

/// How far a run is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tick {
    /// Steps done, those before this process included.
    pub step: u64,
    /// Tokens trained on, those before this process included.
    pub tokens: u64,
    /// The latest loss.
    pub loss: f64,
    /// Time that this process has spent training. What goes into evaluation and
    /// checkpoints does not belong here, so that speed and time left are those
    /// of training.
    pub training: Duration,
}

/// A bar on a terminal, plain lines elsewhere.
///
/// A console that cannot be written to is no reason to stop a run: errors are
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

    /// Moves the bar, or prints a line if `every` steps have gone by or the last
    /// step is done.
    pub fn tick(&mut self, tick: &Tick) {
        let Span { total, every, .. } = self.span;
        let step = tick.step;
        match &mut self.output {
            Output::Quiet => {}
            Output::Bar(bar, columns) => {
                // The cursor takes a column too.
                let room = self.dresser.width().saturating_sub(1);
                let text = fitting(self.span, tick, room);
                let free = room.saturating_sub(text.chars().count() + 1);
                let wanted = if free < LEAST_BAR { 0 } else { free.min(BAR) };
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

    /// Takes the bar away.
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
const BAR: usize = 24;
const LEAST_BAR: usize = 4;

/// A bar of so many columns, then the message.
fn style(columns: usize) -> ProgressStyle {
    let template = match columns {
        0 => "{msg}".to_owned(),
        columns => format!("{{bar:{columns}.cyan}} {{msg}}"),
    };
    ProgressStyle::with_template(&template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

/// In one write, so that lines of several processes do not mix.
fn print(writer: &mut dyn Write, text: &str) {
    let _ = writer.write_all(format!("{text}\n").as_bytes());
    let _ = writer.flush();
}

/// As much of the numbers as fits into so many columns.
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

/// `step 20/200 (10%)  loss 2.3412  1234 tok/s  eta 00:01:23`, and the same with less in it.
/// Speed and time left are measured from where this process began.
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
