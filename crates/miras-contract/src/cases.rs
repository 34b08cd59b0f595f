//! Combinations of parts: all of them, and some that stand for all.

use std::{
    collections::BTreeSet,
    sync::atomic::{AtomicUsize, Ordering},
};

use miras_config::{ConfigError, Layers};
use miras_core::Axis;
use miras_engine::Rule;
use miras_registry::{Choice, Registry};

/// A rule and how it was asked for.
pub struct Case {
    /// The kinds of its parts and their settings.
    pub name: String,
    /// The rule.
    pub rule: Rule,
}

/// A part of an axis and one of its variants, by their numbers.
type Variant = (usize, usize);

fn choose(registry: &Registry, text: &str) -> Result<Choice, ConfigError> {
    let mut layers = Layers::new();
    layers.text("case", text)?;
    Choice::take(&mut layers.merge()?, registry)
}

/// The parts of one axis, each with its variants as TOML tables.
fn tables(registry: &Registry, axis: Axis) -> Vec<Vec<(String, String)>> {
    (registry.parts(axis).into_iter())
        .map(|part| {
            (part.variants.iter())
                .map(|variant| {
                    let name = format!("{} {}", part.kind, variant.replace('\n', ", "));
                    let text = format!("[{}]\nkind = '{}'\n{variant}\n", axis.table(), part.kind);
                    (name, text)
                })
                .collect()
        })
        .collect()
}

/// The parts of all axes.
struct Parts<'a> {
    registry: &'a Registry,
    axes: [Vec<Vec<(String, String)>>; 4],
    /// Added to the algorithm's table.
    algorithm: &'a str,
}

impl<'a> Parts<'a> {
    fn new(registry: &'a Registry, algorithm: &'a str) -> Self {
        Self {
            registry,
            axes: Axis::ALL.map(|axis| tables(registry, axis)),
            algorithm,
        }
    }

    /// Every combination of kinds, as often as it takes for every variant of each of its parts to
    /// have its turn.
    ///
    /// In step, variants of the same number would always meet; so each axis begins one further on
    /// for every combination of kinds.
    fn all(&self) -> impl Iterator<Item = [Variant; 4]> {
        let counts = self.axes.each_ref().map(Vec::len);
        (0..counts.iter().product()).flat_map(move |at: usize| {
            let mut rest = at;
            let kinds = counts.map(|count| {
                let kind = rest % count;
                rest /= count;
                kind
            });
            let variants = [0, 1, 2, 3].map(|axis| self.axes[axis][kinds[axis]].len());
            let turns = variants.into_iter().max().unwrap_or(0);
            (0..turns).map(move |turn| {
                [0, 1, 2, 3].map(|axis| (kinds[axis], (turn + at * axis) % variants[axis]))
            })
        })
    }

    fn case(&self, parts: [Variant; 4]) -> Result<Case, ConfigError> {
        let chosen = parts.iter().zip(&self.axes);
        let chosen: Vec<_> = chosen.map(|((kind, at), axis)| &axis[*kind][*at]).collect();
        let names: Vec<_> = chosen.iter().map(|(name, _)| name.as_str()).collect();
        let texts: Vec<_> = chosen.iter().map(|(_, text)| text.as_str()).collect();
        let algorithm = self.algorithm.replace('\n', ", ");
        let choice = choose(self.registry, &(texts.concat() + self.algorithm))?;
        Ok(Case {
            name: format!("{} | {algorithm}", names.join(" | ")),
            rule: choice.rule,
        })
    }
}

/// Every combination of kinds, as often as it takes for every variant of each of its parts to
/// have its turn, each with `algorithm` added to its algorithm's table: the valid ones as cases,
/// the others as errors.
pub fn combinations(registry: &Registry, algorithm: &str) -> Vec<Result<Case, ConfigError>> {
    let parts = Parts::new(registry, algorithm);
    parts.all().map(|chosen| parts.case(chosen)).collect()
}

/// Valid ones of [`combinations`] that stand for all valid ones: whatever two variants of two axes
/// meet in one of these meet in one of those, and so do whatever kinds of three axes.
///
/// Their number grows with the product of the two longest lists and not with that of all four.
/// Combinations that bring much are taken first, so that few are needed.
pub fn cases(registry: &Registry, algorithm: &str) -> Vec<Case> {
    let parts = Parts::new(registry, algorithm);
    let (mut covered, mut refused) = (BTreeSet::new(), BTreeSet::new());
    let mut cases = Vec::new();
    for least in [8, 5, 3, 2, 1] {
        for chosen in parts.all() {
            let meetings = meetings(&chosen);
            let new = meetings
                .iter()
                .filter(|meeting| !covered.contains(*meeting));
            if new.count() < least || refused.contains(&chosen) {
                continue;
            }
            match parts.case(chosen) {
                Ok(case) => {
                    cases.push(case);
                    covered.extend(meetings);
                }
                Err(_) => {
                    refused.insert(chosen);
                }
            }
        }
    }
    cases
}

/// Runs `check` over the cases on all cores; the first failure is the caller's.
///
/// # Panics
/// If there is no case, or `check` panics.
pub fn for_all(cases: Vec<Case>, check: impl Fn(&Case) + Sync) {
    assert!(!cases.is_empty(), "cases to check");
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    check(case);
                }
            });
        }
    });
}

/// The variants of every two axes, and the kinds of every three.
fn meetings(parts: &[Variant; 4]) -> Vec<[(usize, usize); 4]> {
    const NONE: (usize, usize) = (usize::MAX, 0);
    let pairs = (0..4).flat_map(|a| (a + 1..4).map(move |b| [a, b]));
    let variants = pairs.map(|axes| {
        let mut meeting = [NONE; 4];
        for axis in axes {
            meeting[axis] = (parts[axis].0, 1 + parts[axis].1);
        }
        meeting
    });
    let kinds = (0..4).map(|without| {
        let mut meeting = parts.map(|(kind, _)| (kind, 0));
        meeting[without] = NONE;
        meeting
    });
    variants.chain(kinds).collect()
}
