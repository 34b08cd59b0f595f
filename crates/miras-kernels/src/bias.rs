//! The attentional bias: from outputs to the gradient of the inner loss.

use pulp::{Simd, WithSimd};

use crate::{
    Formula, Op,
    buffer::Buffer,
    interpreter::Table,
    math::V,
    rows::{self, vectorized, vectors, vectors_mut},
    targets::Targets,
};

/// `∂ℓ/∂y` as a function of the output `y` and the value `v` of a token.
#[derive(Debug, Clone, PartialEq)]
pub enum Bias {
    /// `σ y − v`: 1 is the squared error, 0 the dot product.
    Affine {
        /// σ.
        slope: f32,
    },
    /// Anything else.
    Formula(Formula),
}

impl Bias {
    /// How many gates it reads.
    pub fn gates(&self) -> usize {
        match self {
            Self::Affine { .. } => 0,
            Self::Formula(formula) => formula.gates(),
        }
    }

    /// Room for a chunk of so many tokens.
    pub(crate) fn targets(&self, d_v: usize, tokens: usize) -> Targets {
        let mut targets = Targets::new(d_v, tokens);
        if let Self::Formula(formula) = self {
            targets.gates = vec![Buffer::row(tokens); formula.gates()];
            targets.values = formula.operations.values(d_v, tokens);
        }
        targets
    }

    /// `d = ∂ℓ/∂y` of the first `tokens` columns.
    pub(crate) fn gradient<S: Simd>(
        &self,
        simd: S,
        d: &mut [f32],
        y: &[f32],
        at: &mut Targets,
        tokens: usize,
    ) {
        match self {
            Self::Affine { slope } => affine(simd, d, *slope, y, &at.v),
            Self::Formula(formula) => {
                let table = table(at, tokens);
                let Targets {
                    v, gates, values, ..
                } = at;
                (formula.operations).evaluate(simd, values, table, |op| match op {
                    Op::Value => v,
                    Op::Gate(gate) => &gates[gate],
                    _ => y,
                });
                let values = at.values.last().expect("a formula has a value");
                d[..values.len()].copy_from_slice(values);
                rows::clear_columns(d, tokens, at.width);
            }
        }
    }

    /// From the gradient `t` at `d`: adds that at `y`, and sets those at the targets.
    pub(crate) fn backward<S: Simd>(
        &self,
        simd: S,
        of_y: &mut [f32],
        of: &mut Targets,
        t: &[f32],
        at: &Targets,
        tokens: usize,
    ) {
        match self {
            Self::Affine { slope } => affine_backward(simd, of_y, &mut of.v, *slope, t),
            Self::Formula(formula) => {
                of.clear();
                let last = of.values.last_mut().expect("a formula has a value");
                let len = last.len();
                last.copy_from_slice(&t[..len]);
                let Targets {
                    v, gates, values, ..
                } = of;
                let table = table(at, tokens);
                let operations = &formula.operations;
                operations.backward(simd, values, &at.values, table, |op, d| match op {
                    Op::Value => rows::add(simd, v, d),
                    Op::Gate(gate) => rows::add(simd, &mut gates[gate], d),
                    _ => rows::add(simd, of_y, d),
                });
                rows::clear_columns(of_y, tokens, at.width);
            }
        }
    }
}

/// The table of a formula's values, of which the last one has all rows.
fn table(at: &Targets, tokens: usize) -> Table {
    let rows = at.values.last().map_or(0, |last| last.len() / at.width);
    Table {
        rows,
        columns: tokens,
        width: at.width,
        row_length: rows,
    }
}

vectorized! {
    /// `d = slope · y − v`.
    fn affine(simd, d: &mut [f32], slope: f32, y: &[f32], v: &[f32]) {
        let at = vectors(simd, y).iter().zip(vectors(simd, v));
        for (d, (y, v)) in vectors_mut(simd, d).iter_mut().zip(at) {
            *d = (V::new(simd, *y) * slope - V::new(simd, *v)).raw;
        }
    }
}

vectorized! {
    /// The adjoint of [`affine`].
    fn affine_backward(simd, of_y: &mut [f32], of_v: &mut [f32], slope: f32, t: &[f32]) {
        let of = vectors_mut(simd, of_y).iter_mut().zip(vectors_mut(simd, of_v));
        for ((of_y, of_v), t) in of.zip(vectors(simd, t)) {
            let t = V::new(simd, *t);
            *of_y = (V::new(simd, *of_y) + t * slope).raw;
            *of_v = (t * -1.0).raw;
        }
    }
}
