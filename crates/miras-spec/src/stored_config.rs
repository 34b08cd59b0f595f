//! The configuration that the folder of a run or an export holds.

use miras_config::Layers;
use miras_registry::Registry;
use miras_run::{RunFolder, Vouched};

use crate::{RunConfig, SpecError};

/// The configuration in the folder of a run or an export, compared with its checksum; and what
/// the user should know.
pub fn stored_config(
    folder: &RunFolder,
    registry: &Registry,
) -> Result<(RunConfig, Option<String>), SpecError> {
    let (layers, note) = stored_layers(folder)?;
    (RunConfig::load(layers, registry))
        .map(|(config, _)| (config, note))
        .map_err(SpecError::Stored)
}

/// The configuration as [`stored_config`] reads it, for more layers on top.
pub fn stored_layers(folder: &RunFolder) -> Result<(Layers, Option<String>), SpecError> {
    let mut layers = Layers::new();
    let note = match folder.verify_config()? {
        Vouched::Yes => None,
        Vouched::Unknown => {
            let defaults = earlier_defaults(&folder.read_config()?);
            (layers.text("an earlier version", defaults)).map_err(SpecError::Stored)?;
            Some(format!(
                "{} has no checksum, so it is not verified",
                folder.config_path().display()
            ))
        }
    };
    layers
        .file(&folder.config_path())
        .map_err(SpecError::Stored)?;
    // No note, for nobody is to change what is stored.
    (layers.rename(RunConfig::RENAMED)).map_err(SpecError::Stored)?;
    Ok((layers, note))
}

/// Values of keys that a configuration without a checksum may lack: the versions that wrote such
/// files had no `retention.anchored` except for `l2`, and states under other gates decayed to zero.
fn earlier_defaults(config: &str) -> &'static str {
    let table = config.parse::<toml::Table>().unwrap_or_default();
    let kind = table.get("retention").and_then(|table| table.get("kind"));
    match kind.and_then(toml::Value::as_str) {
        Some("lq" | "kl" | "elastic_net") => "retention.anchored = false",
        _ => "",
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
            let rule = &config.model.mixer.memories()[0].rule;
            assert_eq!(rule.retention.is_anchored(), is_anchored, "{retention}");
        }
    }
}
