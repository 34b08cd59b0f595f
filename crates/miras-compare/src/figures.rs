//! Which figures a comparison has.

mod curves;
mod evaluations;
mod keys;
mod looks;
mod memory;

use std::collections::BTreeSet;

use crate::comparison::{Comparison, Sample, Variant};
use crate::plot::{Dash, Dot, Entry, Figure, Look, MOST, Plot, Series, Spread};
use looks::Looks;

impl Comparison {
    /// All figures that there are data for:
    ///
    /// - `metric-by-tokens`, `metric-by-flops` and `metric-by-seconds`, in the course of training,
    /// - `metric-by-KEY` for each key of the labels, with `-` for its dots,
    /// - `loss-by-position`, `loss-by-length` and `accuracy-by-pairs`, from evaluations,
    /// - `memory-NAME` for each `memory/LAYER/NAME` that was logged, by layer.
    ///
    /// The best variants are drawn, as many as can be told apart. Colours and dashes stand for the
    /// values of keys, and each variant looks the same in all figures of variants.
    pub fn plots(&self) -> Vec<Plot> {
        let mut figures = curves::figures(self);
        figures.extend(keys::figures(self));
        figures.extend(evaluations::figures(self));
        figures.extend(memory::figures(self));
        let cleaned = figures.into_iter().filter_map(Figure::cleaned);
        cleaned.map(Plot::new).collect()
    }

    /// The best variants of which something is to be drawn, as many as can be told apart.
    fn drawn<T>(&self, of: impl Fn(&Variant) -> Option<T>) -> Drawn<T> {
        self.first(MOST, of)
    }

    fn first<T>(&self, most: usize, of: impl Fn(&Variant) -> Option<T>) -> Drawn<T> {
        let looks = Looks::of(self);
        let variants = self.variants.iter().enumerate();
        let mut all: Vec<One<T>> = variants
            .filter_map(|(rank, variant)| {
                Some(One {
                    place: looks.place(rank),
                    look: looks.look(rank),
                    label: variant.label.clone(),
                    what: of(variant)?,
                })
            })
            .collect();
        let left_out = all.len().saturating_sub(most);
        all.truncate(most);
        Drawn { all, left_out }
    }

    /// Variant labels are long if they are several keys, and the axis has the metric's name.
    fn metric_label(&self) -> String {
        with_unit(&self.metric)
    }
}

/// What is drawn of one variant.
struct One<T> {
    /// In the legend.
    place: usize,
    look: Look,
    label: String,
    what: T,
}

/// What is drawn of each variant, best first.
struct Drawn<T> {
    all: Vec<One<T>>,
    left_out: usize,
}

impl<T> Drawn<T> {
    /// Gives each variant a colour of its own and no dashes, where these stand for something else.
    fn own_colors(&mut self) {
        let colors: BTreeSet<usize> = self.all.iter().map(|one| one.look.color).collect();
        let is_by_color = colors.len() == self.all.len();
        let mut order: Vec<usize> = self.all.iter().map(|one| one.place).collect();
        order.sort_unstable();
        for one in &mut self.all {
            if !is_by_color {
                let place = order.iter().position(|&place| place == one.place);
                one.look = Look::of(place.unwrap_or_default());
            }
            one.look.dash = Dash::Solid;
        }
    }

    /// The names in the order of the values that they are made of.
    fn legend(&self) -> Vec<Entry> {
        let mut all: Vec<&One<T>> = self.all.iter().collect();
        all.sort_by_key(|one| one.place);
        let entries = all.into_iter().map(|one| Entry {
            label: one.label.clone(),
            look: one.look,
        });
        entries.collect()
    }

    fn note(&self, first: &str) -> Option<String> {
        let left_out = left_out(self.left_out);
        let words: Vec<&str> = [first, &left_out]
            .into_iter()
            .filter(|one| !one.is_empty())
            .collect();
        (!words.is_empty()).then(|| words.join("; "))
    }
}

/// What a picture says of those that it has no room for.
fn left_out(n: usize) -> String {
    match n {
        0 => String::new(),
        1 => "the last of the table is left out".to_owned(),
        n => format!("the last {n} of the table are left out"),
    }
}

impl Drawn<Vec<Dot>> {
    /// A line of each.
    fn series(self, spread: Spread) -> Vec<Series> {
        let lines = self.all.into_iter().map(|one| Series {
            look: one.look,
            dots: one.what,
            spread,
        });
        lines.collect()
    }
}

/// Mean and spread of some values at one place.
fn dot(x: f64, values: &[f64]) -> Option<Dot> {
    let sample = Sample::of(values)?;
    Some(Dot {
        x,
        y: sample.mean,
        std: sample.std,
        seeds: values.to_vec(),
    })
}

/// The name of a metric and its unit, for an axis.
fn with_unit(metric: &str) -> String {
    match metric.rsplit('/').next() {
        Some("loss") => format!("{metric} (nats)"),
        Some("bits_per_byte") => format!("{metric} (bits)"),
        _ => metric.to_owned(),
    }
}

/// Good for a file name.
fn file_name(key: &str) -> String {
    key.chars()
        .map(|letter| {
            if letter.is_ascii_alphanumeric() {
                letter
            } else {
                '-'
            }
        })
        .collect()
}
