//! From settings of text to the windows that training and evaluation read.

use std::{path::PathBuf, sync::Arc};

use super::{
    cache,
    config::{TextConfig, VALID_FRACTION},
    corpus::Corpus,
    encoding::Encoding,
    find, notes,
};
use crate::{
    DataError, Dataset, Description, Tokenized, Tokenizer,
    shared_keys::check_seq_len,
    source::{Bytes, Span, Tokens},
    windows::Windows,
};

/// Opens text for evaluation only: all of `path` is the validation part, read in rows of `seq_len`
/// tokens. The other fields say how files are read.
///
/// # Errors
/// As [`open`](crate::open); the field that they name is `path` or `seq_len`.
pub fn open_held_out(
    config: &TextConfig,
    tokenizer: Tokenizer,
) -> Result<Box<dyn Dataset>, DataError> {
    if let Some(problem) = check_seq_len(config.seq_len) {
        let problems = vec![problem];
        return Err(DataError::Config { problems });
    }
    let caches = cache::folders();
    let mut found = find::Finder::default();
    let files = found.files("path", &config.path)?;
    let mut notes = Vec::new();
    let corpus = Corpus::open("path", &config.path, &files, config, &caches, &mut notes)?;
    let corpus = Arc::new(corpus);
    let mut files = corpus.files();
    let file_count = files.len();
    files.truncate(100);
    let mut description = Description {
        kind: "text",
        name: config.path.to_string(),
        valid_bytes: Some(corpus.len()),
        fingerprint: corpus.fingerprint()?,
        notes: [found.left_out(), notes, notes::of_files(&corpus)?].concat(),
        file_count,
        files,
        ..Description::default()
    };
    let text = Span::whole(corpus.clone());
    let notes = &mut description.notes;
    let tokens = tokens_of(text, &corpus, &tokenizer, &caches, notes)?;
    description.tokenizer = tokenized(&tokenizer, 0, tokens.len());
    let seq_len = config.seq_len;
    let windows = Windows::held_out(tokens, Arc::new(tokenizer), seq_len, description)?;
    Ok(Box::new(windows))
}

/// How a text became tokens; `None` for bytes.
fn tokenized(tokenizer: &Tokenizer, train_tokens: u64, valid_tokens: u64) -> Option<Tokenized> {
    Some(Tokenized {
        fingerprint: tokenizer.fingerprint()?.to_owned(),
        vocab: tokenizer.vocab(),
        train_tokens,
        valid_tokens,
    })
}

/// The tokens of a part of a corpus.
fn tokens_of(
    text: Span,
    corpus: &Corpus,
    tokenizer: &Tokenizer,
    caches: &[PathBuf],
    notes: &mut Vec<String>,
) -> Result<Arc<dyn Tokens>, DataError> {
    if tokenizer.fingerprint().is_none() {
        return Ok(Arc::new(text));
    }
    let encoding = Encoding::new(&text, corpus, tokenizer)?;
    Ok(Arc::new(encoding.tokens(caches, notes)?))
}

/// Opens text whose settings have no problem, as [`open`](crate::open), with other folders than the
/// user's to try for decompressed copies and tokens.
///
/// # Errors
/// If files cannot be read or do not fit the settings, or no cache folder can be written.
pub fn open(
    config: &TextConfig,
    seed: u64,
    caches: &[PathBuf],
) -> Result<Box<dyn Dataset>, DataError> {
    let tokenizer = Tokenizer::open(&config.tokenizer)?;
    let mut found = find::Finder::default();
    let mut opening = Vec::new();
    let mut corpus = |field, paths| -> Result<Arc<Corpus>, DataError> {
        let files = found.files(field, paths)?;
        let corpus = Corpus::open(field, paths, &files, config, caches, &mut opening)?;
        Ok(Arc::new(corpus))
    };
    let first = corpus("path", &config.path)?;
    let own = match &config.valid_path {
        Some(paths) => Some(corpus("valid_path", paths)?),
        None => None,
    };

    let mut files = first.files();
    files.extend(own.iter().flat_map(|own| own.files()));
    let file_count = files.len();
    files.truncate(100);

    let mut notes = found.left_out();
    notes.append(&mut opening);
    let (train, valid) = if let Some(own) = &own {
        notes.extend(notes::of_count(&first, own));
        (Span::whole(first.clone()), Span::whole(own.clone()))
    } else {
        let fraction = config.valid_fraction.unwrap_or(VALID_FRACTION);
        let (train, valid) = Span::cut(first.clone(), first.training_len(fraction)?);
        notes.extend(notes::of_split(&first, &valid));
        (train, valid)
    };
    notes.extend(notes::of_files(&first)?);
    let mut corpora = vec![&*first];
    if let Some(own) = &own {
        notes.extend(notes::of_files(own)?);
        notes.extend(notes::of_validation(&first, own)?);
        corpora.push(own);
    }
    notes.extend(notes::of_separator(&corpora, &tokenizer)?);
    notes.extend(notes::of_field(&corpora, config));
    let mut description = Description {
        kind: "text",
        name: config.path.to_string(),
        train_bytes: Some(train.len()),
        valid_bytes: Some(valid.len()),
        fingerprint: first.fingerprint()?,
        valid_fingerprint: own.as_ref().map(|own| own.fingerprint()).transpose()?,
        tokenizer: None,
        notes,
        file_count,
        files,
    };
    let valid_corpus = own.as_ref().unwrap_or(&first);
    let notes = &mut description.notes;
    let parts = (
        tokens_of(train, &first, &tokenizer, caches, notes)?,
        tokens_of(valid, valid_corpus, &tokenizer, caches, notes)?,
    );
    description.tokenizer = tokenized(&tokenizer, parts.0.len(), parts.1.len());
    let windows = Windows::new(
        parts,
        Arc::new(tokenizer),
        config.seq_len,
        seed,
        description,
    )?;
    Ok(Box::new(windows))
}
