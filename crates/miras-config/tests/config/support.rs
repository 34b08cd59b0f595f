//! A small program that is configured: a seed, a model and a memory of some kind.

use miras_config::{ConfigError, Layers, Origins, Tree};
use serde::{Deserialize, Serialize};

#[derive(Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Model {
    pub(crate) dim: usize,
    pub(crate) layers: u8,
    pub(crate) lr: f64,
    pub(crate) dropout: f32,
    pub(crate) tied: bool,
    pub(crate) name: String,
    pub(crate) activation: Activation,
    pub(crate) schedule: Schedule,
    pub(crate) betas: [f64; 2],
    pub(crate) heads: Vec<Head>,
    pub(crate) limit: Option<u32>,
}

impl Default for Model {
    fn default() -> Self {
        Self {
            dim: 64,
            layers: 2,
            lr: 0.001,
            dropout: 0.0,
            tied: false,
            name: "tiny".to_owned(),
            activation: Activation::Gelu,
            schedule: Schedule::Constant,
            betas: [0.9, 0.95],
            heads: Vec::new(),
            limit: None,
        }
    }
}

#[derive(Debug, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Activation {
    Gelu,
    Silu,
    Relu,
}

#[derive(Debug, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Schedule {
    Constant,
    Cosine { warmup: usize },
}

#[derive(Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Head {
    pub(crate) size: usize,
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Mlp {
    pub(crate) depth: usize,
    #[serde(default)]
    pub(crate) expansion: usize,
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Matrix {}

#[derive(Debug, PartialEq)]
pub(crate) enum Memory {
    Matrix(Matrix),
    Mlp(Mlp),
}

#[derive(Debug)]
pub(crate) struct Config {
    pub(crate) seed: u64,
    pub(crate) model: Model,
    pub(crate) memory: Memory,
}

pub(crate) fn read(tree: &mut Tree) -> Result<Config, ConfigError> {
    let kind = tree.value::<String>("memory.kind")?;
    let memory = match kind.as_deref().unwrap_or("matrix") {
        "matrix" => Memory::Matrix(tree.at("memory").part()?),
        "mlp" => Memory::Mlp(tree.at("memory").part()?),
        other => {
            let message = format!("unknown kind `{other}`");
            let help = miras_config::did_you_mean(other, ["matrix", "mlp"])
                .map(|best| format!("did you mean `{best}`?"));
            return Err(tree.error("memory.kind", message, help));
        }
    };
    let config = Config {
        seed: tree.value("seed")?.unwrap_or(1),
        model: tree.section("model")?,
        memory,
    };
    if !config.model.dim.is_multiple_of(8) {
        return Err(tree.error("model.dim", "must be a multiple of 8", None));
    }
    if config.seed == 0 {
        return Err(tree.error("seed", "must not be 0", None));
    }
    Ok(config)
}

/// Reads the layers whole, as a program does at its start.
pub(crate) fn load(layers: Layers) -> Result<(Config, Origins), ConfigError> {
    let mut tree = layers.merge()?;
    let config = read(&mut tree)?;
    Ok((config, tree.finish()?))
}

/// The layers of texts (a name and a text) and of `--set` flags.
pub(crate) fn layers(texts: &[(&str, &str)], flags: &[&str]) -> Result<Layers, ConfigError> {
    let mut layers = Layers::new();
    for (name, text) in texts {
        layers.text(name, text)?;
    }
    for flag in flags {
        layers.set(flag)?;
    }
    Ok(layers)
}

/// What the program says about these layers: its error or `ok`.
pub(crate) fn report(texts: &[(&str, &str)], flags: &[&str]) -> String {
    match layers(texts, flags).and_then(load) {
        Ok(_) => "ok".to_owned(),
        Err(error) => error.to_string(),
    }
}

/// The layer below every flag.
const BASE: &str = r#"[model]
dim = 64
[memory]
kind = "mlp"
depth = 2
"#;

/// Expects this report for a single text.
#[track_caller]
pub(crate) fn text(text: &str, expected: &str) {
    assert_eq!(report(&[("run.toml", text)], &[]), expected.trim_start());
}

/// Expects this report for one `--set` above [`BASE`].
#[track_caller]
pub(crate) fn flag(flag: &str, expected: &str) {
    let report = report(&[("base.toml", BASE)], &[flag]);
    assert_eq!(report, expected.trim_start());
}
