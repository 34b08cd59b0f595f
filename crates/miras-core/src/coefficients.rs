//! The weight of every write in every later state of a chunk.

use burn::tensor::{Bool, Device, Int, Tensor, s};

use crate::{ChannelDecay, LogDecay, Order, Side, rows};

/// Coefficients of `n` chunks of `c` tokens, for writes `u_i = θ_i d_i` that
/// already hold their step sizes.
#[derive(Debug, Clone)]
pub struct Coefficients {
    /// `A_tj = ∏_{j<s≤t} a_s` for `j ≤ t`, else 0: `[n, g, c, c]`; of the largest decay of each
    /// token where channels have their own.
    pub decay: Tensor<4>,
    /// The state after token `t`, as a sum over the chunk.
    pub rows: Rows,
    /// The state after the chunk.
    pub end: ChunkEnd,
}

/// `A_t = carry_t A_0 + Σ slots_t S_0 − Σ_i writes_ti x_iᵀ u_i`, a row per token.
#[derive(Debug, Clone)]
pub struct Rows {
    /// Share of the chunk-start state, β: `[n, g, c, 1]`, or per channel `[n, g, c, d]`.
    pub carry: Tensor<4>,
    /// Share of each chunk-start slot, f: `[n, g, c, 1]`.
    pub slots: Vec<Tensor<4>>,
    /// Weight of each write at each token.
    pub writes: WriteWeights,
}

/// The weight of every write of a chunk in the states of its tokens.
#[derive(Debug, Clone)]
#[allow(
    clippy::large_enum_variant,
    reason = "one a chunk; the variants hold handles"
)]
pub enum WriteWeights {
    /// A number each: `[n, g, c, c]`, that of write `i` at token `t`, lower triangular; or
    /// `[n, g, c, w − 1 + c]` in a [window](crate::MemoryAlgorithm::window) of `w` tokens, where the
    /// last ones before the chunk come first.
    Numbers(Tensor<4>),
    /// A number for each channel.
    Channels(ChannelDecay),
}

/// The same for the state a chunk leaves behind.
#[derive(Debug, Clone)]
pub struct ChunkEnd {
    /// Of the chunk-start state: `[n, g, 1, 1]`, or per channel `[n, g, d_in, 1]` or
    /// `[n, g, 1, d_out]`.
    pub carry: Tensor<4>,
    /// `[n, g, c, 1]`, or per channel `[n, g, c, d]`.
    pub writes: Tensor<4>,
    /// The channels of `writes`.
    pub channels: Option<Side>,
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
    pub fn decayed_sum(decay: LogDecay) -> Self {
        let matrix = decay_matrix(decay.largest());
        let LogDecay { log, channels } = decay;
        let carry = products(log.clone());
        let (writes, end) = match channels {
            None => {
                let end = last_row(&matrix).transpose();
                (WriteWeights::Numbers(matrix.clone()), end)
            }
            Some(side) => {
                let decay = ChannelDecay::new(side, log);
                let end = decay.at_end();
                (WriteWeights::Channels(decay), end)
            }
        };
        let end = ChunkEnd {
            carry: Side::on_state(channels, last_row(&carry)),
            writes: end,
            channels,
            slots: Vec::new(),
        };
        let rows = Rows {
            carry,
            slots: Vec::new(),
            writes,
        };
        Self {
            decay: matrix,
            rows,
            end,
        }
    }

    /// Momentum: `S_t = η_t S_{t−1} − u_t`, `A_t = a_t A_{t−1} + S_t`.
    ///
    /// # Panics
    /// If channels have decays of their own: then no product of matrices gives the weight of a
    /// write. Such a combination is refused before.
    pub fn momentum(decay: LogDecay, log_momentum: Tensor<4>) -> Self {
        assert!(
            decay.channels.is_none(),
            "momentum has one decay of the state"
        );
        let log_decay = decay.log;
        let decay = decay_matrix(log_decay.clone());
        let carry = products(log_decay);
        let persist = decay_matrix(log_momentum.clone());
        let persisted = products(log_momentum);
        let share = decay.clone().matmul(persisted.clone());
        let writes = decay.clone().matmul(persist.clone());
        let slot = SlotEnd {
            share: last_row(&share),
            carry: last_row(&persisted),
            writes: last_row(&persist).transpose(),
        };
        let end = ChunkEnd {
            carry: last_row(&carry),
            writes: last_row(&writes).transpose(),
            channels: None,
            slots: vec![slot],
        };
        let rows = Rows {
            carry,
            slots: vec![share],
            writes: WriteWeights::Numbers(writes),
        };
        Self { decay, rows, end }
    }

    /// The same recurrence, in which each token's write is the mean of those in a window that ends
    /// with it. Writes of the `window − 1` tokens before the chunk come before those of its own.
    ///
    /// # Panics
    /// If channels have decays of their own. Such a combination is refused before.
    #[must_use]
    pub fn windowed(mut self, window: usize) -> Self {
        let WriteWeights::Numbers(weights) = self.rows.writes else {
            panic!("a window has one decay of the state");
        };
        let [n, g, c, _] = weights.dims();
        let shape = [c, window - 1 + c];
        let device = weights.device();
        let share = Tensor::<4>::ones([1, 1, shape[0], shape[1]], (&device, weights.dtype()))
            .mask_fill(above(shape, window as i64 - 1, &device), 0.0)
            .mask_fill(above(shape, -1, &device).bool_not(), 0.0)
            .mul_scalar(1.0 / window as f64)
            .expand([n, g, shape[0], shape[1]]);
        let shared = |writes: Tensor<4>| share.clone().transpose().matmul(writes);
        self.rows.writes = WriteWeights::Numbers(weights.matmul(share.clone()));
        self.end.writes = shared(self.end.writes);
        for slot in &mut self.end.slots {
            slot.writes = shared(slot.writes.clone());
        }
        self
    }

    /// Each write times a number of its own, `by: [n, g, c, 1]`.
    #[must_use]
    pub fn weighted(mut self, by: &Tensor<4>) -> Self {
        self.rows.writes = match self.rows.writes {
            WriteWeights::Numbers(weights) => {
                WriteWeights::Numbers(weights * by.clone().transpose())
            }
            WriteWeights::Channels(decay) => WriteWeights::Channels(decay.weighted(by)),
        };
        self.end.writes = self.end.writes * by.clone();
        for slot in &mut self.end.slots {
            slot.writes = slot.writes.clone() * by.clone();
        }
        self
    }
}

impl ChunkEnd {
    /// `Σ_i writes_i x_iᵀ u_i`, `[n, g, d_in, d_out]`.
    pub fn sum(&self, x: &Tensor<4>, u: &Tensor<4>) -> Tensor<4> {
        let (x, u) = Side::on_writes(self.channels, &self.writes, x.clone(), u.clone());
        x.transpose().matmul(u)
    }
}

impl Rows {
    /// The state *before* each token, in which its gradient is taken; with
    /// [`Order::Before`] after that token's decay `a_t` (`decay`, in the shape of `carry`).
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
            writes: match &self.writes {
                WriteWeights::Numbers(x) => {
                    WriteWeights::Numbers(shift(x, first_row(x).zeros_like()))
                }
                WriteWeights::Channels(decay) => WriteWeights::Channels(decay.exclusive(order)),
            },
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
            writes: match &self.writes {
                WriteWeights::Numbers(x) => WriteWeights::Numbers(cut(x)),
                WriteWeights::Channels(decay) => WriteWeights::Channels(decay.starting_at(start)),
            },
        }
    }

    /// Those of each of the `n` chunks, as `split` divides a tensor of all of them.
    pub fn split(self, split: impl Fn(Tensor<4>) -> Vec<Tensor<4>>) -> Vec<Self> {
        let writes: Vec<_> = match self.writes {
            WriteWeights::Numbers(x) => split(x).into_iter().map(WriteWeights::Numbers).collect(),
            WriteWeights::Channels(decay) => (decay.split(&split).into_iter())
                .map(WriteWeights::Channels)
                .collect(),
        };
        let mut slots: Vec<_> = (self.slots.into_iter())
            .map(|x| split(x).into_iter())
            .collect();
        (split(self.carry).into_iter().zip(writes))
            .map(|(carry, writes)| Self {
                carry,
                slots: (slots.iter_mut())
                    .map(|slot| slot.next().expect("one per chunk"))
                    .collect(),
                writes,
            })
            .collect()
    }

    /// The share of the chunk-start state in `z_t A_t`, as `f` takes rows through that state:
    /// `f(z) ⊙ carry`, or `f(z ⊙ carry)` where the channels are those of `z`.
    pub fn carried(
        &self,
        z: &Tensor<4>,
        entering: Side,
        f: impl Fn(Tensor<4>) -> Tensor<4>,
    ) -> Tensor<4> {
        match &self.writes {
            WriteWeights::Channels(decay) if decay.side == entering => {
                f(rows::scale(z.clone(), &self.carry))
            }
            _ => rows::scale(f(z.clone()), &self.carry),
        }
    }

    /// `writes_ti ⟨z_t, x_i⟩` for rows `z [n, g, r·R, d]` of the tokens and the side `x` of the
    /// writes that `z` meets, which is `entering`: `[n, g, r·R, c·R]`. Nothing where channels of
    /// the other side have weights of their own, so that there is no number for each pair.
    pub fn coupling(&self, z: Tensor<4>, x: &Tensor<4>, entering: Side) -> Option<Tensor<4>> {
        match &self.writes {
            WriteWeights::Numbers(weights) => {
                let overlap = z.matmul(x.clone().transpose());
                // Weights are of tokens, and repeated where a token has several rows.
                let [_, _, tokens, chunk] = weights.dims();
                let [_, _, rows_out, rows_in] = overlap.dims();
                let by = rows::repeat(weights.clone(), 2, rows_out / tokens);
                Some(overlap * rows::repeat(by, 3, rows_in / chunk))
            }
            WriteWeights::Channels(decay) if decay.side == entering => {
                Some(decay.overlap(z, x.clone()))
            }
            WriteWeights::Channels(_) => None,
        }
    }

    /// `Σ_i writes_ti ⟨z_t, x_i⟩ u_i`, `x` being the side of the writes that `z` meets.
    pub fn written(&self, z: Tensor<4>, x: &Tensor<4>, u: &Tensor<4>, entering: Side) -> Tensor<4> {
        match &self.writes {
            WriteWeights::Channels(decay) if decay.side != entering => {
                decay.sum(z.matmul(x.clone().transpose()), u.clone())
            }
            _ => {
                let coupling = self.coupling(z, x, entering);
                coupling.expect("a number for each pair").matmul(u.clone())
            }
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
