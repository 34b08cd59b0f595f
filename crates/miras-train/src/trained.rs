//! Opening a trained run for the commands that use one.

use miras_registry::Registry;
use miras_sweep::SweepFolder;
use miras_use::Trained;

use crate::{out::eprint_line, usage::Usage, use_args::Which};

pub(crate) fn open(which: &Which, registry: &Registry) -> anyhow::Result<Trained> {
    let folder = which.runs.join(&which.run);
    if SweepFolder::exists(&folder) {
        let message = format!("{} is a sweep, not a run", folder.display());
        let help = format!("name one of its trials, with `--runs {}`", folder.display());
        return Err(Usage::new(message).help(help).into());
    }
    let trained = Trained::open(
        registry,
        &which.runs,
        &which.run,
        which.step,
        which.device.as_deref(),
    )?;
    for note in &trained.notes {
        eprint_line(note);
    }
    Ok(trained)
}
