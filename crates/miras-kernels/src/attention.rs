//! Causal softmax attention in blocks (`FlashAttention`, arXiv 2205.14135).
//!
//! A head's queries and keys are taken 64 at a time, so that scores exist for one pair of blocks
//! alone. They are *columns*, a row for each key and a column for each query: sums over keys are
//! sums of rows.
//!
//! Query `i` sees the keys `j ∈ S_i` ([`Attention`]), and
//! ```text
//! s_ij = scale ⟨q_i, k_j⟩,  p_ij = exp(s_ij − l_i),  l_i = log Σ_j exp(s_ij),  y_i = Σ_j p_ij v_j
//! ∇s_ij = p_ij (⟨∇y_i, v_j⟩ − ⟨∇y_i, y_i⟩)
//! ∇q_i = scale Σ_j ∇s_ij k_j,  ∇k_j = scale Σ_i ∇s_ij q_i,  ∇v_j = Σ_i p_ij ∇y_i
//! ```
//!
//! `S_i` is the prefix and one run of keys, so that a block of keys is seen by none of the queries
//! of a block and left out, seen whole by all of them, or seen in part and then masked.

use std::ops::Range;

use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use crate::{
    Operation,
    buffer::{Buffer, padded},
    math::V,
    product::{Add, Set, Sink, product, times, transposed},
    rows::{self, vectorized, vectors, vectors_mut},
};

/// `y_i = Σ_{j∈S_i} softmax_j(scale ⟨q_i, k_j⟩) v_j`, in every head.
///
/// # What is seen
/// Of the keys, the first `prefix` belong to no position. Behind them are `per_token` for each of
/// the positions `0..earlier + t`, so that key `prefix + per_token · n + m` is one of position `n`.
/// Query `i` has position `earlier + i`, and with a window of `w`
/// ```text
/// S_i = {j < prefix} ∪ {keys of n : 0 ≤ earlier + i − n < w}
/// ```
/// Time grows with the keys that are seen, memory with all.
///
/// # Arrays
/// `q`, `y`: `[b, t, h, d]`; `k`, `v`: `[b, prefix + per_token · (earlier + t), groups, d]`, where
/// head `i` has the keys and values of group `i · groups / h` (arXiv 2305.13245).
///
/// It keeps what goes in, `y` and one number for each query.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Attention {
    /// `b`.
    pub rows: usize,
    /// `t`, the number of queries.
    pub tokens: usize,
    /// `h`.
    pub heads: usize,
    /// Heads of keys and values; divides `h`.
    pub groups: usize,
    /// What scores are multiplied with.
    pub scale: f32,
    /// Positions before that of the first query, of which there are keys too.
    pub earlier: usize,
    /// Keys that every query sees.
    pub prefix: usize,
    /// Keys of each position, at least 1.
    pub per_token: usize,
    /// `w`, at least 1: positions that a query sees, its own included. `None` is all up to its own.
    pub window: Option<usize>,
}

/// What [`Attention`] keeps: of each batch row and head `y [t, d]` and `l [t]`.
#[derive(Debug)]
pub struct Attended {
    heads: Vec<[Vec<f32>; 2]>,
}

/// Queries, and keys, that are taken at once.
const BLOCK: usize = 64;

/// The score of a key that is not seen.
const UNSEEN: f32 = -1e30;

impl Attention {
    /// Queries that see the keys `j ≤ i`: one for each token, and no others.
    pub fn causal(rows: usize, tokens: usize, heads: usize, groups: usize, scale: f32) -> Self {
        Self {
            rows,
            tokens,
            heads,
            groups,
            scale,
            earlier: 0,
            prefix: 0,
            per_token: 1,
            window: None,
        }
    }

    /// Keys of a batch row: `prefix + per_token · (earlier + t)`.
    pub fn keys(&self) -> usize {
        self.prefix + self.per_token * (self.earlier + self.tokens)
    }

    /// The keys behind the prefix that a query sees.
    fn run(&self, query: usize) -> Range<usize> {
        let end = self.earlier + query + 1;
        let start = end.saturating_sub(self.window.unwrap_or(end));
        self.prefix + self.per_token * start..self.prefix + self.per_token * end
    }

    /// The blocks of keys that some of `count` queries from `first` on see.
    fn blocks(self, first: usize, count: usize) -> impl Iterator<Item = Keys> {
        let [least, most] = [first, first + count - 1].map(|query| self.run(query));
        let prefix = (0..self.prefix).step_by(BLOCK);
        let prefix = prefix.map(move |key| Keys::new(key, 0..self.prefix, |_| 0..self.prefix));
        let run = (least.start..most.end).step_by(BLOCK);
        let by_all = most.start..least.end;
        let run =
            run.map(move |key| Keys::new(key, by_all.clone(), |column| self.run(first + column)));
        prefix.chain(run)
    }

    /// Features of a head.
    fn width(&self, q: &[f32]) -> usize {
        q.len() / (self.rows * self.tokens * self.heads)
    }

    /// An array `[b, tokens, heads, d]` of those of its heads, `[tokens, d]`.
    fn gather(
        &self,
        heads: impl Iterator<Item = Vec<f32>>,
        [tokens, count]: [usize; 2],
    ) -> Vec<f32> {
        let all: Vec<Vec<f32>> = heads.collect();
        let token = all[0].len() / tokens * count;
        let mut out = vec![0.0; self.rows * tokens * token];
        let rows = out.par_chunks_exact_mut(tokens * token);
        rows.zip(all.par_chunks(count)).for_each(|(out, all)| {
            let width = token / count;
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
        let (of_q, of_k) = ([self.tokens, self.heads], [self.keys(), self.groups]);
        let len = self.rows * self.keys() * self.groups * width;
        assert_eq!([k.len(), v.len()], [len; 2], "keys of {self:?}");
        let all = (0..self.rows * self.heads).into_par_iter().map(|at| {
            let (row, head) = (at / self.heads, at % self.heads);
            Arch::new().dispatch(Forward {
                attention: *self,
                q: Head::new(q, [row, head], of_q, width),
                k: Head::new(k, [row, head / shared], of_k, width),
                v: Head::new(v, [row, head / shared], of_k, width),
            })
        });
        let heads: Vec<[Vec<f32>; 2]> = all.collect();
        if keep {
            let y = self.gather(heads.iter().map(|[y, _]| y.clone()), of_q);
            (y, Attended { heads })
        } else {
            let y = self.gather(heads.into_iter().map(|[y, _]| y), of_q);
            (y, Attended { heads: Vec::new() })
        }
    }

    fn backward(&self, [q, k, v]: [&[f32]; 3], kept: &Attended, of: &[f32]) -> [Vec<f32>; 3] {
        let width = self.width(q);
        let shared = self.heads / self.groups;
        let (of_q, of_k) = ([self.tokens, self.heads], [self.keys(), self.groups]);
        let all = (0..self.rows * self.groups).into_par_iter().map(|at| {
            let (row, group) = (at / self.groups, at % self.groups);
            let heads = group * shared..(group + 1) * shared;
            Arch::new().dispatch(Backward {
                attention: *self,
                k: Head::new(k, [row, group], of_k, width),
                v: Head::new(v, [row, group], of_k, width),
                heads: heads
                    .map(|head| Query {
                        q: Head::new(q, [row, head], of_q, width),
                        of: Head::new(of, [row, head], of_q, width),
                        read: &kept.heads[row * self.heads + head],
                    })
                    .collect(),
            })
        });
        let (mut at_q, mut at_k, mut at_v) = (Vec::new(), Vec::new(), Vec::new());
        for (heads, k, v) in all.collect::<Vec<_>>() {
            at_q.extend(heads);
            at_k.push(k);
            at_v.push(v);
        }
        [
            self.gather(at_q.into_iter(), of_q),
            self.gather(at_k.into_iter(), of_k),
            self.gather(at_v.into_iter(), of_k),
        ]
    }
}

/// A block of keys beside a block of queries.
struct Keys {
    first: usize,
    /// Of each query, the first row that it sees and the end of those; `None` if all see all.
    seen: Option<[[f32; BLOCK]; 2]>,
}

impl Keys {
    /// Those from `first` on, of which a run is seen by all queries and one by each.
    fn new(first: usize, by_all: Range<usize>, by: impl Fn(usize) -> Range<usize>) -> Self {
        let masked = first < by_all.start || by_all.end < first + BLOCK;
        let seen = masked.then(|| {
            let runs: [Range<usize>; BLOCK] = std::array::from_fn(by);
            let row = |key: usize| key.saturating_sub(first).min(BLOCK) as f32;
            [
                runs.each_ref().map(|run| row(run.start)),
                runs.each_ref().map(|run| row(run.end)),
            ]
        });
        Self { first, seen }
    }
}

/// The queries or keys of a head, in an array of many; *tokens* below are either.
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
    /// Of `x [b, tokens, heads, d]`, the one at `[row, head]`.
    fn new(
        x: &'a [f32],
        [row, head]: [usize; 2],
        [tokens, heads]: [usize; 2],
        width: usize,
    ) -> Self {
        Self {
            x: &x[(row * tokens * heads + head) * width..],
            stride: heads * width,
            tokens,
            width,
        }
    }

    /// Of an array `[tokens, d]`.
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

    /// All tokens and zeros, so that a whole block begins at each, `[.., padded d]`.
    fn rows(&self) -> Buffer {
        let mut rows = self.room();
        self.load(&mut rows, 0, 1.0);
        rows
    }

    fn room(&self) -> Buffer {
        Buffer::new(self.tokens + BLOCK - 1, self.width)
    }

    /// Writes rows of [`room`](Self::room)'s width to `[tokens, d]` from `first` on, times `scale`.
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

/// A block of keys of `width` padded features.
fn block(x: &[f32], first: usize, width: usize) -> &[f32] {
    &x[first * width..][..BLOCK * width]
}

/// Queries that are taken at once, fewer if there are no more.
fn side(q: Head<'_>) -> usize {
    BLOCK.min(padded(q.tokens))
}

struct Forward<'a> {
    attention: Attention,
    q: Head<'a>,
    k: Head<'a>,
    v: Head<'a>,
}

impl WithSimd for Forward<'_> {
    type Output = [Vec<f32>; 2];

    fn with_simd<S: Simd>(self, simd: S) -> Self::Output {
        let Self { attention, q, k, v } = self;
        let side = side(q);
        let width = padded(q.width);
        let (keys, values) = (k.rows(), v.rows());
        let [mut queries, mut columns, mut read] = [(); 3].map(|()| Buffer::rows(side, width));
        let mut scores = Buffer::rows(BLOCK, side);
        let [mut most, mut sum, mut shrink] = [(); 3].map(|()| Buffer::row(side));
        let [mut y, mut logs] = [q.width, 1].map(|width| vec![0.0; q.tokens * width]);
        for first in (0..q.tokens).step_by(side) {
            let count = side.min(q.tokens - first);
            q.load(&mut queries, first, attention.scale);
            rows::transpose(simd, &mut columns, &queries, width);
            most.fill(UNSEEN);
            sum.clear();
            read.clear();
            for Keys { first: key, seen } in attention.blocks(first, count) {
                let score = [times((block(&keys, key, width), width), &columns)];
                product(simd, [BLOCK, side], &score, &mut Set(&mut scores));
                if let Some(seen) = seen {
                    hide(simd, &mut scores, &seen, UNSEEN);
                }
                raise(simd, &mut scores, &mut most, &mut sum, &mut shrink);
                let term = [transposed((block(&values, key, width), width), &scores)];
                let mut sink = ShrinkAdd {
                    out: &mut read,
                    shrink: &shrink,
                };
                product(simd, [width, side], &term, &mut sink);
            }
            finish(simd, &mut read, &mut most, &sum);
            rows::transpose(simd, &mut queries, &read, side);
            q.store(&mut y, &queries, first, 1.0);
            logs[first..][..count].copy_from_slice(&most[..count]);
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
    attention: Attention,
    k: Head<'a>,
    v: Head<'a>,
    /// Those that share keys and values.
    heads: Vec<Query<'a>>,
}

impl WithSimd for Backward<'_> {
    /// Gradients at the queries of each head, at keys and at values.
    type Output = (Vec<Vec<f32>>, Vec<f32>, Vec<f32>);

    fn with_simd<S: Simd>(self, simd: S) -> Self::Output {
        let Self {
            attention,
            k,
            v,
            heads,
        } = self;
        let side = side(heads[0].q);
        let width = padded(k.width);
        let (keys, values) = (k.rows(), v.rows());
        let (mut of_keys, mut of_values) = (k.room(), v.room());
        let rows = || Buffer::rows(side, width);
        let [mut queries, mut columns, mut of_rows, mut of_columns] = [(); 4].map(|()| rows());
        let [mut y, mut of_queries] = [(); 2].map(|()| rows());
        let [mut shares, mut slopes] = [(); 2].map(|()| Buffer::rows(BLOCK, side));
        let [mut logs, mut along] = [(); 2].map(|()| Buffer::row(side));
        let of_heads = heads.into_iter().map(|Query { q, of, read }| {
            let mut of_q = vec![0.0; q.tokens * q.width];
            for first in (0..q.tokens).step_by(side) {
                let count = side.min(q.tokens - first);
                q.load(&mut queries, first, attention.scale);
                of.load(&mut of_rows, first, 1.0);
                q.alone(&read[0]).load(&mut y, first, 1.0);
                rows::transpose(simd, &mut columns, &queries, width);
                rows::transpose(simd, &mut of_columns, &of_rows, width);
                logs.clear();
                logs[..count].copy_from_slice(&read[1][first..][..count]);
                along.clear();
                rows::add_row_dots(simd, &mut along, &y, &of_rows);
                of_queries.clear();
                for Keys { first: key, seen } in attention.blocks(first, count) {
                    let at = key * width..(key + BLOCK) * width;
                    let (key_block, value_block) = (&keys[at.clone()], &values[at.clone()]);
                    let score = [times((key_block, width), &columns)];
                    product(simd, [BLOCK, side], &score, &mut Set(&mut shares));
                    share(simd, &mut shares, &logs);
                    if let Some(seen) = seen {
                        hide(simd, &mut shares, &seen, 0.0);
                    }
                    let pull = [times((value_block, width), &of_columns)];
                    let mut sink = Slope {
                        out: &mut slopes,
                        shares: &shares,
                        along: &along,
                    };
                    product(simd, [BLOCK, side], &pull, &mut sink);
                    let size = [BLOCK, width];
                    let term = [times((&shares, side), &of_rows)];
                    product(simd, size, &term, &mut Add(&mut of_values[at.clone()]));
                    let term = [times((&slopes, side), &queries)];
                    product(simd, size, &term, &mut Add(&mut of_keys[at]));
                    let term = [transposed((key_block, width), &slopes)];
                    product(simd, [width, side], &term, &mut Add(&mut of_queries));
                }
                rows::transpose(simd, &mut y, &of_queries, side);
                q.store(&mut of_q, &y, first, attention.scale);
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

vectorized! {
    /// What is of a query and a key that it does not see becomes `hidden` ([`Keys::seen`]).
    fn hide(simd, scores: &mut [f32], seen: &[[f32; BLOCK]; 2], hidden: f32) {
        let scores = vectors_mut(simd, scores);
        let [start, end] = [&seen[0], &seen[1]].map(|x| vectors(simd, x));
        let width = scores.len() / BLOCK;
        let hidden = V::splat(simd, hidden);
        for (row, scores) in scores.chunks_exact_mut(width).enumerate() {
            let [row, next] = [row, row + 1].map(|x| V::splat(simd, x as f32));
            for (score, (start, end)) in scores.iter_mut().zip(start.iter().zip(end)) {
                let value = next.where_at_most(next.beside(*end), next.beside(*score), hidden);
                *score = row.beside(*start).where_at_most(row, value, hidden).raw;
            }
        }
    }
}

vectorized! {
    /// Scores of a block of keys to powers beside their maximum, `most`, which becomes that of these
    /// keys and of those before; `sum` gains them, and `shrink` is what earlier powers shrink by.
    /// The power of [`UNSEEN`] is 0, also where it is the maximum so far.
    fn raise(
        simd,
        scores: &mut [f32],
        most: &mut [f32],
        sum: &mut [f32],
        shrink: &mut [f32],
    ) {
        let [scores, most] = [scores, most].map(|x| vectors_mut(simd, x));
        let [sum, shrink] = [sum, shrink].map(|x| vectors_mut(simd, x));
        let width = most.len();
        for column in 0..width {
            let before = V::new(simd, most[column]);
            let mut after = before;
            for row in 0..BLOCK {
                after = after.max(V::new(simd, scores[row * width + column]));
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
    fn share(simd, scores: &mut [f32], logs: &[f32]) {
        let (scores, logs) = (vectors_mut(simd, scores), vectors(simd, logs));
        for scores in scores.chunks_exact_mut(logs.len()) {
            for (score, log) in scores.iter_mut().zip(logs) {
                *score = (V::new(simd, *score) - V::new(simd, *log)).exp().raw;
            }
        }
    }
}
