//! Every combination of parts.

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

/// Every combination of kinds, as often as it takes for every variant of each of its parts to
/// have its turn, each with `algorithm` added to its algorithm's table: the valid ones as cases,
/// the others as errors.
///
/// In step, variants of the same number would always meet; so each axis begins one further on
/// for every combination of kinds.
pub fn combinations(registry: &Registry, algorithm: &str) -> Vec<Result<Case, ConfigError>> {
    let axes = Axis::ALL.map(|axis| tables(registry, axis));
    let mut all = Vec::new();
    let counts = axes.each_ref().map(Vec::len);
    for at in 0..counts.iter().product() {
        let mut rest = at;
        let kinds: Vec<_> = (axes.iter().zip(counts))
            .map(|(kinds, count)| {
                let variants = &kinds[rest % count];
                rest /= count;
                variants
            })
            .collect();
        let turns = kinds.iter().map(|variants| variants.len()).max();
        for turn in 0..turns.unwrap_or(0) {
            let chosen: Vec<_> = (kinds.iter().enumerate())
                .map(|(axis, variants)| &variants[(turn + at * axis) % variants.len()])
                .collect();
            let names: Vec<_> = chosen.iter().map(|(name, _)| name.as_str()).collect();
            let texts: Vec<_> = chosen.iter().map(|(_, text)| text.as_str()).collect();
            let name = format!("{} | {}", names.join(" | "), algorithm.replace('\n', ", "));
            all.push(
                choose(registry, &(texts.concat() + algorithm)).map(|choice| Case {
                    name,
                    rule: choice.rule,
                }),
            );
        }
    }
    all
}

/// The valid ones of [`combinations`].
pub fn cases(registry: &Registry, algorithm: &str) -> Vec<Case> {
    let all = combinations(registry, algorithm);
    all.into_iter().flatten().collect()
}
