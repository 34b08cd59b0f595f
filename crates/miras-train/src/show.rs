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
    let mut text = annotated(&config.to_table(), &origins);
    if let Some(by) =
        (config.chunk_loop(&config.train.device, config.data.seq_len())).filter(|_| !args.plain)
    {
        text.push_str(&format!("\n# chunks are computed by {by}\n"));
    }
    out.text(&text)
}
