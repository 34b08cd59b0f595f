//! `presets`: the configurations that are built in.

use miras_config::{Layers, did_you_mean};
use miras_registry::Registry;
use miras_spec::{RunConfig, estimate};
use serde_json::{Value, json};

use crate::{
    args::PresetsArgs,
    bytes::short,
    layers::{FILES, LIBRARY},
    out::{Out, heading},
    parts::wrapped,
    sweep,
    usage::Usage,
};

/// Operations a second of training on two CPU cores, for the estimate of minutes: the preset
/// `titans-lmm` was trained at 6,725 tokens a second, at 15.2 M operations each. Other models are up to
/// twice as fast or as slow by it, and several times as slow where chunks are computed by tensors.
const SPEED: f64 = 6725.0 * 15.19e6;
/// What a header says last.
const DIFFERS: &str = "Differs: ";

/// The folder of the presets for text.
const TEXT: &str = "presets";

/// Folder, what is in it, and the command that takes its files.
const GROUPS: [(&str, &str); 9] = [
    ("", "what `run` alone trains: `run NAME`"),
    (TEXT, "text, built in or your own: `run NAME`"),
    ("mqar", "associative recall: `run NAME`"),
    ("needle", "needles in a haystack: `run NAME`"),
    (
        "dna",
        "DNA of a FASTA file: `run NAME --set data.path=FILE`",
    ),
    (
        "series",
        "time series of a CSV file: `run NAME --set data.path=FILE`",
    ),
    (
        "ladder",
        "from Gated DeltaNet to Titans LMM, the rungs of the sweep `ladder`: `run NAME`",
    ),
    ("presets/30m", "30 M parameters, for a GPU: `run NAME`"),
    ("sweeps", "many trials: `sweep NAME`"),
];

pub(crate) fn presets(
    args: &PresetsArgs,
    registry: &Registry,
    out: &mut Out,
) -> anyhow::Result<()> {
    if let Some(name) = &args.name {
        return match LIBRARY.text(name) {
            Some(text) => out.text(text),
            None => Err(unknown(name).into()),
        };
    }
    if args.names {
        let names = in_folder(TEXT, registry)?;
        let names = names.iter().map(|preset| format!("{}\n", preset.name));
        return out.text(&names.collect::<String>());
    }
    let mut text = String::new();
    let mut all = Vec::new();
    for (folder, title) in GROUPS {
        let presets = in_folder(folder, registry)?;
        text.push_str(&heading(title));
        text.push('\n');
        let width = presets.iter().map(|preset| preset.name.len()).max();
        for preset in &presets {
            text.push_str(&preset.line(width.unwrap_or(0)));
        }
        text.push('\n');
        all.extend(presets.iter().map(Preset::json));
    }
    if args.json {
        return out.text(&serde_json::to_string_pretty(&all)?);
    }
    text.push_str(&wrapped(
        "",
        "Parameters, then minutes on two CPU cores: an estimate from the operations of training, \
         at the speed that titans-lmm was measured at. `presets NAME` prints a file to change; \
         `extends = \"NAME\"` builds on one.",
    ));
    out.text(&text)
}

/// A configuration that is built in.
struct Preset {
    name: &'static str,
    is_sweep: bool,
    parameters: usize,
    flops: f64,
    about: String,
    differs: Option<String>,
}

impl Preset {
    fn read(name: &'static str, text: &str, registry: &Registry) -> anyhow::Result<Self> {
        let mut layers = Layers::with_library(LIBRARY);
        layers.file(name.as_ref())?;
        let is_sweep = layers.has(sweep::TABLE);
        let (parameters, flops) = if is_sweep {
            let (_, expanded) = sweep::expanded(layers, registry, None)?;
            let last = expanded.rungs.len() - 1;
            let trials = expanded.trials.iter().map(|(trial, _)| trial);
            let most = trials.clone().map(|trial| trial.cost.parameters).max();
            let flops = trials.map(|trial| trial.flops(last)).sum();
            (most.unwrap_or(0) as usize, flops)
        } else {
            let (config, _) = RunConfig::load(layers, registry)?;
            let ends = match config.ends_unopened() {
                Ok(ends) => ends,
                // Classes are those of a file that need not be here: counted is the least of them.
                Err(_) => config.task.ends(config.data.vocab()?, 2),
            };
            let train = &config.train;
            let sequences = (train.batch * train.accumulate) as f64;
            let tokens = sequences * config.data.seq_len() as f64 * train.steps as f64;
            let estimate = estimate(&config, ends);
            (
                estimate.parameters,
                tokens * estimate.flops_per_token.both(),
            )
        };
        let (about, differs) = header(text);
        Ok(Self {
            name,
            is_sweep,
            parameters,
            flops,
            about,
            differs,
        })
    }

    fn minutes(&self) -> f64 {
        self.flops / SPEED / 60.0
    }

    fn line(&self, width: usize) -> String {
        let start = format!(
            "  {:width$}  {:>7}  {:>7}  ",
            self.name,
            short(self.parameters as f64),
            time(self.minutes())
        );
        let mut text = wrapped(&start, &self.about);
        if let Some(differs) = &self.differs {
            let indent = " ".repeat(start.len());
            text.push_str(&wrapped(&indent, &format!("Differs: {differs}")));
        }
        text
    }

    fn json(&self) -> Value {
        json!({
            "name": self.name,
            "command": if self.is_sweep { "sweep" } else { "run" },
            "parameters": self.parameters,
            "train_flops": self.flops,
            "estimated_minutes_on_two_cores": self.minutes(),
            "about": self.about,
            "differs_from_the_paper": self.differs,
        })
    }
}

/// The presets of a folder, without the files that exist to be extended.
fn in_folder(folder: &str, registry: &Registry) -> anyhow::Result<Vec<Preset>> {
    let mut presets = Vec::new();
    for ((path, text), name) in FILES.iter().zip(LIBRARY.names()) {
        let is_here = path.rsplit_once('/').map_or("", |(there, _)| there) == folder;
        let is_base = !folder.is_empty() && !text.lines().any(|line| line.starts_with("extends"));
        if is_here && !is_base {
            presets.push(Preset::read(name, text, registry)?);
        }
    }
    Ok(presets)
}

/// The comment that a file begins with, up to an empty line: what it is, and what differs from the
/// paper.
fn header(text: &str) -> (String, Option<String>) {
    let lines = text.lines().map_while(|line| line.strip_prefix('#'));
    let lines = lines.map(str::trim).take_while(|line| !line.is_empty());
    let comment: Vec<&str> = lines.collect();
    let comment = comment.join(" ");
    match comment.split_once(DIFFERS) {
        Some((about, differs)) => (about.trim().to_owned(), Some(differs.trim().to_owned())),
        None => (comment.trim().to_owned(), None),
    }
}

fn time(minutes: f64) -> String {
    match minutes {
        less if less < 1.0 => "1 min".to_owned(),
        some if some < 100.0 => format!("{some:.0} min"),
        many if many < 60.0 * 48.0 => format!("{:.0} h", many / 60.0),
        more => format!("{:.0} days", more / 60.0 / 24.0),
    }
}

fn unknown(name: &str) -> Usage {
    let help = did_you_mean(name, LIBRARY.names()).map_or_else(
        || "`presets` lists those that there are".to_owned(),
        |near| format!("did you mean `{near}`?"),
    );
    Usage::new(format!("nothing built in is called `{name}`")).help(help)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_preset_of_a_paper_says_what_it_is_and_what_differs() {
        let registry = Registry::builtin();
        let mut count = 0;
        for (folder, _) in GROUPS {
            for preset in in_folder(folder, &registry).unwrap() {
                assert!(preset.about.len() > 10, "{}", preset.name);
                assert_eq!(
                    preset.differs.is_some(),
                    folder == "presets",
                    "{}",
                    preset.name
                );
                assert!(preset.minutes() > 0.1 && preset.parameters > 10_000);
                count += 1;
            }
        }
        // All files but those that others build on.
        assert_eq!(count, FILES.len() - 7);
    }

    #[test]
    fn the_sweep_of_presets_has_all_of_them() {
        let (_, sweep) = (FILES.iter())
            .find(|(path, _)| path.ends_with("sweeps/presets.toml"))
            .unwrap();
        for preset in in_folder(TEXT, &Registry::builtin()).unwrap() {
            let file = format!("\"../presets/{}.toml\"", preset.name);
            assert!(sweep.contains(&file), "{file}");
        }
    }

    #[test]
    fn lines_fit_a_terminal() {
        let registry = Registry::builtin();
        for preset in in_folder("presets", &registry).unwrap() {
            for line in preset.line(15).lines() {
                assert!(line.chars().count() <= 80, "{line}");
            }
        }
        assert_eq!(time(0.2), "1 min");
        assert_eq!(time(24.1), "24 min");
        assert_eq!(time(600.0), "10 h");
        assert_eq!(time(14_400.0), "10 days");
    }
}
