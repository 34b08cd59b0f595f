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

/// What training says at the first signal.
pub(crate) const SAVING: &str = "stopping: finishing the step and saving (again to exit at once)";

/// The flag that the first signal raises. The second one ends the process at once.
///
/// `told` is said at the first one.
pub(crate) fn stop_flag(told: &'static str) -> anyhow::Result<Arc<AtomicBool>> {
    let flag = Arc::new(AtomicBool::new(false));
    let raised = Arc::clone(&flag);
    ctrlc::set_handler(move || {
        if raised.swap(true, Ordering::SeqCst) {
            leave();
        }
        eprint_line(told);
    })
    .context("cannot listen for Ctrl-C")?;
    Ok(flag)
}

#[expect(
    clippy::exit,
    reason = "the training thread may hang, so the handler's thread has to end the process"
)]
fn leave() -> ! {
    eprint_line("stopped at once");
    process::exit(ExitStatus::Interrupted as i32)
}
