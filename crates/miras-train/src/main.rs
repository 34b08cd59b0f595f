//! The command line: one TOML file becomes a trained, resumable model.
//!
//! `args` and `use_args` say what may be typed, one file for each subcommand does it, and `exit` turns
//! every end into a message and an exit code. Only this crate prints and ends the process.

mod args;
mod bench;
mod bytes;
mod check;
mod compare;
mod completions;
mod doctor;
mod dress;
mod estimate;
mod eval;
mod exit;
mod export;
mod generate;
mod keys;
mod layers;
mod ls;
mod measurement;
mod one_of;
mod out;
mod parts;
mod presets;
mod run;
mod score;
mod serve;
mod show;
mod signals;
mod slips;
mod started;
mod state;
mod status;
mod sweep;
mod task;
mod task_map;
mod trained;
mod usage;
mod use_args;

use std::process::ExitCode;

use args::Command;
use clap::Parser;
use miras_registry::Registry;
use out::Out;
use status::ExitStatus;

/// It keeps freed blocks, which the tensors of the next step then fit into.
#[global_allocator]
static GLOBAL: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let args = match args::Args::try_parse() {
        Ok(args) => args,
        Err(error) => return exit::of_arguments(&error),
    };
    exit::catch_panics(|| match dispatch(args.into_command()) {
        Ok(status) => status.code(),
        Err(error) => exit::of_error(&error),
    })
}

fn dispatch(command: Command) -> anyhow::Result<ExitStatus> {
    let mut out = Out::new();
    let registry = Registry::builtin();
    match command {
        Command::Run(args) => return run::run(args, &registry),
        Command::Check(args) => return check::check(&args, &registry, &mut out),
        Command::Show(args) => show::show(&args, &registry, &mut out)?,
        Command::Presets(args) => presets::presets(&args, &registry, &mut out)?,
        Command::Parts(args) => parts::parts(&args, &registry, &mut out)?,
        Command::Estimate(args) => estimate::estimate(&args, &registry, &mut out)?,
        Command::Bench(args) => bench::bench(&args, &registry, &mut out)?,
        Command::Sweep(args) => return sweep::sweep(args, &registry, &mut out),
        Command::Worker(args) => return sweep::worker(&args, &registry, &mut out),
        Command::Ls(args) => ls::ls(&args, &registry, &mut out)?,
        Command::Compare(args) => compare::compare(&args, &registry, &mut out)?,
        Command::Eval(args) => eval::eval(*args, &registry, &mut out)?,
        Command::Score(args) => score::score(&args, &registry, &mut out)?,
        Command::Generate(args) => generate::generate(&args, &registry, &mut out)?,
        Command::Serve(args) => serve::serve(args, &registry, &mut out)?,
        Command::State(args) => state::state(&args.command, &registry, &mut out)?,
        Command::Export(args) => export::export(&args, &registry, &mut out)?,
        Command::Tokenizer(args) => export::tokenizer(&args, &registry, &mut out)?,
        Command::Doctor(args) => return doctor::doctor(&args, &registry, &mut out),
        Command::Completions(args) => completions::completions(&args, &mut out)?,
    }
    Ok(ExitStatus::Done)
}
