//! The weight of every write in every later state of a chunk.

use burn::tensor::{Bool, Device, Int, Tensor, s};

use crate::Order;

/// Coefficients of `n` chunks of `c` tokens, for writes `u_i = θ_i d_i` that
/// already hold their step sizes.
#[derive(Debug, Clone)]
pub struct Coefficients {
    /// `A_tj = ∏_{j<s≤t} a_s` for `j ≤ t`, else 0: `[n, g, c, c]`.
    pub decay: Tensor<4>,
    /// The state after token `t`, as a sum over the chunk.
    pub rows: Rows,
    /// The state after the chunk.
    pub end: ChunkEnd,
}

/// `W_t = carry_t W_0 + Σ slots_t S_0 − Σ_i writes_ti x_iᵀ u_i`, a row per token.
#[derive(Debug, Clone)]
pub struct Rows {
    /// Share of the chunk-start state, β: `[n, g, c, 1]`.
    pub carry: Tensor<4>,
    /// Share of each chunk-start slot, f: `[n, g, c, 1]`.
    pub slots: Vec<Tensor<4>>,
    /// Weight of write `i` at token `t`: `[n, g, c, c]`, lower triangular.
    pub writes: Tensor<4>,
}

/// The same for the state a chunk leaves behind.
#[derive(Debug, Clone)]
pub struct ChunkEnd {
    /// `[n, g, 1, 1]`.
    pub carry: Tensor<4>,
    /// `[n, g, c, 1]`.
    pub writes: Tensor<4>,
    /// One per slot.
    pub slots: Vec<SlotEnd>,
}

/// How a slot enters and leaves a chunk.
#[derive(Debug, Clone)]
pub struct SlotEnd {
    /// Its share in the weights at the end, `[n, g, 1, 1]`.
    pub share: Tensor<4>,
    /// Its share in itself at the end, `[n, g, 1, 1]`.
    pub carry: Tensor<4>,
    /// Weight of each write in it at the end, `[n, g, c, 1]`.
    pub writes: Tensor<4>,
}

impl Coefficients {
    /// Gradient descent: `A_t = a_t A_{t−1} − u_t`.
    pub fn decayed_sum(log_decay: Tensor<4>) -> Self {
        let decay = decay_matrix(log_decay.clone());
        let carry = products(log_decay);
        Self::from_rows(
            decay.clone(),
            Rows {
                carry,
                slots: Vec::new(),
                writes: decay,
            },
            Vec::new(),
        )
    }

    /// Momentum: `S_t = η_t S_{t−1} − u_t`, `A_t = a_t A_{t−1} + S_t`.
    pub fn momentum(log_decay: Tensor<4>, log_momentum: Tensor<4>) -> Self {
        let decay = decay_matrix(log_decay.clone());
        let carry = products(log_decay);
        let persist = decay_matrix(log_momentum.clone());
        let persisted = products(log_momentum);
        let rows = Rows {
            carry,
            slots: vec![decay.clone().matmul(persisted.clone())],
            writes: decay.clone().matmul(persist.clone()),
        };
        let slot = SlotEnd {
            share: last_row(&rows.slots[0]),
            carry: last_row(&persisted),
            writes: last_row(&persist).transpose(),
        };
        Self::from_rows(decay, rows, vec![slot])
    }

    fn from_rows(decay: Tensor<4>, rows: Rows, slots: Vec<SlotEnd>) -> Self {
        let end = ChunkEnd {
            carry: last_row(&rows.carry),
            writes: last_row(&rows.writes).transpose(),
            slots,
        };
        Self { decay, rows, end }
    }
}

impl Rows {
    /// The state *before* each token, in which its gradient is taken; with
    /// [`Order::Before`] after that token's decay `a_t` (`decay` `[n, g, c, 1]`).
    #[must_use]
    pub fn exclusive(&self, order: Order, decay: Tensor<4>) -> Self {
        let shift = |x: &Tensor<4>, first: Tensor<4>| {
            let c = x.dims()[2];
            let earlier = x.clone().slice(s![.., .., 0..c - 1, ..]);
            let shifted = Tensor::cat(vec![first, earlier], 2);
            match order {
                Order::After => shifted,
                Order::Before => shifted * decay.clone(),
            }
        };
        let first_row = |x: &Tensor<4>| x.clone().slice(s![.., .., 0..1, ..]);
        Self {
            carry: shift(&self.carry, first_row(&self.carry).ones_like()),
            slots: (self.slots.iter())
                .map(|f| shift(f, first_row(f).zeros_like()))
                .collect(),
            writes: shift(&self.writes, first_row(&self.writes).zeros_like()),
        }
    }

    /// Rows from token `start` on.
    #[must_use]
    pub fn from_token(&self, start: usize) -> Self {
        if start == 0 {
            return self.clone();
        }
        let cut = |x: &Tensor<4>| x.clone().slice(s![.., .., start.., ..]);
        Self {
            carry: cut(&self.carry),
            slots: self.slots.iter().map(cut).collect(),
            writes: cut(&self.writes),
        }
    }
}

fn last_row(x: &Tensor<4>) -> Tensor<4> {
    let c = x.dims()[2];
    x.clone().slice(s![.., .., c - 1..c, ..])
}

/// `∏_{j<s≤t} r_s` for `j ≤ t`, 0 above the diagonal.
///
/// Each exponent is summed over its own segment: differences of cumulative
/// sums lose digits once a gate has been near 0.
///
/// # Shapes
/// `log_r: [n, g, c, 1] → [n, g, c, c]`.
pub fn decay_matrix(log_r: Tensor<4>) -> Tensor<4> {
    let [n, g, c, _] = log_r.dims();
    let device = log_r.device();
    let is_before = above([c, c], -1, &device);
    let segments = (log_r.expand([n, g, c, c]).mask_fill(is_before, 0.0)).cumsum(2);
    (segments.mask_fill(above([c, c], 0, &device), NEVER)).exp()
}

/// A logarithm whose exponential is 0 in every number type.
const NEVER: f64 = -1e30;

/// `∏_{s≤t} r_s`, `[n, g, c, 1] → [n, g, c, 1]`.
pub fn products(log_r: Tensor<4>) -> Tensor<4> {
    log_r.cumsum(2).exp()
}

/// Whether an entry lies above diagonal `k` (0 is the main one, −1 that below it): `[1, 1, rows, columns]`.
pub fn above([rows, columns]: [usize; 2], k: i64, device: &Device) -> Tensor<4, Bool> {
    let row = Tensor::<1, Int>::arange(k..rows as i64 + k, device).reshape([1, 1, rows, 1]);
    let column = Tensor::<1, Int>::arange(0..columns as i64, device).reshape([1, 1, 1, columns]);
    column.greater(row)
}

#[cfg(test)]
#[path = "coefficients_tests.rs"]
mod tests;
