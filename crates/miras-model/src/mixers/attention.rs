//! Causal softmax attention, the mixer of Transformer++.

use burn::{module::Module, nn::RmsNorm, tensor::Tensor};
use miras_config::{ConfigError, Section, fields_of};
use miras_engine::{
    Probe,
    cost::{Flops, Needs::Both},
};
use miras_registry::Choice;
use serde::{Deserialize, Serialize};
use toml::{Table, Value};

use super::{
    Listed, MIXER, MixerKeys, NO_TOKEN, OutputGate, OutputNorm, QkNorm, Spec, Tables, TokenMixer,
    widths::Widths,
};
use crate::{
    ParameterGroup, ParameterGroups, Pass, Precision, ShortConv, StateLayout, StateShape,
    StateTensor, StateTree,
    attend::attend,
    conv::{conv_layout, convolve},
    cost::{Parameters, StateNumbers},
    init::Init,
    norm::rms_norm,
    precision::Projection,
    rope::Angles,
};

/// Its table beside `[mixer]`.
const ATTENTION: &str = "attention";

/// `[attention]`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AttentionKeys {
    /// Base of the rotary position encoding, above 1.
    pub rope_base: f64,
}

impl Default for AttentionKeys {
    fn default() -> Self {
        Self {
            rope_base: 10_000.0,
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
}

/// Multi-head causal attention with rotary positions.
///
/// # Formula
/// `y_t = Σ_{j≤t} softmax_j(⟨R_t q_t, R_j k_j⟩/√d) v_j`, then norm and gate where `[mixer]` has them,
/// and the output projection.
/// With fewer `key_heads` than `heads`, groups of heads share keys and values (grouped-query
/// attention, arXiv 2305.13245).
///
/// # State
/// Keys, rotated, and values, `[b, key_heads, t, d]` each: it grows with the sequence.
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
    head_dim: usize,
    rope_base: f64,
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
    ];

    fn own_keys() -> Vec<(&'static str, &'static [&'static str])> {
        vec![(ATTENTION, fields_of::<AttentionKeys>())]
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
            convs: init.convs(name, keys.conv, widths.qkv),
            q_norm: init.optional_norm(keys.qk_norm == QkNorm::Rms, d_k),
            k_norm: init.optional_norm(keys.qk_norm == QkNorm::Rms, d_k),
            norm: init.optional_norm(keys.output_norm == OutputNorm::Rms, d_k),
            output_gate: (keys.output_gate != OutputGate::None)
                .then(|| init.projection(&format!("{name}.output_gate"), d, widths.inner)),
            output: init.projection(&format!("{name}.output"), widths.inner, d),
            head_dim: d_k,
            rope_base: spec.own.rope_base,
            keys: keys.clone(),
            precision: init.precision,
        }
    }
}

impl AttentionSpec {
    fn take(tables: &mut Tables<'_>) -> Result<Self, ConfigError> {
        let keys = tables.attempt(MIXER, |section| {
            let mut section = section.with_hints(defaults());
            let keys = MixerKeys::take(&mut section)?;
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
        let own = tables.attempt(ATTENTION, |mut section| AttentionKeys::take(&mut section));
        let dim = tables.dim()?;
        let (Some(keys), Some(own)) = (keys, own) else {
            return Err(tables.failed());
        };
        let heads = keys.heads;
        if let Some((message, help)) = keys.unequal_heads(dim) {
            return Err(tables.section(MIXER).error("heads", message, Some(help)));
        }
        if !(dim / heads).is_multiple_of(2) {
            let message = format!(
                "rotary encoding needs an even width a head, and {dim} / {heads} = {} is odd",
                dim / heads
            );
            return Err(tables.section(MIXER).error("heads", message, None));
        }
        Ok(Self { keys, own, dim })
    }

    fn head_dim(&self) -> usize {
        self.dim / self.keys.heads
    }

    fn widths(&self) -> Widths {
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

/// Keys of `[mixer]` whose defaults are not those of a memory.
fn defaults() -> Table {
    let none = ["conv_activation", "qk_norm", "output_norm", "output_gate"];
    let none = none.map(|key| (key.to_owned(), Value::from("none")));
    Table::from_iter(none)
}

impl AttentionKeys {
    fn take(section: &mut Section<'_>) -> Result<Self, ConfigError> {
        let keys: Self = section.part()?;
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
            all: self.widths().parameters(&self.keys),
            memory: 0,
            fast: 0,
        }
    }

    fn size(&self) -> f64 {
        self.widths().parameters(&self.keys) as f64
    }

    /// Counted over the whole square of tokens; kernels leave out most of what is above the diagonal.
    fn flops(&self, tokens: usize) -> Flops {
        let products = Flops::product(tokens, self.head_dim(), tokens, Both);
        self.widths().flops(&self.keys, tokens) + products * (2 * self.keys.heads) as f64
    }

    fn kept(&self, tokens: usize, kernels: bool) -> usize {
        let widths = self.widths();
        // Queries, keys and values.
        let projected = widths.qkv.iter().sum::<usize>();
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
            repeated + 3 * self.keys.heads * tokens
        };
        tokens * (widths.kept(&self.keys, kernels) + projected + scores)
    }

    fn state(&self) -> StateNumbers {
        let widths = self.widths();
        StateNumbers {
            fixed: widths.tails(&self.keys),
            per_token: widths.qkv[1] + widths.qkv[2],
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
        let keys = &self.keys;
        let (convolved, tails) = convolve(&self.convs, projected, tails, keys.conv_activation);
        let (heads, groups) = (keys.heads, keys.of_keys());
        let per_head = |x: Tensor<3>, heads: usize| x.reshape([b, t, heads, self.head_dim]);
        let [q, k, v] = convolved;
        let (q, [k, v]) = (per_head(q, heads), [k, v].map(|x| per_head(x, groups)));
        let q = keys.qk_norm.apply(q, self.q_norm.as_ref());
        let k = keys.qk_norm.apply(k, self.k_norm.as_ref());

        let start = past.as_ref().map_or(0, |(keys, _)| keys.dims()[2]);
        let angles = Angles::new(start..start + t, self.head_dim, self.rope_base);
        let [q, k] = [q, k].map(|x| angles.rotate(x));
        let heads_first = |x: &Tensor<4>| x.clone().swap_dims(1, 2);
        let [mut keys, mut values] = [&k, &v].map(heads_first);
        if let Some((earlier_keys, earlier_values)) = past {
            keys = Tensor::cat(vec![earlier_keys, keys], 2);
            values = Tensor::cat(vec![earlier_values, values], 2);
        }
        let mut y = attend(q, [&keys, &values].map(heads_first), self.precision);
        if let Some(norm) = &self.norm {
            y = rms_norm(norm, y);
        }
        let y = y.reshape([b, t, d]);
        let y = (self.keys.output_gate).apply(y, x, self.output_gate.as_ref());

        let mut state = StateTree::default();
        state.insert_branch("tails", tails);
        state.insert("keys", StateTensor::Heads(keys));
        state.insert("values", StateTensor::Heads(values));
        (self.output.forward(y), state, None)
    }

    fn state_layout(&self, rows: usize, position: usize) -> StateLayout {
        let shape = StateShape::Heads([rows, self.keys.of_keys(), position, self.head_dim]);
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
    }
}
