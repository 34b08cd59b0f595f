//! A configuration together with its data, opened.

use std::error::Error;
use std::path::Path;

use miras_config::{ConfigError, Layers, Origins, Tree};
use miras_data::{DataConfig, DataError, Dataset};
use miras_model::Ends;
use miras_registry::Registry;

use crate::stored_tokenizer::{TOKENIZER, with_stored_tokenizer};
use crate::{RunConfig, StateRule, TrainConfig, init_from};

/// The configuration of a run that is used again, with its data.
pub struct Reopened {
    /// The configuration, as it was asked for.
    pub config: RunConfig,
    /// Its data, opened.
    pub data: Box<dyn Dataset>,
    /// What the user should know of how they were opened.
    pub note: Option<String>,
}

impl RunConfig {
    /// Like [`load`](Self::load), with the ends of the model: of text, the tokenizer is opened, and
    /// a mistake is an error at its line; the text itself need not be there, unless it says which
    /// classes there are.
    pub fn load_with_ends(
        layers: Layers,
        registry: &Registry,
    ) -> Result<(Self, Ends), ConfigError> {
        let mut tree = Self::merge(layers)?;
        let read = Self::take(&mut tree, registry).map(|config| {
            let ends = config.ends_unopened();
            let ends = ends.map_err(|error| at_its_key(&tree, &error, None));
            (config, ends)
        });
        let ((config, ends), _) = tree.conclude(read)?;
        Ok((config, ends?))
    }

    /// Like [`load`](Self::load), and opens the data and looks at `train.init_from` too: a file
    /// that is not there, or does not fit, is then an error at the line that names it.
    pub fn load_and_open(
        layers: Layers,
        registry: &Registry,
    ) -> Result<(Self, Origins, Box<dyn Dataset>), ConfigError> {
        Self::open(layers, registry, |tree, config| {
            let data = open_data(tree, &config.data, &config.train, |_| None)?;
            init_from::check(tree, config, config.ends(data.as_ref()))?;
            Ok(data)
        })
    }

    /// Like [`load_and_open`](Self::load_and_open) for a run that is used again, whose folder is
    /// `run` and whose own data are `stored`: it no longer needs `train.init_from`, and text is
    /// read with the tokenizer that the folder keeps (see [`with_stored_tokenizer`]).
    pub fn load_to_resume(
        layers: Layers,
        registry: &Registry,
        run: &Path,
        stored: &DataConfig,
    ) -> Result<Reopened, ConfigError> {
        let mut note = None;
        let open = |tree: &Tree, config: &Self| {
            let (data, found) = with_stored_tokenizer(run, stored, &config.data);
            note = found;
            let help = |error: &DataError| help_for_missing(error, run);
            open_data(tree, &data, &config.train, help)
        };
        let (config, _, data) = Self::open(layers, registry, open)?;
        Ok(Reopened { config, data, note })
    }

    fn open(
        layers: Layers,
        registry: &Registry,
        open: impl FnOnce(&Tree, &Self) -> Result<Box<dyn Dataset>, ConfigError>,
    ) -> Result<(Self, Origins, Box<dyn Dataset>), ConfigError> {
        let mut tree = Self::merge(layers)?;
        let read = Self::take(&mut tree, registry).map(|config| {
            let opened = open(&tree, &config);
            (config, opened)
        });
        // An unknown key may be the reason why a file is not found, so it goes first.
        let ((config, opened), origins) = tree.conclude(read)?;
        Ok((config, origins, opened?))
    }
}

/// Opens the data; a mistake is shown at the key that is about it, with what may help.
fn open_data(
    tree: &Tree,
    config: &DataConfig,
    train: &TrainConfig,
    help: impl Fn(&DataError) -> Option<String>,
) -> Result<Box<dyn Dataset>, ConfigError> {
    let data = miras_data::open(config, train.seed)
        .map_err(|error| at_its_key(tree, &error, help(&error)))?;
    if train.state == StateRule::Carry
        && let Err(error) = data.stream_steps(train.sequences())
    {
        let message = format!("train.state = \"carry\": {error}");
        return Err(tree.error("train.state", message, None));
    }
    Ok(data)
}

fn at_its_key(tree: &Tree, error: &DataError, help: Option<String>) -> ConfigError {
    let path = error
        .field()
        .map_or_else(|| "data".to_owned(), |field| format!("data.{field}"));
    let cause = error.source().map(|cause| format!(": {cause}"));
    let message = format!("{error}{}", cause.unwrap_or_default());
    let report = tree.error(&path, message, help);
    if error.is_outside() {
        report.outside()
    } else {
        report
    }
}

/// Help for data whose path does not exist any more.
fn help_for_missing(error: &DataError, folder: &Path) -> Option<String> {
    let is_missing = matches!(
        error,
        DataError::Missing { .. } | DataError::NoMatch { .. } | DataError::Read { .. }
    );
    match error.field() {
        Some("tokenizer") if is_missing => Some(format!(
            "put the files of the run's tokenizer into {}, or say where they are with `--set data.tokenizer=PATH`",
            folder.join(TOKENIZER).display()
        )),
        Some(field @ ("path" | "valid_path")) if is_missing => Some(format!(
            "if it was moved, say where it is with `--set data.{field}=PATH`"
        )),
        _ => None,
    }
}
