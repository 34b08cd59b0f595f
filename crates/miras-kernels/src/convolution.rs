//! The short causal convolution.

use std::borrow::Cow;

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use crate::{
    Operation,
    math::V,
    operation::{rows_of_a_piece, sum_of},
    rows::{each, vectorized},
};

/// `y_t = f(Σ_j w_j ⊙ x_{t−j})` of each batch row, `f` the `SiLU` or nothing.
///
/// # Arrays
/// `x [b, t, d]`; the inputs before it, `[b, taps − 1, d]`; `w [taps, d]`, of which the first is
/// that of the current token. Keeps nothing but these.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Convolution {
    /// `b`.
    pub rows: usize,
    /// `d`.
    pub width: usize,
    /// Whether `f` is `x σ(x)`.
    pub silu: bool,
}

/// A run of tokens of one batch row.
#[derive(Clone, Copy)]
pub(crate) struct Place {
    row: usize,
    /// The first one; those before the sequence have places below 0.
    first: isize,
}

/// What goes in.
pub(crate) struct Input<'a> {
    x: &'a [f32],
    before: &'a [f32],
    taps: &'a [f32],
    /// Numbers of a batch row of `x` and of `before`.
    of_row: [usize; 2],
    width: usize,
}

impl<'a> Input<'a> {
    /// The features at a token of a batch row.
    fn at(&self, row: usize, token: isize) -> &'a [f32] {
        let [len, earlier] = self.of_row;
        let from = token * self.width as isize;
        let rest = if from < 0 {
            &self.before[(row * earlier + earlier).wrapping_add_signed(from)..]
        } else {
            &self.x[row * len + from as usize..]
        };
        &rest[..self.width]
    }
}

impl Convolution {
    fn input<'a>(&self, [x, before, taps]: [&'a [f32]; 3]) -> Input<'a> {
        Input {
            x,
            before,
            taps,
            of_row: [x, before].map(|x| x.len() / self.rows),
            width: self.width,
        }
    }

    /// The pieces of an array `[b, …, d]` whose first token is at `first`.
    fn pieces<'a>(&self, x: &'a mut [f32], first: isize) -> Vec<(Place, &'a mut [f32])> {
        let (of_row, piece) = (x.len() / self.rows, rows_of_a_piece(self.width));
        if of_row == 0 {
            return Vec::new();
        }
        let rows = x.chunks_exact_mut(of_row).enumerate();
        rows.flat_map(|(row, x)| {
            let pieces = x.chunks_mut(piece * self.width).enumerate();
            pieces.map(move |(at, x)| {
                let first = first + (at * piece) as isize;
                (Place { row, first }, x)
            })
        })
        .collect()
    }
}

impl Operation<3> for Convolution {
    type Kept = ();

    fn forward(&self, inputs: [&[f32]; 3], _: bool) -> (Vec<f32>, ()) {
        let input = self.input(inputs);
        let mut out = vec![0.0; input.x.len()];
        let pieces = self.pieces(&mut out, 0).into_par_iter();
        pieces.for_each(|(place, out)| {
            add_taps(out, &input, place);
            if self.silu {
                activate(out);
            }
        });
        (out, ())
    }

    fn backward(&self, inputs: [&[f32]; 3], (): &(), of: &[f32]) -> [Vec<f32>; 3] {
        let input = self.input(inputs);
        let (width, taps) = (self.width, input.taps.len() / self.width);
        // The gradient at the sums.
        let of = if self.silu {
            let mut of_sums = vec![0.0; of.len()];
            let pieces = self.pieces(&mut of_sums, 0).into_par_iter();
            pieces.for_each(|(place, of_sums)| {
                add_taps(of_sums, &input, place);
                let from = place.row * input.of_row[0] + place.first as usize * width;
                pull(of_sums, &of[from..][..of_sums.len()]);
            });
            Cow::Owned(of_sums)
        } else {
            Cow::Borrowed(of)
        };

        let of = Input {
            x: &of,
            before: &[],
            ..input
        };
        let [mut of_x, mut of_before] = [input.x, input.before].map(|x| vec![0.0; x.len()]);
        let pieces = self.pieces(&mut of_x, 0).into_par_iter();
        let of_taps = pieces.map(|(place, out)| {
            let mut of_taps = vec![0.0; input.taps.len()];
            add_tap_gradients(&mut of_taps, &input, &of, place, out.len() / width);
            pull_taps(out, &of, place);
            of_taps
        });
        let of_taps = sum_of(of_taps.collect(), input.taps.len());
        for (place, out) in self.pieces(&mut of_before, 1 - taps as isize) {
            pull_taps(out, &of, place);
        }
        [of_x, of_before, of_taps]
    }
}

/// `out += a ⊙ b`.
#[inline(always)]
fn add_product<S: Simd>(simd: S, out: &mut [f32], a: &[f32], b: &[f32]) {
    each!(simd, [out as sum] from [a, b] => [a.fma(b, sum)]);
}

vectorized! {
    /// Adds `Σ_j w_j ⊙ x_{t−j}` of the tokens that `out` has room for.
    fn add_taps(machine simd, out: &mut [f32], input: &Input<'_>, place: Place) {
        for (token, out) in (place.first..).zip(out.chunks_exact_mut(input.width)) {
            for (j, tap) in input.taps.chunks_exact(input.width).enumerate() {
                add_product(simd, out, tap, input.at(place.row, token - j as isize));
            }
        }
    }
}

vectorized! {
    /// Adds the gradients at the inputs that `out` has room for, `Σ_j w_j ⊙ ∇_{t+j}`.
    fn pull_taps(machine simd, out: &mut [f32], of: &Input<'_>, place: Place) {
        let tokens = (of.of_row[0] / of.width) as isize;
        for (token, out) in (place.first..).zip(out.chunks_exact_mut(of.width)) {
            for (later, tap) in (token..tokens).zip(of.taps.chunks_exact(of.width)) {
                if later >= 0 {
                    add_product(simd, out, tap, of.at(place.row, later));
                }
            }
        }
    }
}

vectorized! {
    /// Adds the gradients of the taps from so many tokens, `Σ_t ∇_t ⊙ x_{t−j}`.
    fn add_tap_gradients(
        machine simd,
        of_taps: &mut [f32],
        input: &Input<'_>,
        of: &Input<'_>,
        place: Place,
        tokens: usize,
    ) {
        for token in (place.first..).take(tokens) {
            let of = of.at(place.row, token);
            for (j, of_tap) in of_taps.chunks_exact_mut(input.width).enumerate() {
                add_product(simd, of_tap, of, input.at(place.row, token - j as isize));
            }
        }
    }
}

vectorized! {
    /// `x = x σ(x)`.
    fn activate(machine simd, x: &mut [f32]) {
        each!(simd, [x as was] from [] => [was.silu()[0]]);
    }
}

vectorized! {
    /// `x = f'(x) ⊙ of` with the slope of the `SiLU`.
    fn pull(machine simd, x: &mut [f32], of: &[f32]) {
        each!(simd, [x as was] from [of] => [was.silu()[1] * of]);
    }
}
