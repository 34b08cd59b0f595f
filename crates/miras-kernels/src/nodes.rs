//! Running a program: forward, back to gradients, and back through both.
//!
//! The gradient walk of the inner loop ([`Nodes::pull`]) gives each value `h` its gradient `d_h`.
//! Where the outer loop gives gradients `t_h` at those, the adjoint of the walk runs forward
//! ([`Nodes::push`]): what `d_h` adds to `d_x` by `J(x)ᵀ d_h`, `t_h` gets from `t_x` by `J(x) t_x`,
//! and `x` gets `∇_x ⟨d_h, J(x) t_x⟩`.

use pulp::Simd;

use crate::{Activation, Node, Program, buffer::Buffer, norm, rows};

/// What of a value's operation is kept for the passes after the forward pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Keep {
    /// Nothing but what norms keep anyway.
    Value,
    /// What [`Nodes::pull`] needs.
    Slope,
    /// What [`Nodes::push`] needs.
    Curvature,
}

/// A program over the tokens of a chunk: the values and what else its operations keep.
pub(crate) struct Nodes<'a> {
    program: &'a Program,
    pub(crate) values: Vec<Buffer>,
    kept: Vec<Kept>,
}

/// Of an operation; empty where it has none.
struct Kept {
    /// Of an activation; of a norm, its value before the gain.
    slope: Buffer,
    curvature: Buffer,
    /// `1 / √(var + ε)` of each token.
    scale: Buffer,
}

/// A map in the gradient walk.
pub(crate) struct Pulled<'a> {
    pub(crate) map: usize,
    /// The value that entered it.
    pub(crate) x: usize,
    /// The value that left it.
    pub(crate) out: usize,
    /// The gradient at what left it.
    pub(crate) gradient: &'a [f32],
    /// Gains the gradient at what entered it.
    pub(crate) into: &'a mut [f32],
}

impl<'a> Nodes<'a> {
    /// Room for a chunk of `tokens`, padded.
    pub(crate) fn new(program: &'a Program, tokens: usize, keep: Keep) -> Self {
        let room = |is_used: bool, at: usize| {
            if is_used {
                Buffer::new(program.widths[at], tokens)
            } else {
                Buffer::row(0)
            }
        };
        let kept = (program.nodes.iter().enumerate()).map(|(at, node)| {
            let is_norm = matches!(node, Node::LayerNorm { .. });
            let is_bent = matches!(node, Node::Activation { .. });
            Kept {
                slope: room(is_norm || (is_bent && keep >= Keep::Slope), at + 1),
                curvature: room(is_bent && keep >= Keep::Curvature, at + 1),
                scale: Buffer::row(if is_norm { tokens } else { 0 }),
            }
        });
        Self {
            kept: kept.collect(),
            values: values(program, tokens),
            program,
        }
    }

    /// All values from the first; `apply` takes columns through a map.
    pub(crate) fn forward<S: Simd>(
        &mut self,
        simd: S,
        keep: Keep,
        gains: &[&[f32]],
        mut apply: impl FnMut(usize, &[f32], &mut [f32]),
    ) {
        for (at, node) in self.program.nodes.iter().enumerate() {
            let (before, after) = self.values.split_at_mut(at + 1);
            let out = &mut *after[0];
            let kept = &mut self.kept[at];
            match *node {
                Node::Linear { map, x } => apply(map, &before[x], out),
                Node::Activation { kind, x } => kept.activate(simd, keep, kind, &before[x], out),
                Node::Product { a, b } => rows::multiply(simd, out, &before[a], &before[b]),
                Node::Sum { a, b } => rows::sum(simd, out, &before[a], &before[b]),
                Node::LayerNorm { gain, x } => {
                    let Kept { slope, scale, .. } = kept;
                    norm::normalise(simd, out, slope, scale, &before[x], gains[gain]);
                }
            }
        }
    }

    /// Adds the gradients at all values, from that at the last one: at the values that depend on a
    /// map, or, if `all` says so, at all. `back` takes a gradient through a map.
    pub(crate) fn pull<S: Simd>(
        &self,
        simd: S,
        gains: &[&[f32]],
        gradients: &mut [Buffer],
        all: bool,
        mut back: impl FnMut(Pulled<'_>),
    ) {
        let is_wanted = |x: usize| all || self.program.learned[x];
        for (at, node) in self.program.nodes.iter().enumerate().rev() {
            if !is_wanted(at + 1) {
                continue;
            }
            let (before, after) = gradients.split_at_mut(at + 1);
            let d = &*after[0];
            let kept = &self.kept[at];
            match *node {
                Node::Linear { map, x } if is_wanted(x) => back(Pulled {
                    map,
                    x,
                    out: at + 1,
                    gradient: d,
                    into: &mut before[x],
                }),
                Node::Activation { x, .. } if is_wanted(x) => {
                    rows::add_product(simd, &mut before[x], d, &kept.slope);
                }
                Node::Product { a, b } => {
                    for (to, other) in [(a, b), (b, a)] {
                        if is_wanted(to) {
                            rows::add_product(simd, &mut before[to], d, &self.values[other]);
                        }
                    }
                }
                Node::Sum { a, b } => {
                    for to in [a, b] {
                        if is_wanted(to) {
                            rows::add(simd, &mut before[to], d);
                        }
                    }
                }
                Node::LayerNorm { gain, x } if is_wanted(x) => {
                    let Kept { slope, scale, .. } = kept;
                    norm::pull(simd, &mut before[x], slope, scale, d, gains[gain]);
                }
                _ => {}
            }
        }
    }

    /// What the gradients at all values, as [`pull`](Self::pull) with `all` left them, say of the
    /// gains.
    pub(crate) fn pull_gains<S: Simd>(
        &self,
        simd: S,
        gradients: &[Buffer],
        of_gains: &mut [&mut [f32]],
    ) {
        for (at, node) in self.program.nodes.iter().enumerate() {
            if let Node::LayerNorm { gain, .. } = *node {
                let rows = of_gains[gain].len() * self.kept[at].scale.len();
                let [d, normal] = [&gradients[at + 1], &self.kept[at].slope].map(|x| &x[..rows]);
                rows::add_row_dots(simd, of_gains[gain], d, normal);
            }
        }
    }

    /// The adjoint of [`pull`](Self::pull) without `all`. `d` are the gradients that it gave,
    /// `t` the gradients at those of the maps' outputs, to which those at all others are added;
    /// `of_values` gain the gradients at the values. `apply` adds columns through a map.
    pub(crate) fn push<S: Simd>(
        &self,
        simd: S,
        gains: &[&[f32]],
        d: &[Buffer],
        t: &mut [Buffer],
        of_values: &mut [Buffer],
        of_gains: &mut [&mut [f32]],
        mut apply: impl FnMut(usize, &[f32], &mut [f32]),
    ) {
        let is_learned = |x: usize| self.program.learned[x];
        for (at, node) in self.program.nodes.iter().enumerate() {
            let (before, after) = t.split_at_mut(at + 1);
            let out = &mut *after[0];
            let (d, kept) = (&d[at + 1], &self.kept[at]);
            match *node {
                Node::Linear { map, x } if is_learned(x) => apply(map, &before[x], out),
                Node::Activation { x, .. } if is_learned(x) => {
                    rows::add_product(simd, out, &before[x], &kept.slope);
                    rows::add_triple(simd, &mut of_values[x], &before[x], d, &kept.curvature);
                }
                Node::Product { a, b } => {
                    for (x, other) in [(a, b), (b, a)] {
                        if is_learned(x) {
                            rows::add_product(simd, out, &before[x], &self.values[other]);
                            rows::add_product(simd, &mut of_values[other], &before[x], d);
                        }
                    }
                }
                Node::Sum { a, b } => {
                    for x in [a, b] {
                        if is_learned(x) {
                            rows::add(simd, out, &before[x]);
                        }
                    }
                }
                Node::LayerNorm { gain, x } if is_learned(x) => {
                    let Kept { slope, scale, .. } = kept;
                    let into = &mut of_values[x];
                    let of_gain = &mut *of_gains[gain];
                    let gain = gains[gain];
                    norm::push(simd, out, into, of_gain, slope, scale, d, &before[x], gain);
                }
                _ => {}
            }
        }
    }
}

impl Kept {
    fn activate<S: Simd>(
        &mut self,
        simd: S,
        keep: Keep,
        kind: Activation,
        x: &[f32],
        out: &mut [f32],
    ) {
        let Self {
            slope, curvature, ..
        } = self;
        match keep {
            Keep::Value => rows::activate(simd, out, kind, x),
            Keep::Slope => rows::activate_with_slope(simd, out, slope, kind, x),
            Keep::Curvature => {
                rows::activate_with_curvature(simd, out, slope, curvature, kind, x);
            }
        }
    }
}

/// A buffer for every value of a program.
pub(crate) fn values(program: &Program, tokens: usize) -> Vec<Buffer> {
    (program.widths.iter())
        .map(|width| Buffer::new(*width, tokens))
        .collect()
}
