//! One series: its spread, its line and its dots.

use plotters::prelude::DrawingBackend;
use plotters::style::Color as _;

use super::draw::Field;
use super::figure::{Figure, Series, Spread};
use super::frame::{At, Failure, Pen};
use super::look::Look;

/// Lines with more dots than this are drawn without them.
const FEW: usize = 40;

/// What depends on how many series there are.
#[derive(Clone, Copy)]
pub(super) struct Manner {
    /// To the right, in points: bars that would lie on each other stand side by side.
    shift: f64,
    /// How much colour a band has.
    shade: f64,
}

impl Manner {
    /// Of the series at a place in the figure.
    pub(super) fn of(at: usize, figure: &Figure) -> Self {
        let count = figure.series.len() as f64;
        let has_bars = |series: &Series| {
            series.spread == Spread::Bars && series.dots.iter().any(|dot| dot.std.is_some())
        };
        let step = if figure.series.iter().any(has_bars) {
            (48.0 / count).min(6.0)
        } else {
            0.0
        };
        Self {
            shift: (at as f64 - (count - 1.0) / 2.0) * step,
            shade: (0.6 / count).clamp(0.05, 0.18),
        }
    }

    fn place(self, field: &Field, x: f64, y: f64) -> At {
        let (x, y) = field.at(x, y);
        (x + self.shift, y)
    }
}

/// The spread over seeds.
pub(super) fn spread<B: DrawingBackend>(
    pen: &Pen<'_, B>,
    series: &Series,
    field: &Field,
    manner: Manner,
) -> Result<(), Failure<B>> {
    let color = series.look.rgb();
    match series.spread {
        Spread::Band => {
            let side = |sign: f64| {
                let ends = series.dots.iter();
                ends.map(move |dot| {
                    manner.place(field, dot.x, dot.y + sign * dot.std.unwrap_or(0.0))
                })
            };
            if series.dots.len() > 1 && series.dots.iter().any(|dot| dot.std.is_some()) {
                let mut outline: Vec<At> = side(1.0).collect();
                let mut under: Vec<At> = side(-1.0).collect();
                under.reverse();
                outline.extend(under);
                pen.shade(&outline, color.mix(manner.shade))?;
            }
        }
        Spread::Bars => {
            for dot in &series.dots {
                let Some(std) = dot.std else { continue };
                let [low, high] = [-std, std].map(|std| manner.place(field, dot.x, dot.y + std));
                pen.line(&[low, high], color, 1.25)?;
                for (x, y) in [low, high] {
                    pen.line(&[(x - 4.0, y), (x + 4.0, y)], color, 1.25)?;
                }
            }
        }
    }
    Ok(())
}

/// A point for each seed, pale and small, where there are two or more.
pub(super) fn seeds<B: DrawingBackend>(
    pen: &Pen<'_, B>,
    series: &Series,
    field: &Field,
    manner: Manner,
) -> Result<(), Failure<B>> {
    for dot in series.dots.iter().filter(|dot| dot.seeds.len() > 1) {
        for &y in &dot.seeds {
            let place = manner.place(field, dot.x, y);
            pen.ring(place, series.look.rgb(), 2.5)?;
        }
    }
    Ok(())
}

/// The means, from dot to dot.
pub(super) fn line<B: DrawingBackend>(
    pen: &Pen<'_, B>,
    series: &Series,
    field: &Field,
    manner: Manner,
) -> Result<(), Failure<B>> {
    let points: Vec<At> = series
        .dots
        .iter()
        .map(|dot| manner.place(field, dot.x, dot.y))
        .collect();
    stroke(pen, &points, series.look)?;
    if points.len() <= FEW {
        for point in points {
            pen.dot(point, series.look.rgb(), 3.25)?;
        }
    }
    Ok(())
}

/// A line in a colour, with dashes.
pub(super) fn stroke<B: DrawingBackend>(
    pen: &Pen<'_, B>,
    points: &[At],
    look: Look,
) -> Result<(), Failure<B>> {
    let Some(pattern) = look.dash.pattern() else {
        return if points.len() > 1 {
            pen.line(points, look.rgb(), 2.0)
        } else {
            Ok(())
        };
    };
    let mut at = 0;
    let mut left = pattern[at];
    for pair in points.windows(2) {
        let ((mut x, mut y), (x1, y1)) = (pair[0], pair[1]);
        loop {
            let rest = (x1 - x).hypot(y1 - y);
            let go = left.min(rest);
            if rest <= 0.0 {
                break;
            }
            let next = (x + (x1 - x) * go / rest, y + (y1 - y) * go / rest);
            if at.is_multiple_of(2) {
                pen.line(&[(x, y), next], look.rgb(), 2.0)?;
            }
            (x, y) = next;
            left -= go;
            if left > 1e-9 {
                break;
            }
            at = (at + 1) % pattern.len();
            left = pattern[at];
        }
    }
    Ok(())
}
