//! A memory as a mixer.

use std::sync::Arc;

use burn::{
    module::{Module, Param},
    nn::{Linear, RmsNorm},
    tensor::{Tensor, s},
};
use miras_config::ConfigError;
use miras_core::{Axis, GateSpec, Gates, Program, RETENTION, Weights};
use miras_engine::{Probe, Rule, State, Tokens};
use miras_registry::Target;

use super::{
    Chunks, KeySource, Listed, MemorySpec, MixerKeys, NO_TOKEN, OutputGate, OutputNorm, QkNorm,
    QuerySource, Tables, TokenMixer,
    learned::{
        Learned, LocalMemory, LowRank, gains, gate_projection, initial_weights, low_rank, rates,
        weights,
    },
};
use crate::{
    Ablation, Memories, ParameterGroup, ParameterGroups, Pass, ShortConv, StateLayout, StateShape,
    StateTensor, StateTree,
    conv::{conv_layout, convolve},
    heads::{from_memories, per_memory, repeat_heads, repeated, to_memories},
    init::Init,
    memory_tree::{add_layout, from_tree, open_tokens, to_tree},
    norm::{rms_norm, unit_rows},
    precision::Projection,
};

/// A memory as a token mixer: a layer of our [`LanguageModel`](crate::LanguageModel) or, by way
/// of [`MixerConfig`](crate::MixerConfig), of any other.
///
/// # Formula
/// ```text
/// q, k, v = f(conv(x W_q)), f(conv(x W_k)), f(conv(x W_v))     q, k ← n(q), n(k) per head
/// q, k    = Σ_p c_p q^p, Σ_p c_p k^p before n, with `mixer.polynomial`; c_p learned from 1/p! on
/// k       = 1 − a, where `mixer.key` says so, and a is made of W_k's projection
/// q       = k, where `mixer.query` says so: the token's own key, whatever is written under it
/// q, k    = u(φ(q)), u(φ(k)) of the memory's features φ, with `memory.learn = "last"`
/// e       = n(k ⊙ ξ), where the bias has an erase key; ξ learned from 1 on
/// k, e    = those of the token before, 0 at the first, with `bias.target = "next"`
/// gates   = per token and head, from x W_gates + b, as the four parts ask; those of every channel
///           from x A B + b, with `mixer.gate_rank`
/// y       = the inner loop of `miras-engine` over k, v, q and gates, and D v with `mixer.skip`
/// out     = (m(y) ⊙ g(x W_o)) W_out
/// ```
/// `f` is the `SiLU` or nothing (`mixer.conv_activation`), `u` the division by the Euclidean length, `n` the division by the Euclidean length,
/// an RMS norm or nothing (`mixer.qk_norm`), `m` an RMS norm or nothing (`mixer.output_norm`), `g`
/// the `SiLU` or the sigmoid, or there is no gate (`mixer.output_gate`).
/// A sequence begins with the learned tokens of `mixer.persistent`, which are written as all others
/// are, and whose outputs are dropped.
/// With `mixer.writes` a token has as many keys, values and gates, which are written one after the
/// other, its decay before the first of them, and reads after the last (`DeltaProduct`, arXiv
/// 2502.10297); a chunk is then of so many writes. Queries that are keys are those of the last write.
/// Heads share keys and queries in groups where `mixer.key_heads` is less than `mixer.heads`, and
/// values where `mixer.value_heads` is.
///
/// # State
/// The [`State`] of the memories, the last inputs of the convolutions, and with
/// `bias.target = "next"` the keys of the last token: its size does not depend on the length of the
/// sequence.
///
/// # Reference
/// Titans (arXiv 2501.00663), §4.4; kernel size 4 and the gate's `SiLU` are those of the
/// Gated `DeltaNet` lineage, which Titans does not state.
#[derive(Module, Debug)]
pub struct MemoryMixer {
    /// Where queries are not keys.
    q: Option<Projection>,
    k: Projection,
    v: Projection,
    /// On queries (where they have a projection), keys and values; empty without convolution.
    convs: Vec<ShortConv>,
    /// What makes erase keys of the features of keys, `[h, d_k]`; only where the bias has them.
    erase: Option<Param<Tensor<2>>>,
    /// All projected gates side by side, `[d, Σ h·width]`.
    gates: Option<Linear>,
    /// Those of channels, with `mixer.gate_rank`.
    low_rank: Vec<LowRank>,
    /// Learned rates per head, `[h]`, of the gates that have one.
    rates: Vec<Param<Tensor<1>>>,
    /// Initial weights of the memory, `[h, d_in, d_out]`; empty where they are 0.
    initial: Vec<Param<Tensor<3>>>,
    /// Its gains, `[h, 1, d]`.
    gains: Vec<Param<Tensor<3>>>,
    /// Weights and gains of the features that keys and queries go through; empty without features.
    feature_maps: Vec<Param<Tensor<3>>>,
    feature_gains: Vec<Param<Tensor<3>>>,
    q_norm: Option<RmsNorm>,
    k_norm: Option<RmsNorm>,
    norm: Option<RmsNorm>,
    output_gate: Option<Projection>,
    output: Projection,
    /// `[persistent, d]`.
    persistent: Option<Param<Tensor<2>>>,
    /// `[h]`.
    skip: Option<Param<Tensor<1>>>,
    /// The coefficients of the polynomial of queries and keys, from degree 1 on.
    polynomial: Option<Param<Tensor<1>>>,
    #[module(skip)]
    keys: MixerKeys,
    #[module(skip)]
    target: Target,
    #[module(skip)]
    rule: Rule,
    #[module(skip)]
    program: Arc<Program>,
    /// What keys and queries go through on their way to it.
    #[module(skip)]
    features: Option<Arc<Program>>,
    #[module(skip)]
    specs: Vec<GateSpec>,
    #[module(skip)]
    name: Arc<str>,
}

impl Listed for MemoryMixer {
    type Spec = MemorySpec;

    const SUMMARY: &'static str = "a memory of the four axes";

    const TABLES: &'static [&'static str] = &[
        Axis::Memory.table(),
        Axis::Bias.table(),
        Axis::Retention.table(),
        Axis::Algorithm.table(),
    ];

    const VARIANTS: &'static [&'static str] = &[
        "[memory]\nkind = 'matrix'\n[algorithm]\nchunk = 4",
        "[memory]\nkind = 'matrix'\n[bias]\nkind = 'huber'\n[algorithm]\nchunk = 4",
        "[memory]\nkind = 'mlp'\ndepth = 2\nexpansion = 2\n[algorithm]\nchunk = 4",
        "[memory]\nkind = 'matrix'\n[retention]\nkind = 'kl'\n[algorithm]\nchunk = 4",
        "[memory]\nkind = 'matrix'\nstart = 'zero'\ndim = 5",
        "[memory]\nkind = 'matrix'\n[bias]\nkind = 'erase'\n[retention]\nchannels = 'key'\n[algorithm]\nkind = 'gd'\nchannels = 'key'\nchunk = 4",
        "[memory]\nkind = 'matrix'\n[bias]\nkind = 'dot'\n[retention]\ngate = 'rate'\n[algorithm]\nkind = 'gd'\nstep = 'rate'\nchunk = 4",
        "[mixer]\ngate_rank = 2\nwrites = 2\n[memory]\nkind = 'matrix'\n[retention]\nchannels = 'key'\n[algorithm]\nkind = 'gd'\nchannels = 'key'\nchunk = 4",
        "[mixer]\ngate_rank = 1\n[memory]\nkind = 'matrix'\nvalue_dim = 5\n[bias]\nkind = 'dot'\n[retention]\nchannels = 'value'\n[algorithm]\nkind = 'gd'\nchunk = 4",
        "[mixer]\nconv = 0\n[memory]\nkind = 'mlp'\n[algorithm]\nkind = 'gd'\nchunk = 4\npicard = 1",
        "[mixer]\nconv = 1\nconv_activation = 'none'\n[retention]\ngate = 'rate'\n[algorithm]\nchunk = 4",
        "[mixer]\nqk_norm = 'rms'\noutput_norm = 'none'\noutput_gate = 'sigmoid'\nkey_heads = 1\n[memory]\nkind = 'matrix'\ndim = 3\nvalue_dim = 5\n[bias]\nkind = 'dot'\n[algorithm]\nchunk = 4",
        "[mixer]\nwrites = 2\n[memory]\nkind = 'matrix'\nstart = 'zero'\n[retention]\ngate = 'rate'\norder = 'before'\n[algorithm]\nkind = 'gd'\nchunk = 4",
        "[mixer]\nwrites = 2\nskip = true\npersistent = 1\nconv = 0\n[memory]\nkind = 'mlp'\n[algorithm]\nchunk = 4",
        "[mixer]\nkey = 'complement'\nqk_norm = 'none'\n[memory]\nkind = 'matrix'\n[bias]\nkind = 'dot'\n[retention]\nchannels = 'key'\n[algorithm]\nkind = 'gd'\nstep = 'fixed'\nchunk = 4",
        "[mixer]\nquery = 'keys'\nkey_heads = 1\nqk_norm = 'rms'\n[memory]\nkind = 'mlp'\n[algorithm]\nchunk = 4",
        "[mixer]\nquery = 'keys'\nwrites = 2\npolynomial = 2\npersistent = 1\n[memory]\nkind = 'mlp'\nlearn = 'last'\n[bias]\nkind = 'erase'\ntarget = 'next'\n[algorithm]\nkind = 'gd'\nchunk = 4",
        "[mixer]\nskip = true\nvalue_heads = 1\n[memory]\nkind = 'matrix'\n[algorithm]\nchunk = 4",
        "[mixer]\npolynomial = 3\n[memory]\nkind = 'mlp'\n[algorithm]\nkind = 'omega'\nwindow = 3\nchunk = 4",
        "[memory]\nkind = 'mlp'\nlearn = 'last'\n[algorithm]\nchunk = 4",
        "[mixer]\nkey_heads = 1\n[memory]\nkind = 'gated_mlp'\nlearn = 'last'\nstart = 'zero'\nvalue_dim = 5\n[bias]\nkind = 'erase'\n[algorithm]\nkind = 'gd'\nchunk = 4",
        "[memory]\nkind = 'matrix'\n[algorithm]\nkind = 'newton'\nchunk = 4",
        "[memory]\nkind = 'mlp'\n[bias]\ntarget = 'next'\n[algorithm]\nchunk = 4",
        "[mixer]\nwrites = 2\nconv = 0\npersistent = 1\n[memory]\nkind = 'mlp'\nlearn = 'last'\n[bias]\nkind = 'erase'\ntarget = 'next'\n[algorithm]\nkind = 'gd'\nchunk = 4",
        "[mixer]\npersistent = 5\n[memory]\nkind = 'matrix'\n[algorithm]\nchunk = 4",
        "[mixer]\nqk_norm = 'none'\noutput_gate = 'none'\nvalue_heads = 1\n[memory]\nkind = 'mlp'\nresidual = false\nvalue_dim = 4\n[algorithm]\nchunk = 4",
        "[mixer]\nwrites = 2\npersistent = 1\n[memory]\nkind = 'mlp'\n[retention]\nkind = 'private'\nnoise = 0.1\n[algorithm]\nkind = 'gd'\nchunk = 4",
    ];

    fn take(tables: &mut Tables<'_>) -> Result<MemorySpec, ConfigError> {
        MemorySpec::take(tables)
    }

    fn from_spec(init: &mut Init, name: &str, spec: &MemorySpec) -> Self {
        let MemorySpec { keys, choice, .. } = spec;
        let (rule, program) = (choice.rule.clone(), Arc::new(spec.program()));
        let (heads, widths) = (keys.heads, spec.widths());
        let (d, [of_q, of_k, of_v]) = (widths.dim, widths.qkv);
        let has_queries = keys.query == QuerySource::Projected;

        let specs = spec.gates();
        let [q_name, k_name] = init.query_and_key(name);
        let features = spec.features();
        let feature_maps =
            (features.as_ref()).map_or_else(Vec::new, |f| weights(init, name, f.maps(), heads));
        let initial = initial_weights(init, name, spec, &program);
        Self {
            q: has_queries.then(|| init.projection(&q_name, d, of_q)),
            k: init.projection_of_writes(&k_name, d, [of_k, keys.writes]),
            v: init.projection(&format!("{name}.v"), d, of_v),
            convs: init.convs(name, keys.conv, widths.qkv, choice.target == Target::Next),
            erase: (rule.bias.has_erase_key())
                .then(|| init.constant([keys.of_keys(), widths.d_k], 1.0)),
            gates: gate_projection(init, name, spec, &program),
            low_rank: low_rank(init, name, spec, &program),
            rates: rates(init, &specs, heads),
            initial,
            gains: gains(init, program.gains(), heads),
            feature_gains: (features.iter())
                .flat_map(|features| gains(init, features.gains(), heads))
                .collect(),
            feature_maps,
            q_norm: init.optional_norm(has_queries && keys.qk_norm == QkNorm::Rms, widths.d_k),
            k_norm: init.optional_norm(keys.qk_norm == QkNorm::Rms, widths.d_k),
            norm: init.optional_norm(keys.output_norm == OutputNorm::Rms, widths.d_v),
            output_gate: (keys.output_gate != OutputGate::None)
                .then(|| init.projection(&format!("{name}.output_gate"), d, widths.inner)),
            output: init.projection(&format!("{name}.output"), widths.inner, d),
            persistent: init.persistent(name, keys.persistent, d),
            skip: keys.skip.then(|| init.constant([heads], 1.0)),
            polynomial: (keys.polynomial > 1).then(|| {
                let mut factorial = 1.0;
                let degrees = (1..=keys.polynomial).map(|degree| {
                    factorial *= degree as f64;
                    1.0 / factorial
                });
                init.values([keys.polynomial], degrees.collect())
            }),
            keys: keys.clone(),
            target: choice.target,
            features: features.map(Arc::new),
            rule,
            program,
            specs,
            name: name.into(),
        }
    }
}

impl MemoryMixer {
    /// The rule this layer's memories follow.
    pub fn rule(&self) -> &Rule {
        &self.rule
    }

    /// Queries, keys, values and gates of `x`, and what they need of the tokens before: `tails` are the
    /// last inputs of the convolutions, and with `bias.target = "next"` the last keys, before `x` (none
    /// at the beginning of a sequence), the result has those after it.
    ///
    /// # Shapes
    /// `x`: `[b, t, d]`; tokens: as [`Tokens`] says, with `g = b·h`.
    pub fn project(&self, x: Tensor<3>, tails: Option<StateTree>) -> (Tokens, StateTree) {
        let (tokens, _, tails) = self.project_for(&[], x, tails);
        (tokens, tails)
    }

    /// The same, with the gates of other memories that share queries, keys and values.
    pub(super) fn project_for(
        &self,
        others: &[LocalMemory],
        x: Tensor<3>,
        mut tails: Option<StateTree>,
    ) -> (Tokens, Vec<Gates>, StateTree) {
        let is_shifted = self.target == Target::Next;
        let earlier =
            (tails.as_mut().filter(|_| is_shifted)).map(|tails| tails.take_memories(KEYS));
        let keys = &self.keys;
        let (q, [k, v], mut tails) = self.convolved(&x, tails);
        let k = self.written(self.powers(k), keys.of_keys());
        let gates = self.learned().gate_values(&x, &k);
        let others = (others.iter())
            .map(|other| other.gate_values(&x, &k))
            .collect();
        let erase = self.erase.as_ref().map(|scale| {
            let [b, ..] = x.dims();
            let scale = per_memory(scale.val().unsqueeze_dim(1), b);
            self.normed(k.clone() * scale, self.k_norm.as_ref())
        });
        let q = q.map(|q| {
            let q = to_memories(self.powers(q), keys.of_keys());
            self.each_write(self.normed(q, self.q_norm.as_ref()))
        });
        let k = match keys.key {
            KeySource::Projected => self.normed(k, self.k_norm.as_ref()),
            KeySource::Complement => gates.get(RETENTION).exp().neg().add_scalar(1.0),
        };
        let q = q.unwrap_or_else(|| k.clone());
        let v = self.written(v, keys.of_values());
        let v = repeat_heads(v, keys.of_values(), keys.heads);
        let k = match erase {
            None => k,
            Some(erase) => Tensor::cat(vec![erase, k], 3),
        };
        let k = if is_shifted {
            let (k, last) = shifted(k, earlier, keys.writes);
            tails.insert(KEYS, StateTensor::Memories(last));
            k
        } else {
            k
        };
        (Tokens { q, k, v, gates }, others, tails)
    }

    /// Queries (none where those are keys), keys and values of `x` after their convolutions, and what
    /// these need of the tokens before.
    fn convolved(
        &self,
        x: &Tensor<3>,
        tails: Option<StateTree>,
    ) -> (Option<Tensor<3>>, [Tensor<3>; 2], StateTree) {
        let activation = self.keys.conv_activation;
        let project = |w: &Projection| w.forward(x.clone());
        let Some(q) = &self.q else {
            let projected = [&self.k, &self.v].map(project);
            let (convolved, tails) = convolve(&self.convs, projected, tails, activation);
            return (None, convolved, tails);
        };
        let projected = [q, &self.k, &self.v].map(project);
        let ([q, k, v], tails) = convolve(&self.convs, projected, tails, activation);
        (Some(q), [k, v], tails)
    }

    /// The queries of `x` alone, as [`project`](Self::project) makes them, after a sequence of which
    /// they have the last inputs of the convolution.
    pub(super) fn queries(
        &self,
        x: Tensor<3>,
        tail: Option<Tensor<3>>,
    ) -> (Tensor<4>, Option<Tensor<3>>) {
        let projection = self.q.as_ref().unwrap_or(&self.k);
        let (q, activation) = (projection.forward(x), self.keys.conv_activation);
        let (q, tail) = match self.convs.first() {
            Some(conv) => conv.forward(q, tail, activation),
            None => (activation.apply(q), None),
        };
        let (q, of_keys) = (self.powers(q), self.keys.of_keys());
        let q = match &self.q {
            Some(_) => self.normed(to_memories(q, of_keys), self.q_norm.as_ref()),
            None => self.last_write(self.normed(self.written(q, of_keys), self.k_norm.as_ref())),
        };
        (q, tail)
    }

    /// Each feature through the polynomial of the layer, `Σ_p c_p x^p`, if it has one.
    fn powers(&self, x: Tensor<3>) -> Tensor<3> {
        let Some(coefficients) = &self.polynomial else {
            return x;
        };
        let coefficients = coefficients.val();
        let coefficient = |at: usize| coefficients.clone().slice(s![at..=at]).unsqueeze::<3>();
        let mut power = x.clone();
        let mut sum = x.clone() * coefficient(0);
        for at in 1..self.keys.polynomial {
            power = power * x.clone();
            sum = sum + power.clone() * coefficient(at);
        }
        sum
    }

    /// The shape of the last inputs of that convolution for `rows` batch rows.
    pub(super) fn query_tail(&self, rows: usize) -> Option<[usize; 3]> {
        self.convs.first().and_then(|conv| conv.state_shape(rows))
    }

    fn normed(&self, x: Tensor<4>, norm: Option<&RmsNorm>) -> Tensor<4> {
        let (of, heads) = (self.keys.of_keys(), self.keys.heads);
        self.featured(repeat_heads(self.keys.qk_norm.apply(x, norm), of, heads))
    }

    /// Keys or queries through the features of the memory, each of length 1; unchanged in a memory
    /// without features.
    fn featured(&self, x: Tensor<4>) -> Tensor<4> {
        let Some(features) = &self.features else {
            return x;
        };
        let rows = x.dims()[1] / self.keys.heads;
        let per_row = |params: &[Param<Tensor<3>>]| -> Vec<Tensor<4>> {
            let params = params.iter();
            params.map(|param| per_memory(param.val(), rows)).collect()
        };
        let weights = Weights {
            maps: &per_row(&self.feature_maps),
            gains: &per_row(&self.feature_gains),
        };
        unit_rows(features.forward(&weights, x))
    }

    /// The memories of the rows of `x [b, t, d]`, from `state` on (none at the beginning of a
    /// sequence).
    ///
    /// # Panics
    /// If the state is that of another number of rows.
    pub fn memories(&self, x: &Tensor<3>, state: Option<State>, pass: Pass) -> Memories<'_> {
        let [b, ..] = x.dims();
        let pass = Pass {
            truncate: pass.truncate.map(|tokens| tokens * self.keys.writes),
            ..pass
        };
        if let Some(map) = state.as_ref().and_then(|state| state.maps.first()) {
            let (held, heads) = (map.weights.dims()[1], self.keys.heads);
            let needed = b * heads;
            assert!(
                held == needed,
                "the state has {held} memories, and {b} rows with {heads} heads have {needed}"
            );
        }
        let initial = self.learned().initial(b, &x.device());
        Memories::new(&self.rule, initial, state, pass)
    }

    /// The layer's output for the tokens `x`, from what its memories gave for them,
    /// `y [1, b·h, t, ·]`: norm, output gate, projection.
    ///
    /// # Shapes
    /// `x`, result: `[b, t, d]`.
    pub fn output(&self, y: Tensor<4>, x: Tensor<3>) -> Tensor<3> {
        let y = self.recalled(y);
        let gate = self.keys.output_gate;
        self.output
            .forward(gate.apply(y, x, self.output_gate.as_ref()))
    }

    /// What tokens read, from what was read after each write and its values `v`: what the last write
    /// left, and with a skip its values, times a number of each head.
    pub(super) fn read_of(&self, y: Tensor<4>, v: Tensor<4>) -> Tensor<4> {
        let y = self.last_write(y);
        let Some(skip) = &self.skip else { return y };
        let v = self.last_write(v);
        let skip = skip.val().reshape([self.keys.heads, 1, 1]);
        let rows = v.dims()[1] / self.keys.heads;
        y + v * per_memory(skip, rows)
    }

    /// What the heads of memories gave, `y [1, b·h, t, ·]`, normalised, side by side: `[b, t, h·]`.
    pub(super) fn recalled(&self, y: Tensor<4>) -> Tensor<3> {
        let y = from_memories(y, self.keys.heads);
        let y = match &self.norm {
            Some(norm) => rms_norm(norm, y),
            None => y,
        };
        y.flatten::<3>(2, 3)
    }

    /// The features of `heads` heads of everything that is written, `[1, b·heads, t·writes, ·]`:
    /// those of a token's writes lie side by side in `x [b, t, ·]`.
    fn written(&self, x: Tensor<3>, heads: usize) -> Tensor<4> {
        let ([b, t, width], writes) = (x.dims(), self.keys.writes);
        to_memories(x.reshape([b, t * writes, width / writes]), heads)
    }

    /// The same for every write of a token.
    fn each_write(&self, x: Tensor<4>) -> Tensor<4> {
        let ([_, g, t, d], writes) = (x.dims(), self.keys.writes);
        if writes == 1 {
            return x;
        }
        let x = repeated(x.reshape([g, t, 1, d]), 2, writes);
        x.reshape([1, g, t * writes, d])
    }

    /// What is read after the last write of each token.
    fn last_write(&self, y: Tensor<4>) -> Tensor<4> {
        let ([_, g, t, d], writes) = (y.dims(), self.keys.writes);
        if writes == 1 {
            return y;
        }
        let y = y.reshape([g, t / writes, writes, d]);
        y.slice(s![.., .., writes - 1.., ..])
            .reshape([1, g, t / writes, d])
    }

    /// Its gates and what its memories begin with.
    fn learned(&self) -> Learned<'_> {
        Learned {
            gates: self.gates.as_ref(),
            low_rank: &self.low_rank,
            rates: &self.rates,
            initial: &self.initial,
            gains: &self.gains,
            specs: &self.specs,
            program: &self.program,
            layer: &self.name,
            heads: self.keys.heads,
            writes: self.keys.writes,
        }
    }
}

impl MemoryMixer {
    /// What the memories gave for the tokens `x`, `[1, b·h, t, ·]`, after those of `state`.
    pub(super) fn mix(
        &self,
        x: Tensor<3>,
        state: Option<StateTree>,
        pass: Pass,
    ) -> (Tensor<4>, StateTree, Option<Probe>) {
        let (tails, memory) = match state {
            Some(mut state) => {
                let tails = state.take_branch("tails");
                (Some(tails), Some(self.state(state)))
            }
            None => (None, None),
        };
        let mut memories = self.memories(&x, memory, pass);
        let (tokens, tails) = self.project(x, tails);
        let (y, probe) = memories.read_write(&tokens);
        let y = self.read_of(y, tokens.v);
        let mut state = to_tree(&memories.into_state());
        state.insert_branch("tails", tails);
        (y, state, probe)
    }

    /// What `mix` gives for the tokens `x` after those of `state`, or after the learned tokens where a
    /// sequence begins.
    pub(super) fn after_learned(
        &self,
        x: Tensor<3>,
        state: Option<StateTree>,
        pass: Pass,
        mix: impl Fn(Tensor<3>, Option<StateTree>, Pass) -> (Tensor<4>, StateTree, Option<Probe>),
    ) -> (Tensor<4>, StateTree, Option<Probe>) {
        let [b, t, _] = x.dims();
        assert!(b > 0 && t > 0, "{NO_TOKEN}, not [{b}, {t}, …]");
        let learned = self.persistent.as_ref().filter(|_| state.is_none());
        let Some(learned) = learned else {
            return mix(x, state, pass);
        };
        let learned = repeated(learned.val().unsqueeze::<3>(), 0, b);
        // In one pass whole chunks of both are one operation.
        if !pass.probe && pass.ablation == Ablation::None {
            let (y, state, probe) = mix(Tensor::cat(vec![learned, x], 1), None, pass);
            let y = y.slice(s![.., .., self.keys.persistent.., ..]);
            return (y, state, probe);
        }
        let before = Pass {
            probe: false,
            ..pass
        };
        let (_, state, _) = mix(learned, None, before);
        mix(x, Some(state), pass)
    }

    /// The state of the memories out of its tensors.
    pub(super) fn state(&self, state: StateTree) -> State {
        from_tree(&self.rule, &self.program, state)
    }

    /// Adds the tensors of the state of the memories alone after `position` tokens.
    pub(super) fn add_memories(&self, layout: &mut StateLayout, rows: usize, position: usize) {
        // A product that overflows is a shape that no tensor has.
        let g = rows.saturating_mul(self.keys.heads);
        let written = position.saturating_mul(self.keys.writes);
        add_layout(layout, &self.rule, &self.program, [g, written]);
    }
}

impl TokenMixer for MemoryMixer {
    fn forward(
        &self,
        x: Tensor<3>,
        state: Option<StateTree>,
        pass: Pass,
    ) -> (Tensor<3>, StateTree, Option<Probe>) {
        let mix = |x, state, pass| self.mix(x, state, pass);
        let (y, state, probe) = self.after_learned(x.clone(), state, pass, mix);
        (self.output(y, x), state, probe)
    }

    fn state_layout(&self, rows: usize, position: usize) -> StateLayout {
        let mut layout = StateLayout::default();
        let mut tails = conv_layout(&self.convs, rows);
        if self.target == Target::Next {
            let width = self.rule.keys() * self.program.d_k();
            let g = rows.saturating_mul(self.keys.heads);
            tails.insert(KEYS, StateShape::Memories([1, g, self.keys.writes, width]));
        }
        layout.insert_branch("tails", tails);
        let tokens = position + self.keys.persistent;
        self.add_memories(&mut layout, rows, tokens);
        layout
    }

    fn memory(&self) -> Vec<String> {
        (0..self.program.maps().len())
            .map(|at| format!("maps.{at}.weights"))
            .collect()
    }

    fn chunks(&self, state: Option<&StateTree>) -> Option<Chunks> {
        Some(Chunks {
            memories: self.keys.heads,
            len: self.rule.settings.chunk,
            open: state.map_or(
                self.keys.persistent * self.keys.writes % self.rule.settings.chunk,
                open_tokens,
            ),
            others: 0,
        })
    }

    fn groups(&self, groups: &mut ParameterGroups) {
        let projections = [&self.k, &self.v, &self.output];
        let optional = self.q.iter().chain(&self.output_gate);
        for projection in projections.into_iter().chain(optional) {
            projection.group(ParameterGroup::Projection, groups);
        }
        for conv in &self.convs {
            conv.groups(groups);
        }
        self.learned().groups(groups);
        for parameter in self.feature_maps.iter().chain(&self.feature_gains) {
            groups.put(ParameterGroup::Memory, parameter);
        }
        if let Some(erase) = &self.erase {
            groups.put(ParameterGroup::Norm, erase);
        }
        if let Some(skip) = &self.skip {
            groups.put(ParameterGroup::Norm, skip);
        }
        if let Some(coefficients) = &self.polynomial {
            groups.put(ParameterGroup::Norm, coefficients);
        }
        if let Some(persistent) = &self.persistent {
            groups.put(ParameterGroup::Persistent, persistent);
        }
        for norm in [&self.q_norm, &self.k_norm, &self.norm]
            .into_iter()
            .flatten()
        {
            groups.put(ParameterGroup::Norm, &norm.gamma);
        }
    }
}

/// Each write's key in the place of that of the next token, after the keys `earlier` (0 at the
/// beginning of a sequence), and the keys of the last token.
fn shifted(k: Tensor<4>, earlier: Option<Tensor<4>>, writes: usize) -> (Tensor<4>, Tensor<4>) {
    let [_, g, t, width] = k.dims();
    let earlier = earlier.unwrap_or_else(|| Tensor::zeros([1, g, writes, width], &k.device()));
    let all = Tensor::cat(vec![earlier, k], 2);
    let last = all.clone().slice(s![.., .., t.., ..]);
    (all.slice(s![.., .., ..t, ..]), last)
}

/// The keys of the last token, in the state.
const KEYS: &str = "keys";
