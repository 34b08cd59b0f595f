//! What a person sees, character by character.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use miras_log::{Console, Progress, ProgressMode, Span, Tick};

#[derive(Clone, Default)]
struct Page(Arc<Mutex<Vec<u8>>>);

impl Page {
    fn text(&self) -> String {
        let bytes = self.0.lock().expect("no panic while locked");
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

impl Write for Page {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("no panic while locked").write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

const FRESH: Span = Span {
    start: 0,
    start_tokens: 0,
    total: 200,
    every: 20,
};

fn tick(step: u64, tokens: u64, loss: f64, seconds: u64) -> Tick {
    let training = Duration::from_secs(seconds);
    Tick {
        step,
        tokens,
        loss,
        training,
    }
}

#[test]
fn plain_lines_come_every_so_many_steps_and_at_the_end() {
    let page = Page::default();
    let mut progress = Progress::new(ProgressMode::Auto, Console::writer(page.clone()), FRESH);
    for step in 1..=40 {
        progress.tick(&tick(step, step * 617, 2.34121, step / 2));
    }
    progress.line("checkpoint at step 40");
    progress.tick(&tick(195, 195, f64::NAN, 97));
    progress.tick(&tick(200, 200, 1.0, 100));
    progress.finish();
    let expected = "\
step 20/200 (10%)  loss 2.3412  1234 tok/s  eta 00:01:30
step 40/200 (20%)  loss 2.3412  1234 tok/s  eta 00:01:20
checkpoint at step 40
step 195/200 (97%)  loss NaN  2 tok/s  eta 00:00:02
step 200/200 (100%)  loss 1.0000  2 tok/s  eta 00:00:00
";
    assert_eq!(page.text(), expected);
}

#[test]
fn speed_and_time_left_count_from_the_resume_point() {
    let page = Page::default();
    let span = Span {
        start: 100,
        start_tokens: 1_000_000,
        total: 40_100,
        every: 10,
    };
    let mut progress = Progress::new(ProgressMode::Plain, Console::terminal(page.clone()), span);
    progress.tick(&tick(100, 1_000_000, 3.0, 0));
    progress.tick(&tick(109, 1_000_900, 3.0, 9));
    progress.tick(&tick(110, 1_001_000, 3.0, 10));
    let expected = "step 110/40100 (0%)  loss 3.0000  100 tok/s  eta 11:06:30\n";
    assert_eq!(page.text(), expected);
}

#[test]
fn nothing_measured_is_shown_as_dashes() {
    let page = Page::default();
    let span = Span { total: 0, ..FRESH };
    let mut progress = Progress::new(ProgressMode::Plain, Console::writer(page.clone()), span);
    progress.tick(&tick(0, 0, 0.0, 0));
    let expected = "step 0/0 (100%)  loss 0.0000  -- tok/s  eta --:--:--\n";
    assert_eq!(page.text(), expected);
}

#[test]
fn quiet_is_silent() {
    let page = Page::default();
    let mut progress = Progress::new(ProgressMode::Quiet, Console::terminal(page.clone()), FRESH);
    progress.tick(&tick(20, 20, 1.0, 1));
    progress.line("hello");
    progress.finish();
    assert_eq!(page.text(), "");
}

#[test]
fn a_terminal_shows_a_bar_and_lines_above_it() {
    let modes = [
        (ProgressMode::Auto, Console::terminal as fn(Page) -> Console),
        (ProgressMode::Bar, Console::writer),
    ];
    for (mode, console) in modes {
        let page = Page::default();
        let mut progress = Progress::new(mode, console(page.clone()), FRESH);
        progress.tick(&tick(20, 24_680, 2.34121, 20));
        progress.line("checkpoint at step 20");
        let text = page.text();
        let (above, below) = text.rsplit_once("checkpoint at step 20").unwrap();
        assert!(!above.ends_with("checkpoint at step 20"));
        let bar = "step 20/200 (10%)  loss 2.3412  1234 tok/s  eta 00:03:00";
        assert!(below.contains(bar), "{mode:?}: {text:?}");
        progress.finish();
        let cleared = page.text();
        assert!(cleared.len() > text.len() && cleared.ends_with("\x1b[2K"));
    }
}

#[test]
fn a_console_that_fails_stops_nothing() {
    struct Broken;
    impl Write for Broken {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Err(io::ErrorKind::BrokenPipe.into())
        }
    }
    for console in [Console::writer(Broken), Console::terminal(Broken)] {
        let mut progress = Progress::new(ProgressMode::Auto, console, FRESH);
        progress.tick(&tick(20, 20, 1.0, 1));
        progress.line("hello");
        progress.finish();
    }
}
