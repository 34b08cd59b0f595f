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

/// The flag that the first signal raises. The second one ends the process at once.
pub(crate) fn stop_flag() -> anyhow::Result<Arc<AtomicBool>> {
    let flag = Arc::new(AtomicBool::new(false));
    let raised = Arc::clone(&flag);
    ctrlc::set_handler(move || {
        if raised.swap(true, Ordering::SeqCst) {
            leave();
        }
        eprint_line("stopping: finishing the step and saving (again to exit at once)");
    })
    .context("cannot listen for Ctrl-C")?;
    Ok(flag)
}

#[expect(
    clippy::exit,
    reason = "the training thread may hang, so the handler's thread has to end the process"
)]
fn leave() -> ! {
    eprint_line("stopped without saving");
    process::exit(ExitStatus::Interrupted as i32)
}
