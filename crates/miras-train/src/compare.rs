//! `compare`: which variant is better.

use std::path::{Path, PathBuf};

use miras_compare::{CompareAt, CompareError, Comparison};
use miras_config::Layers;
use miras_registry::Registry;
use miras_run::Goal;
use miras_spec::RunConfig;
use miras_sweep::SweepFolder;

use crate::{
    args::{CompareArgs, TableFormat},
    out::{Out, eprint_line},
    usage::Usage,
};

const RUNS: &str = "runs";
/// The folder inside a sweep's.
const COMPARE: &str = "compare";
/// The settled configuration in a run's folder.
const CONFIG: &str = "config.toml";

pub(crate) fn compare(
    args: &CompareArgs,
    registry: &Registry,
    out: &mut Out,
) -> anyhow::Result<()> {
    let runs = args.runs.clone().unwrap_or_else(|| RUNS.into());
    let paths: Vec<PathBuf> = args.what.iter().map(|what| found(&runs, what)).collect();
    let comparison = read(
        &paths,
        args.metric.as_deref(),
        args.goal,
        args.at.unwrap_or_default(),
        registry,
    )?;
    out.text(&match args.format {
        TableFormat::Text => comparison.text(),
        TableFormat::Markdown => comparison.markdown(),
        TableFormat::Csv => comparison.csv()?,
        TableFormat::Json => comparison.json(),
    })?;
    let folder = match (&args.out, &*paths) {
        (Some(folder), _) => Some(folder.clone()),
        // The report of a sweep is by its own metric.
        (None, [sweep])
            if args.metric.is_none() && args.at.is_none() && SweepFolder::exists(sweep) =>
        {
            Some(sweep.join(COMPARE))
        }
        _ => None,
    };
    if let Some(folder) = folder {
        write(&comparison, &folder)?;
    }
    Ok(())
}

/// What a sweep ends with: its table, and everything else in its folder.
pub(crate) fn of_sweep(folder: &Path, registry: &Registry, out: &mut Out) -> anyhow::Result<()> {
    let comparison = read(&[folder.to_owned()], None, None, CompareAt::Auto, registry)?;
    out.text(&comparison.text())?;
    write(&comparison, &folder.join(COMPARE))
}

/// How many seeds a difference takes to be seen, by what a sweep has trained.
pub(crate) fn power(
    folder: &Path,
    metric: Option<&str>,
    difference: f64,
    registry: &Registry,
    out: &mut Out,
) -> anyhow::Result<()> {
    let sweep = [folder.to_owned()];
    let comparison = read(&sweep, metric, None, CompareAt::Auto, registry)?;
    let Some(table) = comparison.power(difference) else {
        let message = format!(
            "no two variants of {} have three seeds each, and a spread, in {}",
            folder.display(),
            comparison.metric
        );
        let help = "train more with sweep.seeds = [1, 2, 3] and `--resume`";
        return Err(Usage::new(message).help(help.to_owned()).into());
    };
    out.text(&table.text())?;
    out.prose(&format!(
        "\nDifferences of {}. seen with these: the smallest that these seeds find, at 95 %, with a chance \
         of 80 %; at most: the seeds if the spread is the largest that the pilot leaves likely (80 %).\n",
        comparison.metric
    ))?;
    Ok(())
}

/// Reads runs and sweeps, with what is to be noted of their configurations.
fn read(
    paths: &[PathBuf],
    metric: Option<&str>,
    goal: Option<Goal>,
    at: CompareAt,
    registry: &Registry,
) -> Result<Comparison, CompareError> {
    let mut comparison = Comparison::read_at(paths, metric, goal, at, RunConfig::RENAMED)?;
    comparison.note(|variant| {
        let folders = variant.counted().filter_map(|run| run.path.as_deref());
        folders
            .flat_map(|folder| notes(&folder.join(CONFIG), registry))
            .collect()
    });
    Ok(comparison)
}

/// What `check` notes of a configuration, whatever machine it was trained on.
fn notes(path: &Path, registry: &Registry) -> Vec<String> {
    let mut layers = Layers::new();
    let config = (layers.file(path)).and_then(|()| RunConfig::load(layers, registry));
    match config {
        Ok((config, _)) => config.notes(),
        Err(error) => vec![format!(
            "this program cannot read the configuration, and so notes nothing else of it: {}",
            error.message()
        )],
    }
}

fn write(comparison: &Comparison, folder: &Path) -> anyhow::Result<()> {
    comparison.write(folder)?;
    eprint_line(format_args!(
        "report in {}, with tables and plots beside it",
        folder.join("report.html").display()
    ));
    Ok(())
}

/// A name inside `--runs`, or a path.
pub(crate) fn found(runs: &Path, what: &Path) -> PathBuf {
    let named = runs.join(what);
    let is_path = what.is_dir() || what.components().count() > 1;
    if is_path && !named.is_dir() {
        what.to_owned()
    } else {
        named
    }
}
