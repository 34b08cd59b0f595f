//! The tables below the first one: costs, keys of two values, and losses by length.

use std::collections::BTreeSet;

use super::number;
use super::rows::Table;
use crate::comparison::{Comparison, Sample, Variant};
use crate::input::Way;

/// Tables with their titles: what variants take, and the others where there is something to say.
pub(crate) fn tables(comparison: &Comparison) -> Vec<(String, Table)> {
    let mut tables = vec![("what they take".to_owned(), Table::costs(comparison))];
    tables.extend(contrasts(comparison));
    tables.extend(lengths(comparison));
    tables
}

fn contrasts(comparison: &Comparison) -> Vec<(String, Table)> {
    let short = comparison.short();
    let contrast = comparison.contrasts.iter().map(|contrast| {
        let rows = contrast.pairs.iter().map(|pair| {
            let difference = pair
                .difference
                .map_or_else(|| number::signed(pair.mean), number::difference);
            let p = pair.p_holm.map_or(String::new(), number::p);
            vec![pair.label.clone(), difference, p, pair.verdict()]
        });
        let [one, other] = &contrast.values;
        let key = short.of(&contrast.key);
        let table = Table {
            head: vec![
                "at".to_owned(),
                format!("{} at {other} less at {one}", comparison.metric),
                "p".to_owned(),
                "verdict".to_owned(),
            ],
            rows: rows.collect(),
            right: vec![false, true, true, false],
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
    let at: BTreeSet<(Way, u64)> = all().map(|one| (one.way(), one.length)).collect();
    if at.len() < 2 {
        return None;
    }
    let in_bits = all().all(|one| one.bits_per_byte.is_some());
    let rows = comparison
        .variants
        .iter()
        .filter(|one| one.sample.is_some());
    let rows = rows.map(|variant| {
        let cells = at.iter().map(|&(way, length)| {
            let values = variant.counted().filter_map(|run| {
                let mut evaluations = run.evaluations.iter();
                let one = evaluations.find(|one| (one.way(), one.length) == (way, length))?;
                if in_bits { one.bits_per_byte } else { one.loss }
            });
            number::sample(Sample::of(&values.collect::<Vec<_>>()))
        });
        std::iter::once(variant.label.clone())
            .chain(cells)
            .collect()
    });
    let ways: BTreeSet<Way> = at.iter().map(|(way, _)| *way).collect();
    let head = at.iter().map(|(way, length)| {
        if ways.len() > 1 {
            format!("{length} {way}")
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
