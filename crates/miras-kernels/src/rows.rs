//! Passes over rows of tokens: a row for each feature, a column for each token, unless a function
//! says otherwise.

use pulp::{Simd, WithSimd};

use crate::{Activation, buffer::LANES, math::V};

/// A function that is compiled for the instruction set of its first argument or, where that is
/// `machine`, for that of the machine it runs on.
macro_rules! vectorized {
    (@pass $simd:ident, $body:block, $($arg:ident: $kind:ty),*) => {
        #[allow(non_camel_case_types, reason = "a type for each argument, named after it")]
        struct Pass<$($arg),*> {
            $($arg: $arg),*
        }

        impl WithSimd for Pass<$($kind),*> {
            type Output = ();

            #[inline(always)]
            fn with_simd<S: Simd>(self, $simd: S) {
                let Self { $($arg),* } = self;
                $body
            }
        }
    };
    ($(#[$about:meta])* fn $name:ident(machine $simd:ident, $($arg:ident: $kind:ty),* $(,)?) $body:block) => {
        $(#[$about])*
        pub(crate) fn $name($($arg: $kind),*) {
            vectorized!(@pass $simd, $body, $($arg: $kind),*);
            pulp::Arch::new().dispatch(Pass { $($arg),* });
        }
    };
    ($(#[$about:meta])* fn $name:ident($simd:ident, $($arg:ident: $kind:ty),* $(,)?) $body:block) => {
        $(#[$about])*
        pub(crate) fn $name<S: Simd>(simd: S, $($arg: $kind),*) {
            vectorized!(@pass $simd, $body, $($arg: $kind),*);
            simd.vectorize(Pass { $($arg),* });
        }
    };
}
pub(crate) use vectorized;

/// Sets arrays, vector by vector, to an array of values made of what was there and of other arrays
/// of the same length; what fills no vector comes last.
macro_rules! each {
    ($simd:ident, [$($out:ident as $was:pat),+] from [$($x:ident),*] => $values:expr) => {{
        $(let $x = S::as_simd_f32s($x);)*
        $(let $out = S::as_mut_simd_f32s($out);)+
        let vectors = [$($out.0.len()),+][0];
        for at in 0..vectors {
            $(let $x = V::new($simd, $x.0[at]);)*
            $(let $was = V::new($simd, $out.0[at]);)+
            let mut values = $values.into_iter();
            $($out.0[at] = values.next().expect("a value for each array").raw;)+
        }
        $(let $x = V::new($simd, $simd.partial_load_f32s($x.1));)*
        $(let $was = V::new($simd, $simd.partial_load_f32s($out.1));)+
        let mut values = $values.into_iter();
        $($simd.partial_store_f32s($out.1, values.next().expect("a value for each array").raw);)+
    }};
}
pub(crate) use each;

/// `⟨a, b⟩` of arrays of any length.
#[inline(always)]
pub(crate) fn dot<S: Simd>(simd: S, a: &[f32], b: &[f32]) -> f32 {
    let [(a, a_rest), (b, b_rest)] = [a, b].map(|x| S::as_simd_f32s(x));
    let [a_rest, b_rest] = [a_rest, b_rest].map(|x| simd.partial_load_f32s(x));
    let mut sum = simd.mul_f32s(a_rest, b_rest);
    for (a, b) in a.iter().zip(b) {
        sum = simd.mul_add_e_f32s(*a, *b, sum);
    }
    simd.reduce_sum_f32s(sum)
}

/// The vectors of a buffer.
#[inline(always)]
pub(crate) fn vectors<S: Simd>(_: S, x: &[f32]) -> &[S::f32s] {
    S::as_simd_f32s(x).0
}

/// The vectors of a buffer, to be written.
#[inline(always)]
pub(crate) fn vectors_mut<S: Simd>(_: S, x: &mut [f32]) -> &mut [S::f32s] {
    S::as_mut_simd_f32s(x).0
}

vectorized! {
    /// `out += x`.
    fn add(simd, out: &mut [f32], x: &[f32]) {
        for (out, x) in vectors_mut(simd, out).iter_mut().zip(vectors(simd, x)) {
            *out = simd.add_f32s(*out, *x);
        }
    }
}

vectorized! {
    /// `out = a + b`.
    fn sum(simd, out: &mut [f32], a: &[f32], b: &[f32]) {
        let terms = vectors(simd, a).iter().zip(vectors(simd, b));
        for (out, (a, b)) in vectors_mut(simd, out).iter_mut().zip(terms) {
            *out = simd.add_f32s(*a, *b);
        }
    }
}

vectorized! {
    /// `out = a ⊙ b`.
    fn multiply(simd, out: &mut [f32], a: &[f32], b: &[f32]) {
        let factors = vectors(simd, a).iter().zip(vectors(simd, b));
        for (out, (a, b)) in vectors_mut(simd, out).iter_mut().zip(factors) {
            *out = simd.mul_f32s(*a, *b);
        }
    }
}

vectorized! {
    /// `out += a ⊙ b`.
    fn add_product(simd, out: &mut [f32], a: &[f32], b: &[f32]) {
        let factors = vectors(simd, a).iter().zip(vectors(simd, b));
        for (out, (a, b)) in vectors_mut(simd, out).iter_mut().zip(factors) {
            *out = simd.mul_add_e_f32s(*a, *b, *out);
        }
    }
}

vectorized! {
    /// `out += a ⊙ b ⊙ c`.
    fn add_triple(simd, out: &mut [f32], a: &[f32], b: &[f32], c: &[f32]) {
        let factors = vectors(simd, a).iter().zip(vectors(simd, b)).zip(vectors(simd, c));
        for (out, ((a, b), c)) in vectors_mut(simd, out).iter_mut().zip(factors) {
            *out = simd.mul_add_e_f32s(simd.mul_f32s(*a, *b), *c, *out);
        }
    }
}

vectorized! {
    /// `out = by · out + other_by · other`.
    fn combine(simd, out: &mut [f32], by: f32, other: &[f32], other_by: f32) {
        let [by, other_by] = [by, other_by].map(|by| simd.splat_f32s(by));
        for (out, other) in vectors_mut(simd, out).iter_mut().zip(vectors(simd, other)) {
            *out = simd.mul_add_e_f32s(*out, by, simd.mul_f32s(*other, other_by));
        }
    }
}

vectorized! {
    /// `out += by · x`.
    fn add_multiple(simd, out: &mut [f32], x: &[f32], by: f32) {
        let by = simd.splat_f32s(by);
        for (out, x) in vectors_mut(simd, out).iter_mut().zip(vectors(simd, x)) {
            *out = simd.mul_add_e_f32s(*x, by, *out);
        }
    }
}

vectorized! {
    /// `out *= by`.
    fn scale(simd, out: &mut [f32], by: f32) {
        let by = simd.splat_f32s(by);
        for out in vectors_mut(simd, out) {
            *out = simd.mul_f32s(*out, by);
        }
    }
}

vectorized! {
    /// `out = by · x`.
    fn scaled(simd, out: &mut [f32], x: &[f32], by: f32) {
        let by = simd.splat_f32s(by);
        for (out, x) in vectors_mut(simd, out).iter_mut().zip(vectors(simd, x)) {
            *out = simd.mul_f32s(*x, by);
        }
    }
}

vectorized! {
    /// Each column times a number of its own.
    fn scale_columns(simd, out: &mut [f32], x: &[f32], by: &[f32]) {
        let by = vectors(simd, by);
        let rows = vectors(simd, x).chunks_exact(by.len());
        for (out, x) in vectors_mut(simd, out).chunks_exact_mut(by.len()).zip(rows) {
            for (out, (x, by)) in out.iter_mut().zip(x.iter().zip(by)) {
                *out = simd.mul_f32s(*x, *by);
            }
        }
    }
}

vectorized! {
    /// Adds each column times a number of its own.
    fn add_scaled_columns(simd, out: &mut [f32], x: &[f32], by: &[f32]) {
        let by = vectors(simd, by);
        let rows = vectors(simd, x).chunks_exact(by.len());
        for (out, x) in vectors_mut(simd, out).chunks_exact_mut(by.len()).zip(rows) {
            for (out, (x, by)) in out.iter_mut().zip(x.iter().zip(by)) {
                *out = simd.mul_add_e_f32s(*x, *by, *out);
            }
        }
    }
}

vectorized! {
    /// `out_t += Σ_r a_rt b_rt` for each column.
    fn add_column_dots(simd, out: &mut [f32], a: &[f32], b: &[f32]) {
        let out = vectors_mut(simd, out);
        let rows = vectors(simd, a).chunks_exact(out.len());
        for (a, b) in rows.zip(vectors(simd, b).chunks_exact(out.len())) {
            for (out, (a, b)) in out.iter_mut().zip(a.iter().zip(b)) {
                *out = simd.mul_add_e_f32s(*a, *b, *out);
            }
        }
    }
}

vectorized! {
    /// Each row times a number of its own.
    fn scale_rows(simd, out: &mut [f32], x: &[f32], by: &[f32]) {
        let width = vectors(simd, x).len() / by.len();
        let rows = vectors(simd, x).chunks_exact(width).zip(by);
        for (out, (x, by)) in vectors_mut(simd, out).chunks_exact_mut(width).zip(rows) {
            let by = simd.splat_f32s(*by);
            for (out, x) in out.iter_mut().zip(x) {
                *out = simd.mul_f32s(*x, by);
            }
        }
    }
}

vectorized! {
    /// `sum += ⟨a, b⟩`.
    fn add_dot(simd, sum: &mut f32, a: &[f32], b: &[f32]) {
        let mut sums = [simd.splat_f32s(0.0); 4];
        for (a, b) in vectors(simd, a).chunks(4).zip(vectors(simd, b).chunks(4)) {
            for (sum, (a, b)) in sums.iter_mut().zip(a.iter().zip(b)) {
                *sum = simd.mul_add_e_f32s(*a, *b, *sum);
            }
        }
        let pairs = [simd.add_f32s(sums[0], sums[1]), simd.add_f32s(sums[2], sums[3])];
        *sum += simd.reduce_sum_f32s(simd.add_f32s(pairs[0], pairs[1]));
    }
}

vectorized! {
    /// `out_r += ⟨a_r, b_r⟩` for each row.
    fn add_row_dots(simd, out: &mut [f32], a: &[f32], b: &[f32]) {
        let width = vectors(simd, a).len() / out.len();
        let rows = vectors(simd, a).chunks_exact(width).zip(vectors(simd, b).chunks_exact(width));
        for (out, (a, b)) in out.iter_mut().zip(rows) {
            let mut sum = simd.splat_f32s(0.0);
            for (a, b) in a.iter().zip(b) {
                sum = simd.mul_add_e_f32s(*a, *b, sum);
            }
            *out += simd.reduce_sum_f32s(sum);
        }
    }
}

vectorized! {
    /// `out = xᵀ`; `x` has `columns`.
    fn transpose(simd, out: &mut [f32], x: &[f32], columns: usize) {
        let _ = simd;
        let rows = x.len() / columns;
        for row in (0..rows).step_by(BLOCK) {
            for column in (0..columns).step_by(BLOCK) {
                let block: [[f32; BLOCK]; BLOCK] = std::array::from_fn(|r| {
                    let from = &x[(row + r) * columns + column..][..BLOCK];
                    [from[0], from[1], from[2], from[3]]
                });
                for c in 0..BLOCK {
                    let to = &mut out[(column + c) * rows + row..][..BLOCK];
                    to.copy_from_slice(&[block[0][c], block[1][c], block[2][c], block[3][c]]);
                }
            }
        }
    }
}

/// Rows and columns that are transposed at once.
const BLOCK: usize = 4;
const _: () = assert!(LANES.is_multiple_of(BLOCK));

vectorized! {
    /// `out = f(x)`.
    fn activate(simd, out: &mut [f32], kind: Activation, x: &[f32]) {
        for (out, x) in vectors_mut(simd, out).iter_mut().zip(vectors(simd, x)) {
            *out = values(kind, V::new(simd, *x))[0].raw;
        }
    }
}

vectorized! {
    /// `out = f(x)`, with the slope `f'(x)`.
    fn activate_with_slope(
        simd,
        out: &mut [f32],
        slope: &mut [f32],
        kind: Activation,
        x: &[f32],
    ) {
        let to = vectors_mut(simd, out).iter_mut().zip(vectors_mut(simd, slope));
        for ((out, slope), x) in to.zip(vectors(simd, x)) {
            let [value, first, _] = values(kind, V::new(simd, *x));
            [*out, *slope] = [value.raw, first.raw];
        }
    }
}

vectorized! {
    /// `out = f(x)`, with the slope `f'(x)` and the curvature `f''(x)`.
    fn activate_with_curvature(
        simd,
        out: &mut [f32],
        slope: &mut [f32],
        curvature: &mut [f32],
        kind: Activation,
        x: &[f32],
    ) {
        let to = vectors_mut(simd, out).iter_mut().zip(vectors_mut(simd, slope));
        let to = to.zip(vectors_mut(simd, curvature));
        for (((out, slope), curvature), x) in to.zip(vectors(simd, x)) {
            let [value, first, second] = values(kind, V::new(simd, *x));
            [*out, *slope, *curvature] = [value.raw, first.raw, second.raw];
        }
    }
}

/// Value, slope and curvature.
#[inline(always)]
fn values<S: Simd>(kind: Activation, x: V<S>) -> [V<S>; 3] {
    match kind {
        Activation::Gelu => x.gelu(),
        Activation::Silu => x.silu(),
        Activation::ReluSquared => x.relu_squared(),
    }
}

/// Tokens `[c, d]` as columns; `room` is for as many numbers. Columns beyond the tokens are 0.
pub(crate) fn load_columns<S: Simd>(
    simd: S,
    out: &mut [f32],
    room: &mut [f32],
    tokens: &[f32],
    d: usize,
) {
    let width = d.next_multiple_of(LANES);
    let room = &mut room[..out.len()];
    room.fill(0.0);
    for (row, token) in room.chunks_exact_mut(width).zip(tokens.chunks_exact(d)) {
        row[..d].copy_from_slice(token);
    }
    transpose(simd, out, room, width);
}

/// Columns as tokens `[c, d]`.
pub(crate) fn store_columns<S: Simd>(
    simd: S,
    tokens: &mut [f32],
    room: &mut [f32],
    columns: &[f32],
    d: usize,
) {
    let width = d.next_multiple_of(LANES);
    let room = &mut room[..columns.len()];
    transpose(simd, room, columns, columns.len() / width);
    for (row, token) in room.chunks_exact(width).zip(tokens.chunks_exact_mut(d)) {
        token.copy_from_slice(&row[..d]);
    }
}

/// Columns from `first` on become 0; rows have `width`.
pub(crate) fn clear_columns(x: &mut [f32], first: usize, width: usize) {
    if first < width {
        for row in x.chunks_exact_mut(width) {
            row[first..].fill(0.0);
        }
    }
}
