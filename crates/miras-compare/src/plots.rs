//! Which plots a comparison has.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::axis::{Axis, Values};
use crate::comparison::Comparison;
use crate::evaluation::{Evaluation, MemoryMode};
use crate::plot::{COLORS, Dash, DataPoint, LineStyle, MAX_VARIANTS, Plot, Series, Spread};
use crate::run::{Point, Run};
use crate::settings::{label, value_text};
use crate::statistics::Sample;
use crate::styles::{self, by_value, distinct, values};
use crate::variant::Variant;
use miras_run::{Memory, metrics::Metric};

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
        let mut plots = curves(self);
        plots.extend(self.shown.iter().filter_map(|key| by_key(self, key)));
        plots.extend(evaluations(self));
        plots.extend(memories(self));
        plots.into_iter().filter_map(Plot::cleaned).collect()
    }

    /// A line for each of the best variants that have points.
    fn lines(&self, points: impl Fn(&Variant) -> Vec<DataPoint>) -> Lines {
        self.several_lines(MAX_VARIANTS, |variant| vec![(None, points(variant))])
    }

    /// Lines of the best variants that have points, at most `max` variants.
    fn several_lines(&self, max: usize, of: impl Fn(&Variant) -> Curves) -> Lines {
        let variants = self.variants.iter().zip(styles::of(self));
        let lines = variants.map(|(variant, (place, style))| {
            let mut curves = of(variant);
            curves.retain(|(_, points)| !points.is_empty());
            let label = variant.label.clone();
            Line {
                place,
                style,
                label,
                curves,
            }
        });
        let mut all: Vec<Line> = lines.filter(|line| !line.curves.is_empty()).collect();
        let notes = truncated(&mut all, max, "table");
        Lines { all, notes }
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

/// The points of lines, each with a dash if it is not that of the variant.
type Curves = Vec<(Option<Dash>, Vec<DataPoint>)>;

/// What is drawn of one variant.
struct Line {
    /// Its place in the legend.
    place: usize,
    style: LineStyle,
    label: String,
    curves: Curves,
}

/// What is drawn of each variant, best first.
struct Lines {
    all: Vec<Line>,
    /// How they were measured, and which variants are not drawn.
    notes: Vec<String>,
}

impl Lines {
    /// Gives each variant a colour of its own and no dashes, where dashes stand for something else.
    fn distinguish_by_color(&mut self) {
        let colors: BTreeSet<usize> = self.all.iter().map(|line| line.style.color).collect();
        let is_by_color = colors.len() == self.all.len();
        let places: BTreeSet<usize> = self.all.iter().map(|line| line.place).collect();
        for line in &mut self.all {
            if !is_by_color {
                line.style = LineStyle::nth(places.range(..line.place).count());
            }
            line.style.dash = Dash::Solid;
        }
    }

    fn noted(mut self, note: impl Into<String>) -> Self {
        self.notes.insert(0, note.into());
        self
    }

    /// A plot with these lines, and their labels in the order of the values of their keys.
    fn plot(
        self,
        name: impl Into<String>,
        title: String,
        [x, y]: [Axis; 2],
        spread: Spread,
    ) -> Plot {
        let mut labelled: Vec<&Line> = self.all.iter().collect();
        labelled.retain(|line| !line.label.is_empty());
        labelled.sort_by_key(|line| line.place);
        let legend = labelled.iter().map(|line| (line.label.clone(), line.style));
        let legend = legend.collect();
        let series = self.all.into_iter().flat_map(|line| {
            let curves = line.curves.into_iter();
            curves.map(move |(dash, points)| Series {
                style: LineStyle {
                    dash: dash.unwrap_or(line.style.dash),
                    ..line.style
                },
                points,
            })
        });
        Plot {
            name: name.into(),
            title,
            notes: self.notes,
            x,
            y,
            spread,
            series: series.collect(),
            legend,
        }
    }
}

/// Keeps the first `max` lines, which are in the order of a list, and notes how many are left out.
fn truncated<T>(lines: &mut Vec<T>, max: usize, list: &str) -> Vec<String> {
    let rest = lines.len().saturating_sub(max);
    lines.truncate(max);
    match rest {
        0 => Vec::new(),
        1 => vec![format!("the last of the {list} is left out")],
        n => vec![format!("the last {n} of the {list} are left out")],
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

/// The metric by tokens, operations and seconds.
fn curves(comparison: &Comparison) -> Vec<Plot> {
    type X = fn(&Run, &Point) -> Option<f64>;
    let axes: [(&str, &str, X); 3] = [
        ("tokens", "tokens of training", |_, point| {
            Some(point.tokens as f64)
        }),
        ("flops", "FLOPs of training", |run, point| {
            Some(point.tokens as f64 * run.cost?.flops_per_token)
        }),
        ("seconds", "seconds of training", |_, point| point.seconds),
    ];
    let metric = &comparison.metric;
    let plots = axes.map(|(name, label, x)| {
        let lines = comparison.lines(|variant| curve(variant, metric, x));
        let axes = [Axis::numbers(label), comparison.metric_axis()];
        let title = format!("{metric} by {label}");
        lines.plot(format!("metric-by-{name}"), title, axes, Spread::Band)
    });
    plots.into()
}

/// The mean over the runs that count, where all of them were evaluated; if there is no such
/// place, the curve of the run that was evaluated most often.
fn curve(
    variant: &Variant,
    metric: &str,
    x: impl Fn(&Run, &Point) -> Option<f64>,
) -> Vec<DataPoint> {
    let curves = variant.counted().map(|run| {
        let points = run.points.iter().filter_map(|point| {
            let y = point.values.get(metric).filter(|y| y.is_finite())?;
            Some((point.tokens, (x(run, point)?, *y)))
        });
        points.collect()
    });
    let curves: Vec<BTreeMap<u64, (f64, f64)>> = curves.collect();
    let Some(longest) = curves.iter().rev().max_by_key(|curve| curve.len()) else {
        return Vec::new();
    };
    let shared = longest.keys().filter_map(|tokens| {
        let values: Option<Vec<_>> = curves.iter().map(|curve| curve.get(tokens)).collect();
        let (xs, ys): (Vec<f64>, Vec<f64>) = values?.into_iter().copied().unzip();
        point(Sample::of(&xs)?.mean, &ys)
    });
    let mut points: Vec<DataPoint> = shared.collect();
    if points.is_empty() {
        points.extend(longest.values().filter_map(|&(x, y)| point(x, &[y])));
    }
    // Rings at each point would hide the line.
    for point in points.iter_mut().rev().skip(1) {
        point.seeds.clear();
    }
    points
}

/// The metric by a key of the labels: one line for each combination of the other keys.
fn by_key(comparison: &Comparison, key: &String) -> Option<Plot> {
    let variants = comparison.variants.iter();
    let measured = variants.filter(|one| one.sample.is_some() && one.values.contains_key(key));
    let measured: Vec<&Variant> = measured.collect();
    let found = distinct(&measured, std::slice::from_ref(key));
    let found: Vec<&Value> = found.into_iter().flatten().flatten().collect();
    if found.len() < 2 {
        return None;
    }
    let numbers: Option<Vec<f64>> = found.iter().map(|value| value.as_f64()).collect();
    let x = |value: &Value| match &numbers {
        Some(_) => value.as_f64(),
        None => (found.iter().position(|one| *one == value)).map(|at| at as f64),
    };
    let others = comparison.shown.iter().filter(|other| *other != key);
    let others: Vec<String> = others.cloned().collect();
    // Best first, as the variants are.
    let mut lines: Vec<(&Variant, Vec<DataPoint>)> = Vec::new();
    for variant in &measured {
        let results: Vec<f64> = variant.by_seed().into_values().collect();
        let Some(point) = x(&variant.values[key]).and_then(|x| point(x, &results)) else {
            continue;
        };
        let own = values(variant, &others);
        let mut known = lines.iter_mut();
        match known.find(|(first, _)| values(first, &others) == own) {
            Some((_, points)) => points.push(point),
            None => lines.push((variant, vec![point])),
        }
    }
    let notes = truncated(&mut lines, MAX_VARIANTS, "lines");
    lines.sort_by(|(a, _), (b, _)| by_value(&values(a, &others), &values(b, &others)));
    let names = comparison.key_names();
    let lines = lines.into_iter().enumerate();
    let all = lines.map(|(place, (variant, points))| Line {
        place,
        style: LineStyle::nth(place),
        label: label(&names, &variant.values, &others),
        curves: vec![(None, points)],
    });
    let all = all.collect();
    let x_axis = match &numbers {
        Some(numbers) => Axis::chosen(key, numbers.clone()),
        None => Axis::new(
            key,
            Values::Names(found.iter().map(|value| value_text(value)).collect()),
        ),
    };
    let title = format!("{} by {}", comparison.metric, names.of(key));
    let name = format!("metric-by-{}", file_name(key));
    let axes = [x_axis, comparison.metric_axis()];
    Some(Lines { all, notes }.plot(name, title, axes, Spread::ErrorBars))
}

/// The data that most evaluations are of: its checksum or generator.
type Data = Option<String>;

/// What trained runs were evaluated at: loss by position and by length, accuracy by number of
/// pairs.
fn evaluations(comparison: &Comparison) -> Vec<Plot> {
    let all = comparison.counted().flat_map(|run| {
        let evaluations = run.evaluations.iter();
        evaluations.map(|one| run.measured_on(one))
    });
    let Some(data) = most_common(all) else {
        return Vec::new();
    };
    let plots = [
        by_position(comparison, &data),
        by_length(comparison, &data),
        by_pairs(comparison, &data),
    ];
    plots.into_iter().flatten().collect()
}

fn of_data<'a>(run: &'a Run, data: &'a Data) -> impl Iterator<Item = &'a Evaluation> {
    let evaluations = run.evaluations.iter();
    evaluations.filter(move |one| run.measured_on(one) == *data)
}

/// The largest among equally common ones.
fn most_common<T: Ord>(values: impl Iterator<Item = T>) -> Option<T> {
    let mut counts = BTreeMap::new();
    for value in values {
        *counts.entry(value).or_insert(0_usize) += 1;
    }
    let most = counts.into_iter().max_by_key(|&(_, count)| count);
    most.map(|(value, _)| value)
}

/// The parts of evaluations of live memories, such as positions, at the length that most
/// evaluations have.
fn parts(
    comparison: &Comparison,
    data: &Data,
    of: impl Fn(&Evaluation) -> Vec<(f64, f64)>,
) -> Option<Lines> {
    let is_live = |one: &&Evaluation| one.memory == Memory::Live && !of(one).is_empty();
    let all = comparison.counted().flat_map(|run| of_data(run, data));
    let at = |one: &Evaluation| (one.length, one.mode());
    let most = most_common(all.filter(is_live).map(at))?;
    let lines = comparison.lines(|variant| {
        let mut seeds: BTreeMap<u64, Vec<f64>> = BTreeMap::new();
        for run in variant.counted() {
            let mut evaluations = of_data(run, data).filter(is_live);
            let one = evaluations.find(|one| at(one) == most);
            for (x, y) in one.map(&of).unwrap_or_default() {
                seeds.entry(x.to_bits()).or_default().push(y);
            }
        }
        let points = seeds.into_iter();
        points
            .filter_map(|(x, ys)| point(f64::from_bits(x), &ys))
            .collect()
    });
    let (length, mode) = most;
    Some(lines.noted(format!("rows of {length} tokens, memory {mode}")))
}

/// The loss, with its unit.
fn loss(comparison: &Comparison) -> &'static str {
    let task = comparison.common.get("task.kind");
    if task.and_then(|task| task.as_str()) == Some("forecast") {
        "mean squared error"
    } else {
        "loss (nats)"
    }
}

fn by_position(comparison: &Comparison, data: &Data) -> Option<Plot> {
    let lines = parts(comparison, data, |one| {
        let bins = one.by_position.iter();
        // The first token is at 0, which has no logarithm.
        let middle = |from: u64, to: u64| ((from + to) as f64 / 2.0).max(0.5);
        let points = bins.filter_map(|bin| Some((middle(bin.from, bin.to), bin.loss?)));
        points.collect()
    })?;
    let x = Axis::numbers("position (tokens read before)").log();
    let axes = [x, Axis::numbers(loss(comparison))];
    let title = "loss by position in the context".to_owned();
    Some(lines.plot("loss-by-position", title, axes, Spread::Band))
}

fn by_pairs(comparison: &Comparison, data: &Data) -> Option<Plot> {
    let lines = parts(comparison, data, |one| {
        let loads = one.by_pairs.iter();
        let points = loads.filter_map(|load| Some((load.pairs as f64, load.accuracy?)));
        points.collect()
    })?;
    let curves = lines.all.iter().flat_map(|line| &line.curves);
    let xs = curves.flat_map(|(_, points)| points.iter().map(|point| point.x));
    let axes = [
        Axis::chosen("pairs to remember", xs.collect()),
        Axis::numbers("accuracy"),
    ];
    let title = "accuracy of recall by load".to_owned();
    Some(lines.plot("accuracy-by-pairs", title, axes, Spread::Band))
}

/// One line for each variant and memory mode, if there are several lengths.
fn by_length(comparison: &Comparison, data: &Data) -> Option<Plot> {
    let all = || comparison.counted().flat_map(|run| of_data(run, data));
    let lengths: BTreeSet<u64> = all().map(|one| one.length).collect();
    if lengths.len() < 2 {
        return None;
    }
    let in_bits = all().all(|one| one.bits_per_byte.is_some());
    let modes: BTreeSet<MemoryMode> = all().map(Evaluation::mode).collect();
    let is_by_memory = modes.len() > 1;
    let curve = |variant: &Variant, mode: MemoryMode| {
        let points = lengths.iter().filter_map(|&length| {
            let values = variant.counted().filter_map(|run| {
                let mut evaluations = of_data(run, data);
                let one = evaluations.find(|one| (one.length, one.mode()) == (length, mode))?;
                one.value(in_bits)
            });
            point(length as f64, &values.collect::<Vec<_>>())
        });
        (is_by_memory.then(|| dash(mode)), points.collect())
    };
    // Where dashes stand for the memory, there are as many variants as colours.
    let max = if is_by_memory { COLORS } else { MAX_VARIANTS };
    let mut lines = comparison.several_lines(max, |variant| {
        modes.iter().map(|&mode| curve(variant, mode)).collect()
    });
    if is_by_memory {
        lines.distinguish_by_color();
    }
    let (what, unit) = if in_bits {
        ("bits per byte", "bits per byte")
    } else {
        ("loss", loss(comparison))
    };
    let chosen = lengths.iter().map(|&length| length as f64).collect();
    let axes = [
        Axis::chosen("tokens a row", chosen).log(),
        Axis::numbers(unit),
    ];
    let title = format!("{what} by length of evaluation");
    let mut plot = lines.plot("loss-by-length", title, axes, Spread::ErrorBars);
    if is_by_memory {
        plot.legend.extend(modes.iter().map(|&mode| {
            let (color, dash) = (COLORS - 1, dash(mode));
            (format!("memory {mode}"), LineStyle { color, dash })
        }));
    }
    Some(plot)
}

/// Memories that are carried from row to row have a dash of their own.
fn dash(mode: MemoryMode) -> Dash {
    match mode.memory {
        _ if mode.carried => Dash::LongDashed,
        Memory::Live => Dash::Solid,
        Memory::Frozen => Dash::Dashed,
        Memory::Reset => Dash::Dotted,
        Memory::Half => Dash::WideDotted,
        Memory::Unread => Dash::ShortDashed,
    }
}

/// A plot for each `memory/LAYER/NAME`: the last values, by layer.
fn memories(comparison: &Comparison) -> Vec<Plot> {
    let points = comparison.counted().flat_map(|run| &run.points);
    let mut layers: BTreeMap<&str, BTreeSet<u32>> = BTreeMap::new();
    for tag in points.flat_map(|point| point.values.keys()) {
        if let Some((layer, name)) = layer_and_name(tag) {
            layers.entry(name).or_default().insert(layer);
        }
    }
    let plots = layers.into_iter().map(|(name, layers)| {
        let lines = comparison.lines(|variant| {
            let points = layers.iter().filter_map(|layer| {
                let tag = format!("memory/{layer}/{name}");
                let values = variant.counted().filter_map(|run| run.last(&tag));
                let values: Vec<f64> = values.filter(|value| value.is_finite()).collect();
                point(f64::from(*layer), &values)
            });
            points.collect()
        });
        let words = name.replace('_', " ");
        let title = format!("memory: {words} by layer");
        // With many layers, error bars would reach into the next one.
        let spread = match layers.len() {
            0..=6 => Spread::ErrorBars,
            _ => Spread::Band,
        };
        let layers = layers.into_iter().map(f64::from).collect();
        let axes = [Axis::chosen("layer", layers), Axis::numbers(words)];
        let lines = lines.noted("last value logged in training");
        lines.plot(format!("memory-{}", file_name(name)), title, axes, spread)
    });
    plots.collect()
}

fn layer_and_name(tag: &str) -> Option<(u32, &str)> {
    let (layer, name) = tag.strip_prefix("memory/")?.split_once('/')?;
    Some((layer.parse().ok()?, name))
}
