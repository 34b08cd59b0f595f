//! `compare`: which variant is better.

use std::path::{Path, PathBuf};

use miras_compare::Comparison;
use miras_sweep::SweepFolder;

use crate::{
    args::{CompareArgs, TableFormat},
    out::{Out, tell},
};

const RUNS: &str = "runs";
/// The folder inside a sweep's.
const COMPARE: &str = "compare";

pub(crate) fn compare(args: &CompareArgs, out: &mut Out) -> anyhow::Result<()> {
    let runs = args.runs.clone().unwrap_or_else(|| RUNS.into());
    let paths: Vec<PathBuf> = args.what.iter().map(|what| found(&runs, what)).collect();
    let comparison = Comparison::read_at(
        &paths,
        args.metric.as_deref(),
        args.goal.map(Into::into),
        args.at.unwrap_or_default(),
    )?;
    out.text(&match args.format {
        TableFormat::Text => comparison.text(),
        TableFormat::Markdown => comparison.markdown(),
        TableFormat::Csv => comparison.csv()?,
        TableFormat::Json => comparison.json()?,
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
pub(crate) fn of_sweep(folder: &Path, out: &mut Out) -> anyhow::Result<()> {
    let comparison = Comparison::read(&[folder.to_owned()], None, None)?;
    out.text(&comparison.text())?;
    write(&comparison, &folder.join(COMPARE))
}

fn write(comparison: &Comparison, folder: &Path) -> anyhow::Result<()> {
    comparison.write(folder)?;
    tell(format_args!(
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
