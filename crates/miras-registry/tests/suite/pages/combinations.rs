//! The page of all combinations of kinds: valid or refused, and how exact.

use std::collections::{BTreeMap, BTreeSet};

use miras_config::ConfigError;
use miras_core::Axis;
use miras_engine::Read;
use miras_registry::{Choice, Exactness, Registry, exactness};

use super::{MADE, table};

/// A kind on each axis.
type Kinds = [&'static str; 4];

const REFUSED: &str = "refused";

/// Settings of a part, beside its kind.
#[derive(Clone, Copy)]
struct Variant {
    axis: Axis,
    settings: &'static str,
}

fn choose(
    registry: &Registry,
    kinds: Kinds,
    variant: Option<Variant>,
) -> Result<Choice, ConfigError> {
    let tables: Vec<_> = (Axis::ALL.iter().zip(kinds))
        .map(|(axis, kind)| {
            let settings = match variant {
                Some(variant) if variant.axis == *axis => variant.settings,
                _ => "",
            };
            format!("[{}]\nkind = '{kind}'\n{settings}\n", axis.table())
        })
        .collect();
    Choice::from_toml(&tables.concat(), registry)
}

/// The letter of a combination's class; `w` where it reads weights that are written out.
fn letter(choice: &Choice) -> String {
    let rule = &choice.rule;
    let written = !rule.has_identity_link() && rule.settings.read() == Read::Exact;
    format!("{}{}", exactness(rule), if written { "w" } else { "" })
}

pub(crate) fn page(registry: &Registry) -> String {
    let classes: Vec<_> = (Exactness::ALL.iter())
        .map(|class| vec![format!("**{class}**"), class.meaning().to_string()])
        .collect();
    let mut text = format!("# Combinations\n\n{MADE}\n\n");
    text += "Every kind of every axis with every other, each at its defaults.\n\n";
    text += &table(&["class", "in chunks"], &classes);
    text += "\nA `w` stands where the defaults read exactly behind a nonlinear link, which writes \
             every token's weights out.\n";

    let mut reasons: Vec<String> = Vec::new();
    let axes = Axis::ALL.map(|axis| registry.kinds(axis));
    let [memories, biases, retentions, algorithms] = &axes;
    for memory in memories {
        for algorithm in algorithms {
            text += &format!("\n## `{memory}` by `{algorithm}`\n\n");
            let mut header = vec!["retention \\ bias"];
            header.extend(biases);
            let mut rows = Vec::new();
            for retention in retentions {
                let mut row = vec![format!("`{retention}`")];
                for bias in biases {
                    let kinds = [*memory, *bias, *retention, *algorithm];
                    row.push(match choose(registry, kinds, None) {
                        Ok(choice) => letter(&choice),
                        Err(error) => format!("{REFUSED} {}", note(&mut reasons, &error)),
                    });
                }
                rows.push(row);
            }
            text += &table(&header, &rows);
        }
    }

    text += "\n## Settings that change the class\n\n";
    text += "Of the settings that the contract tests, the others at their defaults.\n\n";
    let rows: Vec<_> = (Axis::ALL.into_iter())
        .flat_map(|axis| {
            registry
                .parts(axis)
                .into_iter()
                .map(move |part| (axis, part))
        })
        .flat_map(|(axis, part)| {
            let variants = part.variants.iter();
            variants.map(move |settings| (part.kind, Variant { axis, settings }))
        })
        .flat_map(|(kind, variant)| changes(registry, &axes, kind, variant, &mut reasons))
        .collect();
    text += &table(&["part", "with", "change", "where"], &rows);

    text += "\n## Why some are refused\n\n";
    for (at, reason) in reasons.iter().enumerate() {
        text += &format!("{}. {reason}\n", at + 1);
    }
    text
}

/// The number of a refusal's reason.
fn note(reasons: &mut Vec<String>, error: &ConfigError) -> usize {
    let advice = error.advice().unwrap_or("no other choice is near");
    let reason = format!("{}: {advice}.", error.message());
    let known = reasons.iter().position(|earlier| *earlier == reason);
    1 + known.unwrap_or_else(|| {
        reasons.push(reason);
        reasons.len() - 1
    })
}

/// What a variant of the part `kind` changes, as rows of a table.
fn changes(
    registry: &Registry,
    axes: &[Vec<&'static str>; 4],
    kind: &'static str,
    variant: Variant,
    reasons: &mut Vec<String>,
) -> Vec<Vec<String>> {
    let mut found: BTreeMap<String, BTreeSet<Kinds>> = BTreeMap::new();
    let mut axes = axes.clone();
    axes[variant.axis as usize] = vec![kind];
    for kinds in product(&axes) {
        let mut class = |variant| match choose(registry, kinds, variant) {
            Ok(choice) => letter(&choice),
            Err(error) => format!("{REFUSED} {}", note(reasons, &error)),
        };
        let (before, after) = (class(None), class(Some(variant)));
        if before != after {
            let change = format!("{before} → {after}");
            found.entry(change).or_default().insert(kinds);
        }
    }
    (found.into_iter())
        .map(|(change, kinds)| {
            vec![
                format!("{}.kind = `{kind}`", variant.axis.table()),
                format!("`{}`", variant.settings.replace('\n', "`, `")),
                change,
                place(&axes, &kinds),
            ]
        })
        .collect()
}

fn product(axes: &[Vec<&'static str>; 4]) -> Vec<Kinds> {
    let mut all = vec![[""; 4]];
    for (axis, kinds) in axes.iter().enumerate() {
        all = (all.iter())
            .flat_map(|begun| {
                kinds.iter().map(move |kind| {
                    let mut next = *begun;
                    next[axis] = kind;
                    next
                })
            })
            .collect();
    }
    all
}

/// Which combinations these are: the kinds of each axis of which not all are there.
fn place(axes: &[Vec<&'static str>; 4], kinds: &BTreeSet<Kinds>) -> String {
    let there: [Vec<&str>; 4] = std::array::from_fn(|axis| {
        let used = |kind: &&&str| kinds.iter().any(|kinds| kinds[axis] == **kind);
        axes[axis].iter().filter(used).copied().collect()
    });
    let named: Vec<_> = (Axis::ALL.iter().zip(&there).zip(axes))
        .filter(|((_, there), all)| there.len() < all.len())
        .map(|((axis, there), _)| format!("{} `{}`", axis.table(), there.join("`, `")))
        .collect();
    let covered: usize = there.iter().map(Vec::len).product();
    let some = if covered > kinds.len() {
        "some of: "
    } else {
        ""
    };
    match named.as_slice() {
        [] if some.is_empty() => "everywhere".to_string(),
        named => format!("{some}{}", named.join("; ")),
    }
}
