//! Vectors of float32 with operators, and the functions of them that memories need.
//!
//! All functions are elementwise. Errors given are the largest absolute ones in float32 unless
//! they are called relative.

use std::ops::{Add, Div, Mul, Sub};

use pulp::Simd;

/// A vector register, with the instruction set that works on it.
#[derive(Clone, Copy)]
pub(crate) struct V<S: Simd> {
    simd: S,
    pub(crate) raw: S::f32s,
}

impl<S: Simd> V<S> {
    #[inline(always)]
    pub(crate) fn new(simd: S, raw: S::f32s) -> Self {
        Self { simd, raw }
    }

    /// The same number everywhere.
    #[inline(always)]
    pub(crate) fn splat(simd: S, x: f32) -> Self {
        Self::new(simd, simd.splat_f32s(x))
    }

    #[inline(always)]
    pub(crate) fn like(self, x: f32) -> Self {
        Self::splat(self.simd, x)
    }

    /// Another vector of the same kind.
    #[inline(always)]
    pub(crate) fn beside(self, raw: S::f32s) -> Self {
        Self::new(self.simd, raw)
    }

    /// `self · b + c`, rounded once.
    #[inline(always)]
    pub(crate) fn fma(self, b: Self, c: Self) -> Self {
        Self::new(self.simd, self.simd.mul_add_e_f32s(self.raw, b.raw, c.raw))
    }

    /// The smaller one; NaN where `self` is.
    #[inline(always)]
    pub(crate) fn min(self, b: Self) -> Self {
        b.where_at_most(self, b, self)
    }

    /// The larger one; NaN where `self` is.
    #[inline(always)]
    pub(crate) fn max(self, b: Self) -> Self {
        self.where_at_most(b, b, self)
    }

    /// NaN where `x` is.
    #[inline(always)]
    pub(crate) fn nan_where(self, x: Self) -> Self {
        x.where_at_most(x, self, x)
    }

    #[inline(always)]
    pub(crate) fn abs(self) -> Self {
        self.max(self.like(0.0) - self)
    }

    #[inline(always)]
    pub(crate) fn sqrt(self) -> Self {
        Self::new(self.simd, self.simd.sqrt_f32s(self.raw))
    }

    #[inline(always)]
    pub(crate) fn recip(self) -> Self {
        self.like(1.0) / self
    }

    /// `yes` where `self ≤ bound`, else `no`.
    #[inline(always)]
    pub(crate) fn where_at_most(self, bound: Self, yes: Self, no: Self) -> Self {
        let mask = self.simd.less_than_or_equal_f32s(self.raw, bound.raw);
        Self::new(self.simd, self.simd.select_f32s(mask, yes.raw, no.raw))
    }

    /// −1, 0 or 1; −1 for NaN.
    #[inline(always)]
    pub(crate) fn sign(self) -> Self {
        let zero = self.like(0.0);
        let not_above = self.where_at_most(zero, zero, self.like(1.0));
        zero.where_at_most(self, not_above, self.like(-1.0))
    }

    /// `Σ coefficients_j selfʲ`.
    #[inline(always)]
    fn polynomial<const N: usize>(self, coefficients: [f32; N]) -> Self {
        let mut sum = self.like(coefficients[N - 1]);
        for at in (0..N - 1).rev() {
            sum = sum.fma(self, self.like(coefficients[at]));
        }
        sum
    }

    /// `eˣ`, relative error 1e-7; the argument is cut off at ±87.
    #[inline(always)]
    pub(crate) fn exp(self) -> Self {
        let simd = self.simd;
        let x = self.max(self.like(-87.0)).min(self.like(87.0));
        // The nearest integer of x / ln 2 is in the low bits of this sum.
        let shifted = x.fma(self.like(std::f32::consts::LOG2_E), self.like(MAGIC));
        let n = shifted - MAGIC;
        let r = n.fma(self.like(-LN_2_HIGH), x);
        let r = n.fma(self.like(-LN_2_LOW), r);
        let value = r.polynomial([
            1.0,
            1.0,
            0.5,
            0.166_664_15,
            0.041_666_355,
            0.008_375_135,
            0.001_394_112,
        ]);
        let bits = simd.transmute_u32s_f32s(shifted.raw);
        let bits = simd.add_u32s(bits, simd.splat_u32s(127));
        let power = simd.wrapping_dyn_shl_u32s(bits, simd.splat_u32s(23));
        value * Self::new(simd, simd.transmute_f32s_u32s(power))
    }

    /// The natural logarithm of a normal number above 0 or of NaN, relative error 1e-7.
    #[inline(always)]
    pub(crate) fn ln(self) -> Self {
        let simd = self.simd;
        let bits = simd.transmute_u32s_f32s(self.raw);
        // So that what is left after the power of two is in [√½, √2).
        let moved = simd.add_u32s(bits, simd.splat_u32s(0x3f80_0000 - 0x3f35_04f3));
        let power = simd.wrapping_dyn_shr_u32s(moved, simd.splat_u32s(23));
        let n = simd.add_u32s(power, simd.splat_u32s(MAGIC.to_bits()));
        let n = Self::new(simd, simd.transmute_f32s_u32s(n)) - (MAGIC + 127.0);
        let power = simd.sub_u32s(power, simd.splat_u32s(127));
        let power = simd.wrapping_dyn_shl_u32s(power, simd.splat_u32s(23));
        let rest = Self::new(simd, simd.transmute_f32s_u32s(simd.sub_u32s(bits, power)));
        let r = rest - 1.0;
        let square = r * r;
        let tail = r.polynomial([
            0.333_333_3,
            -0.250_003_06,
            0.200_010_45,
            -0.166_412_82,
            0.142_144_96,
            -0.129_981_83,
            0.126_223_2,
            -0.079_027_46,
        ]);
        let value = tail.fma(square * r, n * LN_2_LOW);
        let value = square.fma(self.like(-0.5), value);
        n.fma(self.like(LN_2_HIGH), value + r).nan_where(self)
    }

    /// `1 / (1 + e⁻ˣ)`, error 1e-7.
    #[inline(always)]
    pub(crate) fn sigmoid(self) -> Self {
        let e = (self * -1.0).exp();
        (e + 1.0).recip()
    }

    /// Error 2e-7.
    #[inline(always)]
    pub(crate) fn tanh(self) -> Self {
        let e = (self.abs() * -2.0).exp();
        (e * -1.0 + 1.0) / (e + 1.0) * self.sign()
    }

    /// Error 2e-7. Turned by π/4 or π/2 towards 0, where a polynomial is enough.
    #[inline(always)]
    pub(crate) fn atan(self) -> Self {
        let [zero, one] = [self.like(0.0), self.like(1.0)];
        let x = self.abs();
        let [near, far] = [0.414_213_57, 2.414_213_7].map(|bound| self.like(bound));
        let quotient = |a: Self, b: Self, turn: f32| [a / b, a.like(turn)];
        let [by_quarter, quarter] = quotient(x - one, x + one, std::f32::consts::FRAC_PI_4);
        let [by_half, half] = quotient(one * -1.0, x, std::f32::consts::FRAC_PI_2);
        let within = |near_by, middle, beyond| {
            x.where_at_most(near, near_by, x.where_at_most(far, middle, beyond))
        };
        let r = within(x, by_quarter, by_half);
        let turn = within(zero, quarter, half);
        let square = r * r;
        let tail = square.polynomial([-0.333_329_5, 0.199_777_1, -0.138_776_86, 0.080_537_446]);
        (turn + (tail * square).fma(r, r)) * self.sign()
    }

    /// `log(1 + eˣ)`, relative error 2e-7 down to −10, absolute below.
    #[inline(always)]
    pub(crate) fn softplus(self) -> Self {
        let e = (self.abs() * -1.0).exp();
        self.max(self.like(0.0)) + (e + 1.0).ln()
    }

    /// Φ and φ, distribution function and density of the normal distribution: errors 4e-7 and
    /// 1e-7. `Φ(−z) = e^(−z²/2) t P(t)` with `t = 1 / (1 + 0.325 z)`, so one `exp` gives both.
    #[inline(always)]
    fn normal(self) -> [Self; 2] {
        let z = self.abs();
        let bell = (self * self * -0.5).exp();
        let t = z.fma(self.like(0.325), self.like(1.0)).recip();
        let tail = t.polynomial([
            0.131_223_52,
            0.111_958_14,
            0.200_319_18,
            -0.129_205_8,
            0.372_051_7,
            -0.232_409_9,
            0.046_063_18,
        ]);
        let tail = bell * t * tail;
        let above = tail * -1.0 + 1.0;
        let cdf = self.where_at_most(self.like(0.0), tail, above);
        [cdf, bell * NORMAL_DENSITY]
    }

    /// Value, slope and curvature of `x Φ(x)`.
    #[inline(always)]
    pub(crate) fn gelu(self) -> [Self; 3] {
        let [cdf, density] = self.normal();
        let curvature = density * (self * self * -1.0 + 2.0);
        [self * cdf, self.fma(density, cdf), curvature]
    }

    /// Value, slope and curvature of `x σ(x)`.
    #[inline(always)]
    pub(crate) fn silu(self) -> [Self; 3] {
        let s = self.sigmoid();
        let rest = s * -1.0 + 1.0;
        let value = self * s;
        let slope = value.fma(rest, s);
        let curvature = s * rest * (self * (rest - s) + 2.0);
        [value, slope, curvature]
    }

    /// Value, slope and curvature of `max(x, 0)²`.
    #[inline(always)]
    pub(crate) fn relu_squared(self) -> [Self; 3] {
        let zero = self.like(0.0);
        let positive = self.max(zero);
        let curvature = self.where_at_most(zero, zero, self.like(2.0));
        [positive * positive, positive + positive, curvature]
    }
}

/// 1.5 · 2²³: a sum with it is a whole number.
const MAGIC: f32 = 12_582_912.0;
const LN_2_HIGH: f32 = 0.693_359_4;
const LN_2_LOW: f32 = -2.121_944_4e-4;
/// 1/√(2π).
const NORMAL_DENSITY: f32 = 0.398_942_3;

macro_rules! operators {
    ($($op:ident $method:ident $with:ident),*) => {$(
        impl<S: Simd> $op for V<S> {
            type Output = Self;

            #[inline(always)]
            fn $method(self, b: Self) -> Self {
                Self::new(self.simd, self.simd.$with(self.raw, b.raw))
            }
        }

        impl<S: Simd> $op<f32> for V<S> {
            type Output = Self;

            #[inline(always)]
            fn $method(self, b: f32) -> Self {
                self.$method(self.like(b))
            }
        }
    )*};
}

operators!(Add add add_f32s, Sub sub sub_f32s, Mul mul mul_f32s, Div div div_f32s);

#[cfg(test)]
#[path = "math_tests.rs"]
mod tests;
