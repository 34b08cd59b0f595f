//! A model of one's own around a memory layer: `target/debug/examples/own_model` after `cargo build --workspace --examples`.
//!
//! The task is to copy: sixteen tokens, of which the second half repeats the first. The
//! program trains, prints the loss before and after, saves and loads the weights, and runs the
//! loaded model token by token on carried state.

#![allow(
    clippy::print_stdout,
    reason = "a program that prints its measurements"
)]

use std::error::Error;

use burn::{
    module::Module,
    nn::{Embedding, EmbeddingConfig, Linear, LinearConfig, RmsNorm, RmsNormConfig, loss},
    optim::{AdamWConfig, GradientsParams},
    tensor::{Device, Int, Tensor, TensorData, s},
};
use miras_model::{InitKind, MemoryMixer, MixerConfig, MixerKeys, Pass, StateTree, TokenMixer};
use miras_random::Stream;
use miras_registry::{Choice, Registry};

const VOCAB: usize = 24;
const DIM: usize = 32;
/// Tokens of a half.
const HALF: usize = 8;
const ROWS: usize = 16;
const STEPS: u64 = 300;

/// What is left out of the text is a default, as in a configuration of `miras-train`.
const MEMORY: &str = "
[memory]
kind = 'matrix'
[bias]
kind = 'l2'
[retention]
kind = 'l2'
order = 'before'
[algorithm]
kind = 'gd'
chunk = 8
";

/// `x + mixer(norm(x))` between an embedding and a head.
#[derive(Module, Debug)]
struct Copier {
    embedding: Embedding,
    norm: RmsNorm,
    mixer: MemoryMixer,
    head: Linear,
}

impl Copier {
    fn new(seed: u64, device: &Device) -> Result<Self, Box<dyn Error>> {
        let memory = Choice::from_toml(MEMORY, &Registry::builtin())?;
        Ok(Self {
            embedding: EmbeddingConfig::new(VOCAB, DIM).init(device),
            norm: RmsNormConfig::new(DIM).init(device),
            mixer: MixerConfig::new(DIM, MixerKeys::new(2), memory)?
                .with_init(InitKind::Recall)
                .with_seed(seed)
                .init(device),
            head: LinearConfig::new(DIM, VOCAB).init(device),
        })
    }

    /// `[b, t] → [b, t, VOCAB]`, from `state` on, and the state to go on with.
    fn forward(&self, tokens: Tensor<2, Int>, state: Option<StateTree>) -> (Tensor<3>, StateTree) {
        let x = self.embedding.forward(tokens);
        let normed = self.norm.forward(x.clone());
        let (mixed, state, _) = self.mixer.forward(normed, state, Pass::default());
        (self.head.forward(x + mixed), state)
    }

    /// The mean loss of the tokens that can be known, those of the second half but its first.
    fn loss(&self, tokens: Tensor<2, Int>) -> Tensor<1> {
        let (logits, _) = self.forward(tokens.clone(), None);
        let from = HALF..2 * HALF - 1;
        let logits = logits.slice(s![.., from, ..]);
        let targets = tokens.slice(s![.., HALF + 1..]);
        let count = ROWS * (HALF - 1);
        loss::CrossEntropyLossConfig::new()
            .init(&logits.device())
            .forward(logits.reshape([count, VOCAB]), targets.reshape([count]))
    }
}

/// Rows of different tokens, twice.
fn batch(step: u64, device: &Device) -> Tensor<2, Int> {
    let mut stream = Stream::new(1, "copy", &[step]);
    let tokens: Vec<i32> = (0..ROWS)
        .flat_map(|_| {
            let half = stream.distinct(VOCAB as u64, HALF);
            half.repeat(2).into_iter().map(|token| token as i32)
        })
        .collect();
    Tensor::from_data(TensorData::new(tokens, [ROWS, 2 * HALF]), device)
}

fn main() -> Result<(), Box<dyn Error>> {
    let device = Device::flex();
    let training = device.clone().autodiff();
    let mut model = Copier::new(7, &training)?;
    let mut optimizer = AdamWConfig::new().init();
    let held_out = || batch(STEPS, &device);
    let before = model.valid().loss(held_out()).into_scalar::<f64>();
    for step in 0..STEPS {
        let loss = model.loss(batch(step, &training));
        let gradients = GradientsParams::from_grads(loss.backward(), &model);
        model = optimizer.step(1e-2, model, gradients);
    }
    let model = model.valid();
    let after = model.loss(held_out()).into_scalar::<f64>();
    println!("loss {before:.3} before, {after:.3} after {STEPS} steps");
    assert!(after < 0.5 * before, "the model learns to copy");

    // Burn's own records know the layer as they know any module.
    let file = std::env::temp_dir().join(format!("own-model-{}.bpk", std::process::id()));
    model.clone().save_file(&file)?;
    let loaded = Copier::new(8, &device)?.try_load_file(&file)?;

    let (whole, _) = model.forward(held_out(), None);
    let mut state = None;
    let mut one_by_one = Vec::new();
    for t in 0..2 * HALF {
        let token = held_out().slice(s![.., t..=t]);
        let (logits, next) = loaded.forward(token, state);
        one_by_one.push(logits);
        state = Some(next);
    }
    // Not before: burn reads a weight when it is first used.
    std::fs::remove_file(&file)?;
    let gap = (Tensor::cat(one_by_one, 1) - whole).abs().max();
    let gap = gap.into_scalar::<f64>();
    println!("token by token the logits differ by at most {gap:.1e}");
    assert!(gap < 1e-3, "carried state is the full pass");
    Ok(())
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_model_of_ones_own_learns_saves_and_carries_state() {
        super::main().unwrap();
    }
}
