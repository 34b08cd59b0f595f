//! Decay per channel within a chunk, exactly and without dividing by a decay.
//!
//! With decays `a_s` per channel, the weight of write `i` in the state of token `t` is the vector
//! `∏_{i<s≤t} a_s`. As a ratio of cumulative products it overflows once a gate has been near 0.
//! Here a chunk is halved again and again: for a write in the first half and a token in the second,
//! the product splits at the border `m` into `∏_{i<s<m} a_s · ∏_{m≤s≤t} a_s`, two factors of at
//! most 1, one for each side of a matrix product. All of these products together cost half of the
//! square of the chunk's length.

use burn::tensor::{Tensor, s};

use crate::{Order, Side};

/// The weight of every write of a chunk in the states of its tokens, per channel of one side.
#[derive(Debug, Clone)]
pub struct ChannelDecay {
    /// Which channels.
    pub side: Side,
    /// `log a_t`, `[n, g, c, d]`.
    log: Tensor<4>,
    /// `None` for the state after each token's own write; else the state before it, with the
    /// token's decay ([`Order::Before`]) or without it ([`Order::After`]).
    before: Option<Order>,
    /// The first token whose state is asked for.
    first: usize,
    /// A factor of each write, `[n, g, c, 1]`.
    by: Option<Tensor<4>>,
}

impl ChannelDecay {
    /// The weights in the state after each token; `log` is `log a_t`, `[n, g, c, d]`.
    pub(crate) fn new(side: Side, log: Tensor<4>) -> Self {
        Self {
            side,
            log,
            before: None,
            first: 0,
            by: None,
        }
    }

    /// What is left of each write at the chunk's end, `[n, g, c, d]`.
    pub(crate) fn at_end(&self) -> Tensor<4> {
        let [n, g, c, d] = self.log.dims();
        let log = self.log.clone().reshape([n * g, c, d]);
        sums_after(log).exp().reshape([n, g, c, d])
    }

    /// The weight of each write in the state of the last token, `[n, g, c, d]`: all that a single
    /// new token asks for.
    fn of_last(&self) -> Tensor<4> {
        let [n, g, c, d] = self.log.dims();
        let earlier = || self.log.clone().slice(s![.., .., ..c - 1, ..]);
        let zero = || Tensor::zeros([n, g, 1, d], (&self.log.device(), self.log.dtype()));
        let log = match self.before {
            Some(Order::After) => Tensor::cat(vec![earlier(), zero()], 2),
            Some(Order::Before) | None => self.log.clone(),
        };
        let weights = sums_after(log.reshape([n * g, c, d])).exp();
        let weights = weights.reshape([n, g, c, d]);
        match self.before {
            None => weights,
            // It does not have its own write.
            Some(_) => Tensor::cat(vec![weights.slice(s![.., .., ..c - 1, ..]), zero()], 2),
        }
    }

    pub(crate) fn exclusive(&self, order: Order) -> Self {
        Self {
            before: Some(order),
            ..self.clone()
        }
    }

    pub(crate) fn starting_at(&self, start: usize) -> Self {
        Self {
            first: self.first + start,
            ..self.clone()
        }
    }

    /// Each write times a number of its own, `by: [n, g, c, 1]`.
    pub(crate) fn weighted(self, by: &Tensor<4>) -> Self {
        let by = match self.by {
            None => by.clone(),
            Some(earlier) => earlier * by.clone(),
        };
        let by = Some(by);
        Self { by, ..self }
    }

    fn factored(&self, writes: Tensor<4>) -> Tensor<4> {
        match &self.by {
            None => writes,
            Some(by) => writes * by.clone(),
        }
    }

    /// Those of each chunk, as `split` divides a tensor of all of them.
    pub(crate) fn split(self, split: impl Fn(Tensor<4>) -> Vec<Tensor<4>>) -> Vec<Self> {
        let mut by = self.by.clone().map(|by| split(by).into_iter());
        (split(self.log.clone()).into_iter())
            .map(|log| Self {
                log,
                by: (by.as_mut()).map(|all| all.next().expect("one per chunk")),
                ..self.clone()
            })
            .collect()
    }

    /// `Σ_k z_tk x_ik w_tik`, with a weight for each feature `k` that is summed over.
    ///
    /// # Shapes
    /// `z: [n, g, r·R, d]`, R rows for each of the tokens asked for, `x: [n, g, c·S, d]`; result:
    /// `[n, g, r·R, c·S]`.
    pub fn overlap(&self, z: Tensor<4>, x: Tensor<4>) -> Tensor<4> {
        let c = self.log.dims()[2];
        let [n, g, rows, _] = z.dims();
        let (z, x) = (each_row(z, c - self.first), each_row(x, c));
        let (r, s) = (z.len(), x.len());
        let rows_of = |z: &Tensor<4>| {
            let columns = x
                .iter()
                .map(|x| self.overlap_of_tokens(z.clone(), x.clone()));
            let columns = Tensor::stack::<5>(columns.collect(), 4);
            columns.reshape([n, g, rows / r, c * s])
        };
        let all = Tensor::stack::<5>(z.iter().map(rows_of).collect(), 3);
        all.reshape([n, g, rows, c * s])
    }

    /// The same with one row a token.
    fn overlap_of_tokens(&self, z: Tensor<4>, x: Tensor<4>) -> Tensor<4> {
        let [n, g, c, d] = x.dims();
        let x = self.factored(x);
        if self.first + 1 == c {
            return z.matmul((x * self.of_last()).transpose());
        }
        let size = c.next_power_of_two();
        let flat = |x| padded(x, size).reshape([n * g, size, d]);
        let z = padded_before(z, self.first);
        let all = self.overlap_of(flat(z), flat(x), flat(self.log.clone()));
        all.reshape([n, g, size, size])
            .slice(s![.., .., self.first..c, ..c])
    }

    /// `Σ_i o_ti w_ti ⊙ u_i`, with a weight for each feature of `u`.
    ///
    /// # Shapes
    /// `overlap: [n, g, r·R, c·S]`, R rows for each of the tokens asked for and S for each of the
    /// chunk's, `u: [n, g, c·S, d]`; result: `[n, g, r·R, d]`.
    pub fn sum(&self, overlap: Tensor<4>, u: Tensor<4>) -> Tensor<4> {
        let c = self.log.dims()[2];
        let [n, g, rows, _] = overlap.dims();
        let d = u.dims()[3];
        let u = each_row(u, c);
        let overlap = each_row(overlap, c - self.first);
        let row = |overlap: Tensor<4>| {
            let columns = each_row(overlap.swap_dims(2, 3), c).into_iter().zip(&u);
            let parts = columns.map(|(o, u)| self.sum_of_tokens(o.swap_dims(2, 3), u.clone()));
            parts.reduce(|a, b| a + b).expect("a token has a row")
        };
        let all = Tensor::stack::<5>(overlap.into_iter().map(row).collect(), 3);
        all.reshape([n, g, rows, d])
    }

    /// The same with one row a token.
    fn sum_of_tokens(&self, overlap: Tensor<4>, u: Tensor<4>) -> Tensor<4> {
        let [n, g, c, d] = u.dims();
        let u = self.factored(u);
        if self.first + 1 == c {
            return overlap.matmul(u * self.of_last());
        }
        let size = c.next_power_of_two();
        let flat = |x| padded(x, size).reshape([n * g, size, d]);
        let overlap = padded_before(overlap, self.first);
        // Columns as rows: writes behind the last one.
        let overlap = padded(padded(overlap, size).swap_dims(2, 3), size).swap_dims(2, 3);
        let overlap = overlap.reshape([n * g, size, size]);
        let all = self.sum_of(overlap, flat(u), flat(self.log.clone()));
        all.reshape([n, g, size, d])
            .slice(s![.., .., self.first..c, ..])
    }

    /// `[m, c, d] → [m, c, c]`, for `c` a power of two.
    fn overlap_of(&self, z: Tensor<3>, x: Tensor<3>, log: Tensor<3>) -> Tensor<3> {
        let [m, c, d] = x.dims();
        if c == 1 {
            let own = (z * x).sum_dim(2);
            return match self.before {
                None => own,
                Some(_) => own.zeros_like(),
            };
        }
        let half = c / 2;
        let second = z.clone().slice(s![.., half.., ..]) * self.since_border(&log);
        let first = x.clone().slice(s![.., ..half, ..]) * to_border(&log);
        let between = second.matmul(first.transpose());

        let halves = |x: Tensor<3>| x.reshape([2 * m, half, d]);
        let inside = self.overlap_of(halves(z), halves(x), halves(log));
        let inside = inside.reshape([m, 2, half, half]);
        let at = |which: usize| {
            (inside.clone().slice(s![.., which..=which, .., ..])).reshape([m, half, half])
        };
        let upper = Tensor::cat(vec![at(0), between.zeros_like()], 2);
        Tensor::cat(vec![upper, Tensor::cat(vec![between, at(1)], 2)], 1)
    }

    /// `[m, c, c], [m, c, d] → [m, c, d]`, for `c` a power of two.
    fn sum_of(&self, overlap: Tensor<3>, u: Tensor<3>, log: Tensor<3>) -> Tensor<3> {
        let [m, c, d] = u.dims();
        if c == 1 {
            return match self.before {
                None => overlap * u,
                Some(_) => u.zeros_like(),
            };
        }
        let half = c / 2;
        let between = overlap.clone().slice(s![.., half.., ..half]);
        let first = u.clone().slice(s![.., ..half, ..]) * to_border(&log);
        let second = between.matmul(first) * self.since_border(&log);

        let blocks = vec![
            overlap.clone().slice(s![.., ..half, ..half]),
            overlap.slice(s![.., half.., half..]),
        ];
        let blocks = Tensor::stack::<4>(blocks, 1).reshape([2 * m, half, half]);
        let halves = |x: Tensor<3>| x.reshape([2 * m, half, d]);
        let inside = self.sum_of(blocks, halves(u), halves(log));
        inside.reshape([m, c, d]) + Tensor::cat(vec![second.zeros_like(), second], 1)
    }

    /// From the border between the halves to each token of the second, `[m, c/2, d]`. The token's
    /// own decay is among them, except for the state before its write without its decay.
    fn since_border(&self, log: &Tensor<3>) -> Tensor<3> {
        let half = log.dims()[1] / 2;
        let second = log.clone().slice(s![.., half.., ..]);
        match self.before {
            Some(Order::After) => sums_before(second),
            Some(Order::Before) | None => second.cumsum(1),
        }
        .exp()
    }
}

/// From each token of the first half, its own decay not among them, to the border: `[m, c/2, d]`.
fn to_border(log: &Tensor<3>) -> Tensor<3> {
    let half = log.dims()[1] / 2;
    let first = log.clone().slice(s![.., ..half, ..]);
    sums_after(first).exp()
}

/// The sum of all later rows, for each.
fn sums_after(x: Tensor<3>) -> Tensor<3> {
    sums_before(x.flip([1])).flip([1])
}

/// The sum of all earlier rows, for each.
fn sums_before(x: Tensor<3>) -> Tensor<3> {
    let rows = x.dims()[1];
    let zero = x.clone().slice(s![.., ..1, ..]).zeros_like();
    if rows == 1 {
        return zero;
    }
    Tensor::cat(vec![zero, x.slice(s![.., ..rows - 1, ..])], 1).cumsum(1)
}

/// The first row of each token, the second, and so on: `[n, g, c·R, d]` as R of `[n, g, c, d]`.
fn each_row(x: Tensor<4>, tokens: usize) -> Vec<Tensor<4>> {
    let [n, g, rows, d] = x.dims();
    let each = rows / tokens;
    if each == 1 {
        return vec![x];
    }
    let x = x.reshape([n, g, tokens, each, d]);
    (0..each)
        .map(|at| {
            let row = x.clone().slice(s![.., .., .., at..=at, ..]);
            row.reshape([n, g, tokens, d])
        })
        .collect()
}

/// With rows of zeros behind it, up to `size`.
fn padded(x: Tensor<4>, size: usize) -> Tensor<4> {
    let [n, g, rows, d] = x.dims();
    if rows == size {
        return x;
    }
    let zeros = Tensor::zeros([n, g, size - rows, d], (&x.device(), x.dtype()));
    Tensor::cat(vec![x, zeros], 2)
}

/// With `count` rows of zeros before it.
fn padded_before(x: Tensor<4>, count: usize) -> Tensor<4> {
    if count == 0 {
        return x;
    }
    let [n, g, _, d] = x.dims();
    let zeros = Tensor::zeros([n, g, count, d], (&x.device(), x.dtype()));
    Tensor::cat(vec![zeros, x], 2)
}

#[cfg(test)]
#[path = "channels_tests.rs"]
mod tests;
