//! [`Scan`] as an operation on the CPU, with its own backward pass.

use std::sync::{Arc, OnceLock};

use burn::{
    backend::{Flex, tensor::FloatTensor},
    tensor::{Tensor, TensorData},
};
use miras_kernels::{Inputs, OutputGradients, Scan, Tape};

use crate::custom::{Custom, apply};

/// Runs the operation: queries, keys, values, decays, steps, momenta and the bias' gates behind each
/// other; weights, slots, initial weights and gains behind each other. Outputs, weights and slots
/// come out behind each other.
pub(super) fn scan(scan: Scan, inputs: [Tensor<1>; 2]) -> Tensor<1> {
    let tape = OnceLock::new();
    apply(Arc::new(Chunks { scan, tape }), inputs)
}

#[derive(Debug)]
struct Chunks {
    scan: Scan,
    /// What the forward pass keeps for the backward pass.
    tape: OnceLock<Tape>,
}

impl Custom for Chunks {
    fn forward(&self, all: [Tensor<1>; 2], keep: bool) -> Tensor<1> {
        let all = all.map(on_cpu);
        let all = all.each_ref().map(numbers);
        let (out, tape) = self.scan.forward(&inputs(&self.scan, all), keep);
        if keep {
            self.tape.set(tape).expect("a forward pass keeps once");
        }
        tensor([out.y].into_iter().chain(out.weights).chain(out.slots))
    }

    fn backward(&self, all: [Tensor<1>; 2], of: Tensor<1>) -> [Tensor<1>; 2] {
        let all = all.map(on_cpu);
        let all = all.each_ref().map(numbers);
        let inputs = inputs(&self.scan, all);
        let of = on_cpu(of);
        let mut rest = numbers(&of);
        let y = take(&mut rest, inputs.v.len());
        let sizes = |maps: &[&[f32]]| maps.iter().map(|map| map.len()).collect::<Vec<_>>();
        let mut maps = |sizes: Vec<usize>| -> Vec<&[f32]> {
            sizes
                .into_iter()
                .map(|size| take(&mut rest, size))
                .collect()
        };
        let of = OutputGradients {
            y,
            weights: maps(sizes(&inputs.weights)),
            slots: maps(sizes(&inputs.slots)),
        };
        let tape = self.tape.get().expect("a forward pass came before");
        let gradients = self.scan.backward(&inputs, tape, &of);
        let sequence = [
            gradients.q,
            gradients.k,
            gradients.v,
            gradients.log_decay,
            gradients.step,
            gradients.log_momentum,
        ];
        let memory = (gradients.weights.into_iter())
            .chain(gradients.slots)
            .chain(gradients.anchors)
            .chain(gradients.gains);
        [
            tensor(sequence.into_iter().chain(gradients.bias_gates)),
            tensor(memory),
        ]
    }
}

/// A tensor of the CPU, its numbers in order.
fn on_cpu(x: Tensor<1>) -> FloatTensor<Flex> {
    let x = x.try_into_primitive::<Flex>();
    x.expect("chosen on the CPU alone").to_contiguous()
}

fn numbers(x: &FloatTensor<Flex>) -> &[f32] {
    x.storage()
}

/// What goes in, out of the tensors.
fn inputs<'a>(scan: &Scan, [mut sequence, mut memory]: [&'a [f32]; 2]) -> Inputs<'a> {
    let program = &scan.program;
    let (d_k, d_v) = (program.d_k(), program.d_v());
    let momenta = usize::from(scan.momentum);
    let gates = 2 + momenta + scan.bias.gates();
    let tokens = sequence.len() / (2 * d_k + d_v + gates);
    let mut of_tokens = |width: usize| take(&mut sequence, tokens * width);
    let [q, k, v] = [d_k, d_k, d_v].map(&mut of_tokens);
    let [log_decay, step, log_momentum] = [1, 1, momenta].map(&mut of_tokens);
    let bias_gates = (0..scan.bias.gates()).map(|_| of_tokens(1)).collect();
    let of_one: usize = program.maps().map(|[d_in, d_out]| d_in * d_out).sum();
    let maps = 1 + momenta + usize::from(scan.anchored);
    let gains: usize = program.gains().iter().sum();
    let memories = memory.len() / (maps * of_one + gains);
    let mut of_maps = |is_there: bool| -> Vec<&'a [f32]> {
        let maps = program.maps().filter(|_| is_there);
        maps.map(|[d_in, d_out]| take(&mut memory, memories * d_in * d_out))
            .collect()
    };
    let (weights, slots, anchors) = (
        of_maps(true),
        of_maps(scan.momentum),
        of_maps(scan.anchored),
    );
    let gains = (program.gains().iter())
        .map(|d| take(&mut memory, memories * d))
        .collect();
    Inputs {
        q,
        k,
        v,
        log_decay,
        step,
        log_momentum,
        bias_gates,
        weights,
        slots,
        anchors,
        gains,
    }
}

fn take<'a>(from: &mut &'a [f32], len: usize) -> &'a [f32] {
    let (first, rest) = from.split_at(len);
    *from = rest;
    first
}

/// Numbers behind each other.
fn tensor(parts: impl IntoIterator<Item = Vec<f32>>) -> Tensor<1> {
    let parts: Vec<Vec<f32>> = parts.into_iter().collect();
    let numbers = parts.concat();
    let len = numbers.len();
    let numbers = FloatTensor::<Flex>::from_data(TensorData::new(numbers, [len]));
    Tensor::from_primitive::<Flex>(numbers)
}
