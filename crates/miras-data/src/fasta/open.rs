//! From settings to the windows that training and evaluation read.

use std::sync::Arc;

use super::{
    config::{FastaConfig, SoftMasked},
    read::Sequences,
};
use crate::{
    DataError, DataFile, Dataset, Description, Paths, Tokenizer, describe,
    mixture::Source,
    paths::find::Finder,
    shared_keys::check_seq_len,
    source::{Span, Tokens},
    tokenizer::bases::{is_base, token_of},
    windows::Windows,
};

/// The letters of a part, as tokens of which the bases count.
struct Letters {
    span: Span,
    soft_masked: SoftMasked,
}

impl Letters {
    fn counts(&self, letter: u8) -> bool {
        let is_masked = letter.is_ascii_lowercase();
        is_base(letter) && (self.soft_masked == SoftMasked::Scored || !is_masked)
    }
}

impl Tokens for Letters {
    fn len(&self) -> u64 {
        self.span.len()
    }

    fn read(&self, offset: u64, buffer: &mut [i32]) -> Result<(), DataError> {
        let mut letters = vec![0; buffer.len()];
        self.span.read(offset, &mut letters)?;
        for (token, letter) in buffer.iter_mut().zip(letters) {
            *token = token_of(letter).expect("every letter was looked at when it was read");
        }
        Ok(())
    }

    fn weigh(&self, offset: u64, weights: &mut [f32]) -> Result<(), DataError> {
        let mut letters = vec![0; weights.len()];
        self.span.read(offset, &mut letters)?;
        for (weight, letter) in weights.iter_mut().zip(letters) {
            *weight = if self.counts(letter) { 1.0 } else { 0.0 };
        }
        Ok(())
    }
}

/// Opens files whose settings have no problem.
pub(super) fn open(config: &FastaConfig, seed: u64) -> Result<Windows, DataError> {
    let mut finder = Finder::default();
    let mut notes = Vec::new();
    let mut sequences = |field, paths: &Paths| {
        let found = Sequences::read(field, paths, &finder.files(field, paths)?)?;
        notes.extend(notes_of(paths, &found, config.soft_masked));
        Ok::<_, DataError>(found)
    };
    let train = sequences("path", &config.path)?;
    let own = match &config.valid_path {
        Some(paths) => Some(sequences("valid_path", paths)?),
        None => None,
    };
    let mut description = description_of(config, &train);
    let mut files = train.files;
    let letters = Arc::new(train.letters);
    let (train, valid) = match own {
        None => Span::split(letters, config.fraction()),
        Some(own) => {
            if own.letters == *letters {
                let first = |files: &[DataFile]| files[0].path.clone();
                let (valid, train) = (first(&own.files), first(&files));
                return Err(DataError::Copied { valid, train });
            }
            description.valid_fingerprint = Some(describe::of_bytes(&own.letters));
            files.extend(own.files);
            (Span::whole(letters), Span::whole(Arc::new(own.letters)))
        }
    };
    description.notes = [finder.left_out(), notes].concat();
    description.train_bytes = Some(train.len());
    description.valid_bytes = Some(valid.len());
    description.file_count = files.len();
    files.truncate(MAX_FILES);
    description.files = files;
    let [train, valid] = [train, valid].map(|span| letters_of(span, config));
    has_bases("training", config, &train)?;
    has_bases("validation", config, &valid)?;
    let parts = (vec![Source::alone(train)], valid);
    let tokenizer = Arc::new(Tokenizer::bases());
    Windows::new(parts, tokenizer, config.seq_len, seed, description)
}

/// The most files that a run remembers.
const MAX_FILES: usize = 100;

/// Opens files for evaluation only: all of `path` is the validation part.
///
/// # Errors
/// As [`open`](crate::open); the field that they name is `path` or `seq_len`.
pub fn open_held_out(config: &FastaConfig) -> Result<Box<dyn Dataset>, DataError> {
    if let Some(problem) = check_seq_len(config.seq_len) {
        let problems = vec![problem];
        return Err(DataError::Config { problems });
    }
    let mut finder = Finder::default();
    let files = finder.files("path", &config.path)?;
    let found = Sequences::read("path", &config.path, &files)?;
    let mut description = description_of(config, &found);
    description.valid_bytes = Some(found.letters.len() as u64);
    description.notes = finder.left_out();
    (description.notes).extend(notes_of(&config.path, &found, config.soft_masked));
    description.file_count = found.files.len();
    description.files = found.files;
    description.files.truncate(MAX_FILES);
    let part = letters_of(Span::whole(Arc::new(found.letters)), config);
    has_bases("evaluation", config, &part)?;
    let tokenizer = Arc::new(Tokenizer::bases());
    let windows = Windows::held_out(part, tokenizer, config.seq_len, description)?;
    Ok(Box::new(windows))
}

fn letters_of(span: Span, config: &FastaConfig) -> Arc<dyn Tokens> {
    let soft_masked = config.soft_masked;
    Arc::new(Letters { span, soft_masked })
}

fn description_of(config: &FastaConfig, found: &Sequences) -> Description {
    Description {
        kind: "fasta",
        name: config.path.to_string(),
        fingerprint: describe::of_bytes(&found.letters),
        ..Description::default()
    }
}

/// Refuses a part in which nothing would be predicted.
fn has_bases(name: &str, config: &FastaConfig, part: &Arc<dyn Tokens>) -> Result<(), DataError> {
    // The first token has no place in front of it from which it could be predicted.
    let mut at = 1;
    let mut weights = vec![0.0; 1 << 16];
    while at < part.len() {
        let count = (part.len() - at).min(weights.len() as u64) as usize;
        part.weigh(at, &mut weights[..count])?;
        if weights[..count].iter().any(|&weight| weight > 0.0) {
            return Ok(());
        }
        at += count as u64;
    }
    let which = match config.soft_masked {
        SoftMasked::Scored => "A, C, G, T or U",
        SoftMasked::Unscored => "A, C, G, T or U in upper case (soft_masked = \"unscored\")",
    };
    let problem = format!("the {name} part has no {which} to predict");
    let problems = vec![("path", problem)];
    Err(DataError::Config { problems })
}

/// What the user should know of the letters.
fn notes_of(paths: &Paths, found: &Sequences, soft_masked: SoftMasked) -> Vec<String> {
    let mut notes = Vec::new();
    let count = |is: fn(u8) -> bool| found.letters.iter().filter(|&&letter| is(letter)).count();
    let all = found.letters.len() as f64;
    if found.blank > 0 {
        notes.push(format!(
            "{} of the {} sequences of `{paths}` have no letter and are left out",
            found.blank, found.records
        ));
    }
    let codes = count(|letter| letter.is_ascii_alphabetic() && !is_base(letter));
    if codes > 0 {
        notes.push(format!(
            "{codes} letters of `{paths}` ({:.2} %) are codes such as N for one of several bases: they are read and not predicted",
            100.0 * codes as f64 / all
        ));
    }
    let masked = count(|letter| letter.is_ascii_lowercase() && is_base(letter));
    if masked > 0 {
        let what = match soft_masked {
            SoftMasked::Scored => "predicted as all others",
            SoftMasked::Unscored => "read and not predicted",
        };
        notes.push(format!(
            "{masked} bases of `{paths}` ({:.2} %) are in lower case, and {what} (data.soft_masked)",
            100.0 * masked as f64 / all
        ));
    }
    notes
}
