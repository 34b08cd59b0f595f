//! The settings of nucleotides.

use serde::{Deserialize, Serialize};

use crate::Paths;

/// Nucleotides of FASTA files.
///
/// A record is a line with `>` and a name, and lines of letters: `A C G T`, `U` for `T`, and the codes
/// of IUPAC for one of several bases, `R Y S W K M B D H V N`, in either case. The sequences stand one
/// after the other with a line end between.
///
/// # Tokens
/// 0 is the end of a sequence; 1 to 4 are `A C G T`; 5 to 15 are `R Y S W K M B D H V N`.
/// Case makes no other token. Targets are the four bases alone: the other tokens are read and not
/// predicted.
///
/// # Reference
/// Letters: Cornish-Bowden 1985, Nucleic Acids Research 13 (9), 3021–3030.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct FastaConfig {
    /// Files, folders and patterns, as one string or a list.
    pub path: Paths,
    /// Tokens in a row (1 to 16777216).
    pub seq_len: usize,
    /// Share of the letters kept for validation, at the end (between 0 and 1); default 0.1; not beside
    /// `valid_path`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub valid_fraction: Option<f64>,
    /// Files for validation, in the same forms as `path`; the whole of `path` is then for training.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub valid_path: Option<Paths>,
    /// What becomes of bases in lower case.
    pub soft_masked: SoftMasked,
}

/// What becomes of bases in lower case, by which repeats are marked.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum SoftMasked {
    /// They are targets as all others.
    Scored,
    /// They are read, and not predicted.
    Unscored,
}

/// The default of `valid_fraction`.
const DEFAULT_FRACTION: f64 = 0.1;

impl Default for FastaConfig {
    fn default() -> Self {
        Self {
            path: Paths::default(),
            seq_len: 256,
            valid_fraction: None,
            valid_path: None,
            soft_masked: SoftMasked::Scored,
        }
    }
}

impl FastaConfig {
    /// Fills in the default of `valid_fraction`, unless there is a `valid_path`.
    #[must_use]
    pub(super) fn settled(mut self) -> Self {
        if self.valid_path.is_none() {
            self.valid_fraction.get_or_insert(DEFAULT_FRACTION);
        }
        self
    }

    /// The share of the letters that is kept for validation.
    pub(super) fn fraction(&self) -> f64 {
        self.valid_fraction.unwrap_or(DEFAULT_FRACTION)
    }
}
