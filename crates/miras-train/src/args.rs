//! What may be typed.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use miras_compare::CompareAt;
use miras_config::{ConfigError, Layers};
use miras_log::ProgressMode;
use miras_run::Goal;

use crate::{
    layers::{layers, stem},
    one_of::one_of,
    status::EXIT_CODES,
    use_args::{EvalArgs, ExportArgs, GenerateArgs, ScoreArgs, ServeArgs, StateArgs},
};

/// Train sequence models that learn at test time, from one TOML file.
///
/// Without a command: `run default`, a small model on a small corpus that needs no files.
#[derive(Debug, Parser)]
#[command(version, after_help = EXIT_CODES)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Option<Command>,
}

impl Args {
    /// The command that was typed or, without one, `run`.
    pub(crate) fn into_command(self) -> Command {
        self.command
            .unwrap_or_else(|| Command::Run(RunArgs::default()))
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Train a model, or continue a run with `--resume`.
    Run(RunArgs),
    /// Check configurations as `run` would read them, without training.
    Check(CheckArgs),
    /// Show the settled configuration, each key with the line it comes from.
    Show(ShowArgs),
    /// List the built-in configurations, or print one.
    Presets(PresetsArgs),
    /// List the parts and keys that a configuration can choose from, or explain one part.
    Parts(PartsArgs),
    /// Work out parameters, FLOPs and memory, without building anything.
    Estimate(EstimateArgs),
    /// Measure speed and peak memory on random tokens.
    Bench(BenchArgs),
    /// Train what one file describes as many trials, each once, whatever is killed on the way.
    Sweep(SweepArgs),
    /// Work on a sweep that is there, beside any number of other workers.
    Worker(WorkerArgs),
    /// List the runs and sweeps in a folder.
    Ls(LsArgs),
    /// Compare runs and sweeps: which variant is better, and whether that can be told.
    Compare(CompareArgs),
    /// Measure a trained run: loss in all, by position and by load, or answers to questions.
    Eval(Box<EvalArgs>),
    /// Say how likely given texts are after given contexts.
    Score(ScoreArgs),
    /// Let a trained run go on with a text.
    Generate(GenerateArgs),
    /// Answer HTTP requests with a trained run: completions, likelihoods, sessions.
    Serve(ServeArgs),
    /// Keep what a run has read: save a state, look at one, check that it fits.
    State(StateArgs),
    /// Take the weights of a run, and its configuration, out of its folder.
    Export(ExportArgs),
    /// Write the tokenizer of a run on bytes as Hugging Face's libraries read it.
    Tokenizer(ExportArgs),
    /// Report on this machine and this build.
    Doctor(DoctorArgs),
    /// Print the completions of a shell.
    Completions(CompletionsArgs),
}

/// What `run` is asked for.
#[derive(Debug, Default, ClapArgs)]
#[command(after_help = EXIT_CODES)]
pub(crate) struct RunArgs {
    /// The TOML file or the name of a preset; without one `default` or, with --resume, the run's
    /// own.
    pub(crate) config: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) set: Set,

    /// Name of the run's folder [default: the file's name without .toml, then NAME-2, ...].
    #[arg(long)]
    pub(crate) name: Option<String>,

    /// Where the folders of the runs are [default: runs].
    #[arg(long, value_name = "DIR")]
    pub(crate) runs: Option<PathBuf>,

    /// Continue a run, from its newest checkpoint or from that of STEP.
    #[arg(long, value_name = "STEP", num_args = 0..=1, require_equals = true,
          default_missing_value = "latest", value_parser = resume)]
    pub(crate) resume: Option<ResumeArg>,

    /// The device to train on; `miras-train doctor` lists them.
    #[arg(long)]
    pub(crate) device: Option<String>,

    /// How progress is shown on the error stream.
    #[arg(long, default_value = "auto", value_parser = one_of(PROGRESS))]
    pub(crate) progress: ProgressMode,
}

/// A configuration.
#[derive(Debug, ClapArgs)]
pub(crate) struct ConfigArgs {
    /// The TOML file or the name of a preset; without one `default`.
    #[arg(value_name = "CONFIG")]
    pub(crate) file: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) set: Set,
}

impl ConfigArgs {
    /// Its layers.
    pub(crate) fn layers(&self) -> Result<Layers, ConfigError> {
        layers(self.file.as_deref(), &self.set.set)
    }

    /// What a run of it is called.
    pub(crate) fn stem(&self) -> String {
        stem(self.file.as_deref())
    }
}

/// Assignments on top of the files.
#[derive(Debug, Default, ClapArgs)]
pub(crate) struct Set {
    /// Set one key, for example `--set optim.lr=1e-3`; may be repeated, the last one wins.
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct CheckArgs {
    /// TOML files and names of presets; without one `default`.
    #[arg(value_name = "CONFIG")]
    pub(crate) configs: Vec<PathBuf>,

    #[command(flatten)]
    pub(crate) set: Set,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct ShowArgs {
    #[command(flatten)]
    pub(crate) config: ConfigArgs,

    /// Leave the origins out.
    #[arg(long)]
    pub(crate) plain: bool,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct PartsArgs {
    /// One list: memory, bias, retention, algorithm or data, or another table of a configuration
    /// for its keys: model, train, optim, eval, checkpoint, log.
    pub(crate) axis: Option<String>,

    /// One part of that list, in full.
    pub(crate) name: Option<String>,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct PresetsArgs {
    /// Print this one, as a file to change.
    pub(crate) name: Option<String>,

    /// Print JSON, for a program.
    #[arg(long, conflicts_with = "name")]
    pub(crate) json: bool,

    /// Print the names of the presets for text, one a line, for a script.
    #[arg(long, conflicts_with_all = ["name", "json"])]
    pub(crate) names: bool,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct LsArgs {
    /// Where the folders of the runs are.
    #[arg(long, value_name = "DIR", default_value = "runs")]
    pub(crate) runs: PathBuf,

    /// Print JSON, for a program.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct EstimateArgs {
    #[command(flatten)]
    pub(crate) config: ConfigArgs,

    /// Print JSON, for a program.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct BenchArgs {
    #[command(flatten)]
    pub(crate) config: ConfigArgs,

    /// Measure one mixer alone rather than the whole model.
    #[arg(long)]
    pub(crate) layer: bool,

    /// Sequences a pass [default: train.batch].
    #[arg(long, value_name = "N")]
    pub(crate) batch: Option<usize>,

    /// Tokens a sequence [default: as long as those of the data].
    #[arg(long, value_name = "N")]
    pub(crate) seq: Option<usize>,

    /// Tokens a chunk, as `--set algorithm.chunk=N`.
    #[arg(long, value_name = "N")]
    pub(crate) chunk: Option<usize>,

    /// The device to measure [default: train.device]; `miras-train doctor` lists them.
    #[arg(long)]
    pub(crate) device: Option<String>,

    /// How often each pass is timed, after one that is not.
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub(crate) repeats: usize,

    /// Count the kernels of a step as well, on `wgpu` and `cuda`.
    #[arg(long)]
    pub(crate) launches: bool,

    /// Print JSON, for a program.
    #[arg(long)]
    pub(crate) json: bool,
}

/// What `sweep` is asked for.
#[derive(Debug, ClapArgs)]
#[command(after_help = EXIT_CODES)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag")]
pub(crate) struct SweepArgs {
    /// The TOML file, a configuration with a `[sweep]` table, or the name of a built-in one.
    pub(crate) file: PathBuf,

    #[command(flatten)]
    pub(crate) set: Set,

    /// Name of the sweep's folder [default: the file's name without .toml].
    #[arg(long)]
    pub(crate) name: Option<String>,

    /// Where that folder is [default: runs].
    #[arg(long, value_name = "DIR")]
    pub(crate) runs: Option<PathBuf>,

    /// Go on with the sweep of this name: what is done stays, what was cut off goes on.
    #[arg(long)]
    pub(crate) resume: bool,

    /// As --resume, and trials that failed are tried again.
    #[arg(long)]
    pub(crate) retry: bool,

    /// List the trials with what they take, and train none.
    #[arg(long)]
    pub(crate) dry_run: bool,

    /// With --dry-run: guess the time of training from one trial that is measured for a moment.
    #[arg(long, requires = "dry_run")]
    pub(crate) time: bool,

    /// Write the sweep's folder for `worker`, and train nothing here.
    #[arg(long, conflicts_with = "dry_run")]
    pub(crate) prepare: bool,

    /// As --prepare, with a script for SLURM: an array job of so many workers.
    #[arg(long, value_name = "WORKERS", conflicts_with_all = ["dry_run", "prepare"],
          value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) slurm: Option<u16>,

    /// Train nothing: say how many seeds a difference of this size takes, in units of the metric, by
    /// the spread of what the sweep has trained already.
    #[arg(long, value_name = "DIFFERENCE", value_parser = difference,
          conflicts_with_all = ["dry_run", "prepare", "slurm", "resume", "retry"])]
    pub(crate) power: Option<f64>,

    /// With --power: the metric, as of `compare` [default: that of the sweep].
    #[arg(long, value_name = "TAG", requires = "power")]
    pub(crate) metric: Option<String>,

    #[command(flatten)]
    pub(crate) work: WorkArgs,
}

fn difference(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() && number > 0.0 => Ok(number),
        _ => Err("give a number above 0, such as 0.01".to_owned()),
    }
}

/// What `worker` is asked for.
#[derive(Debug, ClapArgs)]
#[command(after_help = EXIT_CODES)]
pub(crate) struct WorkerArgs {
    /// The sweep, by name or by path.
    pub(crate) sweep: PathBuf,

    /// Where the sweep is, if it is named [default: runs].
    #[arg(long, value_name = "DIR")]
    pub(crate) runs: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) work: WorkArgs,
}

/// What `compare` is asked for.
#[derive(Debug, ClapArgs)]
pub(crate) struct CompareArgs {
    /// Runs and sweeps, by name or by path.
    #[arg(required = true, value_name = "RUN|SWEEP")]
    pub(crate) what: Vec<PathBuf>,

    /// Where runs and sweeps are that are named [default: runs].
    #[arg(long, value_name = "DIR")]
    pub(crate) runs: Option<PathBuf>,

    /// What decides [default: the metric of the sweep, or eval/loss].
    #[arg(long, value_name = "TAG")]
    pub(crate) metric: Option<String>,

    /// Which values of it are better [default: as the sweep says, or by its name].
    #[arg(long, value_parser = one_of(GOALS))]
    pub(crate) goal: Option<Goal>,

    /// Where in the course of training runs are compared: end, common (the tokens that all have)
    /// or a number of tokens [default: end; common, if a run that is still training or was stopped
    /// would be left out].
    #[arg(long, value_name = "WHERE", value_parser = compare_at)]
    pub(crate) at: Option<CompareAt>,

    /// Write the table, plots and the report into this folder [default: of one sweep, its own
    /// folder `compare`].
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,

    /// What is printed.
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: TableFormat,
}

/// `compare --format`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum TableFormat {
    /// A table for a terminal.
    #[default]
    Text,
    /// A table for a document.
    Markdown,
    /// One line a run.
    Csv,
    /// Everything, for a program.
    Json,
}

/// How trials are worked on.
#[derive(Debug, ClapArgs)]
pub(crate) struct WorkArgs {
    /// Trials at a time, each in a process of its own, which share the CPUs.
    #[arg(long, value_name = "N", default_value_t = 1,
          value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) jobs: u16,

    /// Stop at the first trial that fails; the others are saved.
    #[arg(long)]
    pub(crate) fail_fast: bool,

    /// The device to train on, in the place of train.device.
    #[arg(long)]
    pub(crate) device: Option<String>,

    /// How progress is shown on the error stream.
    #[arg(long, default_value = "auto", value_parser = one_of(PROGRESS))]
    pub(crate) progress: ProgressMode,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct DoctorArgs {
    /// Run every combination of parts on this device and compare with the recurrence in
    /// float64; exit code 1 says that the device computes something else.
    #[arg(long, value_name = "NAME")]
    pub(crate) device: Option<String>,

    /// Print JSON, for a program or a bug report.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct CompletionsArgs {
    /// The shell.
    pub(crate) shell: Shell,
}

/// `--resume` or `--resume=STEP`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ResumeArg {
    Latest,
    Step(u64),
}

fn resume(text: &str) -> Result<ResumeArg, String> {
    if text == "latest" {
        return Ok(ResumeArg::Latest);
    }
    text.parse()
        .map(ResumeArg::Step)
        .map_err(|_| "give a step, as in --resume=200, or --resume alone for the newest".to_owned())
}

fn compare_at(text: &str) -> Result<CompareAt, String> {
    let number: String = text.chars().filter(|letter| *letter != '_').collect();
    match text {
        "end" => Ok(CompareAt::End),
        "common" => Ok(CompareAt::Common),
        _ => (number.parse().map(CompareAt::Tokens))
            .map_err(|_| "give end, common or a number of tokens, as in --at 100000".to_owned()),
    }
}

/// `compare --goal`.
const GOALS: &[(&str, &str, Goal)] = &[
    ("lower", "Less is better", Goal::Lower),
    ("higher", "More is better", Goal::Higher),
];

/// `--progress`.
const PROGRESS: &[(&str, &str, ProgressMode)] = &[
    (
        "auto",
        "A bar on a terminal, plain lines elsewhere",
        ProgressMode::Auto,
    ),
    ("bar", "A bar, terminal or not", ProgressMode::Bar),
    ("plain", "A line now and then", ProgressMode::Plain),
    ("quiet", "Nothing but errors", ProgressMode::Quiet),
];

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_definition_is_sound() {
        Args::command().debug_assert();
    }

    #[test]
    fn resume_takes_its_step_after_an_equals_sign_only() {
        let resume = |words: &[&str]| match Args::try_parse_from(words).unwrap().into_command() {
            Command::Run(args) => (args.config, args.resume),
            other => panic!("{other:?}"),
        };
        assert_eq!(resume(&["t"]), (None, None));
        assert_eq!(
            resume(&["t", "run", "--resume", "a.toml"]),
            (Some("a.toml".into()), Some(ResumeArg::Latest))
        );
        assert_eq!(
            resume(&["t", "run", "--resume=20"]),
            (None, Some(ResumeArg::Step(20)))
        );
        assert!(Args::try_parse_from(["t", "run", "--resume=soon"]).is_err());
    }
}
