//! `score`: says how likely given texts are.

use miras_registry::Registry;
use miras_run::counted;
use miras_tasks::{Choice, Record, Records, TaskError};
use miras_use::{Scored, Scorer, UseError};
use serde_json::json;

use crate::{
    out::{Out, heading},
    trained,
    use_args::ScoreArgs,
};

/// So many lines of the file are held at a time, and contexts that they share are read once.
const LINES: usize = 1024;

pub(crate) fn score(args: &ScoreArgs, registry: &Registry, out: &mut Out) -> anyhow::Result<()> {
    let trained = trained::open(&args.which, registry)?;
    let scorer = Scorer::new(&trained, trained.memory(args.memory))?;
    let records = Records::open(&args.file).map_err(UseError::from)?;
    let mut records = records.peekable();
    if !args.json {
        let head = format!(
            "{:>8} {:>14} {:>6} {:>8} {:>8}",
            "line", "loglikelihood", "greedy", "tokens", "bytes"
        );
        out.text(&heading(&head))?;
    }
    let (mut count, mut log, mut tokens, mut bytes) = (0, 0.0, 0, 0);
    while records.peek().is_some() {
        let block: Vec<_> = (records.by_ref().take(LINES))
            .map(|record| record.and_then(|record| Ok((record.line(), choice(&record)?))))
            .collect::<Result<_, _>>()
            .map_err(UseError::from)?;
        let choices: Vec<_> = block.iter().map(|(_, choice)| choice).collect();
        let scored = scorer.score(&choices, &|_| {})?;
        for ((line, _), scored) in block.iter().zip(scored) {
            out.text(&told(*line, &scored, args.json))?;
            count += 1;
            log += scored.likelihood.log;
            tokens += scored.tokens;
            bytes += scored.bytes;
        }
    }
    if args.json {
        return Ok(());
    }
    out.text(&format!(
        "{:>8} {log:>14.4} {:>6} {tokens:>8} {bytes:>8}\n\n{}, {:.4} nats a token, {:.4} bits a byte",
        "all",
        "",
        counted(count, "line", "lines"),
        -log / tokens as f64,
        -log / bytes as f64 / std::f64::consts::LN_2,
    ))
}

fn choice(record: &Record) -> Result<Choice, TaskError> {
    let continuation = record.text("continuation")?;
    if continuation.is_empty() {
        return Err(record.error("`continuation` is empty, so that there is nothing to score"));
    }
    Ok(Choice {
        context: record.text("context")?.to_owned(),
        continuation: continuation.to_owned(),
    })
}

fn told(line: u64, scored: &Scored, as_json: bool) -> String {
    let Scored {
        likelihood,
        tokens,
        bytes,
    } = scored;
    let (log, greedy) = (likelihood.log, likelihood.greedy);
    if as_json {
        return json!({
            "line": line,
            "loglikelihood": log,
            "greedy": greedy,
            "tokens": tokens,
            "bytes": bytes,
        })
        .to_string();
    }
    let greedy = if greedy { "yes" } else { "no" };
    format!("{line:>8} {log:>14.4} {greedy:>6} {tokens:>8} {bytes:>8}")
}
