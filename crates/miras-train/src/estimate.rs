//! `estimate`: what a configuration takes, before anything is built.

use miras_registry::Registry;
use miras_spec::{Ends, Estimate, RunConfig, estimate as work_out};
use serde_json::{Value, json};

use crate::{
    args::EstimateArgs,
    bytes::{bytes, short},
    out::Out,
};

pub(crate) fn estimate(
    args: &EstimateArgs,
    registry: &Registry,
    out: &mut Out,
) -> anyhow::Result<()> {
    let (config, ends) = RunConfig::load_with_ends(args.config.layers()?, registry)?;
    let estimate = work_out(&config, ends);
    if args.json {
        let name = args.config.stem();
        let json = to_json(&name, &config, ends, &estimate);
        out.text(&serde_json::to_string_pretty(&json)?)
    } else {
        out.text(&to_text(&config, &estimate))
    }
}

/// Fast weights a sequence over parameters.
fn share(estimate: &Estimate) -> f64 {
    estimate.fast_weights as f64 / estimate.parameters as f64
}

fn to_json(name: &str, config: &RunConfig, ends: Ends, estimate: &Estimate) -> Value {
    let train = estimate.train;
    json!({
        "config": name,
        "batch": config.train.batch,
        "seq": config.data.seq_len(),
        "vocab": ends.vocab(),
        "parameters": estimate.parameters,
        "memory_parameters": estimate.memory_parameters,
        "fast_weights": estimate.fast_weights,
        "fast_share": share(estimate),
        "state_bytes": estimate.state_bytes,
        "state_bytes_per_token": estimate.state_bytes_per_token,
        "flops_per_token_fwd": estimate.flops_per_token.forward,
        "flops_per_token_fwd_bwd": estimate.flops_per_token.both(),
        "train_weight_bytes": train.weights,
        "train_gradient_bytes": train.gradients,
        "train_optimizer_bytes": train.optimizer,
        "train_activation_bytes": train.activations,
        "train_state_bytes": train.state,
        "train_workspace_bytes": train.workspace,
        "train_peak_bytes": train.peak(),
    })
}

fn to_text(config: &RunConfig, estimate: &Estimate) -> String {
    let (batch, seq) = (config.train.batch, config.data.seq_len());
    let (train, flops) = (estimate.train, estimate.flops_per_token);
    let state = match (estimate.state_bytes, estimate.state_bytes_per_token) {
        (fixed, 0) => bytes(fixed),
        (fixed, per_token) => format!(
            "{} and {} a token of the past",
            bytes(fixed),
            bytes(per_token)
        ),
    };
    format!(
        "parameters         {}\n\
         of the memories    {}\n\
         fast weights       {} a sequence, {:.1} % of the parameters\n\
         state              {state} a sequence\n\
         forward            {} FLOPs a token\n\
         forward+backward   {} FLOPs a token\n\
         training memory    {}, {batch} x {seq} tokens at a time\n\
         \x20 weights          {}\n\
         \x20 gradients        {}\n\
         \x20 optimiser        {}\n\
         \x20 activations      {}\n\
         \x20 carried memories {}\n\
         \x20 workspace        {}",
        estimate.parameters,
        estimate.memory_parameters,
        estimate.fast_weights,
        100.0 * share(estimate),
        short(flops.forward),
        short(flops.both()),
        bytes(train.peak()),
        bytes(train.weights),
        bytes(train.gradients),
        bytes(train.optimizer),
        bytes(train.activations),
        bytes(train.state),
        bytes(train.workspace),
    )
}
