//! Draws a figure: axes and grid, then spreads, lines and dots, then the legend.

use plotters::coord::Shift;
use plotters::drawing::DrawingArea;
use plotters::prelude::DrawingBackend;
use plotters::style::text_anchor::{HPos, VPos};
use plotters::style::{Color as _, RGBColor};

use super::figure::{Dot, Figure, Series, Spread, Values};
use super::frame::{At, Failure, Letters, Pen};
use super::look::Look;
use super::scale::Scale;
use super::{HEIGHT, WIDTH};

const WHITE: RGBColor = RGBColor(255, 255, 255);
const GRID: RGBColor = RGBColor(228, 228, 228);
const EDGE: RGBColor = RGBColor(150, 150, 150);
const INK: RGBColor = RGBColor(35, 35, 35);
const PALE: RGBColor = RGBColor(110, 110, 110);

const TITLE: f64 = 20.0;
const LABEL: f64 = 17.0;
const SMALL: f64 = 15.5;

/// Lines with more dots than this are drawn without them.
const FEW: usize = 40;
/// The legend's lines, and how wide it may get.
const LINE: f64 = 22.0;
const SAMPLE: f64 = 30.0;
const WIDEST: f64 = 290.0;

/// Where the data are, and how they are placed.
struct Field {
    left: f64,
    right: f64,
    top: f64,
    bottom: f64,
    x: Scale,
    y: Scale,
}

impl Field {
    fn at(&self, x: f64, y: f64) -> At {
        (
            self.left + self.x.place(x) * (self.right - self.left),
            self.bottom - self.y.place(y) * (self.bottom - self.top),
        )
    }
}

fn letters(size: f64, color: RGBColor, h: HPos, v: VPos) -> Letters {
    Letters {
        size,
        color,
        h,
        v,
        upwards: false,
    }
}

/// Draws `figure` on an area that has `fine` places to a point; `sink` is the pen's.
pub(super) fn draw<B: DrawingBackend>(
    area: &DrawingArea<B, Shift>,
    figure: &Figure,
    fine: u32,
    sink: f64,
) -> Result<(), Failure<B>> {
    let pen = Pen::new(area, fine, sink);
    pen.fill(WHITE)?;
    let small = letters(SMALL, INK, HPos::Left, VPos::Center);

    let mut legend = 0.0_f64;
    for entry in &figure.legend {
        legend = legend.max(pen.width(&entry.label, small)?);
    }
    let legend = (legend.min(WIDEST) + SAMPLE + 8.0) * f64::from(u8::from(legend > 0.0));

    let dots = || figure.series.iter().flat_map(|series| &series.dots);
    let ends = |dot: &Dot| {
        let std = dot.std.unwrap_or(0.0);
        [dot.y, dot.y + std, dot.y - std]
    };
    let mut ys: Vec<f64> = dots().flat_map(ends).collect();
    let has_log_values = dots().all(|dot| dot.y > 0.0);
    // A spread that reaches below zero does not decide whether there are logarithms.
    ys.retain(|&y| !has_log_values || y > 0.0);
    let xs: Vec<f64> = dots().map(|dot| dot.x).collect();
    let y = Scale::new(&figure.y, &ys, 0.05, 7);
    let mut widest = 0.0_f64;
    for (_, label) in &y.ticks {
        widest = widest.max(pen.width(label, small)?);
    }
    let left = 44.0 + widest;
    let right = f64::from(WIDTH) - 24.0 - legend;
    let is_chosen = !matches!(figure.x.values, Values::Numbers);
    let pad = if is_chosen { 0.06 } else { 0.02 };
    let field = Field {
        left,
        right,
        top: if figure.note.is_some() { 58.0 } else { 42.0 },
        bottom: f64::from(HEIGHT) - 62.0,
        x: Scale::new(&figure.x, &xs, pad, ((right - left) / 75.0) as usize),
        y,
    };

    axes(&pen, figure, &field)?;
    for series in &figure.series {
        spread(&pen, series, &field)?;
    }
    // The best is drawn last, over the others.
    for series in figure.series.iter().rev() {
        line(&pen, series, &field)?;
    }
    key(&pen, figure, &field)
}

fn axes<B: DrawingBackend>(
    pen: &Pen<'_, B>,
    figure: &Figure,
    field: &Field,
) -> Result<(), Failure<B>> {
    let at_left = letters(SMALL, INK, HPos::Right, VPos::Center);
    for (value, label) in &field.y.ticks {
        let y = field.at(0.0, *value).1;
        pen.line(&[(field.left, y), (field.right, y)], GRID, 1.0)?;
        pen.text(label, (field.left - 8.0, y), at_left)?;
    }
    let below = letters(SMALL, INK, HPos::Center, VPos::Top);
    let room = (field.right - field.left) / field.x.ticks.len().max(1) as f64;
    for (value, label) in &field.x.ticks {
        let x = field.at(*value, 0.0).0;
        pen.line(&[(x, field.top), (x, field.bottom)], GRID, 1.0)?;
        let label = match figure.x.values {
            Values::Names(_) => pen.fitted(label, below, room - 6.0)?,
            _ => label.clone(),
        };
        pen.text(&label, (x, field.bottom + 7.0), below)?;
    }
    pen.frame((field.left, field.top), (field.right, field.bottom), EDGE)?;

    let middle = f64::midpoint(field.left, field.right);
    let below = letters(LABEL, INK, HPos::Center, VPos::Top);
    pen.text(&figure.x.label, (middle, field.bottom + 32.0), below)?;
    let mut beside = letters(LABEL, INK, HPos::Center, VPos::Top);
    beside.upwards = true;
    let middle = f64::midpoint(field.top, field.bottom);
    pen.text(&figure.y.label, (12.0, middle), beside)?;

    let above = letters(TITLE, INK, HPos::Left, VPos::Top);
    pen.text(&figure.title, (field.left, 9.0), above)?;
    if let Some(note) = &figure.note {
        let under = letters(SMALL, PALE, HPos::Left, VPos::Top);
        let most = f64::from(WIDTH) - field.left - 12.0;
        pen.text(&pen.fitted(note, under, most)?, (field.left, 33.0), under)?;
    }
    Ok(())
}

fn spread<B: DrawingBackend>(
    pen: &Pen<'_, B>,
    series: &Series,
    field: &Field,
) -> Result<(), Failure<B>> {
    let color = series.look.rgb();
    match series.spread {
        Spread::Band => {
            let side = |sign: f64| {
                let ends = series.dots.iter();
                ends.map(move |dot| field.at(dot.x, dot.y + sign * dot.std.unwrap_or(0.0)))
            };
            if series.dots.len() > 1 && series.dots.iter().any(|dot| dot.std.is_some()) {
                let mut outline: Vec<At> = side(1.0).collect();
                let mut under: Vec<At> = side(-1.0).collect();
                under.reverse();
                outline.extend(under);
                pen.shade(&outline, color.mix(0.18))?;
            }
        }
        Spread::Bars => {
            for dot in &series.dots {
                let Some(std) = dot.std else { continue };
                let (low, high) = (field.at(dot.x, dot.y - std), field.at(dot.x, dot.y + std));
                pen.line(&[low, high], color, 1.25)?;
                for (x, y) in [low, high] {
                    pen.line(&[(x - 4.0, y), (x + 4.0, y)], color, 1.25)?;
                }
            }
        }
    }
    Ok(())
}

fn line<B: DrawingBackend>(
    pen: &Pen<'_, B>,
    series: &Series,
    field: &Field,
) -> Result<(), Failure<B>> {
    let points: Vec<At> = series
        .dots
        .iter()
        .map(|dot| field.at(dot.x, dot.y))
        .collect();
    stroke(pen, &points, series.look)?;
    if points.len() <= FEW {
        for point in points {
            pen.dot(point, series.look.rgb(), 3.25)?;
        }
    }
    Ok(())
}

/// A line in the series' colour and dashes.
fn stroke<B: DrawingBackend>(
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
    let mut is_drawn = true;
    let mut left = pattern[0];
    for pair in points.windows(2) {
        let ((mut x, mut y), (x1, y1)) = (pair[0], pair[1]);
        loop {
            let rest = (x1 - x).hypot(y1 - y);
            let go = left.min(rest);
            if rest <= 0.0 {
                break;
            }
            let next = (x + (x1 - x) * go / rest, y + (y1 - y) * go / rest);
            if is_drawn {
                pen.line(&[(x, y), next], look.rgb(), 2.0)?;
            }
            (x, y) = next;
            left -= go;
            if left > 1e-9 {
                break;
            }
            is_drawn = !is_drawn;
            left = pattern[usize::from(!is_drawn)];
        }
    }
    Ok(())
}

fn key<B: DrawingBackend>(
    pen: &Pen<'_, B>,
    figure: &Figure,
    field: &Field,
) -> Result<(), Failure<B>> {
    let small = letters(SMALL, INK, HPos::Left, VPos::Center);
    let left = field.right + 14.0;
    for (row, entry) in figure.legend.iter().enumerate() {
        let y = field.top + 10.0 + row as f64 * LINE;
        stroke(pen, &[(left, y), (left + SAMPLE - 6.0, y)], entry.look)?;
        let label = pen.fitted(&entry.label, small, WIDEST)?;
        pen.text(&label, (left + SAMPLE, y), small)?;
    }
    Ok(())
}
