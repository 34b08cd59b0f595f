//! Opening a trained run for the commands that use one.

use miras_registry::Registry;
use miras_use::Trained;

use crate::{out::tell, use_args::Which};

pub(crate) fn open(which: &Which, registry: &Registry) -> anyhow::Result<Trained> {
    let trained = Trained::open(
        registry,
        &which.runs,
        &which.run,
        which.step,
        which.device.as_deref(),
    )?;
    for note in &trained.notes {
        tell(note);
    }
    Ok(trained)
}
