//! Keys that several kinds of data have, and their checks.

use crate::Problem;

/// A key and its meaning.
pub(crate) const SEQ_LEN: (&str, &str) = ("seq_len", "tokens in a sequence, from 1 to 16777216");
/// A key and its meaning.
pub(crate) const VALID_FRACTION: (&str, &str) = (
    "valid_fraction",
    "share of the corpus kept for validation, at its end, between 0 and 1",
);

/// A key and its meaning.
pub(crate) const CORRUPT: (&str, &str) = (
    "corrupt",
    "the probability, from 0 to below 1, with which each token is read as one drawn from the vocabulary, in training and evaluation; targets stay those of the text",
);

/// A key and its meaning.
pub(crate) const NEEDLES: (&str, &str) = (
    "needles",
    "the share, from 0 to 1, of the training rows that have a needle planted: its sentence at a random place, and at the end the question with the answer, as `eval --task needle --kind text` has them",
);

/// The most tokens in a row.
const MAX_SEQ_LEN: usize = 1 << 24;

/// The problem with a row length, if it has one.
pub(crate) fn check_seq_len(seq_len: usize) -> Option<Problem> {
    (!(1..=MAX_SEQ_LEN).contains(&seq_len)).then(|| {
        (
            "seq_len",
            format!("must be from 1 to {MAX_SEQ_LEN} tokens, got {seq_len}"),
        )
    })
}

/// The problem with the share of tokens that are read as others, if it has one.
pub(crate) fn check_corrupt(share: f64) -> Option<Problem> {
    (!(0.0..1.0).contains(&share)).then(|| {
        (
            CORRUPT.0,
            format!("must be a share of the tokens from 0 to below 1, got {share}"),
        )
    })
}

/// The problem with the share of rows that have a needle, if it has one.
pub(crate) fn check_needles(share: f64) -> Option<Problem> {
    (!(0.0..=1.0).contains(&share)).then(|| {
        (
            NEEDLES.0,
            format!("must be a share of the training rows from 0 to 1, got {share}"),
        )
    })
}

/// The problems with the share kept for validation, beside files for validation or without.
pub(crate) fn check_held_out(has_files: bool, fraction: Option<f64>) -> Vec<Problem> {
    let mut problems = Vec::new();
    if has_files && fraction.is_some() {
        let message = "has no effect beside valid_path, which is the whole validation part: leave \
                       one of them out";
        problems.push(("valid_fraction", message.to_owned()));
    }
    problems.extend(fraction.and_then(check_valid_fraction));
    problems
}

/// The problem with a validation share, if it has one.
pub(crate) fn check_valid_fraction(fraction: f64) -> Option<Problem> {
    (!(fraction > 0.0 && fraction < 1.0)).then(|| {
        (
            "valid_fraction",
            format!("must lie between 0 and 1, both excluded, got {fraction}"),
        )
    })
}
