//! `generate`: a trained run goes on with a text.

use std::{
    env, fs,
    io::{self, BufRead, IsTerminal, Read},
    path::Path,
};

use anyhow::Context;
use clap::Args as _;
use miras_config::did_you_mean;
use miras_data::Tokenizer;
use miras_registry::Registry;
use miras_use::{Generator, Sampler, Stops, Stored, Utf8Stream};

use crate::{
    out::{Out, eprint_line, faint},
    trained,
    usage::Usage,
    use_args::GenerateArgs,
};

pub(crate) fn generate(
    args: &GenerateArgs,
    registry: &Registry,
    out: &mut Out,
) -> anyhow::Result<()> {
    let sampler = Sampler {
        temperature: args.temperature,
        top_k: args.top_k,
        top_p: args.top_p,
        seed: args.seed,
    };
    if let Some(problem) = sampler.problem() {
        return Err(Usage::new(problem).into());
    }
    refuse_flag(args)?;
    if let Some(path) = args.save_state.as_ref().filter(|_| !args.force) {
        refuse_taken(path)?;
    }
    let trained = trained::open(&args.which, registry)?;
    let tokenizer = trained.tokenizer()?;
    let mut generator = match &args.state {
        Some(path) => {
            Generator::resume(&trained, trained.memory(args.memory), Stored::read(path)?)?
        }
        None => Generator::new(&trained, trained.memory(args.memory))?,
    };
    if args.save_state.is_some() {
        // What cannot be saved is said before the work.
        generator.store()?;
    }
    let continuation = Continuation {
        tokenizer: &tokenizer,
        sampler,
        tokens: args.tokens,
        stops: match &*args.stop {
            [] => trained.separator().into_iter().collect(),
            given => given.iter().map(String::as_str).collect(),
        },
    };

    let is_asked = args.prompt.is_none() && args.prompt_file.is_none();
    if args.interactive || (is_asked && io::stdin().is_terminal()) {
        repl(&mut generator, &continuation, &mut io::stdin().lock(), out)?;
    } else {
        let prompt = prompt(args)?;
        if prompt.is_empty() && generator.position() == 0 {
            let help = "give a PROMPT, --prompt-file, --state, or text on the input".to_owned();
            return Err(Usage::new("there is nothing to go on with")
                .help(help)
                .into());
        }
        generator.read(&tokenizer.encode(&prompt)?)?;
        if let Some(prompt) = args.prompt.as_ref().filter(|_| !args.no_echo) {
            out.piece(&faint(prompt))?;
        }
        continuation.write(&mut generator, out)?;
        out.piece("\n")?;
    }
    match &args.save_state {
        Some(path) => save(&generator, path),
        None => Ok(()),
    }
}

/// A misspelled flag is taken for the prompt, which may begin with a dash.
fn refuse_flag(args: &GenerateArgs) -> Result<(), Usage> {
    let Some(prompt) = &args.prompt else {
        return Ok(());
    };
    let is_flag = prompt.len() > 2
        && prompt.starts_with("--")
        && prompt[2..].starts_with(|c: char| c.is_ascii_lowercase())
        && !prompt.contains(char::is_whitespace);
    // What stands after `--` is meant as it is.
    if !is_flag || env::args_os().any(|word| word == "--") {
        return Ok(());
    }
    let command = GenerateArgs::augment_args(clap::Command::new("generate"));
    let flags = (command.get_arguments()).filter_map(|flag| flag.get_long());
    let name = prompt[2..].split('=').next().unwrap_or_default();
    let near = did_you_mean(name, flags).map(|flag| format!("did you mean `--{flag}`? "));
    Err(
        Usage::new(format!("unexpected argument `{prompt}`")).help(format!(
            "{}to use it as the prompt, write it last, after `--`",
            near.unwrap_or_default()
        )),
    )
}

/// Refuses to write over a file.
pub(crate) fn refuse_taken(path: &Path) -> Result<(), Usage> {
    if path.symlink_metadata().is_err() {
        return Ok(());
    }
    let message = format!("{} is there already", path.display());
    Err(Usage::new(message).help("choose another name, or write over it with --force".to_owned()))
}

fn prompt(args: &GenerateArgs) -> anyhow::Result<Vec<u8>> {
    if let Some(prompt) = &args.prompt {
        return Ok(prompt.clone().into_bytes());
    }
    if let Some(path) = &args.prompt_file {
        return fs::read(path).with_context(|| format!("cannot read {}", path.display()));
    }
    let mut text = Vec::new();
    (io::stdin().read_to_end(&mut text)).context("cannot read the input")?;
    Ok(text)
}

fn save(generator: &Generator<'_>, path: &Path) -> anyhow::Result<()> {
    match generator.store()? {
        Some(stored) => {
            stored.write(path)?;
            let position = generator.position();
            eprint_line(format_args!(
                "state at position {position} in {}",
                path.display()
            ));
        }
        None => eprint_line("nothing was read, so no state was saved"),
    }
    Ok(())
}

/// How a text is continued.
struct Continuation<'a> {
    tokenizer: &'a Tokenizer,
    sampler: Sampler,
    /// The most tokens that are written.
    tokens: usize,
    /// Texts that end it.
    stops: Vec<&'a str>,
}

impl Continuation<'_> {
    /// Writes what comes next, token by token, up to a stop.
    fn write(&self, generator: &mut Generator<'_>, out: &mut Out) -> anyhow::Result<()> {
        let mut text = Utf8Stream::default();
        let mut stops = Stops::new(self.stops.iter().copied());
        for _ in 0..self.tokens {
            let Some(token) = generator.next(&self.sampler)? else {
                break;
            };
            let (bytes, is_end) = stops.push(&self.tokenizer.decode(&[token]));
            out.piece(&text.push(&bytes))?;
            if is_end {
                break;
            }
        }
        out.piece(&text.push(&stops.finish()))?;
        out.piece(&text.finish())
    }
}

const HELP: &str = "a line is read and gone on with; /reset, /state, /help, /quit";

/// Line by line, as without a prompt on a terminal.
fn repl(
    generator: &mut Generator<'_>,
    continuation: &Continuation<'_>,
    input: &mut dyn BufRead,
    out: &mut Out,
) -> anyhow::Result<()> {
    out.text(HELP)?;
    loop {
        out.piece("> ")?;
        let mut line = Vec::new();
        let count = (input.read_until(b'\n', &mut line)).context("cannot read the input")?;
        if count == 0 {
            return out.piece("\n");
        }
        match line.trim_ascii() {
            b"/quit" => return Ok(()),
            b"/reset" => {
                generator.reset();
                out.text("at the beginning of a text")?;
            }
            b"/state" => out.text(&state(generator)?)?,
            b"/help" => out.text(HELP)?,
            // Anything else may be a text, such as the path of a file.
            b"" if generator.position() == 0 => {}
            _ => {
                generator.read(&continuation.tokenizer.encode(&line)?)?;
                continuation.write(generator, out)?;
                out.piece("\n")?;
            }
        }
    }
}

fn state(generator: &Generator<'_>) -> anyhow::Result<String> {
    let mut lines = vec![format!(
        "{} tokens read; the state holds {} numbers",
        generator.position(),
        generator.size()
    )];
    for one in generator.norms()? {
        lines.push(format!("layer {}  norm {:.4}", one.layer, one.norm));
    }
    Ok(lines.join("\n"))
}
