//! Softmax over the tokens so far.

use burn::tensor::{Tensor, activation};
use miras_core::above;
use miras_engine::kernel::{has_kernels, run};
use miras_kernels::Attention;

use crate::{Precision, heads::repeat_heads};

/// What queries `[b, t, h, d]` read from `keys` and `values` `[b, start + t, groups, d]`, of which
/// theirs are the last: `y_i = Σ_{j≤i} softmax_j(⟨q_i, k_j⟩/√d) v_j`.
///
/// On the CPU no score is kept ([`Attention`]), except for a few tokens after many.
pub(crate) fn attend(q: Tensor<4>, kv: [Tensor<4>; 2], precision: Precision) -> Tensor<4> {
    let [keys, values] = kv;
    let (shape, [_, seen, groups, _]) = (q.dims(), keys.dims());
    let [rows, tokens, heads, d] = shape;
    let scale = (d as f64).sqrt().recip();
    let fills_blocks = seen == tokens || tokens >= FEW;
    if fills_blocks && precision == Precision::F32 && has_kernels(&q) {
        let attention = Attention {
            rows,
            tokens,
            earlier: seen - tokens,
            heads,
            groups,
            scale: scale as f32,
        };
        return run(attention, [q.into(), keys.into(), values.into()], shape);
    }
    let [keys, values] = [keys, values].map(|x| per_query(x.swap_dims(1, 2), groups, heads));
    let scores = precision.product(q.swap_dims(1, 2), keys.transpose());
    let shares = activation::softmax(causal(scores.mul_scalar(scale)), 3);
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

/// Scores `[b, h, t, start + t]` without those of later tokens, row `i` being the token at
/// position `start + i`.
///
/// `burn::tensor::module::attention` does not say the same everywhere: beside earlier keys its
/// causal mask is another one on `LibTorch`, its softmax has the precision of the products, and
/// under a gradient it is made of the operations here, with the maximum of each row in the graph.
fn causal(scores: Tensor<4>) -> Tensor<4> {
    let [_, _, t, width] = scores.dims();
    if t == 1 {
        // The last token sees all.
        return scores;
    }
    let is_later = above([t, width], (width - t) as i64, &scores.device());
    scores.mask_fill(is_later, UNSEEN)
}

/// Fewer queries than these beside earlier keys take the tensors: kernels take 64 queries at once.
const FEW: usize = 32;

/// A score whose share is 0; not an infinity, which some devices do not know.
const UNSEEN: f64 = -1e30;
