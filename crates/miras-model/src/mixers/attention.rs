//! Causal softmax attention, the mixer of Transformer++.

use burn::{
    module::Module,
    tensor::{Tensor, activation},
};
use miras_core::above;
use miras_engine::Probe;

use super::{Listed, NO_TOKEN, TokenMixer};
use crate::{
    ConvActivation, ModelSpec, ParameterGroup, ParameterGroups, Pass, Precision, ShortConv,
    StateLayout, StateShape, StateTensor, StateTree,
    conv::{conv_layout, convolve},
    init::Init,
    precision::Projection,
    rope::rotate,
};

/// Multi-head causal attention with rotary positions.
///
/// # Formula
/// `y_t = Σ_{j≤t} softmax_j(⟨R_t q_t, R_j k_j⟩/√d) v_j`, then the output projection.
///
/// # State
/// Keys, rotated, and values, `[b, h, t, d]` each: it grows with the sequence.
///
/// # Reference
/// Transformer++ as in the baselines of Titans (arXiv 2501.00663): pre-norm, rotary
/// positions, no biases. The short convolution on q, k and v is ours, so that all
/// models compared here start alike; `model.conv = 0` leaves it out. There is no activation
/// after it unless `model.conv_activation` says so.
#[derive(Module, Debug)]
pub struct AttentionMixer {
    q: Projection,
    k: Projection,
    v: Projection,
    convs: Vec<ShortConv>,
    output: Projection,
    heads: usize,
    head_dim: usize,
    rope_base: f64,
    #[module(skip)]
    conv_activation: ConvActivation,
    #[module(skip)]
    precision: Precision,
}

impl Listed for AttentionMixer {
    const VARIANTS: &'static [&'static str] = &[
        "",
        "[model]\nconv = 0\nconv_activation = 'silu'",
        "[model]\nconv = 1\nrope_base = 30.0",
    ];

    fn from_spec(init: &mut Init, name: &str, spec: &ModelSpec, _layer: usize) -> Self {
        let d = spec.config.dim;
        let [q_name, k_name] = init.query_and_key(name);
        Self {
            q: init.projection(&q_name, d, d),
            k: init.projection(&k_name, d, d),
            v: init.projection(&format!("{name}.v"), d, d),
            convs: init.convs(name, spec.config.conv, d),
            output: init.projection(&format!("{name}.output"), d, d),
            heads: spec.config.heads,
            head_dim: spec.config.head_dim(None),
            conv_activation: spec.conv_activation(),
            precision: init.precision,
            rope_base: spec.config.rope_base.expect("resolved for attention"),
        }
    }
}

impl TokenMixer for AttentionMixer {
    fn forward(
        &self,
        x: Tensor<3>,
        state: Option<StateTree>,
        _pass: Pass,
    ) -> (Tensor<3>, StateTree, Option<Probe>) {
        let [b, t, d] = x.dims();
        assert!(b > 0 && t > 0, "{NO_TOKEN}, not [{b}, {t}, {d}]");
        let (tails, past) = match state {
            Some(mut state) => {
                let tails = state.take_branch("tails");
                let (keys, values) = (state.take_heads("keys"), state.take_heads("values"));
                state.assert_empty();
                let rows = keys.dims()[0];
                assert!(rows == b, "the state has {rows} rows, and the input {b}");
                (Some(tails), Some((keys, values)))
            }
            None => (None, None),
        };
        let projected = [&self.q, &self.k, &self.v].map(|w| w.forward(x.clone()));
        let (convolved, tails) = convolve(&self.convs, projected, tails);
        let per_head = |x: Tensor<3>| {
            let x = self.conv_activation.apply(x);
            x.reshape([b, t, self.heads, self.head_dim]).swap_dims(1, 2)
        };
        let [q, k, v] = convolved.map(per_head);

        let start = past.as_ref().map_or(0, |(keys, _)| keys.dims()[2]);
        let q = rotate(q, start, self.rope_base);
        let mut keys = rotate(k, start, self.rope_base);
        let mut values = v;
        if let Some((earlier_keys, earlier_values)) = past {
            keys = Tensor::cat(vec![earlier_keys, keys], 2);
            values = Tensor::cat(vec![earlier_values, values], 2);
        }

        let scale = (self.head_dim as f64).sqrt().recip();
        let scores = (self.precision.product(q, keys.clone().transpose())).mul_scalar(scale);
        let scores = causal(scores);
        let y = (self.precision).product(activation::softmax(scores, 3), values.clone());
        let y = y.swap_dims(1, 2).reshape([b, t, d]);

        let mut state = StateTree::default();
        state.insert_branch("tails", tails);
        state.insert("keys", StateTensor::Heads(keys));
        state.insert("values", StateTensor::Heads(values));
        (self.output.forward(y), state, None)
    }

    fn state_layout(&self, rows: usize, position: usize) -> StateLayout {
        let shape = StateShape::Heads([rows, self.heads, position, self.head_dim]);
        let mut layout = StateLayout::default();
        layout.insert_branch("tails", conv_layout(&self.convs, rows));
        layout.insert("keys", shape);
        layout.insert("values", shape);
        layout
    }

    fn memory(&self) -> Vec<String> {
        ["keys", "values"].map(str::to_owned).into()
    }

    fn groups(&self, groups: &mut ParameterGroups) {
        for projection in [&self.q, &self.k, &self.v, &self.output] {
            projection.group(ParameterGroup::Projection, groups);
        }
        for conv in &self.convs {
            conv.groups(groups);
        }
    }
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

/// A score whose share is 0; not an infinity, which some devices do not know.
const UNSEEN: f64 = -1e30;
