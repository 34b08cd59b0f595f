//! [`Scan`] as an [`Operation`]: few arrays, each of which holds many.

use crate::{Inputs, Operation, OutputGradients, Scan, Tape};

/// # Arrays
/// `q`, `k`, `v`, as in [`Inputs`]; decays, steps, momenta and the gates of the bias behind each
/// other; weights, slots, initial weights and gains behind each other. Outputs, weights and slots
/// come out behind each other.
impl Operation<5> for Scan {
    type Kept = Tape;

    fn forward(&self, inputs: [&[f32]; 5], keep: bool) -> (Vec<f32>, Tape) {
        let (out, tape) = Self::forward(self, &self.unpacked(inputs), keep);
        let parts = [out.y].into_iter().chain(out.weights).chain(out.slots);
        (parts.collect::<Vec<_>>().concat(), tape)
    }

    fn backward(&self, inputs: [&[f32]; 5], tape: &Tape, of: &[f32]) -> [Vec<f32>; 5] {
        let inputs = self.unpacked(inputs);
        let mut rest = of;
        let y = take(&mut rest, inputs.v.len());
        let mut like = |maps: &[&[f32]]| -> Vec<&[f32]> {
            maps.iter().map(|map| take(&mut rest, map.len())).collect()
        };
        let of = OutputGradients {
            y,
            weights: like(&inputs.weights),
            slots: like(&inputs.slots),
        };
        let of = Self::backward(self, &inputs, tape, &of);
        let gates = [of.log_decay, of.step, of.log_momentum].into_iter();
        let gates: Vec<Vec<f32>> = gates.chain(of.bias_gates).collect();
        let memory = of.weights.into_iter().chain(of.slots);
        let memory: Vec<Vec<f32>> = memory.chain(of.anchors).chain(of.gains).collect();
        [of.q, of.k, of.v, gates.concat(), memory.concat()]
    }
}

impl Scan {
    fn unpacked<'a>(&self, [q, k, v, mut gates, mut memory]: [&'a [f32]; 5]) -> Inputs<'a> {
        let program = &self.program;
        let tokens = q.len() / program.d_k();
        let log_decay = take(&mut gates, tokens);
        let step = take(&mut gates, tokens);
        let log_momentum = take(&mut gates, if self.momentum { tokens } else { 0 });
        let of_bias = 0..self.bias.gates();
        let bias_gates = of_bias.map(|_| take(&mut gates, tokens)).collect();
        let of_one: usize = program.maps().map(|[d_in, d_out]| d_in * d_out).sum();
        let maps = 1 + usize::from(self.momentum) + usize::from(self.anchored);
        let gains: usize = program.gains().iter().sum();
        let memories = memory.len() / (maps * of_one + gains);
        let mut of_maps = |is_there: bool| -> Vec<&'a [f32]> {
            let maps = program.maps().filter(|_| is_there);
            maps.map(|[d_in, d_out]| take(&mut memory, memories * d_in * d_out))
                .collect()
        };
        let (weights, slots, anchors) = (
            of_maps(true),
            of_maps(self.momentum),
            of_maps(self.anchored),
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
}

fn take<'a>(from: &mut &'a [f32], len: usize) -> &'a [f32] {
    let (first, rest) = from.split_at(len);
    *from = rest;
    first
}
