//! Softmax over the tokens that a token sees.

use burn::tensor::{Bool, Device, Int, Tensor, activation, s};
use miras_engine::kernel::{has_kernels, run};
use miras_kernels::Attention;

use crate::{Precision, heads::repeat_heads};

/// Which keys a query sees: those of a prefix, and a range that ends with those of its own token.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Visible {
    /// Keys before all others, which every query sees.
    pub(crate) prefix: usize,
    /// Keys for each token behind them.
    pub(crate) per_token: usize,
    /// Tokens that a query sees, its own included; all earlier ones without it. No more than
    /// `window − 1` tokens stand before the first query.
    pub(crate) window: Option<usize>,
}

/// Learned keys and values without a position, `[b, n, groups, d]`, and the queries before they are
/// turned to theirs, which are compared with them.
pub(crate) struct Learned {
    pub(crate) queries: Tensor<4>,
    pub(crate) keys: Tensor<4>,
    pub(crate) values: Tensor<4>,
}

impl Learned {
    /// What queries read from these and from others: the features of a query are those of both, of
    /// which a key has one half.
    fn attend(
        self,
        q: Tensor<4>,
        [keys, values]: [Tensor<4>; 2],
        visible: Visible,
        precision: Precision,
    ) -> Tensor<4> {
        let d = q.dims()[3];
        let beside = |left: Tensor<4>, right: Tensor<4>| Tensor::cat(vec![left, right], 3);
        let left = |x: Tensor<4>| beside(x.clone(), x.zeros_like());
        let right = |x: Tensor<4>| beside(x.zeros_like(), x);
        let behind = |learned: Tensor<4>, x: Tensor<4>| Tensor::cat(vec![learned, x], 1);
        let both = [
            behind(right(self.keys), left(keys)),
            behind(left(self.values), left(values)),
        ];
        // As many features, and scores as of half of them.
        let q = beside(q, self.queries).mul_scalar(std::f64::consts::SQRT_2);
        attend(q, both, visible, precision).slice(s![.., .., .., 0..d])
    }
}

/// What queries read from keys and values of tokens, and from learned ones before them.
pub(crate) fn attend_behind(
    learned: Option<Learned>,
    q: Tensor<4>,
    kv: [Tensor<4>; 2],
    visible: Visible,
    precision: Precision,
) -> Tensor<4> {
    match learned {
        Some(learned) => learned.attend(q, kv, visible, precision),
        None => attend(q, kv, visible, precision),
    }
}

/// What queries `[b, t, h, d]` read from `keys` and `values`
/// `[b, prefix + per_token·(earlier + t), groups, d]`: `y_i = Σ_j softmax_j(⟨q_i, k_j⟩/√d) v_j` over
/// what is [`Visible`].
///
/// On the CPU no score is kept ([`Attention`]).
pub(crate) fn attend(
    q: Tensor<4>,
    [keys, values]: [Tensor<4>; 2],
    visible: Visible,
    precision: Precision,
) -> Tensor<4> {
    let (shape, [_, count, groups, _]) = (q.dims(), keys.dims());
    let [rows, tokens, heads, d] = shape;
    let scale = (d as f64).sqrt().recip();
    let earlier = (count - visible.prefix) / visible.per_token - tokens;
    if tokens > 1 && precision == Precision::F32 && has_kernels(&q) {
        let attention = Attention {
            earlier,
            prefix: visible.prefix,
            per_token: visible.per_token,
            window: visible.window,
            ..Attention::causal(rows, tokens, heads, groups, scale as f32)
        };
        return run(attention, [q.into(), keys.into(), values.into()], shape);
    }
    let [keys, values] = [keys, values].map(|x| per_query(x.swap_dims(1, 2), groups, heads));
    let mut scores = precision
        .product(q.swap_dims(1, 2), keys.transpose())
        .mul_scalar(scale);
    // A single token is given what it sees and no more.
    if tokens > 1 {
        let hidden = visible.hidden(tokens, earlier, &scores.device());
        scores = scores.mask_fill(hidden, UNSEEN);
    }
    let shares = activation::softmax(scores, 3);
    precision.product(shares, values).swap_dims(1, 2)
}

/// Keys or values of groups, `[b, groups, t, d]`, for each head: `[b, heads, t, d]`.
fn per_query(x: Tensor<4>, groups: usize, heads: usize) -> Tensor<4> {
    if groups == heads {
        return x;
    }
    let [b, _, t, d] = x.dims();
    let x = repeat_heads(x.reshape([1, b * groups, t, d]), groups, heads);
    x.reshape([b, heads, t, d])
}

impl Visible {
    /// The keys that each of `tokens` queries behind `earlier` tokens does not see:
    /// `[1, 1, tokens, keys]`.
    ///
    /// `burn::tensor::module::attention` does not say the same everywhere: beside earlier keys its
    /// causal mask is another one on `LibTorch`, its softmax has the precision of the products, and
    /// under a gradient it is made of the operations here, with the maximum of each row in the graph.
    fn hidden(self, tokens: usize, earlier: usize, device: &Device) -> Tensor<4, Bool> {
        let (prefix, per_token) = (self.prefix as i64, self.per_token as i64);
        let keys = prefix + per_token * (earlier + tokens) as i64;
        let key = Tensor::<1, Int>::arange(0..keys, device).reshape([1, 1, 1, keys as usize]);
        let query = Tensor::<1, Int>::arange(0..tokens as i64, device)
            .add_scalar(earlier as i64)
            .reshape([1, 1, tokens, 1]);
        // The first key behind those of the query's own token.
        let end = query.mul_scalar(per_token).add_scalar(per_token + prefix);
        let later = key.clone().greater_equal(end.clone());
        let Some(window) = self.window else {
            return later;
        };
        let begin = end.sub_scalar(window as i64 * per_token);
        let past = key
            .clone()
            .lower(begin)
            .bool_and(key.greater_equal_scalar(prefix));
        later.bool_or(past)
    }
}

/// A score whose share is 0; not an infinity, which some devices do not know.
const UNSEEN: f64 = -1e30;
