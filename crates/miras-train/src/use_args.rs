//! What may be typed of the commands that use a trained run.

use std::net::IpAddr;
use std::path::PathBuf;

use clap::{Args as ClapArgs, Subcommand};
use miras_data::EvalPart;
use miras_tasks::{Options, TaskKind, number};
use miras_use::{At, Memory, Size};

use crate::{one_of::one_of, status::EXIT_CODES};

/// A trained run, and which of its checkpoints.
#[derive(Debug, ClapArgs)]
pub(crate) struct Which {
    /// A run: its name inside --runs, or the path of its folder or of an export.
    #[arg(value_name = "RUN")]
    pub(crate) run: String,

    /// Where the folders of the runs are.
    #[arg(long, value_name = "DIR", default_value = "runs")]
    pub(crate) runs: PathBuf,

    /// The checkpoint: a step, `best` or `latest`.
    #[arg(long, value_name = "STEP", default_value = "latest", value_parser = at)]
    pub(crate) step: At,

    /// The device to compute on [default: the one of the run].
    #[arg(long)]
    pub(crate) device: Option<String>,
}

#[derive(Debug, ClapArgs)]
#[command(after_help = EXIT_CODES)]
pub(crate) struct EvalArgs {
    #[command(flatten)]
    pub(crate) which: Which,

    /// Files, folders and patterns of text, all of it scored [default: the run's validation data].
    #[arg(long, value_name = "PATH", num_args = 1..)]
    pub(crate) data: Vec<String>,

    /// Tokens of a row, also more than in training; every row starts with the initial memory
    /// [default: as in training].
    #[arg(long, value_name = "N", value_parser = positive)]
    pub(crate) length: Option<usize>,

    /// Held-out tokens to read, in whole rows: a number or `all` [default: eval.tokens].
    #[arg(long, value_name = "N", value_parser = size)]
    pub(crate) tokens: Option<Size>,

    /// The part of a time series to read, all of it unless --tokens says less [default: data.part,
    /// which is valid].
    #[arg(long, value_name = "PART", value_parser = one_of(PARTS))]
    pub(crate) part: Option<EvalPart>,

    /// Stretches of rows that follow one another, spread evenly over the text [default: as
    /// follows from --tokens].
    #[arg(long, value_name = "N", value_parser = positive)]
    pub(crate) stretches: Option<usize>,

    /// Rows to compute at once; the numbers do not depend on it [default: as many as make
    /// up the tokens of a batch of training].
    #[arg(long, value_name = "N", value_parser = positive)]
    pub(crate) batch: Option<usize>,

    /// The older way to say --tokens: so many batches of rows, or `all`.
    #[arg(long, value_name = "N", value_parser = batches, conflicts_with = "tokens", hide = true)]
    pub(crate) batches: Option<Size>,

    /// What memories do with what they read.
    #[arg(long, value_parser = one_of(MEMORIES))]
    pub(crate) memory: Option<Memory>,

    /// Start every row from the state in this file.
    #[arg(long, value_name = "FILE")]
    pub(crate) state: Option<PathBuf>,

    /// Numbers of pairs, for recall [default: a quarter, half, all and twice data.pairs, as fits].
    #[arg(long, value_name = "N,N,..", value_delimiter = ',')]
    pub(crate) pairs: Vec<usize>,

    /// Gaps between pairs and questions, for recall.
    #[arg(long, value_name = "N,N,..", value_delimiter = ',')]
    pub(crate) gaps: Vec<usize>,

    /// Tokens of the n-grams by which targets that come again in a row are told from new ones
    /// [default: 2, of bytes 8].
    #[arg(long, value_name = "N", value_parser = positive)]
    pub(crate) ngram: Option<usize>,

    /// Set a key of the table `data`, as `--set data.gap=100`; may be repeated.
    #[arg(long, value_name = "data.KEY=VALUE")]
    pub(crate) set: Vec<String>,

    /// Answer the questions of a file (arc, boolq, hellaswag, lambada, openbookqa, piqa, winogrande),
    /// predict its texts (perplexity, wikitext), or read prompts of any length that are made
    /// (babilong, needle, recall) instead.
    #[arg(long, value_name = "NAME[=PATH]", value_parser = task, conflicts_with_all = OF_ROWS)]
    pub(crate) task: Option<TaskFile>,

    #[command(flatten)]
    pub(crate) made: MadeArgs,

    /// So many questions or texts of --task, from the first on [default: all].
    #[arg(long, value_name = "N", value_parser = positive, requires = "task")]
    pub(crate) limit: Option<usize>,

    /// Tokens from the end of a window of --length tokens to that of the next one, of texts of
    /// --task [default: --length].
    #[arg(long, value_name = "N", value_parser = positive, requires = "task")]
    pub(crate) stride: Option<usize>,

    /// Where the report goes [default: eval-LENGTH-MEMORY.json in the run's folder, or
    /// task-NAME-MEMORY-HASH.json].
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,

    /// Print the report instead of a table.
    #[arg(long)]
    pub(crate) json: bool,
}

/// A data set and its file, if it has one.
#[derive(Debug, Clone)]
pub(crate) struct TaskFile {
    pub(crate) kind: &'static TaskKind,
    pub(crate) path: Option<PathBuf>,
}

/// What may be asked of tasks whose prompts are made.
#[derive(Debug, ClapArgs)]
#[command(next_help_heading = "Options of --task with prompts of any length")]
pub(crate) struct MadeArgs {
    /// Texts that something is hidden in, also .gz; shorter ones begin again.
    #[arg(long, value_name = "PATH", num_args = 1.., requires = "task")]
    haystack: Vec<PathBuf>,

    /// Of needle: noise, text and uuid, or their names in RULER [default: noise, with --haystack
    /// all]; of babilong: qa1 to qa5 [default: all].
    #[arg(long, value_name = "KIND,..", value_delimiter = ',', requires = "task")]
    kind: Vec<String>,

    /// Tokens that are read before the answer, as 4096, 4k or 1M [default: 1k,4k,16k, of
    /// babilong 4k,8k,16k].
    #[arg(long, value_name = "N,N,..", value_delimiter = ',', value_parser = number, requires = "task")]
    lengths: Vec<usize>,

    /// Where the needle stands, in percent of the haystack: how many depths from 0 to 100, or
    /// a list such as 0,50,100 [default: 5].
    #[arg(long, value_name = "N|P,P,..", value_parser = depths, requires = "task")]
    depths: Option<Depths>,

    /// Of recall: tokens from where the passage begins to where it begins again [default:
    /// 256,1k,4k,16k].
    #[arg(long, value_name = "N,N,..", value_delimiter = ',', value_parser = number, requires = "task")]
    distances: Vec<usize>,

    /// Of recall: tokens of the passage [default: 64].
    #[arg(long, value_name = "N", value_parser = positive, requires = "task")]
    passage: Option<usize>,

    /// Prompts of each cell [default: 10, of recall 20].
    #[arg(long, value_name = "N", value_parser = positive, requires = "task")]
    samples: Option<usize>,

    /// Seed of what is drawn [default: 42].
    #[arg(long, value_name = "S", requires = "task")]
    seed: Option<u64>,

    /// The most tokens that are written as an answer; 0 leaves likelihoods alone [default: 128].
    #[arg(long, value_name = "N", requires = "task")]
    answer_tokens: Option<usize>,

    /// Leave out what is asked for, to see what is answered by chance.
    #[arg(long, requires = "task")]
    control: bool,
}

/// Places in percent.
#[derive(Debug, Clone)]
struct Depths(Vec<f64>);

impl MadeArgs {
    /// What is asked of a task with this file.
    pub(crate) fn options(self, path: Option<PathBuf>) -> Options {
        Options {
            path,
            haystack: self.haystack,
            kinds: self.kind,
            lengths: self.lengths,
            depths: self.depths.map(|depths| depths.0).unwrap_or_default(),
            distances: self.distances,
            passage: self.passage,
            samples: self.samples.map(|count| count as u64),
            seed: self.seed,
            answer: self.answer_tokens,
            control: self.control,
        }
    }
}

#[derive(Debug, ClapArgs)]
#[command(after_help = EXIT_CODES)]
pub(crate) struct ScoreArgs {
    #[command(flatten)]
    pub(crate) which: Which,

    /// JSON lines with `context`, which is read, and `continuation`, which is scored; also .gz and .zst.
    pub(crate) file: PathBuf,

    /// What memories do with what they read.
    #[arg(long, value_parser = one_of(that_go_on()))]
    pub(crate) memory: Option<Memory>,

    /// Print a JSON object a line.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, ClapArgs)]
#[command(after_help = EXIT_CODES)]
pub(crate) struct GenerateArgs {
    #[command(flatten)]
    pub(crate) which: Which,

    /// The text to go on with; without one it is read from the input, or, on a terminal, asked for
    /// again and again. It is written again in front of what follows.
    #[arg(allow_hyphen_values = true)]
    pub(crate) prompt: Option<String>,

    /// Read the text to go on with from a file.
    #[arg(long, value_name = "FILE", conflicts_with = "prompt")]
    pub(crate) prompt_file: Option<PathBuf>,

    /// Ask for texts even if the input is no terminal.
    #[arg(long, short, conflicts_with_all = ["prompt", "prompt_file"])]
    pub(crate) interactive: bool,

    /// How many tokens.
    #[arg(long, value_name = "N", default_value_t = 256)]
    pub(crate) tokens: usize,

    /// End before this text; may be repeated, '' for none [default: data.separator of the run].
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    pub(crate) stop: Vec<String>,

    /// Below 1 likely tokens become likelier; 0 takes the most likely one.
    #[arg(
        long,
        value_name = "T",
        default_value_t = 0.8,
        allow_negative_numbers = true
    )]
    pub(crate) temperature: f64,

    /// Choose from the K most likely tokens; 0 is all.
    #[arg(long, value_name = "K", default_value_t = 0)]
    pub(crate) top_k: usize,

    /// Choose from the most likely tokens that together have probability P.
    #[arg(
        long,
        value_name = "P",
        default_value_t = 1.0,
        allow_negative_numbers = true
    )]
    pub(crate) top_p: f64,

    /// Equal seeds give equal texts.
    #[arg(long, value_name = "S", default_value_t = 1)]
    pub(crate) seed: u64,

    /// Go on from the state in this file, which is not changed.
    #[arg(long, value_name = "FILE")]
    pub(crate) state: Option<PathBuf>,

    /// Save the state after the last token; a file that is there is kept, see --force.
    #[arg(long, value_name = "FILE")]
    pub(crate) save_state: Option<PathBuf>,

    /// Write --save-state over a file that is there.
    #[arg(long, requires = "save_state")]
    pub(crate) force: bool,

    /// Write what follows on PROMPT alone.
    #[arg(long)]
    pub(crate) no_echo: bool,

    /// What memories do with what they read.
    #[arg(long, value_parser = one_of(that_go_on()))]
    pub(crate) memory: Option<Memory>,
}

#[derive(Debug, ClapArgs)]
#[command(after_help = EXIT_CODES)]
pub(crate) struct ServeArgs {
    #[command(flatten)]
    pub(crate) which: Which,

    /// The port; 0 takes a free one.
    #[arg(long, value_name = "N", default_value_t = 8000)]
    pub(crate) port: u16,

    /// The address to listen on. There is no authentication: on any other than the loopback,
    /// everybody who reaches it may use it.
    #[arg(long, value_name = "IP", default_value = "127.0.0.1")]
    pub(crate) host: IpAddr,

    /// The name of the model in replies [default: the run's].
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,

    /// A folder for sessions that clients save.
    #[arg(long, value_name = "DIR")]
    pub(crate) sessions: Option<PathBuf>,

    /// The most tokens of a prompt.
    #[arg(long, value_name = "N", default_value_t = 2_097_152, value_parser = positive)]
    pub(crate) max_prompt: usize,

    /// The most tokens of a completion.
    #[arg(long, value_name = "N", default_value_t = 65_536, value_parser = positive)]
    pub(crate) max_tokens: usize,

    /// The most requests for the model under way; others are told to try again.
    #[arg(long, value_name = "N", default_value_t = 256, value_parser = positive)]
    pub(crate) max_requests: usize,

    /// The most sessions.
    #[arg(long, value_name = "N", default_value_t = 256, value_parser = positive)]
    pub(crate) max_sessions: usize,

    /// Seconds after which a session is forgotten that nobody uses.
    #[arg(long, value_name = "SECONDS", default_value_t = 3600, value_parser = seconds)]
    pub(crate) session_age: u64,

    /// Seconds that a request may take.
    #[arg(long, value_name = "SECONDS", default_value_t = 600, value_parser = seconds)]
    pub(crate) timeout: u64,

    /// Seconds that requests under way have when the server is stopped.
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = seconds)]
    pub(crate) grace: u64,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct StateArgs {
    #[command(subcommand)]
    pub(crate) command: StateCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum StateCommand {
    /// Let a run read a text, and save the state after it.
    Save(StateSaveArgs),
    /// Check that a state fits a run.
    Load(StateLoadArgs),
    /// Say what is in the file of a state.
    Info(StateInfoArgs),
}

#[derive(Debug, ClapArgs)]
pub(crate) struct StateSaveArgs {
    #[command(flatten)]
    pub(crate) which: Which,

    /// The text.
    #[arg(long, value_name = "FILE")]
    pub(crate) text: PathBuf,

    /// Where the state goes; a file that is there is kept, see --force.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,

    /// Write over a file that is there.
    #[arg(long)]
    pub(crate) force: bool,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct StateLoadArgs {
    #[command(flatten)]
    pub(crate) which: Which,

    /// The file of the state.
    pub(crate) state: PathBuf,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct StateInfoArgs {
    /// The file of the state.
    pub(crate) state: PathBuf,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct ExportArgs {
    #[command(flatten)]
    pub(crate) which: Which,

    /// A folder that is new or empty.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
}

fn at(text: &str) -> Result<At, String> {
    match text {
        "latest" => Ok(At::Latest),
        "best" => Ok(At::Best),
        step => {
            (step.parse().map(At::Step)).map_err(|_| "give a step, `best` or `latest`".to_owned())
        }
    }
}

fn positive(text: &str) -> Result<usize, String> {
    (text.parse().ok().filter(|number| *number > 0)).ok_or_else(|| "give 1 or more".to_owned())
}

fn seconds(text: &str) -> Result<u64, String> {
    // What is longer has no end for a clock.
    const YEAR: usize = 31_536_000;
    let seconds = positive(text)?;
    if seconds > YEAR {
        return Err(format!("give {YEAR} (a year) or less"));
    }
    Ok(seconds as u64)
}

fn size(text: &str) -> Result<Size, String> {
    counted(text, Size::Tokens)
}

fn batches(text: &str) -> Result<Size, String> {
    counted(text, Size::Batches)
}

fn counted(text: &str, of: impl Fn(u64) -> Size) -> Result<Size, String> {
    if text == "all" {
        return Ok(Size::All);
    }
    let count = text.parse().ok().filter(|count| *count > 0);
    count
        .map(of)
        .ok_or_else(|| "give 1 or more, or `all`".to_owned())
}

fn depths(text: &str) -> Result<Depths, String> {
    miras_tasks::depths(text).map(Depths)
}

fn task(text: &str) -> Result<TaskFile, String> {
    let (name, path) = match text.split_once('=') {
        Some((_, "")) => return Err("give a task and its file, as hellaswag=FILE".to_owned()),
        Some((name, path)) => (name, Some(PathBuf::from(path))),
        None => (text, None),
    };
    let kind = miras_tasks::task(name).map_err(|error| error.to_string())?;
    Ok(TaskFile { kind, path })
}

/// Options of `eval` about rows of text.
const OF_ROWS: [&str; 11] = [
    "data",
    "tokens",
    "part",
    "stretches",
    "batch",
    "batches",
    "state",
    "pairs",
    "gaps",
    "ngram",
    "set",
];

/// `--memory`.
const PARTS: &[(&str, &str, EvalPart)] = &[
    (
        "valid",
        "The rows after those of training, as in evaluations of training",
        EvalPart::Valid,
    ),
    ("test", "The rows after these", EvalPart::Test),
];

const MEMORIES: &[(&str, &str, Memory)] = &[
    ("live", "They learn at test time", Memory::Live),
    (
        "frozen",
        "They are read as they stood at the start: no write, no decay",
        Memory::Frozen,
    ),
    ("unread", "What they give is 0", Memory::Unread),
    (
        "reset",
        "They start again every `algorithm.chunk` tokens",
        Memory::Reset,
    ),
    (
        "half",
        "They learn over the first half of a row, and are frozen in the second",
        Memory::Half,
    ),
];

/// `generate --memory` and `score --memory`: a text that goes on has no start to go back to, and no
/// middle.
fn that_go_on() -> &'static [(&'static str, &'static str, Memory)] {
    &MEMORIES[..3]
}
