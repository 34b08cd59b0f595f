//! `export` and `tokenizer`: weights and configuration, or the tokenizer, outside of a run.

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

pub(crate) fn tokenizer(
    args: &ExportArgs,
    registry: &Registry,
    out: &mut Out,
) -> anyhow::Result<()> {
    let trained = trained::open(&args.which, registry)?;
    let without_token = miras_use::export_tokenizer(&trained, &args.out)?;
    let folder = args.out.display();
    out.prose(&format!(
        "the tokenizer of {}, 256 bytes, in {folder}; `AutoTokenizer.from_pretrained(\"{folder}\")` reads it",
        trained.origin.run
    ))?;
    if let Some(separator) = without_token {
        out.prose(&format!(
            "the separator {separator:?} is {} tokens, so there is no token that ends a text",
            separator.len()
        ))?;
    }
    Ok(())
}
