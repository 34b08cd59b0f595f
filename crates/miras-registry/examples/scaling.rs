//! Time of the inner loop against length: `cargo build --workspace --example scaling`,
//! then `target/debug/examples/scaling [PART OF A NAME] [LENGTH…]`.
//!
//! Eight memories of width 64; seconds for forward, and for forward and backward,
//! the median of three runs after one that is not counted.

#![allow(
    clippy::print_stdout,
    reason = "a program that prints its measurements"
)]

use std::{sync::Arc, time::Instant};

use burn::tensor::{Device, Tensor, TensorData};
use miras_config::Layers;
use miras_core::{Gates, MOMENTUM, RETENTION, STEP};
use miras_engine::{Initial, Rule, State, Tokens, dual};
use miras_random::Stream;
use miras_registry::{Choice, Registry};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const G: usize = 8;
const D: usize = 64;

const RULES: [(&str, &str); 5] = [
    (
        "gated-deltanet (exact)",
        "[memory]\nkind='matrix'\n[retention]\norder='before'\n[algorithm]\nkind='gd'",
    ),
    (
        "linear titans (exact)",
        "[memory]\nkind='matrix'\n[algorithm]\nkind='momentum'",
    ),
    (
        "titans mlp 2, expansion 2",
        "[memory]\nexpansion=2\n[retention]\nanchored=true",
    ),
    (
        "titans mlp 2, expansion 4",
        "[memory]\nexpansion=4\n[retention]\nanchored=true",
    ),
    (
        "moneta mlp 2, expansion 4",
        "[memory]\nexpansion=4\n[bias]\nkind='lp'\n[retention]\nkind='lq'\nq=4\nanchored=true\n[algorithm]\nkind='gd'\ngrad_cap=3",
    ),
];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut lengths: Vec<usize> = Vec::new();
    let mut only = String::new();
    for argument in std::env::args().skip(1) {
        match argument.parse() {
            Ok(length) => lengths.push(length),
            Err(_) => only = argument,
        }
    }
    if lengths.is_empty() {
        lengths = vec![1024, 4096, 16384];
    }
    println!(
        "{:28} {:>7} {:>10} {:>10} {:>14}",
        "rule", "length", "forward s", "both s", "both us/token"
    );
    for (name, text) in RULES.into_iter().filter(|(name, _)| name.contains(&only)) {
        let mut layers = Layers::new();
        layers.text("rule", text)?;
        let rule = Choice::take(&mut layers.merge()?, &Registry::builtin())?.rule;
        for &length in &lengths {
            let forward = median(|| run(&rule, length, false));
            let both = median(|| run(&rule, length, true));
            let per_token = both / length as f64 * 1e6;
            println!("{name:28} {length:7} {forward:10.3} {both:10.3} {per_token:14.2}");
        }
    }
    Ok(())
}

fn median(run: impl Fn() -> f64) -> f64 {
    run();
    let mut times = [run(), run(), run()];
    times.sort_by(f64::total_cmp);
    times[1]
}

fn run(rule: &Rule, t: usize, backward: bool) -> f64 {
    let device = if backward {
        Device::flex().autodiff()
    } else {
        Device::flex()
    };
    let random = |name: &str, shape: [usize; 4], low: f64, high: f64| {
        let mut stream = Stream::new(0, name, &[]);
        let values: Vec<f64> = (0..shape.iter().product())
            .map(|_| low + (high - low) * stream.unit())
            .collect();
        let data = TensorData::new(values, shape).convert::<f32>();
        let x = Tensor::<4>::from_data(data, &device);
        if backward { x.require_grad() } else { x }
    };
    let bound = 1.0 / (D as f64).sqrt();
    let row = |name| random(name, [1, G, t, D], -bound, bound);
    let tokens = Tokens {
        q: row("q"),
        k: row("k"),
        v: row("v"),
        gates: Gates::new()
            .with(STEP, random("step", [1, G, t, 1], 0.05, 0.2))
            .with(
                RETENTION,
                random("retention", [1, G, t, 1], -0.002, -0.0001),
            )
            .with(MOMENTUM, random("momentum", [1, G, t, 1], -1.0, -0.1)),
    };
    let program = rule.memory.program(D, D).expect("memories of these rules");
    let maps = (program.maps().iter())
        .map(|map| random(&map.name, [1, G, map.d_in, map.d_out], -bound, bound))
        .collect();
    let initial = Initial {
        program: Arc::new(program),
        maps,
        gains: Vec::new(),
        places: Vec::new(),
    };
    let start = Instant::now();
    let state = State::new(rule, &initial);
    let y = dual::forward(rule, &initial, state, &tokens, false).y;
    if backward {
        let gradients = y.powi_scalar(2).sum().backward();
        assert!(tokens.k.grad(&gradients).is_some());
    } else {
        assert!(y.sum().into_scalar::<f32>().is_finite());
    }
    start.elapsed().as_secs_f64()
}
