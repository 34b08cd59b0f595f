//! Heat maps: shares by two axes, and their drawing with plotters.

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use crate::CompareError;
use crate::plot::{Area, Drawn, FINE, FONT, LABEL, PALE, PALETTE, SMALL, TITLE, rendered};

/// Maps of shares, from 0 to 1, each with the same axes.
#[derive(Debug, Clone)]
pub struct HeatMaps {
    /// What is shown.
    pub title: String,
    /// Below the title.
    pub note: String,
    /// The axis across: its name and values.
    pub x: HeatAxis,
    /// The axis down.
    pub y: HeatAxis,
    /// Two beside each other.
    pub maps: Vec<HeatMap>,
}

/// An axis of a heat map.
#[derive(Debug, Clone)]
pub struct HeatAxis {
    /// What it is.
    pub label: String,
    /// Its values, in order.
    pub values: Vec<String>,
}

/// A share for each pair of values.
#[derive(Debug, Clone)]
pub struct HeatMap {
    /// What it shows.
    pub title: String,
    /// Row by row, each as long as there are values across; none where nothing was measured.
    pub shares: Vec<Vec<Option<f64>>>,
}

/// The size of a map, and of what stands around its cells.
const WIDTH: u32 = 460;
const ROW: u32 = 34;
const TOP: u32 = 34;
const BOTTOM: u32 = 56;
const LEFT: u32 = 70;
const RIGHT: u32 = 16;
/// Of the title and the note.
const HEAD: u32 = 64;
/// Maps beside each other.
const ACROSS: usize = 2;

impl HeatMaps {
    /// The maps as SVG.
    ///
    /// # Errors
    /// If they cannot be drawn.
    pub fn svg(&self) -> Result<String, CompareError> {
        let across = self.maps.len().clamp(1, ACROSS) as u32;
        let down = self.maps.len().div_ceil(ACROSS) as u32;
        let height = TOP + BOTTOM + ROW * self.y.values.len() as u32;
        let size = [WIDTH * across, HEAD + down * height];
        rendered(&self.title, size, |area| self.draw(area, height))
            .map_err(CompareError::render("the heat map".to_owned()))
    }

    fn draw(&self, area: &Area, height: u32) -> Drawn<()> {
        area.fill(&WHITE)?;
        let at = |x: u32, y: u32| ((x * FINE) as i32, (y * FINE) as i32);
        let title = (FONT, TITLE).into_font().color(&BLACK);
        area.draw(&Text::new(self.title.clone(), at(LEFT, 10), title))?;
        let note = (FONT, SMALL).into_font().color(&PALE);
        area.draw(&Text::new(self.note.clone(), at(LEFT, 38), note))?;
        for (index, map) in self.maps.iter().enumerate() {
            let (column, row) = ((index % ACROSS) as u32, (index / ACROSS) as u32);
            self.draw_map(area, map, [column * WIDTH, HEAD + row * height])?;
        }
        Ok(())
    }

    fn draw_map(&self, area: &Area, map: &HeatMap, [left, top]: [u32; 2]) -> Drawn<()> {
        let at = |x: f64, y: f64| ((x * f64::from(FINE)) as i32, (y * f64::from(FINE)) as i32);
        let (x0, y0) = (f64::from(left + LEFT), f64::from(top + TOP));
        let cell = f64::from(WIDTH - LEFT - RIGHT) / self.x.values.len().max(1) as f64;
        let row = f64::from(ROW);
        let end = y0 + row * self.y.values.len() as f64;
        let style = |size: u32, color: &RGBColor, h: HPos, v: VPos| {
            let font = (FONT, size).into_font().color(color);
            font.pos(Pos::new(h, v))
        };
        let say = |text: &str, place: (i32, i32), style: TextStyle| {
            area.draw(&Text::new(text.to_owned(), place, style))
        };
        let middle = x0 + cell * self.x.values.len() as f64 / 2.0;
        let bottom = |size, color| style(size, color, HPos::Center, VPos::Top);
        say(
            &map.title,
            at(middle, y0 - 8.0),
            style(LABEL, &BLACK, HPos::Center, VPos::Bottom),
        )?;
        say(&self.x.label, at(middle, end + 28.0), bottom(SMALL, &PALE))?;
        say(
            &self.y.label,
            at(x0 - 8.0, y0 - 8.0),
            style(SMALL, &PALE, HPos::Right, VPos::Bottom),
        )?;
        for (across, value) in self.x.values.iter().enumerate() {
            let x = x0 + cell * (across as f64 + 0.5);
            say(value, at(x, end + 6.0), bottom(SMALL, &BLACK))?;
        }
        for (down, (value, shares)) in self.y.values.iter().zip(&map.shares).enumerate() {
            let y = y0 + row * down as f64;
            let right = style(SMALL, &BLACK, HPos::Right, VPos::Center);
            say(value, at(x0 - 8.0, y + row / 2.0), right)?;
            for (across, share) in shares.iter().enumerate() {
                let x = x0 + cell * across as f64;
                let Some(share) = share else {
                    continue;
                };
                let corners = [at(x + 1.0, y + 1.0), at(x + cell - 1.0, y + row - 1.0)];
                let shade = PALETTE[0].mix(0.06 + 0.94 * share.clamp(0.0, 1.0));
                area.draw(&Rectangle::new(corners, shade.filled()))?;
                let color = if *share > 0.55 { WHITE } else { BLACK };
                let center = style(SMALL, &color, HPos::Center, VPos::Center);
                let text = format!("{share:.2}");
                say(&text, at(x + cell / 2.0, y + row / 2.0), center)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_share_and_value_is_in_the_drawing() {
        let axis = |label: &str, values: &[&str]| HeatAxis {
            label: label.to_owned(),
            values: values.iter().map(ToString::to_string).collect(),
        };
        let map = |title: &str, share: f64| HeatMap {
            title: title.to_owned(),
            shares: vec![vec![Some(share), None], vec![Some(0.0), Some(1.0)]],
        };
        let maps = HeatMaps {
            title: "needle & thread".to_owned(),
            note: "ten a cell".to_owned(),
            x: axis("tokens", &["1k", "4k"]),
            y: axis("depth", &["0 %", "50 %"]),
            maps: vec![map("one", 0.25), map("two", 0.75), map("three", 0.5)],
        };
        let svg = maps.svg().unwrap();
        let document = roxmltree::Document::parse(&svg).unwrap();
        let all = |name: &str| {
            let nodes = document.descendants();
            nodes
                .filter(|node| node.has_tag_name(name))
                .collect::<Vec<_>>()
        };
        let texts: Vec<_> = all("text")
            .iter()
            .filter_map(roxmltree::Node::text)
            .collect();
        for text in [
            "needle & thread",
            "ten a cell",
            "1k",
            "50 %",
            "0.25",
            "0.75",
            "0.50",
        ] {
            assert!(
                texts.iter().any(|found| found.trim() == text),
                "{text}: {texts:?}"
            );
        }
        // Three shares a map, and the ground.
        assert_eq!(all("rect").len(), 3 * 3 + 1);
    }
}
