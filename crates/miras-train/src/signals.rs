//! Ctrl-C and SIGTERM.

use std::{
    process,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use anyhow::Context;

use crate::{out::eprint_line, status::ExitStatus};

/// What training says at the first signal and at the second one.
pub(crate) const SAVING: [&str; 2] = [
    "stopping: finishing the step and saving (again to exit at once)",
    "stopped without saving",
];

/// The flag that the first signal raises. The second one ends the process at once.
///
/// The texts are said at the first one and at the second one.
pub(crate) fn stop_flag([first, second]: [&'static str; 2]) -> anyhow::Result<Arc<AtomicBool>> {
    let flag = Arc::new(AtomicBool::new(false));
    let raised = Arc::clone(&flag);
    ctrlc::set_handler(move || {
        if raised.swap(true, Ordering::SeqCst) {
            leave(second);
        }
        eprint_line(first);
    })
    .context("cannot listen for Ctrl-C")?;
    Ok(flag)
}

#[expect(
    clippy::exit,
    reason = "the training thread may hang, so the handler's thread has to end the process"
)]
fn leave(told: &str) -> ! {
    eprint_line(told);
    process::exit(ExitStatus::Interrupted as i32)
}
