//! Which figures a comparison has.

mod curves;
mod evaluations;
mod keys;
mod memory;

use crate::comparison::{Comparison, Sample, Variant};
use crate::plot::{Dot, Entry, Figure, Look, MOST, Plot};

impl Comparison {
    /// All figures that there are data for:
    ///
    /// - `metric-by-tokens`, `metric-by-flops` and `metric-by-seconds`, in the course of training,
    /// - `metric-by-KEY` for each key of the labels, with `-` for its dots,
    /// - `loss-by-position`, `loss-by-length` and `accuracy-by-pairs`, from evaluations,
    /// - `memory-NAME` for each `memory/LAYER/NAME` that was logged, by layer.
    ///
    /// The best variants are drawn, as many as can be told apart, and each looks the same in
    /// all figures of variants.
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
        let mut all: Vec<(usize, String, T)> = self
            .variants
            .iter()
            .enumerate()
            .filter_map(|(rank, variant)| Some((rank, variant.label.clone(), of(variant)?)))
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

/// What is drawn of each variant, with its rank and label.
struct Drawn<T> {
    all: Vec<(usize, String, T)>,
    left_out: usize,
}

impl<T> Drawn<T> {
    fn legend(&self) -> Vec<Entry> {
        let entries = self.all.iter().map(|(rank, label, _)| Entry {
            label: label.clone(),
            look: Look::of(*rank),
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

/// Mean and spread of some values at one place.
fn dot(x: f64, values: &[f64]) -> Option<Dot> {
    let sample = Sample::of(values)?;
    Some(Dot {
        x,
        y: sample.mean,
        std: sample.std,
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
