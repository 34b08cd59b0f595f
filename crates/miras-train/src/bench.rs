//! `bench`: how fast a configuration runs here, and how much memory it takes.

use miras_registry::Registry;
use miras_spec::RunConfig;
use miras_trainer::{Bench, BenchRequest, Launches, Spread, bench as measure};
use serde_json::{Value, json};

use crate::{args::BenchArgs, bytes::bytes, out::Out, usage::Usage};

/// The most tokens of a pass, as of a batch in training.
const MOST_TOKENS: usize = 1 << 28;

pub(crate) fn bench(args: &BenchArgs, registry: &Registry, out: &mut Out) -> anyhow::Result<()> {
    let mut layers = args.config.layers()?;
    if let Some(chunk) = args.chunk {
        layers.set(&format!("algorithm.chunk={chunk}"))?;
    }
    let (config, ends) = RunConfig::load_with_ends(layers, registry)?;
    let request = request(args, &config)?;
    let measured = measure(&config, ends, &request)?;
    if args.json {
        let json = to_json(args, &config, &request, &measured);
        out.text(&serde_json::to_string_pretty(&json)?)
    } else {
        out.text(&to_text(&config, &request, &measured))
    }
}

fn request(args: &BenchArgs, config: &RunConfig) -> Result<BenchRequest, Usage> {
    let request = BenchRequest {
        layer: args.layer,
        batch: args.batch.unwrap_or(config.train.batch),
        seq: args.seq.unwrap_or(config.data.seq_len()),
        repeats: args.repeats,
        launches: args.launches,
        device: args.device.clone().unwrap_or(config.train.device.clone()),
    };
    for (flag, value) in [
        ("--batch", request.batch),
        ("--seq", request.seq),
        ("--repeats", request.repeats),
    ] {
        if value == 0 {
            return Err(Usage::new(format!("{flag} must be 1 or more")));
        }
    }
    match request.batch.checked_mul(request.seq) {
        Some(1..=MOST_TOKENS) => Ok(request),
        _ => Err(Usage::new(format!(
            "{} sequences of {} tokens are more than {MOST_TOKENS} tokens",
            request.batch, request.seq
        ))),
    }
}

fn to_json(
    args: &BenchArgs,
    config: &RunConfig,
    request: &BenchRequest,
    measured: &Bench,
) -> Value {
    let spread = |spread: Spread| json!({ "min": spread.min, "max": spread.max });
    json!({
        "config": args.config.stem(),
        "device": request.device,
        "layer": request.layer,
        "batch": request.batch,
        "seq": request.seq,
        "chunk": config.shortest_chunk(),
        "chunk_loop": config.chunk_loop(&request.device, request.seq),
        "repeats": request.repeats,
        "parameters": measured.parameters,
        "fwd_tokens_per_s": measured.forward.median,
        "fwd_tokens_per_s_spread": spread(measured.forward),
        "fwd_bwd_tokens_per_s": measured.both.median,
        "fwd_bwd_tokens_per_s_spread": spread(measured.both),
        "peak_bytes": measured.peak_bytes,
        "launches": measured.launches.map(|launches| json!({
            "fwd": launches.forward,
            "fwd_bwd": launches.both,
            "update": launches.update,
        })),
    })
}

fn to_text(config: &RunConfig, request: &BenchRequest, measured: &Bench) -> String {
    let what = if request.layer { "one mixer" } else { "model" };
    let chunk = config
        .shortest_chunk()
        .map_or(String::new(), |chunk| format!(", chunks of {chunk}"));
    let by = (config.chunk_loop(&request.device, request.seq))
        .map_or(String::new(), |by| format!(" by {by}"));
    let speed = |spread: Spread| {
        let Spread { median, min, max } = spread;
        format!("{median:.0} tokens/s  ({min:.0} to {max:.0})")
    };
    let text = format!(
        "measured          {what} of {} parameters on {}\n\
         batch             {} x {} tokens{chunk}{by}; median of {}\n\
         forward           {}\n\
         forward+backward  {}\n\
         peak memory       {}",
        measured.parameters,
        request.device,
        request.batch,
        request.seq,
        request.repeats,
        speed(measured.forward),
        speed(measured.both),
        measured.peak_bytes.map_or("not measured".to_owned(), bytes),
    );
    (measured.launches).map_or(text.clone(), |launches| {
        format!("{text}\n{}", line(launches))
    })
}

fn line(launches: Launches) -> String {
    let Launches {
        forward,
        both,
        update,
    } = launches;
    let update = update.map_or(String::new(), |update| format!(", update {update}"));
    format!("kernel launches   forward {forward}, forward+backward {both}{update}")
}
