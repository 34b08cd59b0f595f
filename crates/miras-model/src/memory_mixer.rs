//! The layer around a memory.

use burn::{
    module::{Module, Param},
    nn::{Linear, RmsNorm},
    tensor::{Tensor, activation, s},
};
use miras_core::{GateSpec, Gates, STEP};
use miras_engine::{Initial, Probe, Rule, State, Tokens, dual, read};
use miras_registry::StartKind;

use crate::{
    Ablation, ConvActivation, MemoryState, MixerConfig, ParameterGroup, ParameterGroups, Pass,
    ShortConv,
    heads::{from_memories, per_memory, to_memories, unit_rows},
    init::Init,
    precision::Projection,
    state::Tails,
};

/// A memory as a token mixer: `[b, t, d] → [b, t, d]`, a layer of our
/// [`LanguageModel`](crate::LanguageModel) or, by way of [`MixerConfig`], of any other.
///
/// # Formula
/// ```text
/// q, k, v = f(conv(x W_q)), f(conv(x W_k)), f(conv(x W_v))     q, k ← q/|q|, k/|k| per head
/// f       = SiLU, or nothing, as `model.conv_activation` says
/// gates   = per token and head, from x W_gates + b, as the four parts ask
/// y       = the inner loop of `miras-engine` over k, v, q and gates
/// out     = (RMSNorm(y) ⊙ SiLU(x W_o)) W_out
/// ```
///
/// # Reference
/// Titans (arXiv 2501.00663), §4.4; kernel size 4 and the gate's `SiLU` are those of the
/// Gated `DeltaNet` lineage, which Titans does not state.
#[derive(Module, Debug)]
pub struct MemoryMixer {
    q: Projection,
    k: Projection,
    v: Projection,
    /// On queries, keys and values; empty without convolution.
    pub(crate) convs: Vec<ShortConv>,
    /// All projected gates side by side, `[d, gates·h]`.
    gates: Option<Linear>,
    /// Learned rates per head, `[h]`, of the gates that have one.
    rates: Vec<Param<Tensor<1>>>,
    /// Initial weights of the memory, `[h, d_in, d_out]`; empty where they are 0.
    initial: Vec<Param<Tensor<3>>>,
    /// Its gains, `[h, 1, d]`.
    gains: Vec<Param<Tensor<3>>>,
    norm: RmsNorm,
    output_gate: Projection,
    output: Projection,
    #[module(skip)]
    conv_activation: ConvActivation,
    #[module(skip)]
    rule: Rule,
    #[module(skip)]
    pub(crate) specs: Vec<GateSpec>,
    pub(crate) heads: usize,
    pub(crate) head_dim: usize,
}

impl MemoryMixer {
    pub(crate) fn new(init: &mut Init, name: &str, config: &MixerConfig) -> Self {
        let choice = &config.choice;
        let (heads, head_dim, d) = (config.heads, config.head_dim(), config.dim);
        let rule = choice.rule.clone();
        let inner = heads * head_dim;

        let specs = rule.gates();
        let [q_name, k_name] = init.query_and_key(name);
        let initial = match choice.start {
            StartKind::Zero => Vec::new(),
            StartKind::Learned => (rule.memory.maps(head_dim).into_iter())
                .map(|map| {
                    let bound = (6.0 / (map.d_in + map.d_out) as f64).sqrt();
                    let shape = [heads, map.d_in, map.d_out];
                    init.uniform(&format!("{name}.initial.{}", map.name), shape, bound)
                })
                .collect(),
        };
        Self {
            q: init.projection(&q_name, d, inner),
            k: init.projection(&k_name, d, inner),
            v: init.projection(&format!("{name}.v"), d, inner),
            convs: init.convs(name, config.conv, inner),
            gates: gate_projection(init, name, &specs, d, heads),
            rates: (specs.iter().filter(|spec| spec.map.has_rate()))
                .map(|_| init.constant([heads], 0.0))
                .collect(),
            initial,
            gains: (rule.memory.gains(head_dim).into_iter())
                .map(|gain| init.constant([heads, 1, gain.d], gain.initial))
                .collect(),
            norm: init.rms_norm(head_dim),
            output_gate: init.projection(&format!("{name}.output_gate"), d, inner),
            output: init.projection(&format!("{name}.output"), inner, d),
            conv_activation: config.conv_activation,
            rule,
            specs,
            heads,
            head_dim,
        }
    }

    /// The rule this layer's memories follow.
    pub fn rule(&self) -> &Rule {
        &self.rule
    }

    pub(crate) fn groups(&self, groups: &mut ParameterGroups) {
        for projection in [&self.q, &self.k, &self.v, &self.output_gate, &self.output] {
            projection.group(ParameterGroup::Projection, groups);
        }
        for conv in &self.convs {
            conv.groups(groups);
        }
        if let Some(gates) = &self.gates {
            groups.put(ParameterGroup::Gate, &gates.weight);
            if let Some(bias) = &gates.bias {
                groups.put(ParameterGroup::Gate, bias);
            }
        }
        for rate in &self.rates {
            groups.put(ParameterGroup::Gate, rate);
        }
        for parameter in self.initial.iter().chain(&self.gains) {
            groups.put(ParameterGroup::Memory, parameter);
        }
        groups.put(ParameterGroup::Norm, &self.norm.gamma);
    }

    /// Mixes tokens, from `state` on.
    ///
    /// # Shapes
    /// `x`, result: `[b, t, d]`.
    ///
    /// # Panics
    /// If `x` has no token, or `state` is that of another layer or of another number of rows.
    pub fn forward(
        &self,
        x: Tensor<3>,
        state: Option<MemoryState>,
        pass: Pass,
    ) -> (Tensor<3>, MemoryState, Option<Probe>) {
        let [b, t, _] = x.dims();
        assert!(b > 0 && t > 0, "{NO_TOKEN}, not [{b}, {t}, …]");
        if let Some(map) = state.as_ref().and_then(|state| state.memory.maps.first()) {
            let (held, heads) = (map.weights.dims()[1], self.heads);
            let needed = b * heads;
            assert!(
                held == needed,
                "the state has {held} memories, and {b} rows with {heads} heads have {needed}"
            );
        }
        let (tails, memory) = match state {
            Some(state) => (state.tails, Some(state.memory)),
            None => (Tails::default(), None),
        };
        let projected = [&self.q, &self.k, &self.v].map(|w| w.forward(x.clone()));
        let (convolved, tails) = convolve(&self.convs, projected, tails);
        let [q, k, v] = convolved.map(|x| to_memories(self.conv_activation.apply(x), self.heads));

        let mut gates = self.gate_values(&x);
        if pass.ablation == Ablation::StepZero {
            let zero = gates.get(STEP).zeros_like();
            gates = gates.with(STEP, zero);
        }
        let tokens = Tokens {
            q: unit_rows(q),
            k: unit_rows(k),
            v,
            gates,
        };
        let initial = self.initial_weights(b, &x);
        let memory = memory.unwrap_or_else(|| State::new(&self.rule, &initial));
        let out = match pass.ablation {
            Ablation::Frozen => dual::Output {
                y: read(&self.rule, &initial, &memory, tokens.q),
                state: memory,
                probe: None,
            },
            Ablation::Reset => self.with_resets(&initial, &tokens, pass.probe),
            _ => match pass.truncate {
                Some(every) if 0 < every && every < t && !pass.probe => {
                    self.truncated(&initial, memory, &tokens, every)
                }
                _ => dual::forward(&self.rule, &initial, memory, &tokens, pass.probe),
            },
        };

        let mut y = from_memories(out.y, self.heads);
        if pass.ablation == Ablation::ReadZero {
            y = y.zeros_like();
        }
        let y = self
            .norm
            .forward(y)
            .reshape([b, t, self.heads * self.head_dim]);
        let y = y * activation::silu(self.output_gate.forward(x));
        let state = MemoryState {
            tails,
            memory: out.state,
        };
        (self.output.forward(y), state, out.probe)
    }

    /// In pieces of `every` tokens, each from the state behind the last one, cut off from its
    /// graph.
    fn truncated(
        &self,
        initial: &Initial,
        memory: State,
        tokens: &Tokens,
        every: usize,
    ) -> dual::Output {
        let mut state = memory;
        let mut outputs = Vec::new();
        for piece in tokens.split_every(every) {
            if !outputs.is_empty() {
                state = state.map(Tensor::detach);
            }
            let out = dual::forward(&self.rule, initial, state, &piece, false);
            outputs.push(out.y);
            state = out.state;
        }
        dual::Output {
            y: Tensor::cat(outputs, 2),
            state,
            probe: None,
        }
    }

    /// Every chunk from a new memory.
    fn with_resets(&self, initial: &Initial, tokens: &Tokens, probe: bool) -> dual::Output {
        let chunks = tokens.split_every(self.rule.settings.chunk);
        let mut chunks = chunks.into_iter().map(|chunk| {
            let state = State::new(&self.rule, initial);
            dual::forward(&self.rule, initial, state, &chunk, probe)
        });
        let mut last = chunks.next().expect("checked at the start of the pass");
        let mut outputs = vec![last.y.clone()];
        for out in chunks {
            outputs.push(out.y.clone());
            last = out;
        }
        dual::Output {
            y: Tensor::cat(outputs, 2),
            ..last
        }
    }

    fn gate_values(&self, x: &Tensor<3>) -> Gates {
        let [b, t, _] = x.dims();
        let (h, g) = (self.heads, b * self.heads);
        let projected = self.gates.as_ref().map(|w| w.forward(x.clone()));
        let mut rates = self.rates.iter();
        let mut at = 0;
        let mut gates = Gates::new();
        for spec in &self.specs {
            let z = match &projected {
                Some(z) if spec.map.is_projected() => {
                    let z = z.clone().slice(s![.., .., at * h..(at + 1) * h]);
                    at += 1;
                    z.swap_dims(1, 2).reshape([1, g, t, 1])
                }
                _ => Tensor::zeros([1, g, t, 1], &x.device()),
            };
            let rate = if spec.map.has_rate() {
                rates.next()
            } else {
                None
            };
            let rate = rate.map(|rate| per_memory(rate.val().reshape([h, 1, 1]), b));
            gates = gates.with(spec.name, spec.map.apply(z, rate));
        }
        gates
    }

    fn initial_weights(&self, b: usize, x: &Tensor<3>) -> Initial {
        let per_row = |params: &[Param<Tensor<3>>]| {
            (params.iter())
                .map(|param| per_memory(param.val(), b))
                .collect()
        };
        let mut maps: Vec<Tensor<4>> = per_row(&self.initial);
        if maps.is_empty() {
            maps = (self.rule.memory.maps(self.head_dim).into_iter())
                .map(|map| Tensor::zeros([1, b * self.heads, map.d_in, map.d_out], &x.device()))
                .collect();
        }
        Initial {
            maps,
            gains: per_row(&self.gains),
        }
    }
}

/// What a layer says to an input with nothing in it.
pub(crate) const NO_TOKEN: &str = "a layer needs at least one row and one token";

/// Small weights, biases where the parts want their gates to start.
fn gate_projection(
    init: &mut Init,
    name: &str,
    specs: &[GateSpec],
    d: usize,
    heads: usize,
) -> Option<Linear> {
    let biases: Vec<f64> = (specs.iter())
        .filter(|spec| spec.map.is_projected())
        .flat_map(|spec| vec![spec.bias; heads])
        .collect();
    if biases.is_empty() {
        return None;
    }
    Some(Linear {
        weight: init.normal(&format!("{name}.gates"), [d, biases.len()], 0.02),
        bias: Some(init.values([biases.len()], biases)),
    })
}

/// Each projection through its convolution, if there are any.
pub(crate) fn convolve(
    convs: &[ShortConv],
    projected: [Tensor<3>; 3],
    tails: Tails,
) -> ([Tensor<3>; 3], Tails) {
    if convs.is_empty() {
        return (projected, Tails::default());
    }
    let mut next = Tails::default();
    let mut tails = tails.into_iter();
    let mut at = 0;
    let convolved = projected.map(|x| {
        let (y, tail) = convs[at].forward(x, tails.next().flatten());
        next[at] = tail;
        at += 1;
        y
    });
    (convolved, next)
}
