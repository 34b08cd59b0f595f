//! A task's cells as heat maps.

use miras_compare::{HeatAxis, HeatMap, HeatMaps};
use miras_run::counted;
use miras_use::{CellReport, TaskReport};

/// The shares by length and depth, one map for each kind and metric; none where the cells are on no
/// map.
pub(crate) fn svg(report: &TaskReport) -> anyhow::Result<Option<String>> {
    if !report.is_map {
        return Ok(None);
    }
    let cells = &report.cells;
    let kinds = distinct(cells, |one| one.cell.kind.clone());
    let lengths = distinct(cells, |one| one.cell.length);
    let depths = distinct(cells, |one| one.cell.depth);
    let mut maps = Vec::new();
    for kind in &kinds {
        for (metric, title) in [
            ("accuracy", "written answers"),
            ("accuracy_choice", "the likeliest of ten values"),
        ] {
            let share = |length: &usize, depth: &f64| {
                let is_own = |one: &&CellReport| {
                    one.cell.kind.as_ref() == Some(kind)
                        && one.cell.length == Some(*length)
                        && one.cell.depth == Some(*depth)
                };
                let own = cells.iter().find(is_own)?;
                own.measures.get(metric).copied()
            };
            let shares: Vec<Vec<_>> = (depths.iter())
                .map(|depth| lengths.iter().map(|length| share(length, depth)).collect())
                .collect();
            // Without writing there is one map of the two.
            if shares.iter().flatten().any(Option::is_some) {
                let title = format!("{kind}: {title}");
                maps.push(HeatMap { title, shares });
            }
        }
    }
    let samples = cells.first().map_or(0, |one| one.samples);
    let maps = HeatMaps {
        title: format!("{}, {} at step {}", report.task, report.run, report.step),
        note: format!(
            "share of right answers; memory {}, {} a cell",
            report.memory.name(),
            counted(samples, "prompt", "prompts")
        ),
        x: axis("tokens read", lengths.iter().map(|length| short(*length))),
        y: axis("depth", depths.iter().map(|depth| format!("{depth:.0} %"))),
        maps,
    };
    Ok(Some(maps.svg()?))
}

fn axis(label: &str, values: impl Iterator<Item = String>) -> HeatAxis {
    HeatAxis {
        label: label.to_owned(),
        values: values.collect(),
    }
}

/// The values of cells, each once, in their order.
fn distinct<T: PartialEq>(cells: &[CellReport], of: impl Fn(&CellReport) -> Option<T>) -> Vec<T> {
    let mut found = Vec::new();
    for value in cells.iter().filter_map(of) {
        if !found.contains(&value) {
            found.push(value);
        }
    }
    found
}

/// A number of tokens with a unit where it has one.
fn short(tokens: usize) -> String {
    match tokens {
        _ if tokens > 0 && tokens.is_multiple_of(1 << 20) => format!("{}M", tokens >> 20),
        _ if tokens > 0 && tokens.is_multiple_of(1 << 10) => format!("{}k", tokens >> 10),
        _ => tokens.to_string(),
    }
}
