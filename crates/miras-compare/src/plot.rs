//! Line plots: what is shown, and its drawing with plotters.

use std::borrow::Cow;
use std::error::Error;
use std::vec::IntoIter;

use plotters::coord::Shift;
use plotters::coord::ranged1d::ValueFormatter as _;
use plotters::element::DashedPathElement;
use plotters::prelude::*;
use textwrap::{Options, WordSplitter};

use crate::CompareError;
use crate::axis::{Axis, Scale, Values};

/// One plot of a comparison.
#[derive(Debug, Clone)]
pub struct Plot {
    pub(crate) name: String,
    pub(crate) title: String,
    /// How it was measured and what was left out; shown below the title.
    pub(crate) notes: Vec<String>,
    pub(crate) x: Axis,
    pub(crate) y: Axis,
    pub(crate) spread: Spread,
    /// The last one is drawn first.
    pub(crate) series: Vec<Series>,
    /// What is said of each style.
    pub(crate) legend: Vec<(String, LineStyle)>,
}

#[derive(Debug, Clone)]
pub(crate) struct Series {
    pub(crate) style: LineStyle,
    pub(crate) points: Vec<DataPoint>,
}

/// How the standard deviation over seeds is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Spread {
    Band,
    ErrorBars,
}

/// A mean, and the standard deviation if there is one.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct DataPoint {
    pub(crate) x: f64,
    pub(crate) y: f64,
    pub(crate) std: Option<f64>,
    /// The value of each seed; drawn as rings if there are several.
    pub(crate) seeds: Vec<f64>,
}

/// What tells lines apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LineStyle {
    /// An index below [`COLORS`].
    pub(crate) color: usize,
    pub(crate) dash: Dash,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dash {
    Solid,
    Dashed,
    Dotted,
    LongDashed,
    ShortDashed,
    WideDotted,
}

/// The number of line colours.
pub(crate) const COLORS: usize = 7;
/// All dashes, in the order in which they are used.
pub(crate) const DASHES: [Dash; 4] = [Dash::Solid, Dash::Dashed, Dash::Dotted, Dash::LongDashed];
/// The most variants in one plot.
pub(crate) const MAX_VARIANTS: usize = 12;
/// With more series than this, bands and error bars would hide each other and are not drawn.
const MAX_SPREADS: usize = 4;

impl LineStyle {
    /// The style of the `n`th of many lines: all colours first, then the next dash.
    pub(crate) fn nth(n: usize) -> Self {
        Self {
            color: n % COLORS,
            dash: DASHES[(n / COLORS) % DASHES.len()],
        }
    }
}

impl Plot {
    /// A file name without its extension, the same for the same plot of any comparison.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it shows.
    pub fn title(&self) -> &str {
        &self.title
    }

    /// The plot as SVG.
    pub fn svg(&self) -> Result<String, CompareError> {
        rendered(&self.title, [WIDTH, HEIGHT], |area| draw(self, area))
            .map_err(CompareError::render(format!("{}.svg", self.name)))
    }

    /// Drops points that are not finite and series without points, and decides whether spreads
    /// are drawn. `None` if no series is left.
    pub(crate) fn cleaned(mut self) -> Option<Self> {
        for series in &mut self.series {
            let points = &mut series.points;
            points.retain(|point| point.x.is_finite() && point.y.is_finite());
            points.sort_by(|a, b| a.x.total_cmp(&b.x));
        }
        self.series.retain(|series| !series.points.is_empty());
        let spreads = self.series.iter().filter(|one| one.has_spread()).count();
        if spreads > 0 {
            let mut points = self.series.iter().flat_map(|series| &series.points);
            let has_rings = points.any(|point| point.seeds.len() > 1);
            let rings = if has_rings {
                ", rings: single seeds"
            } else {
                ""
            };
            let is_shown = spreads <= MAX_SPREADS;
            let std = if is_shown {
                " ± standard deviation"
            } else {
                ""
            };
            self.notes.push(format!("mean{std} over seeds{rings}"));
        }
        if spreads > MAX_SPREADS {
            for point in self.series.iter_mut().flat_map(|one| &mut one.points) {
                point.std = None;
            }
        }
        (!self.series.is_empty()).then_some(self)
    }
}

impl Series {
    fn has_spread(&self) -> bool {
        self.points.iter().any(|point| point.std.is_some())
    }
}

/// The size of a plot.
const WIDTH: u32 = 920;
const HEIGHT: u32 = 500;
/// Units of the drawing per unit of its size: plotters' coordinates are whole numbers, which are
/// too coarse for smooth lines.
pub(crate) const FINE: u32 = 4;

pub(crate) const FONT: &str = "sans-serif";
pub(crate) const TITLE: u32 = 20 * FINE;
pub(crate) const LABEL: u32 = 17 * FINE;
pub(crate) const SMALL: u32 = 15 * FINE;
/// The mean width of a letter of [`SMALL`] size.
const LETTER: u32 = SMALL / 2;
/// Legend labels and notes are wrapped at this many letters.
const MAX_LABEL: usize = 34;
const MAX_NOTE: usize = 120;

const GRID: RGBColor = RGBColor(228, 228, 228);
const EDGE: RGBColor = RGBColor(150, 150, 150);
pub(crate) const PALE: RGBColor = RGBColor(110, 110, 110);
/// The colours of Okabe and Ito, which the colour-blind can tell apart, without their yellow, which
/// is hard to see on white.
pub(crate) const PALETTE: [RGBColor; COLORS] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
    RGBColor(70, 70, 70),
];
/// Series with more points than this have no markers.
const MAX_MARKERS: usize = 40;

pub(crate) type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Chart<'a, 'b> = ChartContext<'a, SVGBackend<'b>, Cartesian2d<Scale, Scale>>;
pub(crate) type Drawn<T> = Result<T, Box<dyn Error>>;

/// A drawing of this size in the finer units, with its title for those who do not see it.
pub(crate) fn rendered(
    title: &str,
    [width, height]: [u32; 2],
    draw: impl FnOnce(&Area) -> Drawn<()>,
) -> Drawn<String> {
    let mut text = String::new();
    let size = (width * FINE, height * FINE);
    let backend = SVGBackend::with_string(&mut text, size);
    draw(&backend.into_drawing_area())?;
    // XML has no control characters.
    let text = text.replace(|letter: char| letter.is_control() && letter != '\n', " ");
    let fine = format!("<svg width=\"{}\" height=\"{}\"", size.0, size.1);
    let title = maud::html! { (title) }.into_string();
    let shown =
        format!("<svg role=\"img\" aria-label=\"{title}\" width=\"{width}\" height=\"{height}\"");
    Ok(text.replacen(&fine, &shown, 1))
}

fn draw(plot: &Plot, area: &Area) -> Drawn<()> {
    area.fill(&WHITE)?;
    let mut area = area
        .margin(8 * FINE, 0, 0, 0)
        .titled(&plot.title, (FONT, TITLE))?;
    for line in textwrap::wrap(&plot.notes.join("; "), MAX_NOTE) {
        area = area.titled(&line, (FONT, SMALL).into_font().color(&PALE))?;
    }
    let wrap = Options::new(MAX_LABEL).word_splitter(WordSplitter::NoHyphenation);
    let labels: Vec<Vec<_>> = (plot.legend.iter())
        .map(|(label, _)| textwrap::wrap(label, &wrap))
        .collect();
    let letters = labels.iter().flatten().map(|line| line.chars().count());
    let legend_width = letters
        .max()
        .map_or(0, |letters| letters as u32 * LETTER + 60 * FINE);
    let (main, side) = area.split_horizontally(WIDTH * FINE - legend_width);
    draw_series(plot, &main)?;
    draw_legend(plot, &labels, &side)
}

fn draw_series(plot: &Plot, area: &Area) -> Drawn<()> {
    let width = area.dim_in_pixel().0;
    let (x, y) = scales(plot, width / FINE);
    let widest = y.labels().map(|label| label.len()).max().unwrap_or(0);
    let mut chart = ChartBuilder::on(area)
        .margin(10 * FINE)
        .set_label_area_size(LabelAreaPosition::Bottom, 48 * FINE)
        .set_label_area_size(LabelAreaPosition::Left, widest as u32 * LETTER + 34 * FINE)
        .build_cartesian_2d(x.clone(), y)?;
    let room = (width / LETTER) as usize / x.labels().count().max(1);
    chart
        .configure_mesh()
        .bold_line_style(GRID.stroke_width(FINE))
        .axis_style(EDGE.stroke_width(FINE))
        .label_style((FONT, SMALL))
        .axis_desc_style((FONT, LABEL))
        .x_desc(&plot.x.label)
        .y_desc(&plot.y.label)
        .x_label_formatter(&|value| cut(x.format_ext(value), room.max(4) - 2))
        .draw()?;

    let count = plot.series.len() as f64;
    let has_spread = plot.series.iter().any(Series::has_spread);
    // Error bars are drawn side by side.
    let step = match plot.spread {
        Spread::ErrorBars if has_spread => (0.07 / count).min(0.009),
        _ => 0.0,
    };
    let placed: Vec<_> = (plot.series.iter().enumerate())
        .map(|(at, series)| Placed {
            series,
            spread: plot.spread,
            x: &x,
            shift: step * (at as f64 - (count - 1.0) / 2.0),
        })
        .collect();
    for one in &placed {
        one.draw_spread(&mut chart, (0.6 / count).clamp(0.05, 0.18))?;
    }
    // The best is drawn last, over the others.
    for one in placed.iter().rev() {
        one.draw_line(&mut chart)?;
    }
    Ok(())
}

/// The lines of each label, below each other. plotters draws legends inside of a chart, so this is
/// a chart of its own, without axes.
fn draw_legend(plot: &Plot, labels: &[Vec<Cow<str>>], area: &Area) -> Drawn<()> {
    let mut chart = ChartBuilder::on(area).build_cartesian_2d(0.0..1.0, 0.0..1.0)?;
    for (&(_, style), lines) in plot.legend.iter().zip(labels) {
        for (at, line) in lines.iter().enumerate() {
            let nothing = None::<Circle<(f64, f64), u32>>;
            let label = chart.draw_series(nothing)?.label(&**line);
            if at == 0 {
                let end = 26 * FINE as i32;
                label.legend(move |(x, y)| stroke(vec![(x, y), (x + end, y)], style));
            }
        }
    }
    let mut legend = chart.configure_series_labels();
    legend
        .position(SeriesLabelPosition::UpperLeft)
        .label_font((FONT, SMALL));
    legend.margin(4 * FINE).legend_area_size(32 * FINE).draw()?;
    Ok(())
}

/// The scales of a plot of this width.
fn scales(plot: &Plot, width: u32) -> (Scale, Scale) {
    let points = || plot.series.iter().flat_map(|series| &series.points);
    let xs: Vec<f64> = points().map(|point| point.x).collect();
    let is_positive = points().all(|point| point.y > 0.0);
    let ys = points().flat_map(|point| {
        let std = point.std.unwrap_or(0.0);
        (point.seeds.iter().copied()).chain([point.y, point.y + std, point.y - std])
    });
    // A spread that reaches below zero does not decide whether there are logarithms.
    let ys: Vec<f64> = ys.filter(|&y| !is_positive || y > 0.0).collect();
    let pad = match plot.x.values {
        Values::Numbers => 0.02,
        Values::Chosen(_) | Values::Names(_) => 0.06,
    };
    let x = Scale::new(&plot.x, &xs, pad, (width as usize - 70) / 75);
    (x, Scale::new(&plot.y, &ys, 0.05, 7))
}

/// A series, and where it is in the plot.
struct Placed<'a> {
    series: &'a Series,
    spread: Spread,
    x: &'a Scale,
    /// To the right, as a share of the x axis.
    shift: f64,
}

impl Placed<'_> {
    fn at(&self, x: f64, y: f64) -> (f64, f64) {
        (self.x.shifted(x, self.shift), y)
    }

    /// The standard deviations, and a ring for each seed where there are several.
    fn draw_spread(&self, chart: &mut Chart, shade: f64) -> Drawn<()> {
        let Self {
            series, spread, x, ..
        } = *self;
        let points = &series.points;
        let color = PALETTE[series.style.color];
        let ends = |sign: f64| {
            let y = move |point: &DataPoint| point.y + sign * point.std.unwrap_or(0.0);
            points.iter().map(move |point| self.at(point.x, y(point)))
        };
        if spread == Spread::Band && points.len() > 1 && series.has_spread() {
            let outline: Vec<_> = ends(1.0).chain(ends(-1.0).rev()).collect();
            chart.draw_series([Polygon::new(outline, color.mix(shade))])?;
        }
        if spread == Spread::ErrorBars {
            let bars = ends(-1.0).zip(ends(1.0)).zip(points);
            let bars = bars.filter(|(_, point)| point.std.is_some());
            chart.draw_series(bars.map(|(((at, low), (_, high)), _)| {
                let [left, right] = [-0.006, 0.006].map(|share| x.shifted(at, share));
                let lower = [(left, low), (right, low), (at, low)];
                let upper = [(at, high), (left, high), (right, high)];
                PathElement::new([lower, upper].concat(), color.stroke_width(5))
            }))?;
        }
        let rings = points.iter().filter(|point| point.seeds.len() > 1);
        let rings = rings.flat_map(|point| point.seeds.iter().map(|&y| self.at(point.x, y)));
        chart.draw_series(rings.map(|at| Circle::new(at, 10, color.stroke_width(FINE))))?;
        Ok(())
    }

    /// The means, from point to point.
    fn draw_line(&self, chart: &mut Chart) -> Drawn<()> {
        let Series { style, points, .. } = self.series;
        let points = points.iter().map(|point| self.at(point.x, point.y));
        let points: Vec<_> = points.collect();
        chart.draw_series([stroke(points.clone(), *style)])?;
        if points.len() <= MAX_MARKERS {
            let filled = PALETTE[style.color].filled();
            chart.draw_series(points.into_iter().map(|at| Circle::new(at, 13, filled)))?;
        }
        Ok(())
    }
}

/// A line in a colour, with dashes.
fn stroke<P: Clone>(points: Vec<P>, style: LineStyle) -> DashedPathElement<IntoIter<P>, u32> {
    let (dash, gap) = match style.dash {
        Dash::Solid => (u32::MAX / 2, 0),
        Dash::Dashed => (8 * FINE, 5 * FINE),
        Dash::Dotted => (2 * FINE, 4 * FINE),
        Dash::LongDashed => (18 * FINE, 5 * FINE),
        Dash::ShortDashed => (4 * FINE, 4 * FINE),
        Dash::WideDotted => (2 * FINE, 10 * FINE),
    };
    let color = PALETTE[style.color].stroke_width(2 * FINE);
    DashedPathElement::new(points, dash, gap, color)
}

/// The beginning of a text, with an ellipsis if it is cut.
fn cut(text: String, max: usize) -> String {
    if text.chars().count() <= max {
        return text;
    }
    text.chars().take(max - 1).chain(['…']).collect()
}
