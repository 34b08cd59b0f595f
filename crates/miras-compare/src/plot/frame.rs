//! Where things are in a picture, and the pen that draws them.

use plotters::coord::Shift;
use plotters::drawing::{DrawingArea, DrawingAreaErrorKind};
use plotters::element::{Circle, PathElement, Polygon, Text};
use plotters::prelude::DrawingBackend;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{
    Color as _, FontTransform, IntoFont as _, RGBAColor, RGBColor, ShapeStyle, TextStyle,
};

use super::font::FAMILY;

pub(super) type Failure<B> = DrawingAreaErrorKind<<B as DrawingBackend>::ErrorType>;

/// A place, in points from the left and the top.
pub(super) type At = (f64, f64);

/// Draws in points on an area that is finer.
pub(super) struct Pen<'a, B: DrawingBackend> {
    area: &'a DrawingArea<B, Shift>,
    fine: f64,
    /// How far below the place letters go that are to be in the middle of it, of their size:
    /// pictures of pixels count the room above capitals as part of the letters.
    sink: f64,
}

/// Letters: their height, colour and which of their corners is meant.
#[derive(Clone, Copy)]
pub(super) struct Letters {
    pub(super) size: f64,
    pub(super) color: RGBColor,
    pub(super) h: HPos,
    pub(super) v: VPos,
    pub(super) upwards: bool,
}

impl<'a, B: DrawingBackend> Pen<'a, B> {
    pub(super) fn new(area: &'a DrawingArea<B, Shift>, fine: u32, sink: f64) -> Self {
        Self {
            area,
            fine: f64::from(fine),
            sink,
        }
    }

    fn fine(&self, (x, y): At) -> (i32, i32) {
        (
            (x * self.fine).round() as i32,
            (y * self.fine).round() as i32,
        )
    }

    fn stroke(&self, color: RGBAColor, width: f64) -> ShapeStyle {
        color.stroke_width((width * self.fine).round().max(1.0) as u32)
    }

    pub(super) fn fill(&self, color: RGBColor) -> Result<(), Failure<B>> {
        self.area.fill(&color)
    }

    pub(super) fn line(
        &self,
        points: &[At],
        color: RGBColor,
        width: f64,
    ) -> Result<(), Failure<B>> {
        let points: Vec<_> = points.iter().map(|&point| self.fine(point)).collect();
        let style = self.stroke(color.to_rgba(), width);
        self.area.draw(&PathElement::new(points, style))
    }

    pub(super) fn shade(&self, outline: &[At], color: RGBAColor) -> Result<(), Failure<B>> {
        let points: Vec<_> = outline.iter().map(|&point| self.fine(point)).collect();
        self.area.draw(&Polygon::new(points, color.filled()))
    }

    pub(super) fn frame(&self, from: At, to: At, color: RGBColor) -> Result<(), Failure<B>> {
        // Not a rectangle: of those only the thinnest outlines are drawn.
        let ((left, top), (right, bottom)) = (from, to);
        let corners = [
            (left, top),
            (right, top),
            (right, bottom),
            (left, bottom),
            (left, top),
        ];
        self.line(&corners, color, 1.0)
    }

    pub(super) fn dot(&self, at: At, color: RGBColor, radius: f64) -> Result<(), Failure<B>> {
        let radius = (radius * self.fine).round() as i32;
        self.area
            .draw(&Circle::new(self.fine(at), radius, color.filled()))
    }

    pub(super) fn ring(&self, at: At, color: RGBColor, radius: f64) -> Result<(), Failure<B>> {
        let radius = (radius * self.fine).round() as i32;
        let style = self.stroke(color.to_rgba(), 1.0);
        self.area.draw(&Circle::new(self.fine(at), radius, style))
    }

    pub(super) fn text(&self, text: &str, at: At, letters: Letters) -> Result<(), Failure<B>> {
        let style = self.style(letters);
        let sink = if matches!(letters.v, VPos::Center) {
            letters.size * self.sink
        } else {
            0.0
        };
        let at = (at.0, at.1 + sink);
        // XML knows no control characters.
        let text = text.replace(char::is_control, " ");
        self.area.draw(&Text::new(text, self.fine(at), style))
    }

    /// How wide a text is. Another font may be used to show an SVG, so there is some to spare.
    pub(super) fn width(&self, text: &str, letters: Letters) -> Result<f64, Failure<B>> {
        let (width, _) = self.area.estimate_text_size(text, &self.style(letters))?;
        Ok(f64::from(width) / self.fine * 1.15)
    }

    /// A text, cut so that it is not wider than `most`.
    pub(super) fn fitted(
        &self,
        text: &str,
        letters: Letters,
        most: f64,
    ) -> Result<String, Failure<B>> {
        let mut fitted = text.to_owned();
        let mut kept = text.chars().count();
        while self.width(&fitted, letters)? > most && kept > 1 {
            kept -= 1;
            fitted = text.chars().take(kept).chain(['…']).collect();
        }
        Ok(fitted)
    }

    fn style(&self, letters: Letters) -> TextStyle<'static> {
        let mut font = (FAMILY, letters.size * self.fine).into_font();
        if letters.upwards {
            font = font.transform(FontTransform::Rotate270);
        }
        let mut style = TextStyle::from(font).pos(Pos::new(letters.h, letters.v));
        style.color = letters.color.to_backend_color();
        style
    }
}
