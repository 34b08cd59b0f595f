//! What goes in and what comes out, and the same of one memory.

use crate::state::State;

/// What goes in: `g` memories, `t` tokens each, row-major.
#[derive(Debug, Clone, Default)]
pub struct Inputs<'a> {
    /// `[g, t, d_k]`.
    pub q: &'a [f32],
    /// `[g, t, d_k]`.
    pub k: &'a [f32],
    /// `[g, t, d_v]`.
    pub v: &'a [f32],
    /// `log a`, `[g, t]`.
    pub log_decay: &'a [f32],
    /// θ, `[g, t]`.
    pub step: &'a [f32],
    /// `log η`, `[g, t]`; empty without momentum.
    pub log_momentum: &'a [f32],
    /// Of each gate of the bias, `[g, t]`.
    pub bias_gates: Vec<&'a [f32]>,
    /// `A_0` of each map, `[g, d_in, d_out]`.
    pub weights: Vec<&'a [f32]>,
    /// `S_0` of each map, `[g, d_in, d_out]`; none without momentum.
    pub slots: Vec<&'a [f32]>,
    /// `A_init` of each map, `[g, d_in, d_out]`; none if not anchored.
    pub anchors: Vec<&'a [f32]>,
    /// Of each norm, `[g, d]`.
    pub gains: Vec<&'a [f32]>,
}

/// What comes out.
#[derive(Debug, Clone, Default)]
pub struct Output<T = Vec<f32>> {
    /// `[g, t, d_v]`.
    pub y: T,
    /// `A_t` after the last token, of each map `[g, d_in, d_out]`.
    pub weights: Vec<T>,
    /// `S_t` after the last token, in the same shapes.
    pub slots: Vec<T>,
}

/// The states that a forward pass kept.
#[derive(Debug, Clone, Default)]
pub struct Tape {
    /// Of each memory, in the order of its chunks.
    pub(crate) memories: Vec<Vec<State>>,
}

/// Gradients, each in the shape of what it belongs to.
#[derive(Debug, Clone, Default)]
pub struct Gradients<T = Vec<f32>> {
    /// Of [`Inputs::q`].
    pub q: T,
    /// Of [`Inputs::k`].
    pub k: T,
    /// Of [`Inputs::v`].
    pub v: T,
    /// Of [`Inputs::log_decay`].
    pub log_decay: T,
    /// Of [`Inputs::step`].
    pub step: T,
    /// Of [`Inputs::log_momentum`].
    pub log_momentum: T,
    /// Of [`Inputs::bias_gates`].
    pub bias_gates: Vec<T>,
    /// Of [`Inputs::weights`].
    pub weights: Vec<T>,
    /// Of [`Inputs::slots`].
    pub slots: Vec<T>,
    /// Of [`Inputs::anchors`].
    pub anchors: Vec<T>,
    /// Of [`Inputs::gains`].
    pub gains: Vec<T>,
}

/// Gradients at what came out.
#[derive(Debug, Clone, Default)]
pub struct OutputGradients<'a> {
    /// At [`Output::y`].
    pub y: &'a [f32],
    /// At [`Output::weights`]; none for 0.
    pub weights: Vec<&'a [f32]>,
    /// At [`Output::slots`]; none for 0.
    pub slots: Vec<&'a [f32]>,
}

/// The `g`-th of so many equal parts.
fn part(x: &[f32], g: usize, of: usize) -> &[f32] {
    let len = x.len() / of;
    &x[g * len..(g + 1) * len]
}

fn parts<'a>(all: &[&'a [f32]], g: usize, of: usize) -> Vec<&'a [f32]> {
    all.iter().map(|x| part(x, g, of)).collect()
}

impl<'a> Inputs<'a> {
    /// Those of one of so many memories.
    pub(crate) fn memory(&self, g: usize, of: usize) -> Inputs<'a> {
        let one = |x: &'a [f32]| part(x, g, of);
        Inputs {
            q: one(self.q),
            k: one(self.k),
            v: one(self.v),
            log_decay: one(self.log_decay),
            step: one(self.step),
            log_momentum: one(self.log_momentum),
            bias_gates: parts(&self.bias_gates, g, of),
            weights: parts(&self.weights, g, of),
            slots: parts(&self.slots, g, of),
            anchors: parts(&self.anchors, g, of),
            gains: parts(&self.gains, g, of),
        }
    }
}

impl Output {
    /// Room for what these inputs give, where a token has `d_v` outputs.
    pub(crate) fn of(inputs: &Inputs<'_>, d_v: usize) -> Self {
        Self {
            y: vec![0.0; inputs.step.len() * d_v],
            weights: zeros(&inputs.weights),
            slots: zeros(&inputs.slots),
        }
    }

    /// That of each of so many memories.
    pub(crate) fn memories(&mut self, of: usize) -> Vec<Output<&mut [f32]>> {
        let several = [&mut self.weights, &mut self.slots].map(|x| cut_all(x, of));
        let mut several = several.map(Vec::into_iter);
        let one = |y| {
            let [weights, slots] = several.each_mut().map(next);
            Output { y, weights, slots }
        };
        cut(&mut self.y, of).into_iter().map(one).collect()
    }
}

impl Gradients {
    /// Room for those of these inputs.
    pub(crate) fn of(inputs: &Inputs<'_>) -> Self {
        let zero = |x: &[f32]| vec![0.0; x.len()];
        Self {
            q: zero(inputs.q),
            k: zero(inputs.k),
            v: zero(inputs.v),
            log_decay: zero(inputs.log_decay),
            step: zero(inputs.step),
            log_momentum: zero(inputs.log_momentum),
            bias_gates: zeros(&inputs.bias_gates),
            weights: zeros(&inputs.weights),
            slots: zeros(&inputs.slots),
            anchors: zeros(&inputs.anchors),
            gains: zeros(&inputs.gains),
        }
    }

    /// Those of each of so many memories.
    pub(crate) fn memories(&mut self, of: usize) -> Vec<Gradients<&mut [f32]>> {
        let mut one = [
            &mut self.q,
            &mut self.k,
            &mut self.v,
            &mut self.log_decay,
            &mut self.step,
            &mut self.log_momentum,
        ]
        .map(|x| cut(x, of).into_iter());
        let mut several = [
            &mut self.bias_gates,
            &mut self.weights,
            &mut self.slots,
            &mut self.anchors,
            &mut self.gains,
        ]
        .map(|x| cut_all(x, of).into_iter());
        let memory = |_| {
            let [q, k, v, log_decay, step, log_momentum] = one.each_mut().map(next);
            let [bias_gates, weights, slots, anchors, gains] = several.each_mut().map(next);
            Gradients {
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
        };
        (0..of).map(memory).collect()
    }
}

fn zeros(like: &[&[f32]]) -> Vec<Vec<f32>> {
    like.iter().map(|x| vec![0.0; x.len()]).collect()
}

/// The part of the next memory.
fn next<T>(parts: &mut std::vec::IntoIter<T>) -> T {
    parts.next().expect("a part for each memory")
}

/// So many equal parts.
fn cut(x: &mut [f32], parts: usize) -> Vec<&mut [f32]> {
    let len = x.len() / parts;
    let mut rest = x;
    let part = |_| rest.split_off_mut(..len).expect("parts are equal");
    (0..parts).map(part).collect()
}

/// So many equal parts of each.
fn cut_all(all: &mut [Vec<f32>], parts: usize) -> Vec<Vec<&mut [f32]>> {
    let mut found: Vec<_> = (0..parts).map(|_| Vec::new()).collect();
    for x in all {
        for (found, part) in found.iter_mut().zip(cut(x, parts)) {
            found.push(part);
        }
    }
    found
}

impl<'a> OutputGradients<'a> {
    pub(crate) fn memory(&self, g: usize, of: usize) -> OutputGradients<'a> {
        OutputGradients {
            y: part(self.y, g, of),
            weights: parts(&self.weights, g, of),
            slots: parts(&self.slots, g, of),
        }
    }
}
