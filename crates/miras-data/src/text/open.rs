//! From settings of text to the windows that training and evaluation read.

use std::{path::PathBuf, sync::Arc};

use super::{
    cache,
    config::TextConfig,
    corpus::Corpus,
    encoding::Encoding,
    notes,
    sources::{self, Opened},
};
use crate::{
    DataError, Dataset, Description, Paths, Problem, Tokenized, Tokenizer,
    mixture::{Chain, Source},
    paths::find::Finder,
    shared_keys::{check_corrupt, check_seq_len},
    source::{Bytes, Span, Tokens},
    windows::Windows,
};

/// Opens text for evaluation only: all of `path` is the validation part, read in rows of `seq_len`
/// tokens. The other fields say how files are read.
///
/// # Errors
/// As [`open`](crate::open); the field that they name is `path`, `seq_len` or `corrupt`.
pub fn open_held_out(
    config: &TextConfig,
    tokenizer: Tokenizer,
) -> Result<Box<dyn Dataset>, DataError> {
    let tokenizer = tokenizer.of_text()?;
    let problems = [check_seq_len(config.seq_len), check_corrupt(config.corrupt)];
    let problems: Vec<Problem> = problems.into_iter().flatten().collect();
    if !problems.is_empty() {
        return Err(DataError::Config { problems });
    }
    let caches = cache::folders();
    let mut found = Finder::default();
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
    Ok(Box::new(windows.corrupted(config.corrupt)))
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
/// user's to try for copies of text and tokens.
///
/// # Errors
/// If files cannot be read or do not fit the settings, or no cache folder can be written.
pub fn open(
    config: &TextConfig,
    seed: u64,
    caches: &[PathBuf],
) -> Result<Box<dyn Dataset>, DataError> {
    let tokenizer = Tokenizer::open(&config.tokenizer)?.of_text()?;
    let mut found = Finder::default();
    let mut opening = Vec::new();
    let mut corpus = |key, paths: &Paths, config: &TextConfig| {
        let files = found.files(key, paths)?;
        let corpus = Corpus::open(key, paths, &files, config, caches, &mut opening)?;
        Ok(Arc::new(corpus))
    };
    let sources = sources::open(config, &mut corpus)?;
    let own = match &config.valid_path {
        Some(paths) => Some(corpus("valid_path", paths, config)?),
        None => None,
    };
    let mut notes = found.left_out();
    notes.append(&mut opening);
    notes.extend(notes_of(&sources, own.as_deref(), config, &tokenizer)?);
    let mut train = Vec::new();
    let mut valid: Vec<Arc<dyn Tokens>> = Vec::new();
    let separator = tokenizer.separator(config.separator.as_bytes())?;
    let mut bytes = (0, 0);
    let mut fingerprints = Vec::new();
    let mut corpora: Vec<Arc<Corpus>> = Vec::new();
    for source in sources {
        fingerprints.push((
            source.corpus.fingerprint()?,
            source.train.len(),
            source.weight,
        ));
        bytes.0 += source.train.len();
        train.push(Source {
            name: source.name,
            tokens: tokens_of(source.train, &source.corpus, &tokenizer, caches, &mut notes)?,
            weight: source.weight,
        });
        if let Some(part) = source.valid {
            if !valid.is_empty() {
                bytes.1 += config.separator.len() as u64;
                valid.push(Arc::new(separator.clone()));
            }
            bytes.1 += part.len();
            valid.push(tokens_of(
                part,
                &source.corpus,
                &tokenizer,
                caches,
                &mut notes,
            )?);
        }
        corpora.push(source.corpus);
    }
    let valid_fingerprint = match (&own, fingerprints.as_slice()) {
        (Some(own), _) => Some(own.fingerprint()?),
        (None, [_]) => None,
        // That of the end of each source, however they are mixed.
        (None, all) => Some(sources::fingerprint(all, |_| 0.0)),
    };
    if let Some(own) = own {
        let text = Span::whole(own.clone());
        bytes.1 = text.len();
        valid.push(tokens_of(text, &own, &tokenizer, caches, &mut notes)?);
        corpora.push(own);
    }
    let mut files: Vec<_> = corpora.iter().flat_map(|corpus| corpus.files()).collect();
    let file_count = files.len();
    files.truncate(100);
    let valid: Arc<dyn Tokens> = match valid.len() {
        1 => valid.remove(0),
        _ => Arc::new(Chain::new(valid)),
    };
    let train_tokens = train.iter().map(|source| source.tokens.len()).sum();
    let description = Description {
        kind: "text",
        name: sources::name(config),
        train_bytes: Some(bytes.0),
        valid_bytes: Some(bytes.1),
        fingerprint: match fingerprints.as_slice() {
            [(alone, ..)] => alone.clone(),
            all => sources::fingerprint(all, |share| share),
        },
        valid_fingerprint,
        tokenizer: tokenized(&tokenizer, train_tokens, valid.len()),
        notes,
        file_count,
        files,
    };
    let parts = (train, valid);
    let tokenizer = Arc::new(tokenizer);
    let windows = Windows::new(parts, tokenizer, config.seq_len, seed, description)?;
    let windows = windows.planted(config.needles)?;
    Ok(Box::new(windows.corrupted(config.corrupt)))
}

/// What the user should know of the files.
fn notes_of(
    sources: &[Opened],
    own: Option<&Corpus>,
    config: &TextConfig,
    tokenizer: &Tokenizer,
) -> Result<Vec<String>, DataError> {
    let mut notes = Vec::new();
    if sources.len() > 1 {
        let parts: Vec<_> = (sources.iter())
            .map(|one| (&*one.name, one.weight, one.train.len()))
            .collect();
        notes.push(notes::of_mixture(&parts));
    }
    for source in sources {
        notes.extend(match (&source.valid, own) {
            (Some(valid), _) => notes::of_split(&source.corpus, valid),
            (None, Some(own)) if sources.len() == 1 => notes::of_count(&source.corpus, own),
            _ => None,
        });
        notes.extend(notes::of_files(&source.corpus)?);
    }
    if let Some(own) = own {
        notes.extend(notes::of_files(own)?);
        for source in sources {
            notes.extend(notes::of_validation(&source.corpus, own)?);
        }
    }
    let corpora: Vec<&Corpus> = (sources.iter().map(|source| &*source.corpus))
        .chain(own)
        .collect();
    notes.extend(notes::of_separator(&corpora, tokenizer)?);
    notes.extend(notes::of_field(&corpora, config));
    Ok(notes)
}
