//! `parts`: what a configuration can choose from.

use std::fmt::Write as _;

use anyhow::Context;
use miras_config::did_you_mean;
use miras_core::Axis;
use miras_registry::{PartInfo, Registry};
use miras_spec::{MixerSpec, TASKS};

use crate::{
    args::PartsArgs,
    dress::{WIDTH, plain_wrap},
    keys,
    out::{Out, heading},
    usage::Usage,
};

/// What is chosen from a list beside the four axes.
const MIXER: &str = "mixer";
const TASK: &str = "task";
const DATA: &str = "data";
const DATA_TITLE: &str = "what is trained on";

pub(crate) fn parts(args: &PartsArgs, registry: &Registry, out: &mut Out) -> anyhow::Result<()> {
    let Some(list) = &args.axis else {
        let mut lists: Vec<String> = Axis::ALL.map(|axis| axis_list(registry, axis)).into();
        lists.push(mixer_list());
        lists.push(task_list());
        lists.push(data_list());
        lists.push(format!(
            "`miras-train parts AXIS NAME` explains a part, as in `parts memory mlp`.\n\
             Keys that belong to no part: `miras-train parts TABLE`, for {}.\n",
            keys::tables().join(", ")
        ));
        return out.text(&lists.join("\n"));
    };
    let axis = Axis::ALL.into_iter().find(|axis| axis.table() == list);
    let text = match (axis, &args.name) {
        (Some(axis), None) => axis_list(registry, axis),
        (Some(axis), Some(name)) => explain_part(registry, axis, name)?,
        (None, None) if list == DATA => data_list(),
        (None, Some(name)) if list == DATA => explain_data(name)?,
        (None, None) if list == MIXER => format!("{}\n{}", mixer_list(), key_list(MIXER, "")),
        (None, Some(name)) if list == MIXER => explain_mixer(name)?,
        (None, None) if list == TASK => format!("{}\n{}", task_list(), key_list(TASK, "")),
        (None, None) if keys::tables().contains(&&**list) => key_list(list, ""),
        (None, name) => {
            if let Some(name) = name.as_ref().filter(|_| keys::tables().contains(&&**list)) {
                return Err(
                    Usage::new(format!("`{list}` has no parts, and so no `{name}`"))
                        .help(format!("`parts {list}` lists its keys"))
                        .into(),
                );
            }
            let lists = Axis::ALL.iter().map(|axis| axis.table()).chain([DATA]);
            let lists = lists.chain(keys::tables()).collect::<Vec<_>>();
            return Err(unknown("list", list, &lists).into());
        }
    };
    out.text(&text)
}

fn axis_list(registry: &Registry, axis: Axis) -> String {
    let parts = registry.parts(axis);
    let rows: Vec<_> = parts.iter().map(|part| (part.kind, part.summary)).collect();
    let title = heading(&format!("[{}]  {}", axis.table(), axis.title()));
    format!("{title}\n{}", table(&rows))
}

/// The keys of a table that are no part's own, as the documentation has them.
fn key_list(name: &str, end: &str) -> String {
    let keys = keys::of_table(name);
    let rows: Vec<(&str, &str)> = (keys.iter())
        .map(|key| (key.names.as_str(), key.text.as_str()))
        .collect();
    let title = heading(&format!("[{name}]  keys, with their defaults"));
    format!("{title}\n{}{end}", table(&rows))
}

fn data_list() -> String {
    let rows: Vec<_> = miras_data::KINDS
        .iter()
        .map(|kind| (kind.name, kind.summary))
        .collect();
    let title = heading(&format!("[{DATA}]  {DATA_TITLE}"));
    format!("{title}\n{}", table(&rows))
}

fn task_list() -> String {
    let rows: Vec<_> = (TASKS.iter())
        .map(|task| (task.name, task.summary))
        .collect();
    let title = heading(&format!("[{TASK}]  what the model is trained for"));
    format!("{title}\n{}", table(&rows))
}

fn mixer_list() -> String {
    let title = heading(&format!("[{MIXER}]  what mixes the tokens of a layer"));
    format!("{title}\n{}", table(MixerSpec::LIST))
}

fn explain_mixer(name: &str) -> Result<String, Usage> {
    let Some((_, summary)) = MixerSpec::LIST.iter().find(|(kind, _)| *kind == name) else {
        let names: Vec<_> = MixerSpec::LIST.iter().map(|(kind, _)| *kind).collect();
        return Err(unknown(MIXER, name, &names));
    };
    let mut text = format!("mixer.kind = {name:?}\n\n{}", wrapped("", summary));
    let own = MixerSpec::TABLES.iter().filter(|(kind, _)| *kind == name);
    for table in own.flat_map(|(_, tables)| *tables) {
        let list = match Axis::ALL.into_iter().find(|axis| axis.table() == *table) {
            Some(axis) => format!("{}\n", heading(&format!("[{table}]  {}", axis.title()))),
            None => key_list(table, ""),
        };
        text = format!("{text}\n{list}");
    }
    Ok(format!("{text}\n{}", key_list(MIXER, "")))
}

fn explain_part(registry: &Registry, axis: Axis, name: &str) -> Result<String, Usage> {
    let table_name = axis.table();
    let Some(part) = registry.find(axis, name) else {
        return Err(unknown(table_name, name, &registry.kinds(axis)));
    };
    let PartInfo {
        summary,
        formula,
        reference,
        keys,
        ..
    } = part;
    let mut text = format!("{table_name}.kind = {name:?}\n\n{}", wrapped("", summary));
    for (title, body) in [("Formula", formula), ("Reference", reference)] {
        let lines: String = body.lines().map(|line| wrapped("  ", line)).collect();
        // Writing to a string cannot fail.
        let _ = write!(text, "\n{}\n{lines}", heading(title));
    }
    let own = if keys.is_empty() {
        "  none\n".to_owned()
    } else {
        table(keys)
    };
    let _ = write!(text, "\n{}\n{own}", heading("Keys"));
    let common = registry.common_keys(axis);
    if !common.is_empty() {
        let title = heading(&format!("Keys of every {table_name}"));
        let _ = write!(text, "\n{title}\n{}", table(common));
    }
    Ok(text)
}

fn explain_data(name: &str) -> anyhow::Result<String> {
    let kinds = miras_data::KINDS;
    let own = kinds.iter().filter(|kind| kind.name == name);
    let texts = own.map(|kind| {
        let defaults = toml::to_string(&(kind.default)()).context("cannot write the defaults")?;
        let lines: String = defaults.lines().map(|line| wrapped("  ", line)).collect();
        Ok(format!(
            "data.kind = {name:?}\ntask.kind = {:?}\n\n{}\nKeys\n{}\nDefaults\n{lines}",
            kind.task,
            wrapped("", kind.summary),
            table(kind.keys)
        ))
    });
    let texts = texts.collect::<anyhow::Result<Vec<String>>>()?;
    if texts.is_empty() {
        let names: Vec<_> = kinds.iter().map(|kind| kind.name).collect();
        return Err(unknown(DATA, name, &names).into());
    }
    Ok(texts.join("\n"))
}

fn unknown(what: &str, name: &str, known: &[&str]) -> Usage {
    let message = format!(
        "unknown {what} `{name}`, expected one of {}",
        known.join(", ")
    );
    let nearest = did_you_mean(name, known.iter().copied());
    Usage::new(message).help(nearest.map(|name| format!("did you mean `{name}`?")))
}

/// Names in one column, texts in the next.
pub(crate) fn table(rows: &[(&str, &str)]) -> String {
    let width = rows.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let row = |(name, text): &(&str, &str)| wrapped(&format!("  {name:width$}  "), text);
    rows.iter().map(row).collect()
}

/// Breaks a text into lines; those after the first are indented as deep as `start` is long.
pub(crate) fn wrapped(start: &str, text: &str) -> String {
    let indent = " ".repeat(start.len());
    let options = plain_wrap(WIDTH).initial_indent(start);
    textwrap::fill(text, options.subsequent_indent(&indent)) + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_is_explained_and_no_line_is_long() {
        let registry = Registry::builtin();
        for axis in Axis::ALL {
            for kind in registry.kinds(axis) {
                let text = explain_part(&registry, axis, kind).unwrap();
                assert!(
                    text.contains("Formula") && text.contains("Reference"),
                    "{text}"
                );
                let widest = text.lines().map(|line| line.chars().count()).max();
                assert!(widest <= Some(WIDTH), "{text}");
            }
        }
        for kind in miras_data::KINDS {
            assert!(explain_data(kind.name).unwrap().contains("seq_len"));
        }
    }

    #[test]
    fn long_texts_hang_under_their_start() {
        let text = wrapped("  key  ", &"word ".repeat(30));
        let lines: Vec<_> = text.lines().collect();
        assert!(lines.len() > 1);
        assert!(lines[1].starts_with("       word"), "{text}");
    }
}
