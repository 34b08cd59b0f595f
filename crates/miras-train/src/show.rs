//! `show`: the settled configuration.

use miras_config::{Origins, annotated};
use miras_registry::Registry;
use miras_spec::RunConfig;

use crate::{args::ShowArgs, out::Out};

pub(crate) fn show(args: &ShowArgs, registry: &Registry, out: &mut Out) -> anyhow::Result<()> {
    let (config, origins) = RunConfig::load(args.config.layers()?, registry)?;
    let origins = if args.plain {
        Origins::default()
    } else {
        origins
    };
    out.text(&annotated(&config.to_table(), &origins))?;
    let by = config.chunk_loop(&config.train.device, config.data.seq_len());
    match by.filter(|_| !args.plain) {
        Some(by) => out.text(&format!("\n# chunks are computed by {by}")),
        None => Ok(()),
    }
}
