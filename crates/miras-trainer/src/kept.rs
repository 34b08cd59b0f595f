//! What a run's folder keeps for those who use the run again: its configuration and the files of
//! its tokenizer.

use std::path::Path;

use miras_config::Layers;
use miras_data::{DataConfig, DataError, TokenizerFiles};
use miras_registry::Registry;
use miras_run::{RunFolder, Vouched, vouched_tokenizer};

use crate::{RunConfig, TrainError};

/// The folder of a tokenizer's files.
const TOKENIZER: &str = "tokenizer";

/// The configuration in the folder of a run or an export, compared with its checksum; and what
/// the user should know.
pub fn kept_config(
    folder: &RunFolder,
    registry: &Registry,
) -> Result<(RunConfig, Option<String>), TrainError> {
    let (layers, note) = kept_layers(folder)?;
    (RunConfig::load(layers, registry))
        .map(|(config, _)| (config, note))
        .map_err(TrainError::Stored)
}

/// The configuration as [`kept_config`] reads it, for more layers on top.
pub fn kept_layers(folder: &RunFolder) -> Result<(Layers, Option<String>), TrainError> {
    let mut layers = Layers::new();
    let note = match folder.verify_config()? {
        Vouched::Yes => None,
        Vouched::Unknown => {
            let defaults = earlier_defaults(&folder.read_config()?);
            (layers.text("an earlier version", defaults)).map_err(TrainError::Stored)?;
            Some(format!(
                "{} has no checksum, so it is not verified",
                folder.config_path().display()
            ))
        }
    };
    layers
        .file(&folder.config_path())
        .map_err(TrainError::Stored)?;
    Ok((layers, note))
}

/// What keys were that a configuration without a checksum may lack: the versions that wrote these
/// had no `retention.anchored` but for `l2`, and the states of the others decayed to zero.
fn earlier_defaults(config: &str) -> &'static str {
    let table = config.parse::<toml::Table>().unwrap_or_default();
    let kind = table.get("retention").and_then(|table| table.get("kind"));
    match kind.and_then(toml::Value::as_str) {
        Some("lq" | "kl" | "elastic_net") => "retention.anchored = false",
        _ => "",
    }
}

/// The files of the tokenizer of data, for the folder of a run or an export.
pub fn tokenizer_files(
    data: &DataConfig,
    fingerprint: Option<&str>,
) -> Result<Vec<(String, Vec<u8>)>, TrainError> {
    let Some(setting) = data.tokenizer() else {
        return Ok(Vec::new());
    };
    let read = TokenizerFiles::read(setting)?;
    if read.fingerprint.as_deref() == fingerprint {
        return Ok(read.files);
    }
    Err(TrainError::Data(DataError::Tokenizer {
        field: "tokenizer",
        path: setting.into(),
        why: "changed while it was read: start again".to_owned(),
    }))
}

/// The files of the tokenizer that the folder of a run or an export keeps; an error if they are
/// not those of its training.
pub(crate) fn kept_files(folder: &Path) -> Result<TokenizerFiles, TrainError> {
    let kept = folder.join(TOKENIZER);
    let read = TokenizerFiles::read(&kept.to_string_lossy())?;
    match vouched_tokenizer(folder)? {
        Some((trained, by)) if read.fingerprint.as_deref() != Some(&*trained) => {
            let found = read.fingerprint.as_deref().unwrap_or("bytes");
            let why = format!(
                "or the files beside it were changed: they are {found}, and {by} says {trained}"
            );
            Err(TrainError::Data(DataError::Tokenizer {
                field: "tokenizer",
                path: kept.join(TokenizerFiles::FACTS),
                why,
            }))
        }
        _ => Ok(read),
    }
}

/// The data as they are opened for a run that is used again: with the tokenizer that its folder
/// keeps in the place of the one that its configuration names, which may be gone or changed; and
/// what the user should know.
///
/// `stored` are the data of the run's configuration. Whoever asks for another tokenizer than
/// those have gets it.
pub fn kept_tokenizer(
    folder: &Path,
    stored: &DataConfig,
    asked: &DataConfig,
) -> (DataConfig, Option<String>) {
    let kept = folder.join(TOKENIZER);
    let asked_for = asked.absolute().unwrap_or_else(|_| asked.clone());
    let (Some(setting), true) = (asked.tokenizer(), kept.is_dir()) else {
        return (asked.clone(), None);
    };
    if setting == "bytes" || asked_for.tokenizer() != stored.tokenizer() {
        return (asked.clone(), None);
    }
    let place = kept.display();
    let given = TokenizerFiles::read(setting);
    let found = match kept_files(folder) {
        Ok(found) => found,
        Err(error) => {
            let note = format!("{error}; `{setting}` is used in its place");
            return (asked.clone(), Some(note));
        }
    };
    // One that is gone is no news: the copy is there so that it need not stay.
    let note = (given.is_ok_and(|given| given.fingerprint != found.fingerprint)).then(|| {
        format!("data.tokenizer: `{setting}` changed since, so the copy in {place} is used")
    });
    (asked.with_tokenizer(&kept.to_string_lossy()), note)
}

/// What helps where the path of a run's data leads nowhere any more.
pub(crate) fn moved(error: &DataError, folder: &Path) -> Option<String> {
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Else the memories of a run would be read as something that they are not.
    #[test]
    fn gates_that_had_no_anchor_are_read_without_one() {
        for (retention, is_anchored) in [
            ("kind = 'lq'", false),
            ("kind = 'kl'", false),
            ("kind = 'elastic_net'", false),
            ("kind = 'l2'\nanchored = true", true),
            ("kind = 'none'", false),
        ] {
            let config = format!("[retention]\n{retention}\n");
            let mut layers = Layers::new();
            layers.text("old", earlier_defaults(&config)).unwrap();
            layers.text("config.toml", &config).unwrap();
            let (config, _) = RunConfig::load(layers, &Registry::builtin()).unwrap();
            let rule = config.model.choice.unwrap().rule;
            assert_eq!(rule.retention.is_anchored(), is_anchored, "{retention}");
        }
    }
}
