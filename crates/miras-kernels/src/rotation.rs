//! Rotary positions.

use rayon::prelude::*;

use crate::{Operation, operation::rows_of_a_piece};

/// Turns the feature pairs `(x_i, x_{i + d/2})` of `x [b, t, h, d]` by the angles of their token
/// (`RoFormer`, arXiv 2104.09864). Keeps nothing: the adjoint turns back.
#[derive(Debug, Clone, PartialEq)]
pub struct Rotation {
    /// Cosines of the angles, `[t, d/2]`.
    pub cosines: Vec<f32>,
    /// Their sines.
    pub sines: Vec<f32>,
    /// `h`.
    pub heads: usize,
    /// `d`.
    pub width: usize,
}

impl Rotation {
    /// By the angles times `direction`, 1 or −1.
    fn turn(&self, x: &[f32], direction: f32) -> Vec<f32> {
        let half = self.width / 2;
        let token = self.heads * self.width;
        let tokens = self.cosines.len() / half;
        let piece = rows_of_a_piece(token);
        let mut out = vec![0.0; x.len()];
        let pieces = out.par_chunks_mut(piece * token).enumerate();
        pieces.for_each(|(at, out)| {
            let x = &x[at * piece * token..];
            let of_token = out.chunks_exact_mut(token).zip(x.chunks_exact(token));
            for (n, (out, x)) in of_token.enumerate() {
                let from = (at * piece + n) % tokens * half;
                let [cosines, sines] = [&self.cosines, &self.sines].map(|x| &x[from..][..half]);
                let heads = out.chunks_exact_mut(self.width);
                for (out, x) in heads.zip(x.chunks_exact(self.width)) {
                    let (out, (a, b)) = (out.split_at_mut(half), x.split_at(half));
                    let angles = cosines.iter().zip(sines).map(|(c, s)| (c, s * direction));
                    let values = a.iter().zip(b).zip(angles);
                    for ((to_a, to_b), ((a, b), (c, s))) in out.0.iter_mut().zip(out.1).zip(values)
                    {
                        *to_a = a * c - b * s;
                        *to_b = a * s + b * c;
                    }
                }
            }
        });
        out
    }
}

impl Operation<1> for Rotation {
    type Kept = ();

    const NEEDS_INPUTS: bool = false;

    fn forward(&self, [x]: [&[f32]; 1], _: bool) -> (Vec<f32>, ()) {
        (self.turn(x, 1.0), ())
    }

    fn backward(&self, _: [&[f32]; 1], (): &(), of: &[f32]) -> [Vec<f32>; 1] {
        [self.turn(of, -1.0)]
    }
}
