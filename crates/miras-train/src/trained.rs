//! Opening a trained run for the commands that use one.

use miras_use::Trained;

use crate::{out::tell, use_args::Which};

pub(crate) fn open(which: &Which) -> anyhow::Result<Trained> {
    let trained = Trained::open(&which.runs, &which.run, which.step, which.device.as_deref())?;
    for note in &trained.notes {
        tell(note);
    }
    Ok(trained)
}
