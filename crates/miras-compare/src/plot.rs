//! Pictures: figures, drawn the same as SVG and as PNG.

mod draw;
mod figure;
mod font;
mod frame;
mod legend;
mod lines;
mod look;
mod number;
mod scale;

use plotters::backend::{BitMapBackend, SVGBackend};
use plotters::prelude::IntoDrawingArea as _;

pub(crate) use figure::{Axis, Dot, Entry, Figure, Series, Spread, Values};
pub(crate) use look::{COLORS, DASHES, Dash, Look, MOST};

use crate::CompareError;

/// Size of a picture, in points.
const WIDTH: u32 = 920;
const HEIGHT: u32 = 500;
/// Places to a point while drawing, for places are whole numbers.
const FINE: u32 = 4;
/// Places to a pixel of a PNG, each way: a pixel is their mean, so that edges are smooth.
const PLACES: u32 = 2;
/// See [`frame::Pen`].
const SINK_OF_PIXELS: f64 = 0.16;

/// One figure of a comparison.
#[derive(Debug, Clone)]
pub struct Plot {
    figure: Figure,
}

impl Plot {
    pub(crate) fn new(figure: Figure) -> Self {
        Self { figure }
    }

    /// Its name, good for a file: the same for the same figure of any comparison.
    pub fn name(&self) -> &str {
        &self.figure.name
    }

    /// What it shows, in words.
    pub fn title(&self) -> &str {
        &self.figure.title
    }

    /// As SVG.
    pub fn svg(&self) -> Result<String, CompareError> {
        let file = format!("{}.svg", self.name());
        font::register().map_err(CompareError::render(&file))?;
        let mut text = String::new();
        let size = (WIDTH * FINE, HEIGHT * FINE);
        {
            let area = SVGBackend::with_string(&mut text, size).into_drawing_area();
            draw::draw(&area, &self.figure, FINE, 0.0).map_err(CompareError::render(&file))?;
            area.present().map_err(CompareError::render(&file))?;
        }
        // Shown at its size in points; the picture's own places stay fine.
        let fine = format!("<svg width=\"{}\" height=\"{}\"", size.0, size.1);
        let shown = format!(
            "<svg role=\"img\" aria-label=\"{}\" width=\"{WIDTH}\" height=\"{HEIGHT}\"",
            escaped(self.title())
        );
        Ok(text.replacen(&fine, &shown, 1))
    }

    /// As PNG, two pixels to a point.
    pub fn png(&self) -> Result<Vec<u8>, CompareError> {
        let file = format!("{}.png", self.name());
        font::register().map_err(CompareError::render(&file))?;
        let (width, height) = (WIDTH * FINE, HEIGHT * FINE);
        let mut places = vec![u8::MAX; (width * height * 3) as usize];
        {
            let area = BitMapBackend::with_buffer(&mut places, (width, height)).into_drawing_area();
            draw::draw(&area, &self.figure, FINE, SINK_OF_PIXELS)
                .map_err(CompareError::render(&file))?;
            area.present().map_err(CompareError::render(&file))?;
        }
        let pixels = coarser(&places, width as usize, PLACES as usize);
        let (width, height) = (width / PLACES, height / PLACES);
        let mut bytes = Vec::new();
        let mut encoder = png::Encoder::new(&mut bytes, width, height);
        encoder.set_color(png::ColorType::Rgb);
        let mut writer = encoder
            .write_header()
            .map_err(CompareError::render(&file))?;
        let mut written = writer.write_image_data(&pixels);
        written = written.and_then(|()| writer.finish());
        written.map_err(CompareError::render(&file))?;
        Ok(bytes)
    }
}

/// A picture of three bytes a place, each square of `side` places taken together.
fn coarser(places: &[u8], width: usize, side: usize) -> Vec<u8> {
    let height = places.len() / (3 * width);
    let mut pixels = Vec::with_capacity(places.len() / (side * side));
    for y in (0..height).step_by(side) {
        for x in (0..width).step_by(side) {
            for color in 0..3 {
                let sum: usize = (0..side * side)
                    .map(|at| (y + at / side) * width + x + at % side)
                    .map(|place| usize::from(places[place * 3 + color]))
                    .sum();
                pixels.push((sum / (side * side)) as u8);
            }
        }
    }
    pixels
}

/// For an attribute.
fn escaped(text: &str) -> String {
    text.replace(char::is_control, " ")
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('"', "&quot;")
}
