//! Which plots a comparison has.

mod evaluations;
mod keys;
mod styles;
mod training;

use std::collections::BTreeSet;

use miras_run::metrics::Metric;

use crate::comparison::{Comparison, Sample, Variant};
use crate::plot::{Axis, Dash, DataPoint, LegendEntry, LineStyle, Plot, Series, Spread};

impl Comparison {
    /// All plots that there are data for:
    ///
    /// - `metric-by-tokens`, `metric-by-flops` and `metric-by-seconds`, in the course of training,
    /// - `metric-by-KEY` for each key of the labels, with `-` for its dots,
    /// - `loss-by-position`, `loss-by-length` and `accuracy-by-pairs`, from evaluations,
    /// - `memory-NAME` for each `memory/LAYER/NAME` that was logged, by layer.
    ///
    /// The best variants are drawn, as many as can be told apart. Colours and dashes stand for the
    /// values of keys, and each variant looks the same in all plots of variants.
    pub fn plots(&self) -> Vec<Plot> {
        let mut plots = training::curves(self);
        plots.extend(keys::plots(self));
        plots.extend(evaluations::plots(self));
        plots.extend(training::memories(self));
        plots.into_iter().filter_map(Plot::cleaned).collect()
    }

    /// Lines of the best variants for which `of` returns data, at most `max`.
    fn lines<T>(&self, max: usize, of: impl Fn(&Variant) -> Option<T>) -> Lines<T> {
        let styles = styles::of(self);
        let variants = self.variants.iter().zip(styles);
        let lines = variants.filter_map(|(variant, (place, style))| {
            Some(Line {
                place,
                style,
                label: variant.label.clone(),
                data: of(variant)?,
            })
        });
        let mut all: Vec<Line<T>> = lines.collect();
        let left_out = left_out(all.len().saturating_sub(max), "table");
        all.truncate(max);
        Lines {
            all,
            notes: Vec::from_iter(left_out),
        }
    }

    /// The axis of the compared metric, with its unit.
    fn metric_axis(&self) -> Axis {
        let metric = &self.metric;
        let unit = Metric::of_tag(metric).and_then(|metric| metric.unit);
        Axis::numbers(match unit {
            Some(unit) => format!("{metric} ({unit})"),
            None => metric.clone(),
        })
    }
}

/// What is drawn of one variant.
struct Line<T> {
    /// Its place in the legend.
    place: usize,
    style: LineStyle,
    label: String,
    data: T,
}

/// What is drawn of each variant, best first.
struct Lines<T> {
    all: Vec<Line<T>>,
    /// How they were measured, and which variants are not drawn.
    notes: Vec<String>,
}

impl<T> Lines<T> {
    /// Gives each variant a colour of its own and no dashes, where dashes stand for something else.
    fn distinguish_by_color(&mut self) {
        let colors: BTreeSet<usize> = self.all.iter().map(|line| line.style.color).collect();
        let is_by_color = colors.len() == self.all.len();
        let mut places: Vec<usize> = self.all.iter().map(|line| line.place).collect();
        places.sort_unstable();
        for line in &mut self.all {
            if !is_by_color {
                let place = places.iter().position(|&place| place == line.place);
                line.style = LineStyle::nth(place.unwrap_or_default());
            }
            line.style.dash = Dash::Solid;
        }
    }

    /// The labels, in the order of the values of their keys.
    fn legend(&self) -> Vec<LegendEntry> {
        let mut all: Vec<&Line<T>> = self.all.iter().collect();
        all.sort_by_key(|line| line.place);
        let entries = all.into_iter().map(|line| LegendEntry {
            label: line.label.clone(),
            style: line.style,
        });
        entries.collect()
    }
}

impl Lines<Vec<DataPoint>> {
    /// A plot with one line per variant.
    fn plot(self, name: String, title: String, x: Axis, y: Axis, spread: Spread) -> Plot {
        let legend = self.legend();
        let series = self.all.into_iter().map(|line| Series {
            style: line.style,
            points: line.data,
            spread,
        });
        Plot {
            name,
            title,
            notes: self.notes,
            x,
            y,
            legend,
            series: series.collect(),
        }
    }
}

/// A note on the last `count` entries of a list, which there is no room for.
fn left_out(count: usize, list: &str) -> Option<String> {
    match count {
        0 => None,
        1 => Some(format!("the last of the {list} is left out")),
        n => Some(format!("the last {n} of the {list} are left out")),
    }
}

/// The mean and standard deviation of the values of several seeds.
fn point(x: f64, values: &[f64]) -> Option<DataPoint> {
    let sample = Sample::of(values)?;
    Some(DataPoint {
        x,
        y: sample.mean,
        std: sample.std,
        seeds: values.to_vec(),
    })
}

/// A key or tag as part of a file name.
fn file_name(key: &str) -> String {
    key.replace(|letter: char| !letter.is_ascii_alphanumeric(), "-")
}
