//! How near the chunk forms of a combination come to the recurrence, token by token.

use std::fmt;

use miras_engine::Rule;

/// What the parts of a rule allow, whatever form its settings choose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exactness {
    /// E: every gradient is exact, by one triangular solve a chunk or, where the gradient does not
    /// depend on the weights, by masked attention.
    Solved,
    /// F: every gradient is exact, by forward substitution, token after token within a chunk.
    Substituted,
    /// S: gradients at the weights a chunk began with; Picard iterations take them to the exact ones. Reads
    /// are exact.
    ChunkStart,
    /// B: as S, and behind a nonlinear link tokens read the weights (or the link's scale) of the
    /// chunk's start, unless every token's weights are written out; or an algorithm that moves at
    /// chunk ends only.
    Boundary,
}

/// The class of a rule's parts. It is [exact](Exactness::is_exact) where `form = "exact"` exists.
pub fn exactness(rule: &Rule) -> Exactness {
    if rule.has_exact_form() {
        match rule.bias.slope() {
            Some(_) => Exactness::Solved,
            None => Exactness::Substituted,
        }
    } else if rule.has_identity_link() && !rule.acts_at_chunk_end() {
        Exactness::ChunkStart
    } else {
        Exactness::Boundary
    }
}

impl Exactness {
    /// All classes, the most exact first.
    pub const ALL: [Self; 4] = [
        Self::Solved,
        Self::Substituted,
        Self::ChunkStart,
        Self::Boundary,
    ];

    /// Whether chunks give the recurrence itself, at any chunk size.
    pub fn is_exact(self) -> bool {
        matches!(self, Self::Solved | Self::Substituted)
    }

    /// One sentence.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Solved => {
                "every gradient is exact, by one triangular solve a chunk or by masked attention"
            }
            Self::Substituted => "every gradient is exact, by forward substitution within a chunk",
            Self::ChunkStart => {
                "gradients at the weights a chunk began with, taken towards the exact ones by `algorithm.picard`; exact reads"
            }
            Self::Boundary => {
                "as S, and what tokens read goes through the link as it was at the chunk's start, unless `algorithm.read = \"exact\"` writes every token's weights out"
            }
        }
    }
}

/// The letter of the class.
impl fmt::Display for Exactness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Solved => "E",
            Self::Substituted => "F",
            Self::ChunkStart => "S",
            Self::Boundary => "B",
        })
    }
}
