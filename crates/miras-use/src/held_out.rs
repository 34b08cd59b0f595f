//! The data of an evaluation: those of the run, changed as asked, or any text.

use miras_config::Layers;
use miras_data::{
    DataConfig, DataError, Dataset, FastaConfig, Paths, TextConfig, open_held_out,
    open_held_out_fasta, open_held_out_labelled,
};
use miras_spec::{RunConfig, with_stored_tokenizer};

use crate::{EvalRequest, Trained, UseError};

/// What may be set beside `--data`: that, a name of the field of records, and a share of tokens.
const ALLOW_BINARY: &str = "data.allow_binary=true";
const FIELD: &str = "data.field";
const CORRUPT: &str = "data.corrupt";

/// Data to evaluate on.
pub(crate) struct HeldOut {
    pub(crate) config: DataConfig,
    /// The share of the tokens that is read as others.
    pub(crate) corrupt: f64,
    pub(crate) set: Box<dyn Dataset>,
}

/// Opens what was asked for.
pub(crate) fn open(trained: &Trained, request: &EvalRequest) -> Result<HeldOut, UseError> {
    if request.part.is_some() && !matches!(trained.config.data, DataConfig::Series(_)) {
        let message = "--part is about time series (task.kind = \"forecast\"): leave it out";
        return Err(UseError::Usage(message.to_owned()));
    }
    let held_out = if request.data.is_empty() {
        of_run(trained, request, None)?
    } else {
        text(trained, request)?
    };
    if held_out.config.tokenizer().is_some() {
        // Whether it is the one of training.
        trained.tokenizer_of(&held_out.config)?;
    }
    trained.check_vocab(held_out.set.vocab())?;
    trained.check_labels(held_out.set.as_ref())?;
    Ok(held_out)
}

/// A number of recall that an evaluation goes through.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Through {
    /// The option that names them.
    pub(crate) option: &'static str,
    /// The key that each is a value of.
    pub(crate) key: &'static str,
}

pub(crate) const PAIRS: Through = Through {
    option: "--pairs",
    key: "data.pairs",
};
pub(crate) const GAPS: Through = Through {
    option: "--gaps",
    key: "data.gap",
};

/// The data of the run with another number.
///
/// # Errors
/// If a row with it does not fit.
pub(crate) fn with(
    trained: &Trained,
    request: &EvalRequest,
    number: (Through, usize),
) -> Result<HeldOut, UseError> {
    of_run(trained, request, Some(number))
}

fn of_run(
    trained: &Trained,
    request: &EvalRequest,
    number: Option<(Through, usize)>,
) -> Result<HeldOut, UseError> {
    let mut layers = as_trained(trained, request)?;
    // Of a series, the key counts values and not tokens.
    let of_training = trained.config.data.seq_len();
    if let Some(length) = request.length.filter(|&length| length != of_training) {
        layers.flag("--length", "data.seq_len", &length.to_string())?;
    }
    if let Some(part) = request.part {
        layers.flag("--part", "data.part", &format!("{:?}", part.name()))?;
    }
    if let Some((through, value)) = number {
        layers.flag(through.option, through.key, &value.to_string())?;
    }
    let (registry, data) = (&trained.config.registry, &trained.config.data);
    let opened = RunConfig::load_to_resume(layers, registry, &trained.folder, data)?;
    Ok(HeldOut {
        corrupt: opened.config.data.corrupt(),
        config: opened.config.data,
        set: opened.data,
    })
}

/// The configuration of the run, with what is set on top of it.
fn as_trained(trained: &Trained, request: &EvalRequest) -> Result<Layers, UseError> {
    let mut layers = Layers::new();
    layers.file(&trained.config_path())?;
    // What is about the rows of training does not matter here, and must not be checked.
    layers.text("evaluation", "train.state = 'reset'")?;
    if trained.config.data.needles() > 0.0 {
        layers.text("evaluation", "data.needles = 0")?;
    }
    for set in &request.sets {
        check_set(set)?;
        layers.set(set)?;
    }
    // Other mistakes are those of opening it.
    if let Ok((config, _)) = RunConfig::load(layers.clone(), &trained.config.registry)
        && config.data.needles() > 0.0
    {
        let message = format!(
            "data.needles = {}: needles are planted in rows of training, which an evaluation does \
             not read: leave it out of --set, or ask for them with --task needle",
            config.data.needles()
        );
        return Err(UseError::Usage(message));
    }
    Ok(layers)
}

/// Other sequences for validation, beside those of training, which say what the classes are.
fn labelled(trained: &Trained, request: &EvalRequest) -> Result<HeldOut, UseError> {
    let layers = as_trained(trained, request)?;
    let (config, _) = RunConfig::load(layers, &trained.config.registry)?;
    let (data, _) = with_stored_tokenizer(&trained.folder, &trained.config.data, &config.data);
    let DataConfig::Labelled(mut data) = data else {
        let message =
            "--data is about files of the run's own kind of data: leave out `--set data.kind`";
        return Err(UseError::Usage(message.to_owned()));
    };
    if let Some(length) = request.length {
        data.seq_len = length;
    }
    // What `--set` says of columns is about these files.
    let mut training = data.clone();
    if let DataConfig::Labelled(own) = &trained.config.data {
        training.sequence.clone_from(&own.sequence);
        training.label.clone_from(&own.label);
        training.seq_len = own.seq_len;
    }
    let paths = Paths::from(request.data.clone());
    let set = open_held_out_labelled(&training, &data, &paths).map_err(of_columns)?;
    let config = DataConfig::from(data);
    Ok(HeldOut {
        config,
        corrupt: 0.0,
        set,
    })
}

fn text(trained: &Trained, request: &EvalRequest) -> Result<HeldOut, UseError> {
    if let DataConfig::Labelled(_) = &trained.config.data {
        return labelled(trained, request);
    }
    if let DataConfig::Series(_) = &trained.config.data {
        let message = "--data is about text and labelled sequences: another series is named with \
                       `--set data.path=FILE`, and its parts with `--set data.split=…`";
        return Err(UseError::Usage(message.to_owned()));
    }
    // Whether its tokens are text at all.
    let tokenizer = trained.tokenizer()?;
    let length = (request.length).unwrap_or_else(|| trained.config.data.seq_len());
    let as_in_training = match &trained.config.data {
        DataConfig::Text(config) => config.clone(),
        DataConfig::Fasta(config) => return fasta(trained, request, config),
        other => TextConfig {
            corrupt: other.corrupt(),
            ..TextConfig::default()
        },
    };
    let mut config = TextConfig {
        path: Paths::from(request.data.clone()),
        mix: Vec::new(),
        seq_len: length,
        ..as_in_training
    };
    for set in &request.sets {
        match set.split_once('=') {
            Some((key, name)) if key.trim() == FIELD => {
                name.trim()
                    .trim_matches(['"', '\''])
                    .clone_into(&mut config.field);
            }
            Some((key, share)) if key.trim() == CORRUPT => {
                config.corrupt = share.trim().parse().map_err(|_| {
                    let message = format!("`--set {set}`: must be a number from 0 to below 1");
                    UseError::Usage(message)
                })?;
            }
            _ if set.replace(' ', "") == ALLOW_BINARY => config.allow_binary = true,
            _ => {
                let message =
                    format!("`--set {set}` changes the run's own data: leave it or --data out");
                return Err(UseError::Usage(message));
            }
        }
    }
    let set = open_held_out(&config, tokenizer).map_err(|error| of_options(error, length))?;
    Ok(HeldOut {
        config: trained.config.data.clone(),
        corrupt: config.corrupt,
        set,
    })
}

/// FASTA files, for a run on nucleotides.
fn fasta(
    trained: &Trained,
    request: &EvalRequest,
    as_in_training: &FastaConfig,
) -> Result<HeldOut, UseError> {
    if let Some(set) = request.sets.first() {
        let message = format!("`--set {set}` changes the run's own data: leave it or --data out");
        return Err(UseError::Usage(message));
    }
    let length = request.length.unwrap_or(as_in_training.seq_len);
    let config = FastaConfig {
        path: Paths::from(request.data.clone()),
        seq_len: length,
        ..as_in_training.clone()
    };
    let set = open_held_out_fasta(&config).map_err(|error| of_options(error, length))?;
    Ok(HeldOut {
        config: trained.config.data.clone(),
        corrupt: 0.0,
        set,
    })
}

/// An error about labelled sequences that options name, whose keys `--set` sets.
fn of_columns(error: DataError) -> UseError {
    match error.field() {
        Some(field @ ("seq_len" | "sequence" | "label")) => {
            let text = error.to_string();
            let text = text.strip_prefix(&format!("{field}: ")).unwrap_or(&text);
            let text = text.replace(&format!("{field} = "), &format!("--set data.{field}="));
            UseError::Usage(format!("--data: {text}"))
        }
        _ => UseError::Usage(with_option(&error)),
    }
}

/// An error about data that options name.
fn of_options(error: DataError, length: usize) -> UseError {
    match error {
        DataError::TooShort { tokens, unit, .. } => UseError::Short {
            tokens,
            unit,
            length,
        },
        other if other.field() == Some("seq_len") => {
            let text = other.to_string();
            let text = text.strip_prefix("seq_len: ").unwrap_or(&text);
            UseError::Usage(format!("--length: {text}"))
        }
        other if other.field() == Some("corrupt") => UseError::Usage(format!("--set data.{other}")),
        other => UseError::Usage(with_option(&other)),
    }
}

/// The message with the option in the place of the key.
fn with_option(error: &DataError) -> String {
    let text = error.to_string();
    let text = text.strip_prefix("path: ").unwrap_or(&text);
    let text = text.strip_prefix("field: ").unwrap_or(text);
    let text = text.strip_prefix("valid_path: ").unwrap_or(text);
    let text = text.replace(
        "set allow_binary = true",
        &format!("add `--set {ALLOW_BINARY}`"),
    );
    let text = text.replace(
        "did you mean field = ",
        &format!("did you mean --set {FIELD}="),
    );
    match std::error::Error::source(error) {
        Some(cause) => format!("--data: {text}: {cause}"),
        None => format!("--data: {text}"),
    }
}

fn check_set(set: &str) -> Result<(), UseError> {
    let key = set.split('=').next().unwrap_or_default().trim();
    if key == "data" || key.starts_with("data.") {
        return Ok(());
    }
    let message = format!(
        "`--set {set}`: an evaluation changes keys of [data] alone; the model is what it was trained as"
    );
    Err(UseError::Usage(message))
}
