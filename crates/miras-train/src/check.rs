//! `check`: configurations, read and refused as `run` would.

use std::path::Path;

use miras_config::ConfigError;
use miras_registry::Registry;
use miras_trainer::RunConfig;

use crate::{
    args::CheckArgs,
    exit::Ending,
    layers::layers,
    out::{Out, tell},
};

pub(crate) fn check(
    args: &CheckArgs,
    registry: &Registry,
    out: &mut Out,
) -> anyhow::Result<Ending> {
    let mut ending = Ending::Done;
    for file in &args.configs {
        match check_one(file, &args.set.set, registry) {
            Ok(notes) => {
                out.text(&format!("ok: {}", file.display()))?;
                for note in notes {
                    out.text(&format!("note: {note}"))?;
                }
            }
            Err(error) => {
                tell(error);
                ending = Ending::Usage;
            }
        }
    }
    Ok(ending)
}

fn check_one(file: &Path, set: &[String], registry: &Registry) -> Result<Vec<String>, ConfigError> {
    let (config, ..) = RunConfig::load_and_open(layers(Some(file), set)?, registry)?;
    Ok(config.notes())
}
