//! The names of the series, beside the picture.

use plotters::prelude::DrawingBackend;

use super::HEIGHT;
use super::figure::Figure;
use super::frame::{At, Failure, Letters, Pen};
use super::lines::stroke;

/// How wide a name may get before it is set in two lines, and cut if these are wider yet.
const WIDEST: f64 = 280.0;
/// The piece of line before a name.
const SAMPLE: f64 = 24.0;
const GAP: f64 = 6.0;
/// From one entry to the next, and from one line of an entry to the next.
const STEP: f64 = 22.0;
const LINE: f64 = 15.0;

/// The names, set in lines.
pub(super) struct Legend {
    entries: Vec<Vec<String>>,
    /// All that it takes, the room to the picture included.
    pub(super) width: f64,
}

impl Legend {
    pub(super) fn new<B: DrawingBackend>(
        pen: &Pen<'_, B>,
        figure: &Figure,
        letters: Letters,
    ) -> Result<Self, Failure<B>> {
        let mut legend = Self {
            entries: Vec::new(),
            width: 0.0,
        };
        for entry in &figure.legend {
            let mut lines = Vec::new();
            for line in halves(pen, &entry.label, letters)? {
                let line = pen.fitted(&line, letters, WIDEST)?;
                let width = pen.width(&line, letters)? + SAMPLE + GAP + 22.0;
                legend.width = legend.width.max(width);
                lines.push(line);
            }
            legend.entries.push(lines);
        }
        Ok(legend)
    }

    /// Draws it down from a place.
    pub(super) fn draw<B: DrawingBackend>(
        &self,
        pen: &Pen<'_, B>,
        figure: &Figure,
        (left, top): At,
        letters: Letters,
    ) -> Result<(), Failure<B>> {
        let most = self.entries.iter().map(Vec::len).max().unwrap_or(1);
        let room = (f64::from(HEIGHT) - top - 12.0) / self.entries.len().max(1) as f64;
        let step = (STEP + (most - 1) as f64 * LINE).min(room);
        for (row, (lines, entry)) in self.entries.iter().zip(&figure.legend).enumerate() {
            let y = top + 10.0 + row as f64 * step;
            let left = left + 14.0;
            stroke(pen, &[(left, y), (left + SAMPLE, y)], entry.look)?;
            for (at, line) in lines.iter().enumerate() {
                let place = (left + SAMPLE + GAP, y + at as f64 * LINE);
                pen.text(line, place, letters)?;
            }
        }
        Ok(())
    }
}

/// A name in one line, or parted at the space that makes its lines most alike.
fn halves<B: DrawingBackend>(
    pen: &Pen<'_, B>,
    label: &str,
    letters: Letters,
) -> Result<Vec<String>, Failure<B>> {
    if pen.width(label, letters)? <= WIDEST {
        return Ok(vec![label.to_owned()]);
    }
    let longer = |&at: &usize| at.max(label.len() - at);
    let space = label
        .match_indices(' ')
        .map(|(at, _)| at)
        .min_by_key(longer);
    Ok(match space {
        Some(at) => vec![label[..at].to_owned(), label[at + 1..].to_owned()],
        None => vec![label.to_owned()],
    })
}
