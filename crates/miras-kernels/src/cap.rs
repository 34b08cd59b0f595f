//! The load cap: what bounds the steps that pile up on the same features within a chunk.
//!
//! ```text
//! load_t = Σ_{i≤t} decays_ti |⟨x_i, x_t⟩| share_i      share_i = |θ_i| / damping_i
//! θ_t ← θ_t / excess_t²                                excess_t = max(load_t / κ, 1), of which the gradient at 1 is that of load_t / κ
//! ```
//!
//! over the features `x` that enter the maps of the output, all side by side; `damping` is
//! `max(1 − η, 0.001)`, or 1 without momentum. The rule of `miras_algorithm`, `load_cap`.

use pulp::{Simd, WithSimd};

use crate::{
    buffer::Buffer,
    coefficients::{CoefficientGradients, Coefficients},
    math::V,
    product::{Add, Band, product, product_above, times, transposed},
    rows::{self, vectorized, vectors, vectors_mut},
};

/// A saturated gate rounds to η = 1, whose writes would add for ever.
const LEAST_DAMPING: f32 = 1e-3;

/// The step sizes of a chunk and, where they are capped, how.
pub(crate) struct Steps {
    /// κ; nothing where the cap is off.
    cap: Option<f32>,
    /// θ as the gates give it, and after the cap.
    given: Buffer,
    pub(crate) theta: Buffer,
    share: Buffer,
    damping: Buffer,
    excess: Buffer,
    load: Buffer,
    /// `⟨x_i, x_t⟩`, a row for each `i`, right on and above the diagonal.
    overlap: Buffer,
}

impl Steps {
    pub(crate) fn new(cap: Option<f32>, tokens: usize) -> Self {
        let row = || Buffer::row(tokens);
        let side = if cap.is_some() { tokens } else { 0 };
        Self {
            cap,
            given: row(),
            theta: row(),
            share: row(),
            damping: row(),
            excess: row(),
            load: row(),
            overlap: Buffer::new(side, side),
        }
    }

    /// Steps of a chunk whose `features` are these.
    pub(crate) fn compute<'a, S: Simd>(
        &mut self,
        simd: S,
        step: &[f32],
        coefficients: &Coefficients,
        features: impl Iterator<Item = &'a Buffer>,
    ) {
        self.given[..step.len()].copy_from_slice(step);
        self.theta[..step.len()].copy_from_slice(step);
        let Some(cap) = self.cap else { return };
        for (t, step) in step.iter().enumerate() {
            self.damping[t] = (1.0 - coefficients.persist[t]).max(LEAST_DAMPING);
            self.share[t] = step.abs() / self.damping[t];
        }
        let width = self.theta.len();
        self.overlap.clear();
        for x in features {
            let term = transposed((x, width), x);
            let sink = &mut Add(&mut self.overlap);
            product_above(simd, width, &[term], sink);
        }
        self.load.clear();
        let decays = &coefficients.turned_decays;
        add_loads(simd, &mut self.load, &self.overlap, decays, &self.share);
        for t in 0..step.len() {
            let excess = self.load[t] / cap;
            self.excess[t] = excess;
            if excess < 1.0 {
                continue;
            }
            self.theta[t] /= excess * excess;
        }
    }

    /// Whether the cap shrinks any step.
    pub(crate) fn is_capped(&self) -> bool {
        self.cap.is_some() && self.excess.iter().any(|excess| *excess >= 1.0)
    }

    /// From the gradient at θ to that of the gate. `bent` becomes the gradient at the overlaps, for
    /// [`Bent::pull`].
    pub(crate) fn backward<S: Simd>(
        &self,
        simd: S,
        of_theta: &[f32],
        of_step: &mut [f32],
        coefficients: &Coefficients,
        of_coefficients: &mut CoefficientGradients,
        bent: &mut Bent,
    ) {
        let tokens = of_step.len();
        of_step.copy_from_slice(&of_theta[..tokens]);
        if !self.is_capped() {
            return;
        }
        let cap = self.cap.expect("steps are capped, so there is a cap");
        bent.of_load.clear();
        bent.of_share.clear();
        for t in 0..tokens {
            let excess = self.excess[t];
            if excess >= 1.0 {
                of_step[t] = of_theta[t] / (excess * excess);
                bent.of_load[t] = -2.0 * of_step[t] * self.given[t] / (excess * cap);
            }
        }
        let Bent {
            of_load,
            of_share,
            overlap,
            turned,
            decays,
        } = bent;
        let turned_decays = &coefficients.turned_decays;
        bend(
            simd,
            overlap,
            decays,
            of_share,
            of_load,
            &self.overlap,
            turned_decays,
            &self.share,
        );
        let width = of_theta.len();
        rows::transpose(simd, turned, decays, width);
        rows::add(simd, &mut of_coefficients.decays, turned);
        rows::transpose(simd, turned, overlap, width);
        for t in 0..tokens {
            let damping = self.damping[t];
            of_step[t] += of_share[t] / damping * self.given[t].signum();
            if damping > LEAST_DAMPING {
                of_coefficients.persist[t] += of_share[t] * self.share[t] / damping;
            }
        }
    }
}

/// The gradients on the way back through a cap.
pub(crate) struct Bent {
    of_load: Buffer,
    of_share: Buffer,
    /// At the overlaps, a row for each `i`, and turned.
    overlap: Buffer,
    turned: Buffer,
    decays: Buffer,
}

impl Bent {
    pub(crate) fn new(tokens: usize) -> Self {
        let square = || Buffer::new(tokens, tokens);
        Self {
            of_load: Buffer::row(tokens),
            of_share: Buffer::row(tokens),
            overlap: square(),
            turned: square(),
            decays: square(),
        }
    }

    /// Adds the gradient at features `x`.
    pub(crate) fn pull<S: Simd>(&self, simd: S, into: &mut [f32], x: &[f32]) {
        let width = self.of_load.len();
        let terms = [
            times((x, width), &self.overlap).within(Band::Upper),
            times((x, width), &self.turned).within(Band::Lower),
        ];
        let size = [x.len() / width, width];
        product(simd, size, &terms, &mut Add(into));
    }
}

vectorized! {
    /// `load_t += Σ_i decays_it |overlap_it| share_i`.
    fn add_loads(simd, load: &mut [f32], overlap: &[f32], decays: &[f32], share: &[f32]) {
        let load = vectors_mut(simd, load);
        let rows = vectors(simd, overlap).chunks_exact(load.len());
        let rows = rows.zip(vectors(simd, decays).chunks_exact(load.len())).zip(share);
        for ((overlap, decays), share) in rows {
            let share = V::splat(simd, *share);
            for (load, (overlap, decays)) in load.iter_mut().zip(overlap.iter().zip(decays)) {
                let along = V::new(simd, *overlap).abs() * V::new(simd, *decays);
                *load = along.fma(share, V::new(simd, *load)).raw;
            }
        }
    }
}

vectorized! {
    /// The gradients at overlaps, decays and shares from those at loads.
    fn bend(
        simd,
        of_overlap: &mut [f32],
        of_decays: &mut [f32],
        of_share: &mut [f32],
        of_load: &[f32],
        overlap: &[f32],
        decays: &[f32],
        share: &[f32],
    ) {
        let of_load = vectors(simd, of_load);
        let [overlap, decays] = [overlap, decays].map(|x| vectors(simd, x));
        let [of_overlap, of_decays] = [of_overlap, of_decays].map(|x| vectors_mut(simd, x));
        let width = of_load.len();
        for (i, (share, of_share)) in share.iter().zip(of_share).enumerate() {
            let mut sum = V::splat(simd, 0.0);
            for (column, of_load) in of_load.iter().enumerate() {
                let at = i * width + column;
                let [along, kept] = [V::new(simd, overlap[at]), V::new(simd, decays[at])];
                let of_load = V::new(simd, *of_load);
                of_overlap[at] = (of_load * kept * along.sign() * *share).raw;
                of_decays[at] = (of_load * along.abs() * *share).raw;
                sum = (of_load * kept).fma(along.abs(), sum);
            }
            *of_share += simd.reduce_sum_f32s(sum.raw);
        }
    }
}
