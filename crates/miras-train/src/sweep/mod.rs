//! `sweep` and `worker`: many trials out of one file.

mod launch;
mod listing;
mod resolve;
mod time;
mod watch;

use std::{env, fs, path::Path};

use anyhow::Context as _;
use miras_config::{ConfigError, Layers, present_name};
use miras_registry::Registry;
use miras_run::{RunFolder, shell_word, write_atomic};
use miras_spec::RunConfig;
use miras_sweep::{
    Expanded, Options, Plan, Slurm, SweepFolder, SweepSpec, Tally, WorkEnd, Worker, expand,
};

use crate::{
    args::{SweepArgs, WorkArgs, WorkerArgs},
    compare,
    layers::{self, layers, stem},
    out::{Out, eprint_line},
    signals,
    started::program,
    status::ExitStatus,
    usage::Usage,
};
use launch::Program;
pub(crate) use listing::{notes, trials};
use resolve::Resolver;
use watch::Display;

const RUNS: &str = "runs";
const SLURM: &str = "sweep.sbatch";
/// The table that makes a sweep of a configuration.
pub(crate) const TABLE: &str = "sweep";

/// `sweep FILE`.
pub(crate) fn sweep(
    args: SweepArgs,
    registry: &Registry,
    out: &mut Out,
) -> anyhow::Result<ExitStatus> {
    let layers = layers(Some(&args.file), &args.set.set)?;
    if !layers.has(TABLE) {
        let message = format!("there is no [sweep] in `{}`", args.file.display());
        let help = "add what is to be swept, for example [sweep.axes] and below it \
                    \"optim.lr\" = [1e-3, 3e-3]";
        return Err(Usage::new(message).help(help.to_owned()).into());
    }
    if let Some(note) = layers::note(Some(&args.file)) {
        eprint_line(note);
    }
    let device = args.work.device.as_deref();
    let (spec, expanded) = expanded(layers, registry, device)?;
    refuse_swept(&args, &expanded, registry)?;
    if expanded.follow.iter().any(|key| key == "eval.tokens") {
        let message =
            "eval.batches gives the trials of this sweep different amounts of held-out text";
        let help = "write eval.tokens, one number for all, in its place";
        return Err(Usage::new(message.to_owned()).help(help.to_owned()).into());
    }
    let name = args.name.clone().unwrap_or_else(|| stem(Some(&args.file)));
    let runs = args.runs.clone().unwrap_or_else(|| RUNS.into());
    if let Some(difference) = args.power {
        let path = runs.join(&name);
        if !SweepFolder::exists(&path) {
            let message = format!("there is no sweep in {} yet", path.display());
            let help = "leave `--power` out to train it, with three seeds or more: it is told by \
                        their spread";
            return Err(Usage::new(message).help(help.to_owned()).into());
        }
        compare::power(&path, args.metric.as_deref(), difference, registry, out)?;
        return Ok(ExitStatus::Done);
    }
    if args.dry_run {
        out.text(&listing::table(&expanded))?;
        out.prose(&format!(
            "\n{}",
            listing::summary(&expanded, args.work.jobs)
        ))?;
        if args.time {
            out.prose(&time::text(&expanded, registry, device)?)?;
        }
        return Ok(ExitStatus::Done);
    }
    let is_elsewhere = args.prepare || args.slurm.is_some();
    if let Some(unfit) = expanded.unfit.first().filter(|_| !is_elsewhere) {
        let help =
            "nothing was trained; `--prepare` writes the sweep for workers on other machines";
        return Err(Usage::new(unfit.to_string()).help(help.to_owned()).into());
    }

    let mut plan = Plan::new(&name, env_words(), layers::text(&args.file)?);
    spec.fill(&mut plan);
    let configs = fill(&mut plan, &expanded);
    // The same rules as for a run's name.
    RunFolder::unused_name(&runs, &name)?;
    let path = runs.join(&name);
    let folder = match (SweepFolder::exists(&path), args.resume || args.retry) {
        (true, true) => {
            let resolver = Resolver::new(registry, device);
            SweepFolder::resume(&path, plan, &configs, &resolver)?
        }
        (false, true) => return Err(no_sweep(&runs, &path).into()),
        (_, false) => SweepFolder::create(&path, plan, &configs)?,
    };
    if args.retry {
        eprint_line(format_args!("{} tried again", trials(folder.retry()?)));
    } else if folder.lost()? > 0 {
        let lost = trials(folder.lost()?);
        eprint_line(format_args!(
            "{lost} done and their folders gone; `--retry` trains them again"
        ));
    }
    for note in notes(&expanded, args.work.jobs) {
        eprint_line(format_args!("note: {note}"));
    }
    if let Some(workers) = args.slurm {
        return slurm(&folder, workers.into(), &args.work);
    }
    if args.prepare {
        eprint_line(format_args!(
            "{} in {}; work on them with `{} worker {}`",
            trials(folder.plan().trials.len()),
            path.display(),
            program(),
            shell_word(&path.to_string_lossy())
        ));
        return Ok(ExitStatus::Done);
    }
    let file = shell_word(&args.file.to_string_lossy());
    let (program, words) = (program(), resume_words(&args));
    let commands = ResumeCommands {
        go_on: format!("{program} sweep {file} --resume{words}"),
        retry: format!("{program} sweep {file} --retry{words}"),
    };
    work(&folder, &args.work, &commands, registry, out)
}

/// Commands that go on with a sweep.
struct ResumeCommands {
    /// With what has not been done; failed trials stay failed.
    go_on: String,
    /// With failed trials, too.
    retry: String,
}

/// The trials of a configuration with a `[sweep]` table, to be trained on `device` or, without
/// it, where they say themselves.
pub(crate) fn expanded(
    mut layers: Layers,
    registry: &Registry,
    device: Option<&str>,
) -> Result<(SweepSpec, Expanded), ConfigError> {
    let spec = SweepSpec::take(&mut layers)?;
    let expanded = expand(&layers, &spec, &Resolver::new(registry, device))?;
    Ok((spec, expanded))
}

/// `worker SWEEP`.
pub(crate) fn worker(
    args: &WorkerArgs,
    registry: &Registry,
    out: &mut Out,
) -> anyhow::Result<ExitStatus> {
    let runs = args.runs.clone().unwrap_or_else(|| RUNS.into());
    let path = compare::found(&runs, &args.sweep);
    let folder = SweepFolder::open(&path)?;
    if !folder.is_verified() {
        eprint_line(format_args!(
            "note: the plan in {} has no checksums, so trials are not verified; `sweep FILE --resume` adds \
             them",
            path.display()
        ));
    }
    let words: Vec<String> = (launch::words(&args.work).iter())
        .map(|word| format!(" {}", shell_word(word)))
        .collect();
    let path = shell_word(&path.to_string_lossy());
    let program = program();
    let commands = ResumeCommands {
        go_on: format!("{program} worker {path}{}", words.concat()),
        retry: format!("{program} sweep FILE --retry, with the file of the sweep"),
    };
    work(&folder, &args.work, &commands, registry, out)
}

fn work(
    folder: &SweepFolder,
    args: &WorkArgs,
    commands: &ResumeCommands,
    registry: &Registry,
    out: &mut Out,
) -> anyhow::Result<ExitStatus> {
    let stop = signals::stop_flag(signals::SAVING)?;
    let launch = Program::new(args)?;
    let display = Display::new(args.progress, folder, args.jobs.into());
    let worker = Worker {
        folder,
        launch: &launch,
        watch: &display,
        stop: &stop,
        options: Options {
            jobs: args.jobs.into(),
            fail_fast: args.fail_fast,
        },
    };
    let end = worker.work();
    display.finish();
    let counts = |tally: Tally| {
        let Tally { done, failed, all } = tally;
        format!("{done} of {all} trials done, {failed} failed")
    };
    let ResumeCommands { go_on, retry } = commands;
    let end = match end {
        Ok(end) => end,
        Err(error) => {
            eprint_line(format_args!(
                "error: {error}\n  = help: what was being trained is saved, as far as it could be \
                 written; when that is mended, go on with: {go_on}"
            ));
            return Ok(ExitStatus::Failed);
        }
    };
    Ok(match end {
        WorkEnd::Complete(tally) => {
            let path = folder.path().display();
            eprint_line(format_args!("{}, all in {path}", counts(tally)));
            if tally.done > 0 {
                compare::of_sweep(folder.path(), registry, out)?;
                eprint_line(format_args!(
                    "curves with `tensorboard --logdir {}`",
                    shell_word(&path.to_string())
                ));
            }
            if tally.failed > 0 {
                eprint_line(format_args!("try the failed ones again with: {retry}"));
                ExitStatus::Failed
            } else {
                ExitStatus::Done
            }
        }
        WorkEnd::Interrupted(tally) => {
            eprint_line(format_args!(
                "interrupted: {}; go on with: {go_on}",
                counts(tally)
            ));
            ExitStatus::Interrupted
        }
        WorkEnd::Stopped(tally, why) => {
            eprint_line(format_args!(
                "error: {why}\n  = help: {}, and what was being trained is saved; what they said is in \
                 {}/trials/*.log; try the failed ones again with: {retry}\n  = help: or leave them \
                 as they are, and go on with: {go_on}",
                counts(tally),
                folder.path().display()
            ));
            ExitStatus::Failed
        }
        WorkEnd::NoRoom(tally, why) => {
            eprint_line(format_args!(
                "error: {why}\n  = help: {}, and no trial counts as failed by this; make room in {}, \
                 then go on with: {go_on}",
                counts(tally),
                folder.path().display()
            ));
            ExitStatus::Failed
        }
    })
}

/// An assignment to what the sweep sets itself, in every trial, would change nothing.
fn refuse_swept(args: &SweepArgs, expanded: &Expanded, registry: &Registry) -> anyhow::Result<()> {
    let ids = |expanded: &Expanded| -> Vec<String> {
        (expanded.trials.iter())
            .map(|(trial, _)| trial.id.clone())
            .collect()
    };
    for (number, set) in args.set.set.iter().enumerate() {
        let key = set.split('=').next().unwrap_or_default().trim();
        let present = present_name(RunConfig::RENAMED, key);
        let key = present.as_deref().unwrap_or(key);
        let is_near = |swept: &String| {
            let inside = |a: &str, b: &str| a.starts_with(&format!("{b}."));
            swept == key || inside(swept, key) || inside(key, swept)
        };
        let own = ["train.seed".to_owned(), "train.steps".to_owned()];
        if !expanded.keys.iter().chain(&own).any(is_near) {
            continue;
        }
        let mut others = args.set.set.clone();
        others.remove(number);
        let device = args.work.device.as_deref();
        let (_, without) = self::expanded(layers(Some(&args.file), &others)?, registry, device)?;
        if ids(&without) == ids(expanded) {
            let message = format!("`--set {set}` changes nothing: the sweep has its own values");
            let help = format!("change `{key}` in the file, or leave it out");
            return Err(Usage::new(message).help(help).into());
        }
    }
    Ok(())
}

/// Writes the script of an array job.
fn slurm(folder: &SweepFolder, workers: usize, args: &WorkArgs) -> anyhow::Result<ExitStatus> {
    let here = env::current_dir().context("there is no working directory")?;
    let exe = env::current_exe().context("the program does not know where it is")?;
    let path = std::path::absolute(folder.path())?;
    let text = miras_sweep::script(&Slurm {
        name: &folder.plan().name,
        folder: &path,
        program: &exe,
        working_dir: &here,
        workers,
        words: &launch::words(args),
    });
    let file = folder.path().join(SLURM);
    write_atomic(&file, text.as_bytes())?;
    eprint_line(format_args!(
        "{}; look at the script, then submit it: sbatch {}",
        trials(folder.plan().trials.len()),
        shell_word(&file.to_string_lossy())
    ));
    Ok(ExitStatus::Done)
}

/// Puts the trials into a plan; the texts of their configurations.
fn fill(plan: &mut Plan, expanded: &Expanded) -> Vec<String> {
    plan.keys.clone_from(&expanded.keys);
    plan.rungs.clone_from(&expanded.rungs);
    let (trials, configs) = expanded.trials.iter().cloned().unzip();
    plan.trials = trials;
    configs
}

fn no_sweep(runs: &Path, path: &Path) -> Usage {
    let sweeps = fs::read_dir(runs).into_iter().flatten().flatten();
    let mut names: Vec<String> = sweeps
        .filter(|entry| SweepFolder::exists(&entry.path()))
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    names.sort();
    let help = if names.is_empty() {
        "leave `--resume` and `--retry` out to begin it".to_owned()
    } else {
        format!(
            "leave `--resume` and `--retry` out to begin it; there are {}",
            names.join(", ")
        )
    };
    Usage::new(format!("there is no sweep {}", path.display())).help(help)
}

fn env_words() -> Vec<String> {
    env::args_os()
        .map(|word| word.to_string_lossy().into_owned())
        .collect()
}

/// What `sweep --resume` needs beside the file.
fn resume_words(args: &SweepArgs) -> String {
    let mut words = vec![String::new()];
    let mut add = |flag: &str, value: &str| words.push(format!("--{flag}={}", shell_word(value)));
    for assignment in &args.set.set {
        add("set", assignment);
    }
    if let Some(name) = &args.name {
        add("name", name);
    }
    if let Some(runs) = &args.runs {
        add("runs", &runs.to_string_lossy());
    }
    if args.work.jobs != 1 {
        add("jobs", &args.work.jobs.to_string());
    }
    if let Some(device) = &args.work.device {
        add("device", device);
    }
    if args.work.fail_fast {
        words.push("--fail-fast".to_owned());
    }
    words.join(" ")
}
