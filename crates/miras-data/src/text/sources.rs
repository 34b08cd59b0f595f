//! The sources of a text: the files of `path`, or those of each entry of `mix`.

use std::sync::Arc;

use miras_run::hex;
use sha2::{Digest, Sha256};

use super::{
    config::{MIX, TextConfig, VALID_FRACTION},
    corpus::Corpus,
};
use crate::{DataError, Paths, mixture::shares, source::Span};

/// The files of a source, and those of its parts.
pub(super) struct Opened {
    pub(super) name: String,
    pub(super) weight: f64,
    pub(super) corpus: Arc<Corpus>,
    pub(super) train: Span,
    /// None of it where validation has files of its own.
    pub(super) valid: Option<Span>,
}

/// Opens each source; `corpus` opens the files that the paths of a key name.
pub(super) fn open(
    config: &TextConfig,
    corpus: &mut impl FnMut(&'static str, &Paths, &TextConfig) -> Result<Arc<Corpus>, DataError>,
) -> Result<Vec<Opened>, DataError> {
    if config.mix.is_empty() {
        let corpus = corpus("path", &config.path, config)?;
        return Ok(vec![split(config.path.to_string(), 1.0, corpus, config)?]);
    }
    let sources = config.mix.iter().map(|source| {
        let own = TextConfig {
            field: (source.field.as_ref().unwrap_or(&config.field)).clone(),
            ..config.clone()
        };
        let corpus = corpus(MIX, &source.path, &own)?;
        split(format!("`{}`", source.path), source.weight, corpus, config)
    });
    sources.collect()
}

/// Cuts a source in its parts.
fn split(
    name: String,
    weight: f64,
    corpus: Arc<Corpus>,
    config: &TextConfig,
) -> Result<Opened, DataError> {
    let (train, valid) = if config.valid_path.is_some() {
        (Span::whole(corpus.clone()), None)
    } else {
        let fraction = config.valid_fraction.unwrap_or(VALID_FRACTION);
        let (train, valid) = Span::cut(corpus.clone(), corpus.training_len(fraction)?);
        (train, Some(valid))
    };
    Ok(Opened {
        name,
        weight,
        corpus,
        train,
        valid,
    })
}

/// What the data are called: the paths, in a mixture with the share of each.
pub(super) fn name(config: &TextConfig) -> String {
    if config.mix.is_empty() {
        return config.path.to_string();
    }
    let shares = shares(config.mix.iter().map(|source| source.weight));
    let parts: Vec<String> = (config.mix.iter().zip(shares))
        .map(|(source, share)| format!("{:.1}% {}", 100.0 * share, source.path))
        .collect();
    parts.join(" + ")
}

/// The fingerprint of a mixture: of its sources in their order, what is trained on of each, and
/// what `of_share` makes of its share.
pub(super) fn fingerprint(sources: &[(String, u64, f64)], of_share: impl Fn(f64) -> f64) -> String {
    let mut hash = Sha256::new();
    let shares = shares(sources.iter().map(|(.., weight)| *weight));
    for ((of_source, train, _), share) in sources.iter().zip(shares) {
        hash.update(of_source);
        hash.update(train.to_le_bytes());
        hash.update(of_share(share).to_le_bytes());
    }
    format!("sha256-mixture:{}", hex(&hash.finalize()))
}
