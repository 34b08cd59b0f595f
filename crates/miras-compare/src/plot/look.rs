//! How lines are told apart: first by colour, then by dashes.

use plotters::style::RGBColor;

/// Series in one picture at most.
pub(crate) const MOST: usize = 12;

/// Okabe and Ito's colours, which the colour-blind can tell apart, without their yellow, which
/// is hard to see on white.
const PALETTE: [RGBColor; COLORS] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
    RGBColor(70, 70, 70),
];

/// How many colours there are.
pub(crate) const COLORS: usize = 7;

/// How a series looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Look {
    pub(crate) color: usize,
    pub(crate) dash: Dash,
}

/// How a line is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dash {
    Solid,
    Dashed,
    Dotted,
    Mixed,
}

/// All ways to break a line, in the order in which they are used.
pub(crate) const DASHES: [Dash; 4] = [Dash::Solid, Dash::Dashed, Dash::Dotted, Dash::Mixed];

impl Look {
    /// The look of the series at a place in a list: all colours first, then the next dash.
    pub(crate) fn of(place: usize) -> Self {
        Self {
            color: place % COLORS,
            dash: DASHES[(place / COLORS) % DASHES.len()],
        }
    }

    pub(super) fn rgb(self) -> RGBColor {
        PALETTE[self.color % COLORS]
    }
}

impl Dash {
    /// Lengths that are drawn and left out, in turn, in points; none for a whole line.
    pub(super) fn pattern(self) -> Option<[f64; 4]> {
        match self {
            Self::Solid => None,
            Self::Dashed => Some([8.0, 5.0, 8.0, 5.0]),
            Self::Dotted => Some([2.5, 3.5, 2.5, 3.5]),
            Self::Mixed => Some([8.0, 3.5, 2.5, 3.5]),
        }
    }
}
