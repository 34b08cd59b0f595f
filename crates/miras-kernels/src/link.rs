//! The link from the state of a map to its weights.

use crate::MapFormula;

/// `Λ`, from the state `A` of a map (with `A_init` added where it is
/// [anchored](crate::Scan::anchored)) to its weights.
///
/// # Shapes
/// `[d_in, d_out]`, in and out.
#[derive(Debug, Clone, PartialEq)]
pub enum Link {
    /// `W = A`.
    Identity,
    /// `W = s(A) A` with this number `s` of each map.
    Scale(MapFormula),
    /// Any other.
    General(MapFormula),
}

impl Link {
    /// That of the weights, or of their scale.
    pub(crate) fn formula(&self) -> Option<&MapFormula> {
        match self {
            Self::Identity => None,
            Self::Scale(formula) | Self::General(formula) => Some(formula),
        }
    }

    /// Whether its formula gives what it should.
    pub(crate) fn is_whole(&self) -> bool {
        match self {
            Self::Identity => true,
            Self::Scale(formula) => formula.is_number(),
            Self::General(formula) => !formula.is_number(),
        }
    }
}
