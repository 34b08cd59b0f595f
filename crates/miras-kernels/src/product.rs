//! Products of matrices, `Σ A B`, by broadcasting numbers of `A` against rows of `B`.
//!
//! Nothing is packed: `A` is read as it lies or transposed, and what is done with a sum is decided
//! where it leaves its registers ([`Sink`]). Rows and columns are multiples of
//! [`LANES`](crate::buffer::LANES).

use std::ops::Range;

use pulp::{Simd, WithSimd};

use crate::math::V;

/// `A B`, one term of a sum of products.
#[derive(Clone, Copy)]
pub(crate) struct Term<'a> {
    a: &'a [f32],
    /// From one row of `A` to the next, and from one column to the next.
    strides: [usize; 2],
    b: &'a [f32],
    /// Columns of `A` and rows of `B`.
    depth: usize,
    band: Band,
}

/// Where `B` is not 0, as far as the products of tokens with tokens know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Band {
    /// Anywhere.
    Full,
    /// On and above the diagonal: a row for each write, a column for each token that sees it.
    Upper,
    /// On and below the diagonal.
    Lower,
}

/// A matrix as the left side of a product: numbers, and columns of a row.
pub(crate) type Left<'a> = (&'a [f32], usize);

/// `A B`.
pub(crate) fn times<'a>((a, depth): Left<'a>, b: &'a [f32]) -> Term<'a> {
    Term {
        a,
        strides: [depth, 1],
        b,
        depth,
        band: Band::Full,
    }
}

/// `Aᵀ B`.
pub(crate) fn transposed<'a>((a, rows): Left<'a>, b: &'a [f32]) -> Term<'a> {
    Term {
        a,
        strides: [1, rows],
        b,
        depth: a.len() / rows,
        band: Band::Full,
    }
}

impl Term<'_> {
    /// Of so many columns of `A` and rows of `B` alone.
    pub(crate) fn to_depth(self, depth: usize) -> Self {
        Self { depth, ..self }
    }

    /// Where only this part of `B` is to be looked at.
    pub(crate) fn within(self, band: Band) -> Self {
        Self { band, ..self }
    }
}

/// What becomes of the sums.
pub(crate) trait Sink {
    /// Takes the sum of one vector: `at` counts vectors of the result, `column` those of its row.
    fn put<S: Simd>(&mut self, at: usize, column: usize, sum: V<S>);
}

/// Computes `rows × columns` sums of all terms.
pub(crate) fn product<S: Simd>(
    simd: S,
    size: [usize; 2],
    terms: &[Term<'_>],
    sink: &mut impl Sink,
) {
    part(simd, size, Band::Full, terms, sink);
}

/// Computes the sums on and above the diagonal of a square, and some below it.
pub(crate) fn product_above<S: Simd>(
    simd: S,
    side: usize,
    terms: &[Term<'_>],
    sink: &mut impl Sink,
) {
    part(simd, [side; 2], Band::Upper, terms, sink);
}

fn part<S: Simd>(
    simd: S,
    [rows, columns]: [usize; 2],
    part: Band,
    terms: &[Term<'_>],
    sink: &mut impl Sink,
) {
    let vectors = columns / S::F32_LANES;
    let mut first = 0;
    while first < vectors {
        let tile = Tile {
            rows,
            vectors,
            first,
            part,
            terms,
        };
        first += match vectors - first {
            4.. if S::REGISTER_COUNT >= REGISTERS => tile.compute::<S, 4>(simd, sink),
            2.. => tile.compute::<S, 2>(simd, sink),
            _ => tile.compute::<S, 1>(simd, sink),
        };
    }
}

/// A few vectors side by side, of all rows.
struct Tile<'a> {
    rows: usize,
    /// Of a row of the result.
    vectors: usize,
    /// The first of those here.
    first: usize,
    part: Band,
    terms: &'a [Term<'a>],
}

/// Rows that are computed at once.
const ROWS: usize = 4;

/// From so many registers on, they hold the sums of four vectors of each row, else of two.
const REGISTERS: usize = 32;

type Sums<S, const N: usize> = [[V<S>; N]; ROWS];

impl Tile<'_> {
    /// `N` vectors side by side.
    fn compute<S: Simd, const N: usize>(self, simd: S, sink: &mut impl Sink) -> usize {
        simd.vectorize(Compute::<_, N> { tile: self, sink });
        N
    }

    #[inline(always)]
    fn rows<S: Simd, const N: usize, const FROM: usize>(
        &self,
        simd: S,
        row: usize,
        sink: &mut impl Sink,
    ) {
        let mut sums = [[V::splat(simd, 0.0); N]; ROWS];
        for term in self.terms {
            self.add::<S, N, FROM>(simd, row, term, &mut sums);
        }
        for (r, sums) in sums.into_iter().enumerate() {
            for (at, sum) in sums.into_iter().enumerate().skip(FROM) {
                let column = self.first + at;
                sink.put((row + r) * self.vectors + column, column, sum);
            }
        }
    }

    #[inline(always)]
    fn add<S: Simd, const N: usize, const FROM: usize>(
        &self,
        simd: S,
        row: usize,
        term: &Term<'_>,
        sums: &mut Sums<S, N>,
    ) {
        let lanes = S::F32_LANES;
        let start = self.first * lanes;
        let steps = Steps {
            a: &term.a[row * term.strides[0]..],
            strides: term.strides,
            b: &S::as_simd_f32s(term.b).0[self.first..],
            width: self.vectors,
        };
        let block = |at: usize| start + at * lanes..start + (at + 1) * lanes;
        match term.band {
            Band::Full => steps.add::<S, N, FROM, N>(simd, 0..term.depth, sums),
            Band::Upper => {
                steps.add::<S, N, 0, N>(simd, 0..start + lanes, sums);
                if N > 1 {
                    steps.add::<S, N, 1, N>(simd, block(1), sums);
                }
                if N > 2 {
                    steps.add::<S, N, 2, N>(simd, block(2), sums);
                    steps.add::<S, N, 3, N>(simd, block(3), sums);
                }
            }
            Band::Lower => {
                if N > 1 {
                    steps.add::<S, N, 0, 1>(simd, block(0), sums);
                }
                if N > 2 {
                    steps.add::<S, N, 0, 2>(simd, block(1), sums);
                    steps.add::<S, N, 0, 3>(simd, block(2), sums);
                }
                steps.add::<S, N, 0, N>(simd, block(N - 1).start..term.depth, sums);
            }
        }
    }
}

struct Compute<'a, K, const N: usize> {
    tile: Tile<'a>,
    sink: &'a mut K,
}

impl<K: Sink, const N: usize> WithSimd for Compute<'_, K, N> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { tile, sink } = self;
        for row in (0..tile.rows).step_by(ROWS) {
            let skipped = match tile.part {
                Band::Upper => (row / S::F32_LANES).saturating_sub(tile.first),
                _ => 0,
            };
            match skipped {
                0 => tile.rows::<S, N, 0>(simd, row, sink),
                1 if N > 1 => tile.rows::<S, N, 1>(simd, row, sink),
                2 if N > 2 => tile.rows::<S, N, 2>(simd, row, sink),
                3 if N > 2 => tile.rows::<S, N, 3>(simd, row, sink),
                _ => {}
            }
        }
    }
}

/// A run of the inner loop.
struct Steps<'a, T> {
    a: &'a [f32],
    strides: [usize; 2],
    b: &'a [T],
    /// Vectors of a row of `b`.
    width: usize,
}

impl<T: Copy> Steps<'_, T> {
    /// Adds the products at `depths` to the vectors from `FROM` to `TO`.
    #[inline(always)]
    fn add<S: Simd<f32s = T>, const N: usize, const FROM: usize, const TO: usize>(
        &self,
        simd: S,
        depths: Range<usize>,
        sums: &mut Sums<S, N>,
    ) {
        for k in depths {
            let b = &self.b[k * self.width..][..N];
            for (r, sums) in sums.iter_mut().enumerate() {
                let a = V::splat(simd, self.a[r * self.strides[0] + k * self.strides[1]]);
                for at in FROM..TO {
                    sums[at] = a.fma(V::new(simd, b[at]), sums[at]);
                }
            }
        }
    }
}

/// The sum as it is.
pub(crate) struct Set<'a>(pub(crate) &'a mut [f32]);

impl Sink for Set<'_> {
    #[inline(always)]
    fn put<S: Simd>(&mut self, at: usize, _column: usize, sum: V<S>) {
        S::as_mut_simd_f32s(self.0).0[at] = sum.raw;
    }
}

/// Added to what is there.
pub(crate) struct Add<'a>(pub(crate) &'a mut [f32]);

impl Sink for Add<'_> {
    #[inline(always)]
    fn put<S: Simd>(&mut self, at: usize, _column: usize, sum: V<S>) {
        let out = &mut S::as_mut_simd_f32s(self.0).0[at];
        *out = (sum.beside(*out) + sum).raw;
    }
}

/// Added times a number of each column; `dots` gains the products with `with`, column by column.
pub(crate) struct AddScaled<'a> {
    pub(crate) out: &'a mut [f32],
    pub(crate) scale: &'a [f32],
    pub(crate) with: &'a [f32],
    pub(crate) dots: &'a mut [f32],
}

impl Sink for AddScaled<'_> {
    #[inline(always)]
    fn put<S: Simd>(&mut self, at: usize, column: usize, sum: V<S>) {
        let scale = sum.beside(S::as_simd_f32s(self.scale).0[column]);
        let with = sum.beside(S::as_simd_f32s(self.with).0[at]);
        let out = &mut S::as_mut_simd_f32s(self.out).0[at];
        let dots = &mut S::as_mut_simd_f32s(self.dots).0[column];
        *out = sum.fma(scale, sum.beside(*out)).raw;
        *dots = sum.fma(with, sum.beside(*dots)).raw;
    }
}

/// With multiples of other matrices added.
pub(crate) struct SetWith<'a, const N: usize> {
    pub(crate) out: &'a mut [f32],
    pub(crate) others: [(f32, &'a [f32]); N],
}

impl<const N: usize> Sink for SetWith<'_, N> {
    #[inline(always)]
    fn put<S: Simd>(&mut self, at: usize, _column: usize, sum: V<S>) {
        let mut sum = sum;
        for (scale, other) in self.others {
            sum = sum
                .beside(S::as_simd_f32s(other).0[at])
                .fma(sum.like(scale), sum);
        }
        S::as_mut_simd_f32s(self.out).0[at] = sum.raw;
    }
}

/// Kept in `sums`, and in `out` times numbers of the same places.
pub(crate) struct SetMasked<'a> {
    pub(crate) sums: &'a mut [f32],
    pub(crate) out: &'a mut [f32],
    pub(crate) by: &'a [f32],
}

impl Sink for SetMasked<'_> {
    #[inline(always)]
    fn put<S: Simd>(&mut self, at: usize, _column: usize, sum: V<S>) {
        let by = sum.beside(S::as_simd_f32s(self.by).0[at]);
        S::as_mut_simd_f32s(self.sums).0[at] = sum.raw;
        S::as_mut_simd_f32s(self.out).0[at] = (sum * by).raw;
    }
}

/// The adjoint of [`SetMasked`]: the sums are the gradient at its `out`; `masked` becomes that at
/// its sums, and `by_gradient` gains that at `by`.
pub(crate) struct Unmask<'a> {
    pub(crate) sums: &'a [f32],
    pub(crate) by: &'a [f32],
    pub(crate) masked: &'a mut [f32],
    pub(crate) by_gradient: &'a mut [f32],
}

impl Sink for Unmask<'_> {
    #[inline(always)]
    fn put<S: Simd>(&mut self, at: usize, _column: usize, sum: V<S>) {
        let by = sum.beside(S::as_simd_f32s(self.by).0[at]);
        let forward = sum.beside(S::as_simd_f32s(self.sums).0[at]);
        let gradient = &mut S::as_mut_simd_f32s(self.by_gradient).0[at];
        S::as_mut_simd_f32s(self.masked).0[at] = (sum * by).raw;
        *gradient = sum.fma(forward, sum.beside(*gradient)).raw;
    }
}

#[cfg(test)]
#[path = "product_tests.rs"]
mod tests;
