//! Draws a figure: axes and grid, then spreads, lines and dots, then the legend.

use plotters::coord::Shift;
use plotters::drawing::DrawingArea;
use plotters::prelude::DrawingBackend;
use plotters::style::RGBColor;
use plotters::style::text_anchor::{HPos, VPos};

use super::figure::{Dot, Figure, Values};
use super::frame::{At, Failure, Letters, Pen};
use super::legend::Legend;
use super::lines::{Manner, line, seeds, spread};
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

/// Where the data are, and how they are placed.
pub(super) struct Field {
    left: f64,
    right: f64,
    top: f64,
    bottom: f64,
    x: Scale,
    y: Scale,
}

impl Field {
    pub(super) fn at(&self, x: f64, y: f64) -> At {
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

    let legend = Legend::new(&pen, figure, small)?;
    let dots = || figure.series.iter().flat_map(|series| &series.dots);
    let ends = |dot: &Dot| -> Vec<f64> {
        let std = dot.std.unwrap_or(0.0);
        let ends = [dot.y, dot.y + std, dot.y - std];
        ends.into_iter().chain(dot.seeds.iter().copied()).collect()
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
    let right = f64::from(WIDTH) - 24.0 - legend.width;
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
    for (at, series) in figure.series.iter().enumerate() {
        spread(&pen, series, &field, Manner::of(at, figure))?;
    }
    for (at, series) in figure.series.iter().enumerate() {
        seeds(&pen, series, &field, Manner::of(at, figure))?;
    }
    // The best is drawn last, over the others.
    for (at, series) in figure.series.iter().enumerate().rev() {
        line(&pen, series, &field, Manner::of(at, figure))?;
    }
    legend.draw(&pen, figure, (field.right, field.top), small)
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
