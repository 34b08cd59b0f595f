//! What is to be seen in a picture, apart from how it is drawn.

use super::Look;

/// One picture.
#[derive(Debug, Clone)]
pub(crate) struct Figure {
    /// File name without its ending.
    pub(crate) name: String,
    pub(crate) title: String,
    pub(crate) x: Axis,
    pub(crate) y: Axis,
    pub(crate) series: Vec<Series>,
    pub(crate) legend: Vec<Entry>,
    /// What was left out, or how it was measured.
    pub(crate) note: Option<String>,
}

/// What is along one side.
#[derive(Debug, Clone)]
pub(crate) struct Axis {
    /// With the unit.
    pub(crate) label: String,
    pub(crate) values: Values,
    /// By logarithms whatever the range, if all values have one.
    pub(crate) in_logs: bool,
}

/// What values an axis has.
#[derive(Debug, Clone)]
pub(crate) enum Values {
    /// Any numbers.
    Numbers,
    /// Those that were chosen, marked one by one if there is room.
    Chosen(Vec<f64>),
    /// Names, at 0, 1, 2, ….
    Names(Vec<String>),
}

/// One line.
#[derive(Debug, Clone)]
pub(crate) struct Series {
    pub(crate) look: Look,
    pub(crate) dots: Vec<Dot>,
    pub(crate) spread: Spread,
}

/// How the spread over seeds is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Spread {
    Band,
    Bars,
}

/// A mean, and the standard deviation if there is one.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Dot {
    pub(crate) x: f64,
    pub(crate) y: f64,
    pub(crate) std: Option<f64>,
    /// The values of the seeds, drawn beside their mean.
    pub(crate) seeds: Vec<f64>,
}

/// With more series than this, bands and bars lie on each other and hide what they are about:
/// then there are means and the points of seeds.
const FEW: usize = 4;

/// One line of the legend.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) label: String,
    pub(crate) look: Look,
}

impl Axis {
    pub(crate) fn numbers(label: impl Into<String>) -> Self {
        Self {
            label: label.into(),
            values: Values::Numbers,
            in_logs: false,
        }
    }

    /// For what doubles from one value to the next.
    pub(crate) fn in_logs(mut self) -> Self {
        self.in_logs = true;
        self
    }

    pub(crate) fn chosen(label: impl Into<String>, mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        values.dedup();
        Self {
            label: label.into(),
            values: Values::Chosen(values),
            in_logs: false,
        }
    }
}

impl Figure {
    /// Without dots that are not finite and lines without dots; none if nothing is left.
    pub(crate) fn cleaned(mut self) -> Option<Self> {
        for series in &mut self.series {
            series
                .dots
                .retain(|dot| dot.x.is_finite() && dot.y.is_finite());
            series.dots.sort_by(|a, b| a.x.total_cmp(&b.x));
        }
        self.series.retain(|series| !series.dots.is_empty());
        self.thin_out();
        (!self.series.is_empty()).then_some(self)
    }

    /// Keeps spreads where there are few, and says what is drawn of the seeds.
    fn thin_out(&mut self) {
        let all = || self.series.iter().flat_map(|series| &series.dots);
        let has_seeds = all().any(|dot| dot.seeds.len() > 1);
        if !all().any(|dot| dot.std.is_some()) {
            return;
        }
        let has_spread = |series: &&Series| series.dots.iter().any(|dot| dot.std.is_some());
        let is_few = self.series.iter().filter(has_spread).count() <= FEW;
        if !is_few {
            for dot in self.series.iter_mut().flat_map(|series| &mut series.dots) {
                dot.std = None;
            }
        }
        let mut words = Vec::from_iter(self.note.take());
        words.push(
            match (is_few, has_seeds) {
                (true, true) => "mean ± standard deviation over seeds, rings: single seeds",
                (true, false) => "mean ± standard deviation over seeds",
                (false, true) => "mean over seeds, rings: single seeds",
                (false, false) => "mean over seeds",
            }
            .to_owned(),
        );
        self.note = Some(words.join("; "));
    }
}
