//! Causal softmax attention in blocks (`FlashAttention`, arXiv 2205.14135).
//!
//! A head's tokens are taken 64 at a time, as queries and as keys, so that scores exist for one pair
//! of blocks alone. They are *columns*, a row for each key and a column for each query: sums over
//! keys are sums of rows.
//!
//! ```text
//! s_ij = scale ⟨q_i, k_j⟩,  p_ij = exp(s_ij − l_i),  l_i = log Σ_{j≤i} exp(s_ij),  y_i = Σ_{j≤i} p_ij v_j
//! ∇s_ij = p_ij (⟨∇y_i, v_j⟩ − ⟨∇y_i, y_i⟩)
//! ∇q_i = scale Σ_j ∇s_ij k_j,  ∇k_j = scale Σ_i ∇s_ij q_i,  ∇v_j = Σ_i p_ij ∇y_i
//! ```
//!
//! Queries may be the last of the tokens alone: query `i` then has the key `earlier + i`.

use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use crate::{
    Operation,
    buffer::{Buffer, padded},
    math::V,
    product::{Add, Set, Sink, product, times, transposed},
    rows::{self, vectorized, vectors, vectors_mut},
};

/// `y_i = Σ_{j ≤ earlier + i} softmax_j(scale ⟨q_i, k_j⟩) v_j`, in every head.
///
/// # Arrays
/// `q`, `y`: `[b, t, h, d]`; `k`, `v`: `[b, earlier + t, groups, d]`, where head `i` has the keys and
/// values of group `i · groups / h` (arXiv 2305.13245).
///
/// It keeps what goes in, `y` and one number for each query.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Attention {
    /// `b`.
    pub rows: usize,
    /// `t`.
    pub tokens: usize,
    /// Keys and values before those of the first query.
    pub earlier: usize,
    /// `h`.
    pub heads: usize,
    /// Heads of keys and values; divides `h`.
    pub groups: usize,
    /// What scores are multiplied with.
    pub scale: f32,
}

/// What [`Attention`] keeps: of each batch row and head `y [t, d]` and `l [t]`.
#[derive(Debug)]
pub struct Attended {
    heads: Vec<[Vec<f32>; 2]>,
}

/// Tokens that are taken at once.
const BLOCK: usize = 64;

/// The score of a later token.
const UNSEEN: f32 = -1e30;

impl Attention {
    /// Features of a head.
    fn width(&self, q: &[f32]) -> usize {
        q.len() / (self.rows * self.tokens * self.heads)
    }

    /// Keys of a row.
    fn seen(&self) -> usize {
        self.earlier + self.tokens
    }

    /// The arrays of one head, `[tokens, d]`, in an array `[b, tokens, heads, d]`.
    fn gather(
        &self,
        head_rows: impl Iterator<Item = Vec<f32>>,
        [tokens, heads]: [usize; 2],
    ) -> Vec<f32> {
        let all: Vec<Vec<f32>> = head_rows.collect();
        let token = all[0].len() / tokens * heads;
        let mut out = vec![0.0; self.rows * tokens * token];
        let rows = out.par_chunks_exact_mut(tokens * token);
        rows.zip(all.par_chunks(heads)).for_each(|(out, all)| {
            let width = token / heads;
            for (t, out) in out.chunks_exact_mut(token).enumerate() {
                for (out, head) in out.chunks_exact_mut(width).zip(all) {
                    out.copy_from_slice(&head[t * width..][..width]);
                }
            }
        });
        out
    }
}

impl Operation<3> for Attention {
    type Kept = Attended;

    fn forward(&self, [q, k, v]: [&[f32]; 3], keep: bool) -> (Vec<f32>, Attended) {
        let width = self.width(q);
        let shared = self.heads / self.groups;
        let all = (0..self.rows * self.heads).into_par_iter().map(|at| {
            let (row, head) = (at / self.heads, at % self.heads);
            let of = |x, tokens, heads, head| Head::new(x, [row, head], [tokens, heads, width]);
            Arch::new().dispatch(Forward {
                q: of(q, self.tokens, self.heads, head),
                k: of(k, self.seen(), self.groups, head / shared),
                v: of(v, self.seen(), self.groups, head / shared),
                earlier: self.earlier,
                scale: self.scale,
            })
        });
        let heads: Vec<[Vec<f32>; 2]> = all.collect();
        if keep {
            let y = self.gather(
                heads.iter().map(|[y, _]| y.clone()),
                [self.tokens, self.heads],
            );
            (y, Attended { heads })
        } else {
            let y = self.gather(heads.into_iter().map(|[y, _]| y), [self.tokens, self.heads]);
            (y, Attended { heads: Vec::new() })
        }
    }

    fn backward(&self, [q, k, v]: [&[f32]; 3], kept: &Attended, of: &[f32]) -> [Vec<f32>; 3] {
        let width = self.width(q);
        let shared = self.heads / self.groups;
        let all = (0..self.rows * self.groups).into_par_iter().map(|at| {
            let (row, group) = (at / self.groups, at % self.groups);
            let of_head = |x, heads, head| Head::new(x, [row, head], [self.tokens, heads, width]);
            let of_group = |x| Head::new(x, [row, group], [self.seen(), self.groups, width]);
            let heads = group * shared..(group + 1) * shared;
            Arch::new().dispatch(Backward {
                k: of_group(k),
                v: of_group(v),
                heads: heads
                    .map(|head| Query {
                        q: of_head(q, self.heads, head),
                        of: of_head(of, self.heads, head),
                        read: &kept.heads[row * self.heads + head],
                    })
                    .collect(),
                earlier: self.earlier,
                scale: self.scale,
            })
        });
        let (mut of_q, mut of_k, mut of_v) = (Vec::new(), Vec::new(), Vec::new());
        for (heads, k, v) in all.collect::<Vec<_>>() {
            of_q.extend(heads);
            of_k.push(k);
            of_v.push(v);
        }
        [
            self.gather(of_q.into_iter(), [self.tokens, self.heads]),
            self.gather(of_k.into_iter(), [self.seen(), self.groups]),
            self.gather(of_v.into_iter(), [self.seen(), self.groups]),
        ]
    }
}

/// The tokens of a head, in an array of many.
#[derive(Clone, Copy)]
struct Head<'a> {
    /// From its first number on.
    x: &'a [f32],
    /// From one token to the next.
    stride: usize,
    tokens: usize,
    width: usize,
}

impl<'a> Head<'a> {
    /// Of `x [b, t, heads, d]`, the one at `[row, head]`.
    fn new(x: &'a [f32], [row, head]: [usize; 2], [tokens, heads, width]: [usize; 3]) -> Self {
        Self {
            x: &x[(row * tokens * heads + head) * width..],
            stride: heads * width,
            tokens,
            width,
        }
    }

    /// Of an array `[t, d]`.
    fn alone(self, x: &'a [f32]) -> Self {
        Self {
            x,
            stride: self.width,
            ..self
        }
    }

    /// As many tokens as `out` has room for, from `first` on, times `scale`; 0 beyond the last.
    fn load(&self, out: &mut [f32], first: usize, scale: f32) {
        let width = padded(self.width);
        for (token, out) in (first..).zip(out.chunks_exact_mut(width)) {
            if token < self.tokens {
                let x = &self.x[token * self.stride..][..self.width];
                out.iter_mut().zip(x).for_each(|(out, x)| *out = x * scale);
            } else {
                out.fill(0.0);
            }
        }
    }

    /// All tokens and zeros up to a whole block, `[t, padded d]`.
    fn rows(&self) -> Buffer {
        let mut rows = self.room();
        self.load(&mut rows, 0, 1.0);
        rows
    }

    fn room(&self) -> Buffer {
        Buffer::new(self.tokens.next_multiple_of(BLOCK), self.width)
    }

    /// Writes rows of [`room`](Self::room)'s width to tokens `[t, d]` from `first` on, times `scale`.
    fn store(&self, out: &mut [f32], rows: &[f32], first: usize, scale: f32) {
        let out = out.chunks_exact_mut(self.width).skip(first);
        for (out, x) in out.zip(rows.chunks_exact(padded(self.width))) {
            out.iter_mut().zip(x).for_each(|(out, x)| *out = x * scale);
        }
    }

    fn tokens_of(&self, rows: &[f32]) -> Vec<f32> {
        let mut out = vec![0.0; self.tokens * self.width];
        self.store(&mut out, rows, 0, 1.0);
        out
    }
}

/// A block of queries or keys of `width` padded features.
fn block(x: &[f32], first: usize, width: usize) -> &[f32] {
    &x[first * width..][..BLOCK * width]
}

/// The blocks of keys that queries see whose first one has the key `own`, of so many keys: the first
/// key of each, and how many keys of it the first query sees, less one; none if every query sees all.
fn seen_blocks(own: usize, keys: usize) -> impl Iterator<Item = (usize, Option<isize>)> {
    let blocks = (0..keys.min(own + BLOCK)).step_by(BLOCK);
    blocks.map(move |key| {
        let ahead = own as isize - key as isize;
        (key, (ahead < BLOCK as isize - 1).then_some(ahead))
    })
}

struct Forward<'a> {
    q: Head<'a>,
    k: Head<'a>,
    v: Head<'a>,
    earlier: usize,
    scale: f32,
}

impl WithSimd for Forward<'_> {
    type Output = [Vec<f32>; 2];

    fn with_simd<S: Simd>(self, simd: S) -> Self::Output {
        let Self {
            q,
            k,
            v,
            earlier,
            scale,
        } = self;
        let width = padded(q.width);
        let (keys, values) = (k.rows(), v.rows());
        let [mut queries, mut columns, mut read] = [(); 3].map(|()| Buffer::rows(BLOCK, width));
        let mut scores = Buffer::rows(BLOCK, BLOCK);
        let [mut most, mut sum, mut shrink] = [(); 3].map(|()| Buffer::row(BLOCK));
        let [mut y, mut logs] = [q.width, 1].map(|width| vec![0.0; q.tokens * width]);
        for first in (0..q.tokens).step_by(BLOCK) {
            q.load(&mut queries, first, scale);
            rows::transpose(simd, &mut columns, &queries, width);
            most.fill(UNSEEN);
            sum.clear();
            read.clear();
            for (key, ahead) in seen_blocks(earlier + first, k.tokens) {
                let score = [times((block(&keys, key, width), width), &columns)];
                product(simd, [BLOCK; 2], &score, &mut Set(&mut scores));
                raise(simd, &mut scores, &mut most, &mut sum, &mut shrink, ahead);
                let term = [transposed((block(&values, key, width), width), &scores)];
                let mut sink = ShrinkAdd {
                    out: &mut read,
                    shrink: &shrink,
                };
                product(simd, [width, BLOCK], &term, &mut sink);
            }
            finish(simd, &mut read, &mut most, &sum);
            rows::transpose(simd, &mut queries, &read, BLOCK);
            q.store(&mut y, &queries, first, 1.0);
            let logs = &mut logs[first..];
            let count = logs.len().min(BLOCK);
            logs[..count].copy_from_slice(&most[..count]);
        }
        [y, logs]
    }
}

/// One head of queries.
struct Query<'a> {
    q: Head<'a>,
    /// The gradient at what it read.
    of: Head<'a>,
    /// `y` and `l`.
    read: &'a [Vec<f32>; 2],
}

struct Backward<'a> {
    k: Head<'a>,
    v: Head<'a>,
    /// Those that share keys and values.
    heads: Vec<Query<'a>>,
    earlier: usize,
    scale: f32,
}

impl WithSimd for Backward<'_> {
    /// Gradients at the queries of each head, at keys and at values.
    type Output = (Vec<Vec<f32>>, Vec<f32>, Vec<f32>);

    fn with_simd<S: Simd>(self, simd: S) -> Self::Output {
        let Self {
            k,
            v,
            heads,
            earlier,
            scale,
        } = self;
        let width = padded(k.width);
        let (keys, values) = (k.rows(), v.rows());
        let (mut of_keys, mut of_values) = (k.room(), v.room());
        let rows = || Buffer::rows(BLOCK, width);
        let [mut queries, mut columns, mut of_rows, mut of_columns] = [(); 4].map(|()| rows());
        let [mut y, mut of_queries] = [(); 2].map(|()| rows());
        let [mut shares, mut slopes] = [(); 2].map(|()| Buffer::rows(BLOCK, BLOCK));
        let [mut logs, mut along] = [(); 2].map(|()| Buffer::row(BLOCK));
        let of_heads = heads.into_iter().map(|Query { q, of, read }| {
            let mut of_q = vec![0.0; q.tokens * q.width];
            for first in (0..q.tokens).step_by(BLOCK) {
                q.load(&mut queries, first, scale);
                of.load(&mut of_rows, first, 1.0);
                q.alone(&read[0]).load(&mut y, first, 1.0);
                rows::transpose(simd, &mut columns, &queries, width);
                rows::transpose(simd, &mut of_columns, &of_rows, width);
                let count = BLOCK.min(q.tokens - first);
                logs.clear();
                logs[..count].copy_from_slice(&read[1][first..][..count]);
                along.clear();
                rows::add_row_dots(simd, &mut along, &y, &of_rows);
                of_queries.clear();
                for (key, ahead) in seen_blocks(earlier + first, k.tokens) {
                    let at = key * width..(key + BLOCK) * width;
                    let (key_block, value_block) = (&keys[at.clone()], &values[at.clone()]);
                    let score = [times((key_block, width), &columns)];
                    product(simd, [BLOCK; 2], &score, &mut Set(&mut shares));
                    share(simd, &mut shares, &logs, ahead);
                    let pull = [times((value_block, width), &of_columns)];
                    let mut sink = Slope {
                        out: &mut slopes,
                        shares: &shares,
                        along: &along,
                    };
                    product(simd, [BLOCK; 2], &pull, &mut sink);
                    let size = [BLOCK, width];
                    let term = [times((&shares, BLOCK), &of_rows)];
                    product(simd, size, &term, &mut Add(&mut of_values[at.clone()]));
                    let term = [times((&slopes, BLOCK), &queries)];
                    product(simd, size, &term, &mut Add(&mut of_keys[at]));
                    let term = [transposed((key_block, width), &slopes)];
                    product(simd, [width, BLOCK], &term, &mut Add(&mut of_queries));
                }
                rows::transpose(simd, &mut y, &of_queries, BLOCK);
                q.store(&mut of_q, &y, first, scale);
            }
            of_q
        });
        let of_heads = of_heads.collect();
        (of_heads, k.tokens_of(&of_keys), v.tokens_of(&of_values))
    }
}

/// Added to what is there times a number of each column.
struct ShrinkAdd<'a> {
    out: &'a mut [f32],
    shrink: &'a [f32],
}

impl Sink for ShrinkAdd<'_> {
    #[inline(always)]
    fn put<S: Simd>(&mut self, at: usize, column: usize, sum: V<S>) {
        let out = &mut S::as_mut_simd_f32s(self.out).0[at];
        let shrink = sum.beside(S::as_simd_f32s(self.shrink).0[column]);
        *out = sum.beside(*out).fma(shrink, sum).raw;
    }
}

/// `p (sum − along)`, with a number of each column.
struct Slope<'a> {
    out: &'a mut [f32],
    shares: &'a [f32],
    along: &'a [f32],
}

impl Sink for Slope<'_> {
    #[inline(always)]
    fn put<S: Simd>(&mut self, at: usize, column: usize, sum: V<S>) {
        let share = sum.beside(S::as_simd_f32s(self.shares).0[at]);
        let along = sum.beside(S::as_simd_f32s(self.along).0[column]);
        S::as_mut_simd_f32s(self.out).0[at] = (share * (sum - along)).raw;
    }
}

/// Whether each query of a vector of the block's columns sees the key `row` of a block: the first
/// query sees the keys up to `ahead`, each further one a key more.
#[inline(always)]
fn sees<S: Simd>(simd: S, row: usize, column: usize, ahead: isize) -> V<S> {
    let mut query = [0.0; BLOCK];
    for (lane, query) in query[..S::F32_LANES].iter_mut().enumerate() {
        *query = ((column * S::F32_LANES + lane) as isize + ahead) as f32;
    }
    let query = V::new(simd, vectors(simd, &query)[0]);
    let zero = query.like(0.0);
    query
        .like(row as f32)
        .where_at_most(query, query.like(1.0), zero)
}

vectorized! {
    /// Scores of a block of keys to powers beside their maximum, `most`, which becomes that of these
    /// keys and of those before; `sum` gains them, and `shrink` is what earlier powers shrink by. The
    /// first query sees the keys up to `ahead`, each further one a key more; all of them if it is none.
    fn raise(
        simd,
        scores: &mut [f32],
        most: &mut [f32],
        sum: &mut [f32],
        shrink: &mut [f32],
        ahead: Option<isize>,
    ) {
        let [scores, most] = [scores, most].map(|x| vectors_mut(simd, x));
        let [sum, shrink] = [sum, shrink].map(|x| vectors_mut(simd, x));
        let width = most.len();
        for column in 0..width {
            let before = V::new(simd, most[column]);
            let mut after = before;
            for row in 0..BLOCK {
                let score = &mut scores[row * width + column];
                let mut value = V::new(simd, *score);
                if let Some(ahead) = ahead {
                    let seen = sees(simd, row, column, ahead);
                    value = seen.where_at_most(value.like(0.0), value.like(UNSEEN), value);
                    *score = value.raw;
                }
                after = after.max(value);
            }
            let by = (before - after).exp();
            let mut total = V::new(simd, sum[column]) * by;
            for row in 0..BLOCK {
                let score = &mut scores[row * width + column];
                let value = V::new(simd, *score);
                let power = (value - after).exp();
                let unseen = value.like(UNSEEN);
                let power = value.where_at_most(unseen, power.like(0.0), power);
                *score = power.raw;
                total = total + power;
            }
            most[column] = after.raw;
            sum[column] = total.raw;
            shrink[column] = by.raw;
        }
    }
}

vectorized! {
    /// What was read over the sum of powers, whose logarithm is added to `most`.
    fn finish(simd, read: &mut [f32], most: &mut [f32], sum: &[f32]) {
        let [read, most] = [read, most].map(|x| vectors_mut(simd, x));
        let width = most.len();
        for (column, sum) in vectors(simd, sum).iter().enumerate() {
            let sum = V::new(simd, *sum);
            most[column] = (V::new(simd, most[column]) + sum.ln()).raw;
            let whole = sum.recip();
            for read in read[column..].iter_mut().step_by(width) {
                *read = (V::new(simd, *read) * whole).raw;
            }
        }
    }
}

vectorized! {
    /// Scores to shares, by the logarithm of the sum of each column's powers.
    fn share(simd, scores: &mut [f32], logs: &[f32], ahead: Option<isize>) {
        let (scores, logs) = (vectors_mut(simd, scores), vectors(simd, logs));
        for (row, scores) in scores.chunks_exact_mut(logs.len()).enumerate() {
            for (column, (score, log)) in scores.iter_mut().zip(logs).enumerate() {
                let share = (V::new(simd, *score) - V::new(simd, *log)).exp();
                *score = match ahead {
                    Some(ahead) => {
                        // Not a product with 0: the share of a later key may be infinite.
                        let zero = share.like(0.0);
                        let seen = sees(simd, row, column, ahead);
                        seen.where_at_most(zero, zero, share).raw
                    }
                    None => share.raw,
                };
            }
        }
    }
}
