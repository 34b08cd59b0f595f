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
    /// `W_init` of each map, `[g, d_in, d_out]`; none if not anchored.
    pub anchors: Vec<&'a [f32]>,
    /// Of each norm, `[g, d]`.
    pub gains: Vec<&'a [f32]>,
}

/// What comes out.
#[derive(Debug, Clone, Default)]
pub struct Output {
    /// `[g, t, d_v]`.
    pub y: Vec<f32>,
    /// `A_t` after the last token, of each map `[g, d_in, d_out]`.
    pub weights: Vec<Vec<f32>>,
    /// `S_t` after the last token, in the same shapes.
    pub slots: Vec<Vec<f32>>,
    /// What the backward pass needs; empty if it was not asked for.
    pub tape: Tape,
}

/// The states that a forward pass kept.
#[derive(Debug, Clone, Default)]
pub struct Tape {
    /// Of each memory, in the order of its chunks.
    pub(crate) memories: Vec<Vec<State>>,
}

/// Gradients, each in the shape of what it belongs to.
#[derive(Debug, Clone, Default)]
pub struct Gradients {
    /// Of [`Inputs::q`].
    pub q: Vec<f32>,
    /// Of [`Inputs::k`].
    pub k: Vec<f32>,
    /// Of [`Inputs::v`].
    pub v: Vec<f32>,
    /// Of [`Inputs::log_decay`].
    pub log_decay: Vec<f32>,
    /// Of [`Inputs::step`].
    pub step: Vec<f32>,
    /// Of [`Inputs::log_momentum`].
    pub log_momentum: Vec<f32>,
    /// Of [`Inputs::bias_gates`].
    pub bias_gates: Vec<Vec<f32>>,
    /// Of [`Inputs::weights`].
    pub weights: Vec<Vec<f32>>,
    /// Of [`Inputs::slots`].
    pub slots: Vec<Vec<f32>>,
    /// Of [`Inputs::anchors`].
    pub anchors: Vec<Vec<f32>>,
    /// Of [`Inputs::gains`].
    pub gains: Vec<Vec<f32>>,
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

impl<'a> OutputGradients<'a> {
    pub(crate) fn memory(&self, g: usize, of: usize) -> OutputGradients<'a> {
        OutputGradients {
            y: part(self.y, g, of),
            weights: parts(&self.weights, g, of),
            slots: parts(&self.slots, g, of),
        }
    }
}
