//! `check`: configurations, read and refused as `run` would.

use std::path::Path;

use miras_config::ConfigError;
use miras_registry::Registry;
use miras_spec::{RunConfig, notes_here};

use crate::{
    args::CheckArgs,
    exit::status_of_config,
    layers::{layers, name},
    out::{Out, eprint_line},
    status::ExitStatus,
    sweep,
};

pub(crate) fn check(
    args: &CheckArgs,
    registry: &Registry,
    out: &mut Out,
) -> anyhow::Result<ExitStatus> {
    let mut status = ExitStatus::Done;
    let mut files: Vec<_> = (args.configs.iter()).map(|file| Some(&**file)).collect();
    if files.is_empty() {
        files.push(None);
    }
    for file in files {
        match check_one(file, &args.set.set, registry) {
            Ok(notes) => {
                out.text(&format!("ok: {}", name(file)))?;
                for note in notes {
                    out.prose(&format!("note: {note}"))?;
                }
            }
            Err(error) => {
                if status != ExitStatus::Usage {
                    status = status_of_config(&error);
                }
                eprint_line(error);
            }
        }
    }
    Ok(status)
}

fn check_one(
    file: Option<&Path>,
    set: &[String],
    registry: &Registry,
) -> Result<Vec<String>, ConfigError> {
    let layers = layers(file, set)?;
    if layers.has(sweep::TABLE) {
        let (_, expanded) = sweep::expanded(layers, registry, None)?;
        let trials = sweep::trials(expanded.trials.len());
        let mut notes = vec![format!("a sweep of {trials}, see `sweep --dry-run`")];
        notes.extend(sweep::notes(&expanded, 1));
        return Ok(notes);
    }
    let (config, _, data) = RunConfig::load_and_open(layers, registry)?;
    Ok(notes_here(
        &config,
        config.ends(data.as_ref()),
        &data.describe().notes,
    ))
}
