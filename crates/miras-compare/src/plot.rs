//! Line plots: what is shown. [`draw`] makes SVG of it.

mod draw;
mod scale;

use crate::CompareError;

/// One plot of a comparison.
#[derive(Debug, Clone)]
pub struct Plot {
    pub(crate) name: String,
    pub(crate) title: String,
    /// How it was measured and what was left out; shown below the title.
    pub(crate) notes: Vec<String>,
    pub(crate) x: Axis,
    pub(crate) y: Axis,
    /// The last one is drawn first.
    pub(crate) series: Vec<Series>,
    pub(crate) legend: Vec<LegendEntry>,
}

#[derive(Debug, Clone)]
pub(crate) struct Axis {
    /// With the unit.
    pub(crate) label: String,
    pub(crate) values: Values,
    /// Logarithmic even if the range is narrow. Wide ranges always are. Needs positive values.
    pub(crate) is_log: bool,
}

/// What values an axis has.
#[derive(Debug, Clone)]
pub(crate) enum Values {
    /// A continuous range.
    Numbers,
    /// A few values, each with a tick if there is room.
    Chosen(Vec<f64>),
    /// Names, at 0, 1, 2, ….
    Names(Vec<String>),
}

#[derive(Debug, Clone)]
pub(crate) struct Series {
    pub(crate) style: LineStyle,
    pub(crate) points: Vec<DataPoint>,
    pub(crate) spread: Spread,
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

#[derive(Debug, Clone)]
pub(crate) struct LegendEntry {
    pub(crate) label: String,
    pub(crate) style: LineStyle,
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

impl Axis {
    pub(crate) fn new(label: impl Into<String>, values: Values) -> Self {
        Self {
            label: label.into(),
            values,
            is_log: false,
        }
    }

    pub(crate) fn numbers(label: impl Into<String>) -> Self {
        Self::new(label, Values::Numbers)
    }

    pub(crate) fn chosen(label: impl Into<String>, mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        values.dedup();
        Self::new(label, Values::Chosen(values))
    }

    pub(crate) fn log(mut self) -> Self {
        self.is_log = true;
        self
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
        draw::svg(self).map_err(CompareError::render(&format!("{}.svg", self.name)))
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
        let with_spread = self.series.iter().filter(|series| series.has_spread());
        let spreads = with_spread.count();
        if spreads > MAX_SPREADS {
            for point in self.series.iter_mut().flat_map(|one| &mut one.points) {
                point.std = None;
            }
        }
        if spreads > 0 {
            let mut points = self.series.iter().flat_map(|series| &series.points);
            let std = if spreads > MAX_SPREADS {
                ""
            } else {
                " ± standard deviation"
            };
            let has_rings = points.any(|point| point.seeds.len() > 1);
            let rings = if has_rings {
                ", rings: single seeds"
            } else {
                ""
            };
            self.notes.push(format!("mean{std} over seeds{rings}"));
        }
        (!self.series.is_empty()).then_some(self)
    }
}

impl Series {
    fn has_spread(&self) -> bool {
        self.points.iter().any(|point| point.std.is_some())
    }
}
