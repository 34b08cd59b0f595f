//! The values of a formula over a table of numbers, and its adjoint.
//!
//! A table has a row for each feature of tokens and a column for each token; of a map, a row for
//! each of `d_out` and a column for each of `d_in`. A value with one number for each column is one
//! row; one number for all is a row of that number, so that it meets others like any row.
//! Columns beyond the table's are computed like the others and enter no sum.

use pulp::{Simd, WithSimd};

use crate::{
    buffer::Buffer,
    formula::{Binary, Extent, Op, Operations, Over, Unary},
    math::V,
    rows::{self, vectorized, vectors, vectors_mut},
};

/// The size of a table.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Table {
    pub(crate) rows: usize,
    pub(crate) columns: usize,
    /// Columns, padded.
    pub(crate) width: usize,
    /// Numbers of what the formula calls a row.
    pub(crate) row_length: usize,
}

impl Table {
    /// `dᵖ` for rows of `d`.
    fn row_power(self, p: f32) -> f32 {
        (self.row_length as f32).powf(p)
    }
}

impl Operations {
    /// Room for the values of a table with so many rows.
    pub(crate) fn values(&self, rows: usize, columns: usize) -> Vec<Buffer> {
        let rows = self.extents.iter().map(|extent| match extent {
            Extent::Each => rows,
            Extent::Row | Extent::All => 1,
        });
        rows.map(|rows| Buffer::rows(rows, columns)).collect()
    }

    /// All values; `symbol` gives those of operations without operands.
    pub(crate) fn evaluate<'a, S: Simd>(
        &self,
        simd: S,
        values: &mut [Buffer],
        table: Table,
        symbol: impl Fn(Op) -> &'a [f32],
    ) {
        let Table { columns, width, .. } = table;
        for (n, op) in self.ops.iter().enumerate() {
            let (before, after) = values.split_at_mut(n);
            let out = &mut after[0][..];
            let len = out.len();
            match *op {
                Op::Output | Op::Value | Op::Gate(_) | Op::Argument => {
                    out.copy_from_slice(&symbol(*op)[..len]);
                }
                Op::Unary(f, x) => unary(simd, out, f, &before[x]),
                Op::TimesRowLength(x, p) => {
                    unary(simd, out, Unary::Scale(table.row_power(p)), &before[x]);
                }
                Op::Binary(f, a, b) => binary(simd, out, f, &before[a], &before[b], width),
                Op::Select { a, b, yes, no } => {
                    let all = [a, b, yes, no].map(|x| &before[x][..]);
                    select(simd, out, all, width);
                }
                Op::Sum(x, over) | Op::Mean(x, over) => {
                    out.fill(0.0);
                    add_rows(simd, out, &before[x]);
                    let by = self.weight(*op, table);
                    if over == Over::All && self.extents[x] != Extent::All {
                        let sum: f32 = out[..columns].iter().sum();
                        out.fill(sum * by);
                    } else {
                        rows::scale(simd, out, by);
                    }
                }
                Op::Softmax(x) => softmax(simd, out, &before[x], width, false),
                Op::LogSoftmax(x) => softmax(simd, out, &before[x], width, true),
            }
        }
    }

    /// The adjoint of [`evaluate`](Self::evaluate) from the gradient at its last value, which lies
    /// in `of`, with all others there 0. `into` takes the gradients at operations without operands.
    pub(crate) fn backward<S: Simd>(
        &self,
        simd: S,
        of: &mut [Buffer],
        values: &[Buffer],
        table: Table,
        mut into: impl FnMut(Op, &[f32]),
    ) {
        let Table { columns, width, .. } = table;
        for (n, op) in self.ops.iter().enumerate().rev() {
            let (before, after) = of.split_at_mut(n);
            let (d, out) = (&mut after[0][..], &values[n][..]);
            match *op {
                Op::Output | Op::Value | Op::Gate(_) | Op::Argument => into(*op, d),
                Op::Unary(f, x) => unary_back(simd, &mut before[x], f, &values[x], out, d),
                Op::TimesRowLength(x, p) => {
                    let f = Unary::Scale(table.row_power(p));
                    unary_back(simd, &mut before[x], f, &values[x], out, d);
                }
                Op::Binary(f, a, b) => {
                    let [left, right] = [a, b].map(|x| &values[x][..]);
                    binary_back(simd, &mut before[a], f, false, left, right, d, width);
                    binary_back(simd, &mut before[b], f, true, left, right, d, width);
                }
                Op::Select { a, b, yes, no } => {
                    let [a, b] = [a, b].map(|x| &values[x][..]);
                    select_back(simd, &mut before[yes], true, a, b, d, width);
                    select_back(simd, &mut before[no], false, a, b, d, width);
                }
                Op::Sum(x, over) | Op::Mean(x, over) => {
                    let by = self.weight(*op, table);
                    if over == Over::All && self.extents[x] != Extent::All {
                        let sum: f32 = d[..columns].iter().sum();
                        d.fill(sum * by);
                    } else {
                        rows::scale(simd, d, by);
                    }
                    spread_rows(simd, &mut before[x], d);
                }
                Op::Softmax(x) => softmax_back(simd, &mut before[x], out, d, width, false),
                Op::LogSoftmax(x) => softmax_back(simd, &mut before[x], out, d, width, true),
            }
        }
    }

    /// What a sum is times to be what an operation gives: 1, or for a mean one by the numbers that
    /// it is taken over.
    fn weight(&self, op: Op, table: Table) -> f32 {
        let Op::Mean(x, over) = op else { return 1.0 };
        let columns = match over {
            Over::All => table.columns,
            Over::Row => 1,
        };
        match self.extents[x] {
            Extent::Each => 1.0 / (table.rows * columns) as f32,
            Extent::Row => 1.0 / columns as f32,
            Extent::All => 1.0,
        }
    }
}

impl Unary {
    #[inline(always)]
    fn value<S: Simd>(self, x: V<S>) -> V<S> {
        match self {
            Self::Scale(c) => x * c,
            Self::Shift(c) => x + c,
            Self::Square | Self::Power(2.0) => x * x,
            Self::Sqrt | Self::Power(0.5) => x.sqrt(),
            Self::Power(p) => (x.ln() * p).exp(),
            Self::Recip => x.recip(),
            Self::Tanh => x.tanh(),
            Self::Atan => x.atan(),
            Self::Exp => x.exp(),
            Self::Abs => x.abs(),
            Self::Sign => x.sign(),
            Self::Softplus => x.softplus(),
            Self::AtLeast(c) => x.max(x.like(c)),
            Self::AtMost(c) => x.min(x.like(c)),
        }
    }

    /// The slope at `x`, where the value is `y`.
    #[inline(always)]
    fn slope<S: Simd>(self, x: V<S>, y: V<S>) -> V<S> {
        let [zero, one] = [x.like(0.0), x.like(1.0)];
        match self {
            Self::Scale(c) => x.like(c),
            Self::Shift(_) => one,
            Self::Square | Self::Power(2.0) => x + x,
            Self::Power(p) => y / x.max(x.like(f32::MIN_POSITIVE)) * p,
            Self::Sqrt => y.like(0.5) / y,
            Self::Recip => y * y * -1.0,
            Self::Tanh => y * y * -1.0 + 1.0,
            Self::Atan => (x * x + 1.0).recip(),
            Self::Exp => y,
            Self::Abs => x.sign(),
            Self::Sign => zero,
            Self::Softplus => x.sigmoid(),
            Self::AtLeast(c) => x.like(c).where_at_most(x, one, zero),
            Self::AtMost(c) => x.where_at_most(x.like(c), one, zero),
        }
    }
}

impl Binary {
    #[inline(always)]
    fn value<S: Simd>(self, a: V<S>, b: V<S>) -> V<S> {
        match self {
            Self::Add => a + b,
            Self::Sub => a - b,
            Self::Mul => a * b,
            Self::Div => a / b,
            Self::Min => a.min(b).nan_where(b),
            Self::Max => a.max(b).nan_where(b),
        }
    }

    /// The slopes in `a` and in `b`.
    #[inline(always)]
    fn slopes<S: Simd>(self, a: V<S>, b: V<S>) -> [V<S>; 2] {
        let [zero, one] = [a.like(0.0), a.like(1.0)];
        match self {
            Self::Add => [one; 2],
            Self::Sub => [one, one * -1.0],
            Self::Mul => [b, a],
            Self::Div => [b.recip(), a / (b * b) * -1.0],
            Self::Min => [a.where_at_most(b, one, zero), a.where_at_most(b, zero, one)],
            Self::Max => [b.where_at_most(a, one, zero), b.where_at_most(a, zero, one)],
        }
    }
}

/// Where vector `column` of row `row` lies in a value, which may have one row for all.
#[inline(always)]
fn place<T>(x: &[T], row: usize, column: usize, width: usize) -> usize {
    if x.len() == width {
        column
    } else {
        row * width + column
    }
}

vectorized! {
    /// `out = f(x)`.
    fn unary(simd, out: &mut [f32], f: Unary, x: &[f32]) {
        for (out, x) in vectors_mut(simd, out).iter_mut().zip(vectors(simd, x)) {
            *out = f.value(V::new(simd, *x)).raw;
        }
    }
}

vectorized! {
    /// `of_x += f'(x) d`.
    fn unary_back(simd, of_x: &mut [f32], f: Unary, x: &[f32], y: &[f32], d: &[f32]) {
        let at = vectors(simd, x).iter().zip(vectors(simd, y)).zip(vectors(simd, d));
        for (of_x, ((x, y), d)) in vectors_mut(simd, of_x).iter_mut().zip(at) {
            let slope = f.slope(V::new(simd, *x), V::new(simd, *y));
            *of_x = slope.fma(V::new(simd, *d), V::new(simd, *of_x)).raw;
        }
    }
}

vectorized! {
    /// `out = f(a, b)` of `width` tokens.
    fn binary(simd, out: &mut [f32], f: Binary, a: &[f32], b: &[f32], width: usize) {
        let [a, b] = [a, b].map(|x| vectors(simd, x));
        let width = width / S::F32_LANES;
        for (row, out) in vectors_mut(simd, out).chunks_exact_mut(width).enumerate() {
            for (column, out) in out.iter_mut().enumerate() {
                let [a, b] = [a, b].map(|x| V::new(simd, x[place(x, row, column, width)]));
                *out = f.value(a, b).raw;
            }
        }
    }
}

vectorized! {
    /// Adds the slope in `b`, if `second` says so, or else that in `a`, times `d` to `of`.
    fn binary_back(
        simd,
        of: &mut [f32],
        f: Binary,
        second: bool,
        a: &[f32],
        b: &[f32],
        d: &[f32],
        width: usize,
    ) {
        let [a, b] = [a, b].map(|x| vectors(simd, x));
        let of = vectors_mut(simd, of);
        let width = width / S::F32_LANES;
        for (row, d) in vectors(simd, d).chunks_exact(width).enumerate() {
            for (column, d) in d.iter().enumerate() {
                let [a, b] = [a, b].map(|x| V::new(simd, x[place(x, row, column, width)]));
                let slope = f.slopes(a, b)[usize::from(second)];
                let of = &mut of[place(of, row, column, width)];
                *of = slope.fma(V::new(simd, *d), V::new(simd, *of)).raw;
            }
        }
    }
}

vectorized! {
    /// `out = yes` where `a ≤ b`, else `no`; all of `[a, b, yes, no]` of `width` tokens.
    fn select(simd, out: &mut [f32], all: [&[f32]; 4], width: usize) {
        let all = all.map(|x| vectors(simd, x));
        let width = width / S::F32_LANES;
        for (row, out) in vectors_mut(simd, out).chunks_exact_mut(width).enumerate() {
            for (column, out) in out.iter_mut().enumerate() {
                let all = all.map(|x| V::new(simd, x[place(x, row, column, width)]));
                let [a, b, yes, no] = all;
                *out = a.where_at_most(b, yes, no).raw;
            }
        }
    }
}

vectorized! {
    /// `of += d` where `a ≤ b` is as `holds` says.
    fn select_back(
        simd,
        of: &mut [f32],
        holds: bool,
        a: &[f32],
        b: &[f32],
        d: &[f32],
        width: usize,
    ) {
        let [a, b] = [a, b].map(|x| vectors(simd, x));
        let of = vectors_mut(simd, of);
        let width = width / S::F32_LANES;
        for (row, d) in vectors(simd, d).chunks_exact(width).enumerate() {
            for (column, d) in d.iter().enumerate() {
                let [a, b] = [a, b].map(|x| V::new(simd, x[place(x, row, column, width)]));
                let d = V::new(simd, *d);
                let zero = d.like(0.0);
                let [yes, no] = if holds { [d, zero] } else { [zero, d] };
                let of = &mut of[place(of, row, column, width)];
                *of = (V::new(simd, *of) + a.where_at_most(b, yes, no)).raw;
            }
        }
    }
}

vectorized! {
    /// `out += Σ_r x_r` over rows.
    fn add_rows(simd, out: &mut [f32], x: &[f32]) {
        let out = vectors_mut(simd, out);
        for x in vectors(simd, x).chunks_exact(out.len()) {
            for (out, x) in out.iter_mut().zip(x) {
                *out = simd.add_f32s(*out, *x);
            }
        }
    }
}

vectorized! {
    /// `out_r += x` for each row.
    fn spread_rows(simd, out: &mut [f32], x: &[f32]) {
        let x = vectors(simd, x);
        for out in vectors_mut(simd, out).chunks_exact_mut(x.len()) {
            for (out, x) in out.iter_mut().zip(x) {
                *out = simd.add_f32s(*out, *x);
            }
        }
    }
}

vectorized! {
    /// `exp(x) / Σ exp(x)` or, with `log`, its logarithm; `width` tokens.
    fn softmax(simd, out: &mut [f32], x: &[f32], width: usize, log: bool) {
        let (out, x) = (vectors_mut(simd, out), vectors(simd, x));
        let width = width / S::F32_LANES;
        for column in 0..width {
            let mut most = V::new(simd, x[column]);
            for at in (column..x.len()).step_by(width) {
                most = most.max(V::new(simd, x[at]));
            }
            let mut sum = V::splat(simd, 0.0);
            for at in (column..x.len()).step_by(width) {
                let power = (V::new(simd, x[at]) - most).exp();
                out[at] = power.raw;
                sum = sum + power;
            }
            let (whole, shift) = (sum.recip(), most + sum.ln());
            for at in (column..x.len()).step_by(width) {
                out[at] = if log {
                    (V::new(simd, x[at]) - shift).raw
                } else {
                    (V::new(simd, out[at]) * whole).raw
                };
            }
        }
    }
}

vectorized! {
    /// The adjoint of [`softmax`], whose value is `y`.
    fn softmax_back(simd, of: &mut [f32], y: &[f32], d: &[f32], width: usize, log: bool) {
        let (of, [y, d]) = (vectors_mut(simd, of), [y, d].map(|x| vectors(simd, x)));
        let width = width / S::F32_LANES;
        for column in 0..width {
            let mut sum = V::splat(simd, 0.0);
            for at in (column..y.len()).step_by(width) {
                let d = V::new(simd, d[at]);
                sum = if log { sum + d } else { d.fma(V::new(simd, y[at]), sum) };
            }
            for at in (column..y.len()).step_by(width) {
                let [y, d] = [y[at], d[at]].map(|x| V::new(simd, x));
                let more = if log { d - y.exp() * sum } else { y * (d - sum) };
                of[at] = (V::new(simd, of[at]) + more).raw;
            }
        }
    }
}
