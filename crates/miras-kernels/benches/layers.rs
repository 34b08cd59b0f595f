//! Tokens a second of the operations of layers on one thread:
//! `cargo bench -p miras-kernels --bench layers`.
//!
//! Two rows of 512 tokens of width 256; attention has 4 heads, the loss 1,024 classes. An item is a
//! token of a row.

use divan::{Bencher, counter::ItemsCount};
use miras_kernels::{
    Attention, Convolution, CrossEntropy, Gate, Operation, RmsNorm, Rotation, UnitRows,
};
use rayon::ThreadPoolBuilder;

const ROWS: usize = 2;
const TOKENS: usize = 512;
const WIDTH: usize = 256;
const HEADS: usize = 4;
const CLASSES: usize = 1024;
const TAPS: usize = 4;

/// Numbers of `[rows, tokens, width]`.
const LEN: usize = ROWS * TOKENS * WIDTH;

fn main() {
    let threads = ThreadPoolBuilder::new().num_threads(1).build();
    threads.expect("a thread").install(divan::main);
}

fn numbers(n: usize) -> Vec<f32> {
    (0..n).map(|at| (at as f32 * 12.9898).sin()).collect()
}

/// Two benches of an operation on arrays of these lengths.
macro_rules! operation {
    ($name:ident, $operation:expr, $lengths:expr) => {
        #[divan::bench_group(sample_count = 20, sample_size = 1)]
        mod $name {
            use super::*;

            #[divan::bench]
            fn forward(bencher: Bencher<'_, '_>) {
                let (operation, inputs) = ($operation, $lengths.map(numbers));
                let inputs = inputs.each_ref().map(|x| &x[..]);
                let bencher = bencher.counter(ItemsCount::new(ROWS * TOKENS));
                bencher.bench(|| operation.forward(inputs, false));
            }

            #[divan::bench]
            fn forward_and_backward(bencher: Bencher<'_, '_>) {
                let (operation, inputs) = ($operation, $lengths.map(numbers));
                let inputs = inputs.each_ref().map(|x| &x[..]);
                let of = numbers(operation.forward(inputs, false).0.len());
                let bencher = bencher.counter(ItemsCount::new(ROWS * TOKENS));
                bencher.bench(|| {
                    let (_, kept) = operation.forward(inputs, true);
                    operation.backward(inputs, &kept, &of)
                });
            }
        }
    };
}

operation!(
    attention,
    Attention::causal(ROWS, TOKENS, HEADS, HEADS, 0.125),
    [LEN; 3]
);
operation!(
    convolution,
    Convolution {
        rows: ROWS,
        width: WIDTH,
        silu: true,
    },
    [LEN, ROWS * (TAPS - 1) * WIDTH, TAPS * WIDTH]
);
operation!(
    cross_entropy,
    CrossEntropy {
        targets: (0..ROWS * TOKENS).map(|at| at * at % CLASSES).collect(),
    },
    [ROWS * TOKENS * CLASSES]
);
operation!(gate, Gate::Silu, [LEN; 2]);
operation!(rms_norm, RmsNorm { epsilon: 1e-5 }, [LEN, WIDTH]);
operation!(
    rotation,
    Rotation {
        cosines: numbers(TOKENS * WIDTH / HEADS / 2),
        sines: numbers(TOKENS * WIDTH / HEADS / 2),
        heads: HEADS,
        width: WIDTH / HEADS,
    },
    [LEN]
);
operation!(
    unit_rows,
    UnitRows {
        width: WIDTH / HEADS,
        epsilon: 1e-6,
    },
    [LEN]
);
