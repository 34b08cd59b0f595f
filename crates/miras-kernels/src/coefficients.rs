//! The weight of every write in every later state of a chunk, by recurrence.
//!
//! ```text
//! A_t = carry_t A_0 + share_t S_0 − Σ_i writes_ti x_iᵀ u_i
//! S_t = persisted_t S_0 − Σ_i persists_ti x_iᵀ u_i
//!
//! decays_t = a_t decays_{t−1} + e_t      persists_t = η_t persists_{t−1} + e_t
//! writes_t = a_t writes_{t−1} + persists_t
//! carry_t = a_t carry_{t−1}              persisted_t = η_t persisted_{t−1}
//! share_t = a_t share_{t−1} + persisted_t
//! ```
//!
//! The same numbers as in `miras_core::Coefficients`, without sums of logarithms: exact at a decay
//! of 0. Gradient descent is momentum with `η = 0`.

use pulp::{Simd, WithSimd};

use crate::{
    buffer::{Buffer, padded},
    rows::{self, vectorized, vectors, vectors_mut},
};

/// Of a chunk; beyond its tokens all is 0.
pub(crate) struct Coefficients {
    tokens: usize,
    /// `a_t` and `η_t`.
    pub(crate) decay: Buffer,
    pub(crate) persist: Buffer,
    pub(crate) carry: Buffer,
    pub(crate) share: Buffer,
    persisted: Buffer,
    /// A row for each `t`, a column for each `i`.
    decays: Buffer,
    persists: Buffer,
    pub(crate) writes: Buffer,
    /// The same with a row for each write.
    pub(crate) turned_decays: Buffer,
    pub(crate) turned_writes: Buffer,
}

/// Gradients at coefficients, a chunk's worth.
pub(crate) struct CoefficientGradients {
    pub(crate) carry: Buffer,
    pub(crate) share: Buffer,
    /// That of the last token alone.
    pub(crate) persisted: f32,
    pub(crate) decays: Buffer,
    pub(crate) writes: Buffer,
    /// That of the last token, and of all after it as the recurrence goes back.
    pub(crate) persists: Buffer,
    /// At `a_t` and `η_t` by other ways.
    pub(crate) decay: Buffer,
    pub(crate) persist: Buffer,
}

/// The last token's, with which a chunk ends.
pub(crate) struct End<'a> {
    pub(crate) carry: f32,
    pub(crate) share: f32,
    pub(crate) persisted: f32,
    pub(crate) writes: &'a [f32],
    pub(crate) persists: &'a [f32],
}

impl Coefficients {
    pub(crate) fn new(tokens: usize) -> Self {
        let row = || Buffer::row(tokens);
        let square = || Buffer::new(tokens, tokens);
        Self {
            tokens,
            decay: row(),
            persist: row(),
            carry: row(),
            share: row(),
            persisted: row(),
            decays: square(),
            persists: square(),
            writes: square(),
            turned_decays: square(),
            turned_writes: square(),
        }
    }

    /// Those of a chunk with these gates.
    pub(crate) fn compute<S: Simd>(
        &mut self,
        simd: S,
        log_decay: &[f32],
        log_momentum: Option<&[f32]>,
    ) {
        let [mut carry, mut share, mut persisted] = [1.0, 0.0, 1.0];
        for t in 0..self.tokens {
            let decay = log_decay[t].exp();
            let persist = log_momentum.map_or(0.0, |log| log[t].exp());
            carry *= decay;
            persisted *= persist;
            share = decay * share + persisted;
            (self.decay[t], self.persist[t]) = (decay, persist);
            (self.carry[t], self.share[t]) = (carry, share);
            self.persisted[t] = persisted;
        }
        let width = padded(self.tokens);
        let Self {
            decay,
            persist,
            decays,
            persists,
            writes,
            ..
        } = self;
        let used = self.tokens * width;
        rows_of(
            simd,
            &mut decays[..used],
            &mut persists[..used],
            &mut writes[..used],
            decay,
            persist,
        );
        rows::transpose(simd, &mut self.turned_decays, &self.decays, width);
        rows::transpose(simd, &mut self.turned_writes, &self.writes, width);
    }

    pub(crate) fn end(&self) -> End<'_> {
        let (last, width) = (self.tokens - 1, padded(self.tokens));
        let row = last * width..(last + 1) * width;
        End {
            carry: self.carry[last],
            share: self.share[last],
            persisted: self.persisted[last],
            writes: &self.writes[row.clone()],
            persists: &self.persists[row],
        }
    }

    /// The gradients of the gates' logarithms, of which that of the momentum is only looked at where
    /// there is one. Uses up `of`.
    pub(crate) fn backward<S: Simd>(
        &self,
        simd: S,
        of: &mut CoefficientGradients,
        of_log_decay: &mut [f32],
        of_log_momentum: &mut [f32],
    ) {
        let width = padded(self.tokens);
        let [mut carry, mut share, mut persisted] = [0.0, 0.0, of.persisted];
        for t in (0..self.tokens).rev() {
            let (decay, persist) = (self.decay[t], self.persist[t]);
            carry += of.carry[t];
            share += of.share[t];
            persisted += share;
            let before = |x: &[f32], first: f32| if t == 0 { first } else { x[t - 1] };
            let mut of_decay =
                of.decay[t] + carry * before(&self.carry, 1.0) + share * before(&self.share, 0.0);
            let mut of_persist = of.persist[t] + persisted * before(&self.persisted, 1.0);
            carry *= decay;
            share *= decay;
            persisted *= persist;

            let row = t * width..(t + 1) * width;
            rows::add(simd, &mut of.persists, &of.writes[row.clone()]);
            if t > 0 {
                let before = (t - 1) * width..t * width;
                for (of, rows) in [
                    (&mut of.writes, &self.writes),
                    (&mut of.decays, &self.decays),
                ] {
                    let (earlier, here) = of.split_at_mut(row.start);
                    let (earlier, here) = (&mut earlier[before.clone()], &here[..width]);
                    rows::add_dot(simd, &mut of_decay, here, &rows[before.clone()]);
                    rows::add_multiple(simd, earlier, here, decay);
                }
                rows::add_dot(simd, &mut of_persist, &of.persists, &self.persists[before]);
                rows::scale(simd, &mut of.persists, persist);
            }
            of_log_decay[t] = of_decay * decay;
            if let Some(of_log) = of_log_momentum.get_mut(t) {
                *of_log = of_persist * persist;
            }
        }
    }
}

impl CoefficientGradients {
    pub(crate) fn new(tokens: usize) -> Self {
        let row = || Buffer::row(tokens);
        let square = || Buffer::new(tokens, tokens);
        Self {
            carry: row(),
            share: row(),
            persisted: 0.0,
            decays: square(),
            writes: square(),
            persists: row(),
            decay: row(),
            persist: row(),
        }
    }

    pub(crate) fn clear(&mut self) {
        self.persisted = 0.0;
        for all in [
            &mut self.carry,
            &mut self.share,
            &mut self.decays,
            &mut self.writes,
            &mut self.persists,
            &mut self.decay,
            &mut self.persist,
        ] {
            all.clear();
        }
    }
}

vectorized! {
    /// The rows of the three recurrences.
    fn rows_of(
        simd,
        decays: &mut [f32],
        persists: &mut [f32],
        writes: &mut [f32],
        decay: &[f32],
        persist: &[f32],
    ) {
        let width = decay.len();
        let tokens = decays.len() / width;
        for t in 0..tokens {
            let [a, eta] = [decay[t], persist[t]];
            for (rows, by) in [(&mut *decays, a), (&mut *persists, eta)] {
                let (before, row) = rows.split_at_mut(t * width);
                let row = &mut row[..width];
                if t == 0 {
                    row.fill(0.0);
                } else {
                    let before = &before[(t - 1) * width..];
                    let by = simd.splat_f32s(by);
                    let rows = vectors_mut(simd, row).iter_mut().zip(vectors(simd, before));
                    for (out, x) in rows {
                        *out = simd.mul_f32s(*x, by);
                    }
                }
                row[t] = 1.0;
            }
            let (before, row) = writes.split_at_mut(t * width);
            let row = &mut row[..width];
            row.copy_from_slice(&persists[t * width..][..width]);
            if t > 0 {
                let before = &before[(t - 1) * width..];
                let by = simd.splat_f32s(a);
                let rows = vectors_mut(simd, row).iter_mut().zip(vectors(simd, before));
                for (out, x) in rows {
                    *out = simd.mul_add_e_f32s(*x, by, *out);
                }
            }
        }
    }
}
