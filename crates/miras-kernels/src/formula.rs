//! A function of outputs and values, number by number and over features, and its adjoint.

use std::fmt;

use pulp::{Simd, WithSimd};

use crate::{
    math::V,
    rows::{self, vectorized, vectors, vectors_mut},
    targets::Targets,
};

/// The gradient of an inner loss, `∂ℓ/∂y`, as operations in order; the last one gives it.
///
/// A value has a number for each feature of a token, or one for the token; the latter is meant for
/// all features where it meets the former.
///
/// ```
/// use miras_kernels::{Binary, Formula, Op, Unary};
///
/// // tanh(10 (y − v)), the gradient of an absolute error.
/// let l1 = Formula::new(&[
///     Op::Output,
///     Op::Value,
///     Op::Binary(Binary::Sub, 0, 1),
///     Op::Unary(Unary::Scale(10.0), 2),
///     Op::Unary(Unary::Tanh, 3),
/// ])?;
/// assert_eq!(l1.gates(), 0);
/// # Ok::<(), miras_kernels::FormulaError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Formula {
    ops: Vec<Op>,
    /// Of each value, whether it has a number for each feature.
    wide: Vec<bool>,
    gates: usize,
}

/// An operation; its operands are numbers of earlier operations.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Op {
    /// `y`, what the memory gives for the key.
    Output,
    /// `v`, what it should give.
    Value,
    /// A gate of the bias, one number a token.
    Gate(usize),
    /// `f(x)`.
    Unary(Unary, usize),
    /// `f(a, b)`.
    Binary(Binary, usize, usize),
    /// `yes` where `a ≤ b`, else `no`.
    Select {
        /// What is compared.
        a: usize,
        /// With what.
        b: usize,
        /// Where `a ≤ b`.
        yes: usize,
        /// Elsewhere.
        no: usize,
    },
    /// The sum over the features: one number a token.
    Sum(usize),
    /// `exp(x) / Σ exp(x)` over the features.
    Softmax(usize),
    /// Its logarithm.
    LogSoftmax(usize),
}

/// A function of a number.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Unary {
    /// `c x`.
    Scale(f32),
    /// `x + c`.
    Shift(f32),
    /// `x²`.
    Square,
    /// `x^p` for `x > 0`.
    Power(f32),
    /// `√x`.
    Sqrt,
    /// `1 / x`.
    Recip,
    /// `tanh x`.
    Tanh,
    /// `eˣ`.
    Exp,
    /// `|x|`, of slope 0 at 0.
    Abs,
    /// `log(1 + eˣ)`.
    Softplus,
    /// `max(x, c)`.
    AtLeast(f32),
    /// `min(x, c)`.
    AtMost(f32),
}

/// A function of two numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Binary {
    /// `a + b`.
    Add,
    /// `a − b`.
    Sub,
    /// `a b`.
    Mul,
    /// `a / b`.
    Div,
    /// The smaller one.
    Min,
    /// The larger one.
    Max,
}

/// Why operations are no formula.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FormulaError(String);

impl fmt::Display for FormulaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for FormulaError {}

impl Op {
    fn operands(self) -> Vec<usize> {
        match self {
            Self::Output | Self::Value | Self::Gate(_) => Vec::new(),
            Self::Unary(_, x) | Self::Sum(x) | Self::Softmax(x) | Self::LogSoftmax(x) => vec![x],
            Self::Binary(_, a, b) => vec![a, b],
            Self::Select { a, b, yes, no } => vec![a, b, yes, no],
        }
    }
}

impl Formula {
    /// The formula of these operations.
    pub fn new(ops: &[Op]) -> Result<Self, FormulaError> {
        let mut wide: Vec<bool> = Vec::new();
        let mut gates = 0;
        for (at, op) in ops.iter().enumerate() {
            let operands = op.operands();
            if let Some(late) = operands.iter().find(|x| **x >= at) {
                let message = format!("operation {at} needs value {late} before it is made");
                return Err(FormulaError(message));
            }
            wide.push(match *op {
                Op::Output | Op::Value => true,
                Op::Sum(_) => false,
                Op::Gate(gate) => {
                    gates = gates.max(gate + 1);
                    false
                }
                _ => operands.iter().any(|x| wide[*x]),
            });
        }
        if wide.last() != Some(&true) {
            let message = "the last operation has no number for each feature";
            return Err(FormulaError(message.into()));
        }
        Ok(Self {
            ops: ops.to_vec(),
            wide,
            gates,
        })
    }

    /// How many gates it reads.
    pub fn gates(&self) -> usize {
        self.gates
    }

    /// Of each value, the features that it has of `d`.
    pub(crate) fn widths(&self, d: usize) -> impl Iterator<Item = usize> {
        self.wide.iter().map(move |wide| if *wide { d } else { 1 })
    }

    /// All values of the targets, from outputs `y` on; the last one is the gradient.
    pub(crate) fn evaluate<S: Simd>(&self, simd: S, y: &[f32], at: &mut Targets) {
        for (n, op) in self.ops.iter().enumerate() {
            let (before, after) = at.values.split_at_mut(n);
            let out = &mut after[0][..];
            let len = out.len();
            match *op {
                Op::Output => out.copy_from_slice(&y[..len]),
                Op::Value => out.copy_from_slice(&at.v[..len]),
                Op::Gate(gate) => out.copy_from_slice(&at.gates[gate]),
                Op::Unary(f, x) => unary(simd, out, f, &before[x]),
                Op::Binary(f, a, b) => binary(simd, out, f, &before[a], &before[b], at.width),
                Op::Select { a, b, yes, no } => {
                    let all = [a, b, yes, no].map(|x| &before[x][..]);
                    select(simd, out, all, at.width);
                }
                Op::Sum(x) => {
                    out.fill(0.0);
                    add_features(simd, out, &before[x]);
                }
                Op::Softmax(x) => softmax(simd, out, &before[x], at.width, false),
                Op::LogSoftmax(x) => softmax(simd, out, &before[x], at.width, true),
            }
        }
    }

    /// The adjoint of [`evaluate`](Self::evaluate) from the gradient at its last value, which lies
    /// in `of.values`, with all others there 0. Adds the gradient at `y`, and to those in `of`.
    pub(crate) fn backward<S: Simd>(
        &self,
        simd: S,
        of_y: &mut [f32],
        of: &mut Targets,
        at: &Targets,
    ) {
        for (n, op) in self.ops.iter().enumerate().rev() {
            let (before, after) = of.values.split_at_mut(n);
            let (d, out) = (&after[0][..], &at.values[n][..]);
            match *op {
                Op::Output => rows::add(simd, of_y, d),
                Op::Value => rows::add(simd, &mut of.v, d),
                Op::Gate(gate) => rows::add(simd, &mut of.gates[gate], d),
                Op::Unary(f, x) => unary_back(simd, &mut before[x], f, &at.values[x], out, d),
                Op::Binary(f, a, b) => {
                    let [left, right] = [a, b].map(|x| &at.values[x][..]);
                    binary_back(simd, &mut before[a], f, false, left, right, d, at.width);
                    binary_back(simd, &mut before[b], f, true, left, right, d, at.width);
                }
                Op::Select { a, b, yes, no } => {
                    let [a, b] = [a, b].map(|x| &at.values[x][..]);
                    select_back(simd, &mut before[yes], true, a, b, d, at.width);
                    select_back(simd, &mut before[no], false, a, b, d, at.width);
                }
                Op::Sum(x) => spread_features(simd, &mut before[x], d),
                Op::Softmax(x) => softmax_back(simd, &mut before[x], out, d, at.width, false),
                Op::LogSoftmax(x) => softmax_back(simd, &mut before[x], out, d, at.width, true),
            }
        }
    }
}

impl Unary {
    #[inline(always)]
    fn value<S: Simd>(self, x: V<S>) -> V<S> {
        match self {
            Self::Scale(c) => x * c,
            Self::Shift(c) => x + c,
            Self::Square => x * x,
            Self::Sqrt | Self::Power(0.5) => x.sqrt(),
            Self::Power(p) => (x.ln() * p).exp(),
            Self::Recip => x.recip(),
            Self::Tanh => x.tanh(),
            Self::Exp => x.exp(),
            Self::Abs => x.abs(),
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
            Self::Square => x + x,
            Self::Power(p) => y / x * p,
            Self::Sqrt => y.like(0.5) / y,
            Self::Recip => y * y * -1.0,
            Self::Tanh => y * y * -1.0 + 1.0,
            Self::Exp => y,
            Self::Abs => x.sign(),
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
    /// `out += Σ_f x_f`, or `x` itself where that is one number a token.
    fn add_features(simd, out: &mut [f32], x: &[f32]) {
        let out = vectors_mut(simd, out);
        for x in vectors(simd, x).chunks_exact(out.len()) {
            for (out, x) in out.iter_mut().zip(x) {
                *out = simd.add_f32s(*out, *x);
            }
        }
    }
}

vectorized! {
    /// `out_f += x` for each feature.
    fn spread_features(simd, out: &mut [f32], x: &[f32]) {
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
