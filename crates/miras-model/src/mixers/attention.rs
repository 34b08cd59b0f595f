//! Causal softmax attention, full or over a sliding window, the mixer of Transformer++.

use burn::{
    module::{Module, Param},
    nn::RmsNorm,
    tensor::{Tensor, s},
};
use miras_config::{ConfigError, Section, fields_of};
use miras_engine::{
    Probe,
    cost::{Flops, Needs::Both},
};
use miras_registry::Choice;
use serde::{Deserialize, Serialize};
use toml::{Table, Value};

use super::{
    ConvActivation, Listed, MIXER, MixerKeys, NO_TOKEN, OutputGate, OutputNorm, QkNorm, Spec,
    Tables, TokenMixer, widths::Widths,
};
use crate::{
    ParameterGroup, ParameterGroups, Pass, Precision, ShortConv, StateLayout, StateShape,
    StateTensor, StateTree,
    attend::{Learned, Visible, attend_behind},
    conv::{conv_layout, convolve},
    cost::{Parameters, StateNumbers},
    heads::repeated,
    init::Init,
    norm::rms_norm,
    precision::Projection,
    rope::Angles,
};

/// Its table beside `[mixer]`.
pub(super) const ATTENTION: &str = "attention";

/// `[attention]`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AttentionKeys {
    /// Base of the rotary position encoding, above 1.
    pub rope_base: f64,
    /// Tokens that a token sees, itself included; 0 for all.
    pub window: usize,
}

impl Default for AttentionKeys {
    fn default() -> Self {
        Self {
            rope_base: 10_000.0,
            window: 0,
        }
    }
}

/// Attention in a layer.
#[derive(Debug, Clone)]
pub struct AttentionSpec {
    /// `[mixer]`.
    pub keys: MixerKeys,
    /// `[attention]`.
    pub own: AttentionKeys,
    /// Width of the residual stream.
    dim: usize,
    /// Keys and values for each token: its own and, in `mac`, those of what a memory gave for it.
    pub(super) per_token: usize,
    /// The most tokens that are seen, if there is a bound.
    pub(super) span: Option<usize>,
}

/// Multi-head causal attention with rotary positions.
///
/// # Formula
/// `y_t = Σ_j softmax_j(⟨R_t q_t, R_j k_j⟩/√d) v_j` over `t − w < j ≤ t`, then norm and gate where
/// `[mixer]` has them, and the output projection; `w` is `attention.window`, and without one all
/// tokens up to `t` are seen.
/// The keys and values of the learned tokens (`mixer.persistent`) have no convolution and no
/// position, and every token sees them.
/// With fewer `key_heads` than `heads`, groups of heads share keys and values (grouped-query
/// attention, arXiv 2305.13245).
///
/// # State
/// Keys and values, `[b, key_heads, t, d]` each. It grows with the sequence, unless there is a
/// window: then those of its last `w − 1` tokens. Keys of a window are kept as they are before
/// their rotation, since only distances matter, so that positions do not grow either.
///
/// # Reference
/// Transformer++ as in the baselines of Titans (arXiv 2501.00663): pre-norm, rotary
/// positions, no biases. The short convolution on q, k and v is ours, so that all
/// models compared here start alike; `mixer.conv = 0` leaves it out. There is no activation
/// after it unless `mixer.conv_activation` says so, and no norm of queries and keys unless
/// `mixer.qk_norm` does, which comes before the positions.
#[derive(Module, Debug)]
pub struct AttentionMixer {
    q: Projection,
    k: Projection,
    v: Projection,
    convs: Vec<ShortConv>,
    q_norm: Option<RmsNorm>,
    k_norm: Option<RmsNorm>,
    norm: Option<RmsNorm>,
    output_gate: Option<Projection>,
    output: Projection,
    /// `[persistent, d]`.
    persistent: Option<Param<Tensor<2>>>,
    head_dim: usize,
    rope_base: f64,
    window: usize,
    #[module(skip)]
    keys: MixerKeys,
    #[module(skip)]
    precision: Precision,
}

impl Listed for AttentionMixer {
    type Spec = AttentionSpec;

    const SUMMARY: &'static str = "causal attention (Transformer++)";

    const TABLES: &'static [&'static str] = &[ATTENTION];

    const VARIANTS: &'static [&'static str] = &[
        "",
        "[mixer]\nconv = 0\nconv_activation = 'silu'",
        "[mixer]\nconv = 1\n[attention]\nrope_base = 30.0",
        "[mixer]\nkey_heads = 1\nvalue_heads = 1\nqk_norm = 'rms'",
        "[mixer]\nqk_norm = 'l2'\noutput_norm = 'rms'\noutput_gate = 'sigmoid'",
        "[mixer]\npersistent = 3",
        "[attention]\nwindow = 3",
        "[mixer]\nconv = 0\nkey_heads = 1\nvalue_heads = 1\nqk_norm = 'rms'\npersistent = 2\n[attention]\nwindow = 2",
    ];

    fn own_keys() -> Vec<(&'static str, &'static [&'static str])> {
        own_keys()
    }

    fn take(tables: &mut Tables<'_>) -> Result<AttentionSpec, ConfigError> {
        AttentionSpec::take(tables)
    }

    fn from_spec(init: &mut Init, name: &str, spec: &AttentionSpec) -> Self {
        let (keys, widths, d_k) = (&spec.keys, spec.widths(), spec.head_dim());
        let (d, heads) = (widths.dim, [keys.heads, keys.of_keys()]);
        let [q_name, k_name] = init.query_and_key(name);
        Self {
            q: init.projection(&q_name, d, widths.inner),
            k: init.projection_of_groups(&k_name, d, heads, d_k),
            v: init.projection(&format!("{name}.v"), d, widths.qkv[2]),
            convs: init.convs(name, keys.conv, widths.qkv, false),
            q_norm: init.optional_norm(keys.qk_norm == QkNorm::Rms, d_k),
            k_norm: init.optional_norm(keys.qk_norm == QkNorm::Rms, d_k),
            norm: init.optional_norm(keys.output_norm == OutputNorm::Rms, d_k),
            output_gate: (keys.output_gate != OutputGate::None)
                .then(|| init.projection(&format!("{name}.output_gate"), d, widths.inner)),
            output: init.projection(&format!("{name}.output"), widths.inner, d),
            persistent: init.persistent(name, keys.persistent, d),
            head_dim: d_k,
            rope_base: spec.own.rope_base,
            window: spec.own.window,
            keys: keys.clone(),
            precision: init.precision,
        }
    }
}

impl AttentionSpec {
    fn take(tables: &mut Tables<'_>) -> Result<Self, ConfigError> {
        let keys = tables.attempt(MIXER, |section| {
            let mut section = section.with_hints(defaults());
            let keys = MixerKeys::take(&mut section)?
                .of_kind("attention", &section)?
                .without_memory(&section)?;
            if keys.of_keys() != keys.of_values() {
                let message = format!(
                    "attention has as many heads of values as of keys, and there are {} and {}",
                    keys.of_values(),
                    keys.of_keys()
                );
                let help = "set mixer.key_heads and mixer.value_heads to the same number";
                return Err(section.error("value_heads", message, Some(help.to_owned())));
            }
            Ok(keys)
        });
        let own = tables.attempt(ATTENTION, |section| AttentionKeys::take(section, 0));
        let dim = tables.dim()?;
        let (Some(keys), Some(own)) = (keys, own) else {
            return Err(tables.failed());
        };
        Self::new(keys, own, dim).map_err(|(message, help)| {
            let section = tables.section(MIXER);
            section.error("heads", message, help)
        })
    }

    /// Attention in a layer of width `dim`; an error is about `mixer.heads`.
    fn new(
        keys: MixerKeys,
        own: AttentionKeys,
        dim: usize,
    ) -> Result<Self, (String, Option<String>)> {
        let heads = keys.heads;
        if let Some((message, help)) = keys.unequal_heads(dim) {
            return Err((message, Some(help)));
        }
        if !(dim / heads).is_multiple_of(2) {
            let message = format!(
                "rotary encoding needs an even width a head, and {dim} / {heads} = {} is odd",
                dim / heads
            );
            return Err((message, None));
        }
        Ok(Self {
            span: (own.window > 0).then_some(own.window),
            keys,
            own,
            dim,
            per_token: 1,
        })
    }

    /// The attention of a layer with a memory whose `[mixer]` is `keys`, of which it has heads,
    /// convolution and persistent tokens; all else is as in a layer of attention alone. Takes
    /// `[attention]`, where the window is `window` if the table does not say otherwise.
    pub(super) fn beside(
        tables: &mut Tables<'_>,
        keys: &MixerKeys,
        window: usize,
    ) -> Result<Self, ConfigError> {
        let own = tables.attempt(ATTENTION, |section| AttentionKeys::take(section, window));
        let (Some(own), dim) = (own, tables.dim()?) else {
            return Err(tables.failed());
        };
        let keys = MixerKeys {
            conv: keys.conv,
            persistent: keys.persistent,
            conv_activation: ConvActivation::None,
            qk_norm: QkNorm::None,
            output_norm: OutputNorm::None,
            output_gate: OutputGate::None,
            ..MixerKeys::new(keys.heads)
        };
        Self::new(keys, own, dim).map_err(|(message, help)| {
            let section = tables.section(MIXER);
            section.error("heads", message, help)
        })
    }

    fn head_dim(&self) -> usize {
        self.dim / self.keys.heads
    }

    /// Keys in a product of scores.
    fn seen(&self, tokens: usize) -> usize {
        self.keys.persistent + self.per_token * self.span.map_or(tokens, |span| span.min(tokens))
    }

    pub(super) fn widths(&self) -> Widths {
        let head = self.head_dim();
        let grouped = self.keys.of_keys() * head;
        Widths {
            dim: self.dim,
            qkv: [self.dim, grouped, grouped],
            d_k: head,
            d_v: head,
            inner: self.dim,
        }
    }
}

/// The keys of `[attention]`.
pub(super) fn own_keys() -> Vec<(&'static str, &'static [&'static str])> {
    vec![(ATTENTION, fields_of::<AttentionKeys>())]
}

/// Keys of `[mixer]` whose defaults are not those of a memory.
fn defaults() -> Table {
    let none = ["conv_activation", "qk_norm", "output_norm", "output_gate"];
    let none = none.map(|key| (key.to_owned(), Value::from("none")));
    Table::from_iter(none)
}

impl AttentionKeys {
    fn take(section: Section<'_>, window: usize) -> Result<Self, ConfigError> {
        let window = [("window".to_owned(), Value::from(window as i64))];
        let mut section = section.with_hints(Table::from_iter(window));
        let keys: Self = section.part()?;
        if keys.window == 1 {
            let message = "a window of 1 token sees no other token";
            let help = "use 2 or more, or 0 to see all tokens so far";
            return Err(section.error("window", message, Some(help.to_owned())));
        }
        if !(keys.rope_base.is_finite() && keys.rope_base > 1.0) {
            let message = "rope_base must be a finite number above 1";
            return Err(section.error("rope_base", message, None));
        }
        Ok(keys)
    }
}

impl Spec for AttentionSpec {
    fn keys(&self) -> &MixerKeys {
        &self.keys
    }

    fn tables(&self) -> Vec<(&'static str, Table)> {
        let own = Table::try_from(&self.own).expect("settings are a TOML table");
        vec![(ATTENTION, own)]
    }

    fn memories(&self) -> &[Choice] {
        &[]
    }

    fn parameters(&self) -> Parameters {
        Parameters {
            all: self.widths().parameters(&self.keys) + self.keys.persistent * self.dim,
            memory: 0,
            fast: 0,
        }
    }

    fn size(&self) -> f64 {
        self.widths().parameters(&self.keys) as f64
    }

    /// Counted over all pairs of a token and one that it could see; kernels leave out most of what is
    /// above the diagonal.
    fn flops(&self, tokens: usize) -> Flops {
        let widths = self.widths();
        let products = Flops::product(tokens, self.head_dim(), self.seen(tokens), Both);
        let learned = Flops::product(self.keys.persistent, self.dim, widths.qkv[1], Both) * 2.0;
        widths.flops(&self.keys, tokens) + learned + products * (2 * self.keys.heads) as f64
    }

    fn kept(&self, tokens: usize, kernels: bool) -> usize {
        let widths = self.widths();
        // Queries, and keys and values with what stands beside them.
        let projected = widths.qkv[0] + self.per_token * (widths.qkv[1] + widths.qkv[2]);
        let scores = if kernels {
            // What is read, once more, and the logarithm of each sum.
            widths.inner + self.keys.heads
        } else {
            // Keys and values again for every head that shares them; scores shifted, raised and
            // divided.
            let repeated = match self.keys.heads - self.keys.of_keys() {
                0 => 0,
                _ => 2 * widths.inner,
            };
            repeated + 3 * self.keys.heads * self.seen(tokens)
        };
        tokens * (widths.kept(&self.keys, kernels) + projected + scores)
    }

    fn state(&self) -> StateNumbers {
        let widths = self.widths();
        let (tails, per_token) = (widths.tails(&self.keys), widths.qkv[1] + widths.qkv[2]);
        match self.span {
            None => StateNumbers {
                fixed: tails,
                per_token,
            },
            Some(span) => StateNumbers {
                fixed: tails + (span - 1) * self.per_token * per_token,
                per_token: 0,
            },
        }
    }
}

/// Keys and values beside those of each token, `[b, t, key_heads·d]` each.
pub(super) type Beside = [Tensor<3>; 2];

impl AttentionMixer {
    /// Keys and values of `x [b, t, d]`, by the projections alone.
    pub(super) fn keys_and_values(&self, x: Tensor<3>) -> Beside {
        [self.k.forward(x.clone()), self.v.forward(x)]
    }

    /// Attention of tokens over the tokens of `state` and those of `x`, with the keys and values that
    /// stand `beside` each; a state without keys and values begins anew behind the same
    /// convolutions.
    ///
    /// # Shapes
    /// `x`, result: `[b, t, d]`.
    pub(super) fn attend(
        &self,
        x: Tensor<3>,
        beside: Option<Beside>,
        state: Option<StateTree>,
    ) -> (Tensor<3>, StateTree) {
        let [b, t, d] = x.dims();
        assert!(b > 0 && t > 0, "{NO_TOKEN}, not [{b}, {t}, {d}]");
        let per_token = 1 + usize::from(beside.is_some());
        let (tails, past) = match state {
            Some(mut state) => {
                let tails = state.take_branch("tails");
                let past = (state.get(CACHE[0]).is_some())
                    .then(|| CACHE.map(|name| state.take_heads(name)));
                state.assert_empty();
                let rows = past.as_ref().map_or(b, |[keys, _]| keys.dims()[0]);
                assert!(rows == b, "the state has {rows} rows, and the input {b}");
                (Some(tails), past)
            }
            None => (None, None),
        };
        let projected = [&self.q, &self.k, &self.v].map(|w| w.forward(x.clone()));
        let keys = &self.keys;
        let (convolved, tails) = convolve(&self.convs, projected, tails, keys.conv_activation);
        let (heads, groups) = (keys.heads, keys.of_keys());
        let per_head = |x: Tensor<3>, heads: usize| x.reshape([b, t, heads, self.head_dim]);
        let [q, k, v] = convolved;
        let (q, [k, v]) = (per_head(q, heads), [k, v].map(|x| per_head(x, groups)));
        let norm_keys = |k: Tensor<4>| keys.qk_norm.apply(k, self.k_norm.as_ref());
        let q = keys.qk_norm.apply(q, self.q_norm.as_ref());
        let (mut own_keys, mut own_values) = (norm_keys(k), v);
        if let Some(beside) = beside {
            let [k, v] = beside.map(|x| per_head(x, groups));
            own_keys = side_by_side(norm_keys(k), own_keys);
            own_values = side_by_side(v, own_values);
        }

        let earlier = past
            .as_ref()
            .map_or(0, |[keys, _]| keys.dims()[2] / per_token);
        let positions = Angles::new(earlier..earlier + t, self.head_dim, self.rope_base);
        let unturned = q.clone();
        let q = positions.rotate(q);
        let is_bounded = self.window > 0;
        if !is_bounded {
            own_keys = positions.each(per_token).rotate(own_keys);
        }
        let [mut all_keys, mut values] = [own_keys, own_values].map(|x| x.swap_dims(1, 2));
        if let Some([earlier_keys, earlier_values]) = past {
            all_keys = Tensor::cat(vec![earlier_keys, all_keys], 2);
            values = Tensor::cat(vec![earlier_values, values], 2);
        }
        let tokens_first = |x: &Tensor<4>| x.clone().swap_dims(1, 2);
        let mut seen = [&all_keys, &values].map(tokens_first);
        if is_bounded {
            let positions = Angles::new(0..earlier + t, self.head_dim, self.rope_base);
            seen[0] = positions.each(per_token).rotate(seen[0].clone());
            let first = ((earlier + t).saturating_sub(self.window - 1)) * per_token;
            [all_keys, values] = [all_keys, values].map(|x| x.slice(s![.., .., first.., ..]));
        }
        let learned = self.persistent.as_ref().map(|persistent| {
            let learned = self.keys_and_values(persistent.val().unsqueeze());
            let [k, v] = learned.map(|x| {
                let [_, count, _] = x.dims();
                x.reshape([1, count, groups, self.head_dim])
            });
            let [keys, values] = [norm_keys(k), v].map(|x| repeated(x, 0, b));
            Learned {
                queries: unturned,
                keys,
                values,
            }
        });
        let visible = Visible {
            prefix: keys.persistent,
            per_token,
            window: is_bounded.then_some(self.window),
        };
        let mut y = attend_behind(learned, q, seen, visible, self.precision);
        if let Some(norm) = &self.norm {
            y = rms_norm(norm, y);
        }
        let y = y.reshape([b, t, d]);
        let y = (self.keys.output_gate).apply(y, x, self.output_gate.as_ref());

        let mut state = StateTree::default();
        state.insert_branch("tails", tails);
        for (name, tensor) in CACHE.into_iter().zip([all_keys, values]) {
            state.insert(name, StateTensor::Heads(tensor));
        }
        (self.output.forward(y), state)
    }

    /// The tensors of the state after `position` tokens with `per_token` keys and values each.
    pub(super) fn layout(&self, rows: usize, position: usize, per_token: usize) -> StateLayout {
        let tokens = match self.window {
            0 => position,
            window => position.min(window - 1),
        };
        let shape = [rows, self.keys.of_keys(), tokens * per_token, self.head_dim];
        let mut layout = StateLayout::default();
        layout.insert_branch("tails", conv_layout(&self.convs, rows));
        if tokens > 0 {
            for name in CACHE {
                layout.insert(name, StateShape::Heads(shape));
            }
        }
        layout
    }
}

/// Keys and values in the state.
pub(super) const CACHE: [&str; 2] = ["keys", "values"];

/// Of each token first what is `before` and then its own: `[b, t, h, d]` twice to `[b, 2t, h, d]`.
fn side_by_side(before: Tensor<4>, own: Tensor<4>) -> Tensor<4> {
    let [b, t, heads, d] = own.dims();
    let both = [before, own].map(|x| x.reshape([b, t, 1, heads * d]));
    Tensor::cat(both.into(), 2).reshape([b, 2 * t, heads, d])
}

impl TokenMixer for AttentionMixer {
    fn forward(
        &self,
        x: Tensor<3>,
        state: Option<StateTree>,
        _pass: Pass,
    ) -> (Tensor<3>, StateTree, Option<Probe>) {
        if let Some(state) = &state {
            state.assert_has(CACHE[0]);
        }
        let (y, state) = self.attend(x, None, state);
        (y, state, None)
    }

    fn state_layout(&self, rows: usize, position: usize) -> StateLayout {
        self.layout(rows, position, 1)
    }

    fn memory(&self) -> Vec<String> {
        CACHE.map(str::to_owned).into()
    }

    fn groups(&self, groups: &mut ParameterGroups) {
        let projections = [&self.q, &self.k, &self.v, &self.output];
        for projection in projections.into_iter().chain(&self.output_gate) {
            projection.group(ParameterGroup::Projection, groups);
        }
        for norm in [&self.q_norm, &self.k_norm, &self.norm]
            .into_iter()
            .flatten()
        {
            groups.put(ParameterGroup::Norm, &norm.gamma);
        }
        for conv in &self.convs {
            conv.groups(groups);
        }
        if let Some(persistent) = &self.persistent {
            groups.put(ParameterGroup::Persistent, persistent);
        }
    }
}
