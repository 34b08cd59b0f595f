use miras_config::{ConfigError, Tree, did_you_mean};
use miras_data::DataConfig;
use miras_model::ModelSpec;
use serde::{Deserialize, Serialize};

use super::require::require;

/// `[log]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LogConfig {
    /// Steps between lines of metrics, 1 or more; the last step always has one.
    pub every: u64,
    /// Steps between histograms; 0 is off.
    pub histograms: u64,
    /// Norm of a token's inner gradient above which it counts in
    /// `memory/<layer>/surprise_share`, 0 or more; default 1. A model of memories only.
    pub surprise_threshold: Option<f64>,
    /// The keys that are columns of `TensorBoard`'s `HParams` page; all of them if the list is empty.
    /// A sweep sets those that it changes.
    pub hparams: Vec<String>,
    /// Prompts that the model goes on with at every evaluation, by 200 tokens each: texts of
    /// `TensorBoard`; text alone.
    pub samples: Vec<String>,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self {
            every: 10,
            histograms: 100,
            surprise_threshold: None,
            hparams: Vec::new(),
            samples: Vec::new(),
        }
    }
}

/// The default of `log.surprise_threshold`.
const SURPRISE_THRESHOLD: f64 = 1.0;

impl LogConfig {
    pub(super) fn take(
        tree: &mut Tree,
        model: Option<&ModelSpec>,
        data: Option<&DataConfig>,
        keys: &[String],
    ) -> Result<Self, ConfigError> {
        let mut config: Self = tree.section("log")?;
        for key in &mut config.hparams {
            *key = tree.present_name("log.hparams", key).0;
        }
        if let Some(unknown) = config.hparams.iter().find(|key| !keys.contains(key)) {
            let message = format!("log.hparams names `{unknown}`, and there is no such key");
            let keys = keys.iter().map(String::as_str);
            let help = did_you_mean(unknown, keys).map(|key| format!("did you mean `{key}`?"));
            let mistake = tree.error("log.hparams", message, help);
            tree.note(mistake)?;
        }
        let has_text = data.is_none_or(|data| data.targets().are_text());
        let mistake = if config.samples.iter().any(String::is_empty) {
            Some((
                "log.samples has an empty prompt",
                "a prompt is a text to go on with",
            ))
        } else if !config.samples.is_empty() && !has_text {
            let help = "leave it out, or use data.kind = \"text\" or \"builtin\"";
            Some((
                "log.samples are texts to go on with, and these data have none",
                help,
            ))
        } else {
            None
        };
        if let Some((message, help)) = mistake {
            let mistake = tree.error("log.samples", message, Some(help.to_owned()));
            tree.note(mistake)?;
        }
        if model.is_some_and(|model| !model.has_memory()) {
            if config.surprise_threshold.is_some() {
                let message = "log.surprise_threshold is about memories, and attention has none";
                let help = "leave it out, or use mixer.kind = \"memory\"".to_owned();
                return Err(tree.error("log.surprise_threshold", message, Some(help)));
            }
        } else {
            config.surprise_threshold.get_or_insert(SURPRISE_THRESHOLD);
        }
        let threshold = config.surprise_threshold.unwrap_or(SURPRISE_THRESHOLD);
        require(
            tree,
            "log.every",
            config.every > 0,
            "1 or more",
            config.every,
        )?;
        require(
            tree,
            "log.surprise_threshold",
            threshold >= 0.0 && threshold.is_finite(),
            "0 or more",
            threshold,
        )?;
        Ok(config)
    }
}
