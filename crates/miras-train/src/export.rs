//! `export`: weights and configuration outside of a run.

use crate::{out::Out, trained, use_args::ExportArgs};
use miras_registry::Registry;

pub(crate) fn export(args: &ExportArgs, registry: &Registry, out: &mut Out) -> anyhow::Result<()> {
    let trained = trained::open(&args.which, registry)?;
    let facts = miras_use::export(&trained, &args.out)?;
    out.prose(&format!(
        "{} at step {} in {}; start a run with it by `--set train.init_from={}`",
        facts.run,
        facts.step,
        args.out.display(),
        args.out.display()
    ))
}
