//! `run`: trains, or goes on training.

use std::{env, path::Path};

use miras_log::{Console, ProgressMode};
use miras_registry::Registry;
use miras_run::{RunFolder, SourceTree, Status, shell_word};
use miras_spec::{RunConfig, stored_config, stored_layers};
use miras_trainer::{Outcome, Resume, RunRequest};

use crate::{
    args::{ResumeArg, RunArgs},
    dress,
    layers::{self, layers, set_on, stem},
    out::eprint_line,
    signals, slips,
    started::program,
    status::ExitStatus,
    usage::Usage,
};

const RUNS: &str = "runs";

pub(crate) fn run(args: RunArgs, registry: &Registry) -> anyhow::Result<ExitStatus> {
    let resume_command = resume_command(&args);
    let runs = args.runs.unwrap_or_else(|| RUNS.into());
    let stem = stem(args.config.as_deref());
    let is_quiet = args.progress == ProgressMode::Quiet;
    let file = args.config;
    let mut name = args.name;
    let (config, data) = if args.resume.is_some() {
        refuse_slip(file.as_deref())?;
        let run = match name {
            Some(name) => name,
            None => only_run(&runs, &stem)?,
        };
        let folder = RunFolder::open_to_read(&runs, &run)?;
        let (stored, _) = stored_config(&folder, registry)?;
        let layers = match &file {
            Some(file) => layers(Some(file), &args.set.set)?,
            None => set_on(stored_layers(&folder)?.0, None, &args.set.set)?,
        };
        let opened = RunConfig::load_to_resume(layers, registry, folder.path(), &stored.data)?;
        if let Some(note) = opened.note.filter(|_| !is_quiet) {
            eprint_line(format_args!("note     {note}"));
        }
        name = Some(run);
        (opened.config, opened.data)
    } else {
        if let Some(note) = layers::note(file.as_deref()).filter(|_| !is_quiet) {
            eprint_line(note);
        }
        let layers = layers(file.as_deref(), &args.set.set)?;
        let (config, _, data) = RunConfig::load_and_open(layers, registry)?;
        (config, data)
    };
    let logs = runs.clone();
    let request = RunRequest {
        runs,
        name,
        stem,
        resume: args.resume.map(|from| match from {
            ResumeArg::Latest => Resume::Latest,
            ResumeArg::Step(step) => Resume::Step(step),
        }),
        device: args.device,
        progress: args.progress,
        console: Console::stderr().dressed(dress::for_errors),
        stop: signals::stop_flag(signals::SAVING)?,
        resume_command,
        built_from: built_from(),
    };
    let outcome = miras_trainer::run_on(config, data, request)?;
    match (outcome.status, &outcome.message) {
        (Status::Finished, _) if !is_quiet => eprint_line(format_args!(
            "results in {}, curves with `tensorboard --logdir {}`",
            outcome.folder.display(),
            shell_word(&logs.to_string_lossy())
        )),
        // Without progress nobody has said it yet.
        (Status::Nonfinite, Some(message)) if is_quiet => {
            eprint_line(format_args!("error: {message}"));
            if let Some(help) = &outcome.help {
                eprint_line(format_args!("  = help: {help}"));
            }
        }
        _ => {}
    }
    Ok(end(&outcome))
}

/// `--resume 57` names a file `57`, which is hardly ever there.
fn refuse_slip(file: Option<&Path>) -> Result<(), Usage> {
    let words = env::args_os().map(|word| word.to_string_lossy().into_owned());
    match (file, slips::step_apart(words)) {
        (Some(file), Some(help)) if !file.exists() => {
            let message = format!("there is no file `{}`", file.display());
            Err(Usage::new(message).help(help))
        }
        _ => Ok(()),
    }
}

/// The run that `--resume` means where no name is given.
fn only_run(runs: &Path, stem: &str) -> anyhow::Result<String> {
    let mut meant = RunFolder::names(runs)?;
    meant.retain(|name| {
        name.strip_prefix(stem).is_some_and(|rest| {
            let number = rest.strip_prefix('-').unwrap_or_default();
            rest.is_empty() || number.parse::<u64>().is_ok()
        })
    });
    match &*meant {
        // With none, the error of the folder that is not there says more.
        [] => Ok(stem.to_owned()),
        [only] => Ok(only.clone()),
        many => {
            let message = format!("`--resume` could mean one of {}", many.join(", "));
            Err(Usage::new(message)
                .help("choose one with `--name`".to_owned())
                .into())
        }
    }
}

/// A command that continues the run with its stored configuration, whatever this one was
/// started with; the trainer adds `--name NAME --resume`.
fn resume_command(args: &RunArgs) -> String {
    let mut words = vec![program(), "run".to_owned()];
    // With `=`, for a value may begin with a dash.
    if let Some(runs) = &args.runs {
        words.push(format!("--runs={}", shell_word(&runs.to_string_lossy())));
    }
    if let Some(device) = &args.device {
        words.push(format!("--device={}", shell_word(device)));
    }
    words.join(" ")
}

/// What `build.rs` found out.
fn built_from() -> Option<SourceTree> {
    Some(SourceTree {
        commit: option_env!("MIRAS_SOURCE_COMMIT")?.to_owned(),
        dirty: option_env!("MIRAS_SOURCE_DIRTY")? == "true",
    })
}

fn end(outcome: &Outcome) -> ExitStatus {
    match outcome.status {
        Status::Nonfinite => ExitStatus::NonFinite,
        Status::Interrupted => ExitStatus::Interrupted,
        Status::Failed => ExitStatus::Failed,
        Status::Finished | Status::Time => ExitStatus::Done,
    }
}
