//! Layer normalisation of every column over its features, and its derivatives.
//!
//! ```text
//! ô = r (h − mean h),   r = 1 / √(var h + ε)
//! J u = r (u − mean u − ô ⟨u, ô⟩ / d)                          the derivative of ô, symmetric
//! ∇_h ⟨u, J t⟩ = −(r/d) (ô ⟨u, J t⟩ + J u ⟨t, ô⟩ + J t ⟨u, ô⟩)
//! ```
//!
//! As in `miras_core`, ε is 1e-5 and there is a gain and no shift. Rows beyond those of `gain` are
//! padding and stay 0.

use pulp::{Simd, WithSimd};

use crate::{
    math::V,
    rows::{vectorized, vectors, vectors_mut},
};

const EPSILON: f32 = 1e-5;

vectorized! {
    /// `normal = ô`, `scale = r` and `out = ô ⊙ gain`.
    fn normalise(
        simd,
        out: &mut [f32],
        normal: &mut [f32],
        scale: &mut [f32],
        h: &[f32],
        gain: &[f32],
    ) {
        let d = 1.0 / gain.len() as f32;
        let scale = vectors_mut(simd, scale);
        let width = scale.len();
        let [out, normal] = [out, normal].map(|x| vectors_mut(simd, x));
        let h = vectors(simd, h);
        for (column, scale) in scale.iter_mut().enumerate() {
            let mut mean = V::splat(simd, 0.0);
            for f in 0..gain.len() {
                mean = mean + V::new(simd, h[f * width + column]);
            }
            mean = mean * d;
            let mut variance = V::splat(simd, 0.0);
            for f in 0..gain.len() {
                let centred = V::new(simd, h[f * width + column]) - mean;
                variance = centred.fma(centred, variance);
            }
            let r = (variance * d + EPSILON).sqrt().recip();
            *scale = r.raw;
            for (f, gain) in gain.iter().enumerate() {
                let at = f * width + column;
                let value = (V::new(simd, h[at]) - mean) * r;
                normal[at] = value.raw;
                out[at] = (value * *gain).raw;
            }
        }
    }
}

vectorized! {
    /// `into += J (gain ⊙ g)`.
    fn pull(
        simd,
        into: &mut [f32],
        normal: &[f32],
        scale: &[f32],
        g: &[f32],
        gain: &[f32],
    ) {
        let d = 1.0 / gain.len() as f32;
        let [normal, scale, g] = [normal, scale, g].map(|x| vectors(simd, x));
        let into = vectors_mut(simd, into);
        let width = scale.len();
        for (column, scale) in scale.iter().enumerate() {
            let [mut mean, mut along] = [V::splat(simd, 0.0); 2];
            for (f, gain) in gain.iter().enumerate() {
                let at = f * width + column;
                let u = V::new(simd, g[at]) * *gain;
                mean = mean + u;
                along = u.fma(V::new(simd, normal[at]), along);
            }
            let [mean, along] = [mean * d, along * d];
            // J gives no mean. What rounding leaves of one would grow on its way back through maps
            // whose weights are all above 0.
            let mut left = V::splat(simd, 0.0);
            for (f, gain) in gain.iter().enumerate() {
                let at = f * width + column;
                let u = V::new(simd, g[at]) * *gain;
                left = left + (u - mean - V::new(simd, normal[at]) * along);
            }
            let left = left * d;
            for (f, gain) in gain.iter().enumerate() {
                let at = f * width + column;
                let u = V::new(simd, g[at]) * *gain;
                let rest = u - mean - V::new(simd, normal[at]) * along - left;
                into[at] = rest.fma(V::new(simd, *scale), V::new(simd, into[at])).raw;
            }
        }
    }
}

vectorized! {
    /// With `g`, the gradient that [`pull`] was given, and `t`, the gradient at what it gave: adds
    /// `gain ⊙ J t` to `out`, the gradient at `g`; that at `h` to `into`; and that of the gain,
    /// `Σ_t g ⊙ J t`, to `of_gain`.
    fn push(
        simd,
        out: &mut [f32],
        into: &mut [f32],
        of_gain: &mut [f32],
        normal: &[f32],
        scale: &[f32],
        g: &[f32],
        t: &[f32],
        gain: &[f32],
    ) {
        let d = 1.0 / gain.len() as f32;
        let [normal, scale, g, t] = [normal, scale, g, t].map(|x| vectors(simd, x));
        let [out, into] = [out, into].map(|x| vectors_mut(simd, x));
        let width = scale.len();
        for (column, scale) in scale.iter().enumerate() {
            let r = V::new(simd, *scale);
            let [mut mean_u, mut mean_t, mut along_u, mut along_t] = [V::splat(simd, 0.0); 4];
            for (f, gain) in gain.iter().enumerate() {
                let at = f * width + column;
                let [u, t] = [V::new(simd, g[at]) * *gain, V::new(simd, t[at])];
                let o = V::new(simd, normal[at]);
                [mean_u, mean_t] = [mean_u + u, mean_t + t];
                [along_u, along_t] = [u.fma(o, along_u), t.fma(o, along_t)];
            }
            let [mean_u, mean_t] = [mean_u * d, mean_t * d];
            let [along_u, along_t] = [along_u * d, along_t * d];
            let mut both = V::splat(simd, 0.0);
            for (f, gain) in gain.iter().enumerate() {
                let at = f * width + column;
                let [u, t] = [V::new(simd, g[at]) * *gain, V::new(simd, t[at])];
                let moved = (t - mean_t - V::new(simd, normal[at]) * along_t) * r;
                both = u.fma(moved, both);
            }
            let both = both * d;
            // Nor does the derivative of J.
            let mut mean_bend = V::splat(simd, 0.0);
            for (f, gain) in gain.iter().enumerate() {
                let at = f * width + column;
                let [g, t] = [V::new(simd, g[at]), V::new(simd, t[at])];
                let o = V::new(simd, normal[at]);
                let moved_u = (g * *gain - mean_u - o * along_u) * r;
                let moved_t = (t - mean_t - o * along_t) * r;
                mean_bend = mean_bend + o.fma(both, moved_u.fma(along_t, moved_t * along_u));
            }
            let mean_bend = mean_bend * d;
            for (f, gain) in gain.iter().enumerate() {
                let at = f * width + column;
                let [g, t] = [V::new(simd, g[at]), V::new(simd, t[at])];
                let o = V::new(simd, normal[at]);
                let moved_u = (g * *gain - mean_u - o * along_u) * r;
                let moved_t = (t - mean_t - o * along_t) * r;
                let bend = o.fma(both, moved_u.fma(along_t, moved_t * along_u)) - mean_bend;
                of_gain[f] += simd.reduce_sum_f32s((g * moved_t).raw);
                out[at] = (V::new(simd, out[at]) + moved_t * *gain).raw;
                into[at] = (V::new(simd, into[at]) - bend * r).raw;
            }
        }
    }
}
