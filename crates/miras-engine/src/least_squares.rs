//! A matrix that is solved for: reads through the inverse of what tokens' features have in common.
//!
//! Gradients are those at the initial weights, so that the state is two decayed sums: of them, and of
//! products of features. No token's inverse is made: a query is multiplied with it by conjugate
//! gradients, whose products with `H_t` are those of a memory that has features for values.

use std::sync::Arc;

use burn::tensor::{Tensor, s};
use miras_core::{
    ChunkEnd, Factor, Gates, LeastSquares, MapState, Rows, STEP, Side, WriteWeights, rows,
};

use crate::{
    Initial,
    custom::{Custom, apply},
    flat::{flat, parts},
    span::{ChunkGradients, SpanTokens},
    split::split_chunks,
};

/// The gradients of one chunk at the initial weights.
pub(crate) struct AtInitial {
    k: Tensor<4>,
    d: Tensor<4>,
    step: Tensor<4>,
}

impl AtInitial {
    /// Those of all chunks of a span.
    pub(crate) fn of_span(initial: &Initial, tokens: SpanTokens) -> Vec<Self> {
        let SpanTokens { k, v, gates, .. } = tokens;
        let d = k.clone().matmul(initial.maps[0].clone()) - v;
        (split_chunks(k).into_iter())
            .zip(split_chunks(d))
            .zip(split_chunks(gates.get(STEP)))
            .map(|((k, d), step)| Self { k, d, step })
            .collect()
    }

    pub(crate) fn gradients(&self) -> ChunkGradients {
        ChunkGradients {
            factors: vec![Factor {
                x: self.k.clone(),
                d: self.d.clone(),
            }],
            step: self.step.clone(),
            channels: None,
            carried: Vec::new(),
        }
    }
}

/// `A` and `H` after a chunk whose writes hold their step sizes.
pub(crate) fn after_chunk(
    map: &MapState,
    end: &ChunkEnd,
    gates: &Gates,
    Factor { x, d: u }: &Factor,
) -> MapState {
    let moments = end.sum(x, &rows::scale(x.clone(), &gates.get(STEP)));
    MapState {
        weights: map.weights.clone() * end.carry.clone() - end.sum(x, u),
        slots: vec![map.slots[0].clone() * end.carry.clone() + moments],
    }
}

/// What the tokens of chunks wrote, as far as rows see it.
#[derive(Clone, Copy)]
pub(crate) struct Written<'a> {
    /// `x` and `u`.
    pub(crate) factor: &'a Factor,
    pub(crate) step: &'a Tensor<4>,
    pub(crate) rows: &'a Rows,
}

/// `q_t (W_0 + (H_t + λ)⁻¹ A_t)`; without `written`, of the state as it stands.
pub(crate) fn read(
    by: LeastSquares,
    initial: &Initial,
    start: &MapState,
    written: Option<Written<'_>>,
    q: Tensor<4>,
) -> Tensor<4> {
    let moments = Moments {
        by,
        start: start.slots[0].clone(),
        written: written.map(|Written { factor, step, rows }| Products {
            x: factor.x.clone(),
            weighted: rows::scale(factor.x.clone(), step),
            rows: rows.clone(),
        }),
    };
    let z = moments.solve(q.clone());
    let recalled = match written {
        None => z.matmul(start.weights.clone()),
        Some(Written { factor, rows, .. }) => {
            let by_start = |z: Tensor<4>| z.matmul(start.weights.clone());
            rows.carried(&z, Side::Key, by_start)
                - rows.written(z.clone(), &factor.x, &factor.d, Side::Key)
        }
    };
    q.matmul(initial.maps[0].clone()) + recalled
}

/// `H_t` of every row, not written out.
#[derive(Debug, Clone)]
struct Moments {
    by: LeastSquares,
    /// `H` before the chunk.
    start: Tensor<4>,
    written: Option<Products>,
}

#[derive(Debug, Clone)]
struct Products {
    x: Tensor<4>,
    /// The same times step sizes.
    weighted: Tensor<4>,
    rows: Rows,
}

impl Moments {
    /// `z_t (H_t + λ)`.
    fn times(&self, z: &Tensor<4>) -> Tensor<4> {
        let start = |z: Tensor<4>| z.matmul(self.start.clone());
        let ridge = z.clone().mul_scalar(self.by.ridge);
        match &self.written {
            None => start(z.clone()) + ridge,
            Some(Products { x, weighted, rows }) => {
                rows.carried(z, Side::Key, start)
                    + rows.written(z.clone(), x, weighted, Side::Key)
                    + ridge
            }
        }
    }

    /// `q_t (H_t + λ)⁻¹`. The value is computed without a graph; the derivative is that of
    /// `z + (q − z (H + λ)) (H + λ)⁻¹`, whose second term is 0.
    fn solve(&self, q: Tensor<4>) -> Tensor<4> {
        let fixed = self.map(Tensor::detach);
        let z = fixed.conjugate_gradients(q.clone().detach());
        let residual = q - self.times(&z);
        if !residual.is_tracked() {
            return z;
        }
        let shape = residual.dims();
        let inverse = Inverse {
            shape,
            moments: fixed.map(Tensor::inner),
        };
        let nothing = flat([z.clone().slice(s![0..1, 0..1, 0..1, 0..1])]);
        let derivative = apply(Arc::new(inverse), [flat([residual]), nothing]);
        z + parts(derivative, &[shape]).next().expect("one part")
    }

    /// As many steps as there are iterations, from 0 on.
    fn conjugate_gradients(&self, q: Tensor<4>) -> Tensor<4> {
        let dot = |a: &Tensor<4>, b: &Tensor<4>| (a.clone() * b.clone()).sum_dim(3);
        // Once all is solved for, nothing is divided by nothing.
        let ratio = |a: Tensor<4>, b: Tensor<4>| a / b.clamp_min(SMALLEST);
        let mut z = q.zeros_like();
        let mut rest = q.clone();
        let mut along = q;
        let mut square = dot(&rest, &rest);
        for _ in 0..self.by.iterations {
            let image = self.times(&along);
            let step = ratio(square.clone(), dot(&along, &image));
            z = z + along.clone() * step.clone();
            rest = rest - image * step;
            let next = dot(&rest, &rest);
            along = rest.clone() + along * ratio(next.clone(), square);
            square = next;
        }
        z
    }

    fn map(&self, f: impl Fn(Tensor<4>) -> Tensor<4>) -> Self {
        Self {
            by: self.by,
            start: f(self.start.clone()),
            written: self.written.as_ref().map(|products| Products {
                x: f(products.x.clone()),
                weighted: f(products.weighted.clone()),
                rows: Rows {
                    carry: f(products.rows.carry.clone()),
                    slots: Vec::new(),
                    writes: match &products.rows.writes {
                        WriteWeights::Numbers(weights) => WriteWeights::Numbers(f(weights.clone())),
                        WriteWeights::Channels(_) => {
                            panic!("channels with decays of their own are refused before")
                        }
                    },
                },
            }),
        }
    }
}

/// Below the square of any direction that matters, in float32 too.
const SMALLEST: f64 = 1e-35;

/// Rows through `(H + λ)⁻¹`, which is symmetric, for the derivative alone: what goes in is 0.
#[derive(Debug)]
struct Inverse {
    shape: [usize; 4],
    /// Without a graph.
    moments: Moments,
}

impl Custom for Inverse {
    fn forward(&self, [residual, _]: [Tensor<1>; 2], _keep: bool) -> Tensor<1> {
        residual.zeros_like()
    }

    fn backward(&self, [_, nothing]: [Tensor<1>; 2], of: Tensor<1>) -> [Tensor<1>; 2] {
        let of = parts(of, &[self.shape]).next().expect("one part");
        let through = self.moments.conjugate_gradients(of);
        [flat([through]), nothing.zeros_like()]
    }
}
