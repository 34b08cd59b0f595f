//! The tables below the first one: keys of two values, and losses by length.

use std::collections::BTreeSet;

use super::number;
use super::rows::Table;
use crate::comparison::{Comparison, Sample, Variant};
use crate::input::Memory;

/// Tables with their titles; none where there is nothing to say.
pub(crate) fn tables(comparison: &Comparison) -> Vec<(String, Table)> {
    let mut tables: Vec<(String, Table)> = contrasts(comparison);
    tables.extend(lengths(comparison));
    tables
}

fn contrasts(comparison: &Comparison) -> Vec<(String, Table)> {
    let short = comparison.short();
    let contrast = comparison.contrasts.iter().map(|contrast| {
        let rows = contrast.pairs.iter().map(|pair| {
            let (difference, verdict) = match (pair.difference, pair.is_told) {
                (None, _) => (number::signed(pair.mean), "one seed: cannot tell"),
                (Some(known), true) => (number::difference(known), "different"),
                (Some(known), false) => (number::difference(known), "within noise"),
            };
            vec![pair.label.clone(), difference, verdict.to_owned()]
        });
        let [one, other] = &contrast.values;
        let key = short.of(&contrast.key);
        let table = Table {
            head: vec![
                "at".to_owned(),
                format!("{} at {other} less at {one}", comparison.metric),
                "verdict".to_owned(),
            ],
            rows: rows.collect(),
            right: vec![false, true, false],
        };
        (
            format!("{key}: {other} against {one}, all else equal"),
            table,
        )
    });
    contrast.collect()
}

/// What was measured at several lengths: in bits a byte where all of it is text.
fn lengths(comparison: &Comparison) -> Option<(String, Table)> {
    let all = || {
        let runs = comparison.variants.iter().flat_map(Variant::counted);
        runs.flat_map(|run| &run.evaluations)
    };
    let at: BTreeSet<(Memory, u64)> = all().map(|one| (one.memory, one.length)).collect();
    if at.len() < 2 {
        return None;
    }
    let in_bits = all().all(|one| one.bits_per_byte.is_some());
    let rows = comparison
        .variants
        .iter()
        .filter(|one| one.sample.is_some());
    let rows = rows.map(|variant| {
        let cells = at.iter().map(|&(memory, length)| {
            let values = variant.counted().filter_map(|run| {
                let mut evaluations = run.evaluations.iter();
                let one = evaluations.find(|one| (one.memory, one.length) == (memory, length))?;
                if in_bits { one.bits_per_byte } else { one.loss }
            });
            number::sample(Sample::of(&values.collect::<Vec<_>>()))
        });
        std::iter::once(variant.label.clone())
            .chain(cells)
            .collect()
    });
    let ways: BTreeSet<Memory> = at.iter().map(|(memory, _)| *memory).collect();
    let head = at.iter().map(|(memory, length)| {
        if ways.len() > 1 {
            format!("{length} {memory}")
        } else {
            length.to_string()
        }
    });
    let table = Table {
        head: std::iter::once("variant".to_owned()).chain(head).collect(),
        rows: rows.collect(),
        right: std::iter::once(false)
            .chain(at.iter().map(|_| true))
            .collect(),
    };
    let unit = if in_bits { "bits a byte" } else { "loss" };
    Some((format!("{unit} by tokens a row"), table))
}
