//! Memory as a context: attention within segments over what a memory gives for their tokens.

use burn::{
    module::Module,
    tensor::{Tensor, s},
};
use miras_config::ConfigError;
use miras_core::MapSpec;
use miras_engine::{
    Probe, State,
    cost::{Flops, Needs::Both},
};
use miras_registry::Choice;
use toml::Table;

use super::{
    AttentionSpec, Chunks, Inject, Listed, MIXER, MemorySpec, MixerKeys, NO_TOKEN, Spec, Tables,
    TokenMixer,
    attention::{ATTENTION, CACHE, own_keys},
    wired::{MEMORY, TABLES, Wired, WiredSpec},
};
use crate::{
    ParameterGroups, Pass, StateLayout, StateShape, StateTensor, StateTree,
    cost::{Parameters, StateNumbers},
    init::Init,
    memory_tree::to_tree,
};

/// The tokens of a segment, if `mixer.segment` does not say otherwise.
const SEGMENT: usize = 128;

/// Memory as a context in a layer.
#[derive(Debug, Clone)]
pub struct MacSpec {
    /// `[mixer]`.
    keys: MixerKeys,
    /// The memory, which has no persistent tokens, and attention within a segment.
    wired: WiredSpec,
    segment: usize,
    inject: Inject,
}

/// Memory as a context (MAC): attention within segments, over the tokens and over what the memory
/// gives for each of them; what attention gives is written into the memory.
///
/// # Formula
/// ```text
/// h_t = memory(q(x_t)), as it stood before the segment
/// y_t = RMSNorm(Σ_j softmax(⟨q_t, k_j⟩/√d) v_j W_out)    over [persistent, h_j, x_j], j ≤ t in the segment
/// memory ← update(memory; y_t)
/// out = y_t ⊙ σ(RMSNorm(memory(q(y_t)) W_out)),          read after the write of y_t
/// ```
/// `h_j` and `x_j` have the same position in the segment; the learned tokens have none.
///
/// # State
/// The memory, as it stood before the open segment and as it stands after its last token, and the
/// keys and values of the open segment: it does not grow with the sequence.
///
/// # Reference
/// Titans (arXiv 2501.00663), Eqs. 21 to 25, where all tokens of a segment see what was read for all
/// of them and the last read is of the memory after the segment: outputs then depend on later tokens.
/// Here a token sees what was read for it and those before it, and reads the memory after its own
/// write. Keys and values of `h` have no convolution. `mixer.inject = "kv"` takes what was read as
/// keys and values in the place of tokens, without projections, which is this project's.
#[derive(Module, Debug)]
pub struct MacMixer {
    parts: Wired,
    segment: usize,
    #[module(skip)]
    inject: Inject,
}

impl Listed for MacMixer {
    type Spec = MacSpec;

    const SUMMARY: &'static str =
        "attention within segments over tokens and what a memory gives for them (MAC)";

    const TABLES: &'static [&'static str] = TABLES;

    const VARIANTS: &'static [&'static str] = &[
        "[mixer]\nsegment = 4\n[memory]\nkind = 'matrix'\n[algorithm]\nchunk = 4",
        "[mixer]\nsegment = 4\npersistent = 3\n[memory]\nkind = 'mlp'\n[algorithm]\nchunk = 2",
        "[mixer]\nsegment = 4\n[memory]\nkind = 'matrix'\n[bias]\ntarget = 'next'\n[algorithm]\nchunk = 4",
        "[mixer]\nsegment = 4\n[memory]\nkind = 'matrix'\n[retention]\nkind = 'private'\nnoise = 0.1\n[algorithm]\nkind = 'gd'\nchunk = 2",
        "[mixer]\nsegment = 4\nquery = 'keys'\nwrites = 2\n[memory]\nkind = 'mlp'\n[algorithm]\nchunk = 4",
        "[mixer]\nsegment = 4\nconv = 0\ninject = 'kv'\npersistent = 1\n[memory]\nkind = 'mlp'\n[algorithm]\nkind = 'gd'\nchunk = 4",
    ];

    fn own_keys() -> Vec<(&'static str, &'static [&'static str])> {
        own_keys()
    }

    fn take(tables: &mut Tables<'_>) -> Result<MacSpec, ConfigError> {
        let keys = tables.attempt(MIXER, |mut section| {
            MixerKeys::take(&mut section)?.of_kind("mac", &section)
        });
        let attention = keys
            .as_ref()
            .map(|keys| AttentionSpec::beside(tables, keys, 0));
        let without = keys.clone().map(|keys| MixerKeys {
            persistent: 0,
            ..keys
        });
        let memory = MemorySpec::with_keys(tables, without)?;
        let (Some(mut keys), Some(attention)) = (keys, attention) else {
            return Err(tables.failed());
        };
        let mut attention = attention?;
        if attention.own.window > 0 {
            let message = "attention of `mac` sees the segment of its token, and has no window";
            let help = "set mixer.segment in its place".to_owned();
            return Err(tables
                .section(ATTENTION)
                .error("window", message, Some(help)));
        }
        let segment = *keys.segment.get_or_insert(SEGMENT);
        let inject = *keys.inject.get_or_insert(Inject::Tokens);
        // Chunks are counted in writes.
        let chunk = memory.choice.rule.settings.chunk / keys.writes;
        if !segment.is_multiple_of(chunk) {
            let message =
                format!("a segment of {segment} tokens does not consist of chunks of {chunk}");
            let help = format!(
                "the nearest that does is {}; or set algorithm.chunk",
                (segment / chunk).max(1) * chunk
            );
            return Err(tables.section(MIXER).error("segment", message, Some(help)));
        }
        let inner = keys.heads * memory.d_v();
        if inject == Inject::Kv && inner != memory.dim() {
            let message = format!(
                "what is read has {inner} features, and keys and values of attention have {}",
                memory.dim()
            );
            let help =
                "use mixer.inject = \"tokens\", or leave memory.dim and memory.value_dim out";
            return Err(tables
                .section(MIXER)
                .error("inject", message, Some(help.to_owned())));
        }
        (attention.per_token, attention.span) = (2, Some(segment));
        Ok(MacSpec {
            keys,
            wired: WiredSpec::new(memory, attention, 2),
            segment,
            inject,
        })
    }

    fn from_spec(init: &mut Init, name: &str, spec: &MacSpec) -> Self {
        Self {
            parts: Wired::new(init, name, &spec.wired, HELD),
            segment: spec.segment,
            inject: spec.inject,
        }
    }
}

impl Spec for MacSpec {
    fn keys(&self) -> &MixerKeys {
        &self.keys
    }

    fn tables(&self) -> Vec<(&'static str, Table)> {
        self.wired.tables()
    }

    fn memories(&self) -> &[Choice] {
        self.wired.memories()
    }

    fn parameters(&self) -> Parameters {
        self.wired.parameters()
    }

    fn size(&self) -> f64 {
        self.wired.size()
    }

    fn flops(&self, tokens: usize) -> Flops {
        let (memory, attention) = (&self.wired.memory, self.wired.attention.widths());
        let widths = memory.widths();
        let product = |d_in, d_out| Flops::product(tokens, d_in, d_out, Both);
        // What is read before a segment.
        let read: Flops = (memory.program().maps().iter())
            .map(|map| product(map.d_in, map.d_out) * self.keys.heads as f64)
            .sum();
        let given = match self.inject {
            Inject::Tokens => {
                let gate = usize::from(self.keys.output_gate != super::OutputGate::None);
                product(widths.inner, widths.dim) * (1 + gate) as f64
                    + product(widths.dim, 2 * attention.qkv[1])
            }
            Inject::Kv => Flops::default(),
        };
        self.wired.flops(tokens) + product(widths.dim, memory.read_with()) + read + given
    }

    fn kept(&self, tokens: usize, kernels: bool) -> usize {
        let memory = &self.wired.memory;
        let widths = memory.widths();
        // Its queries, what enters each map, and what is read, on its way to attention.
        let program = memory.program();
        let entered = program.maps().iter().map(|map: &MapSpec| map.d_in);
        let read =
            3 * memory.read_with() + self.keys.heads * entered.sum::<usize>() + 6 * widths.inner;
        self.wired.kept(tokens, kernels) + tokens * read
    }

    fn again(&self, tokens: usize, kernels: bool) -> usize {
        self.wired.again(tokens, kernels)
    }

    fn is_fused(&self, tokens: usize) -> bool {
        self.wired.is_fused(tokens.min(self.segment))
    }

    fn state(&self) -> StateNumbers {
        let mut state = self.wired.state();
        let memory = &self.wired.memory;
        // The memory before an open segment, and the last inputs of the convolution of its queries.
        state.fixed += match self.segment {
            1 => 0,
            _ => self.keys.heads * memory.closed(),
        };
        state.fixed += self.keys.conv.saturating_sub(1) * memory.read_with();
        state
    }
}

/// What is carried from one segment to the next.
#[derive(Default)]
struct Carried {
    /// The last inputs of the convolution of the queries that are read before attention.
    tail: Option<Tensor<3>>,
    /// Those of the convolutions of what is written.
    tails: Option<StateTree>,
    /// The memory after the last token.
    memory: Option<State>,
    /// The memory before the open segment.
    before: Option<State>,
    attention: Option<StateTree>,
    /// Tokens of the open segment.
    open: usize,
}

/// The last inputs of the convolution of the queries that are read before attention.
const TAIL: &str = "tail";

/// The branch of the state that is attention's.
const HELD: &str = "attention";

/// The branch of the state that is the memory before the open segment.
const BEFORE: &str = "before";

impl MacMixer {
    fn carried(&self, state: Option<StateTree>) -> Carried {
        let Some(mut state) = state else {
            return Carried::default();
        };
        let memory = &self.parts.memory;
        let mut of_memory = state.take_branch(MEMORY);
        let tails = of_memory.take_branch("tails");
        let attention = state.take_branch(HELD);
        let open = (attention.get(CACHE[0])).map_or(0, |keys| keys.shape().dims()[2] / 2);
        let before = state.take_branch(BEFORE);
        let carried = Carried {
            tail: state.get(TAIL).is_some().then(|| state.take_rows(TAIL)),
            tails: Some(tails),
            memory: Some(memory.state(of_memory)),
            before: (open > 0).then(|| memory.state(before)),
            attention: Some(attention),
            open,
        };
        state.assert_empty();
        carried
    }

    fn state(carried: Carried) -> StateTree {
        let mut state = StateTree::default();
        if let Some(tail) = carried.tail {
            state.insert(TAIL, StateTensor::Rows(tail));
        }
        let mut memory = to_tree(&carried.memory.expect("a token was written"));
        memory.insert_branch("tails", carried.tails.unwrap_or_default());
        state.insert_branch(MEMORY, memory);
        if let Some(before) = carried.before {
            state.insert_branch(BEFORE, to_tree(&before));
        }
        state.insert_branch(HELD, carried.attention.unwrap_or_default());
        state
    }

    /// Tokens of one segment, all that are left of it or fewer.
    fn part_of_segment(
        &self,
        x: Tensor<3>,
        carried: &mut Carried,
        pass: Pass,
    ) -> (Tensor<3>, Option<Probe>) {
        let Wired {
            memory, attention, ..
        } = &self.parts;
        let count = x.dims()[1];
        let before = match carried.open {
            0 => carried.memory.clone(),
            _ => carried.before.take(),
        };
        let (q, tail) = memory.queries(x.clone(), carried.tail.take());
        let unwritten = memory.memories(&x, before, pass);
        let h = unwritten.read(q);
        let before = unwritten.into_state();
        let beside = match self.inject {
            Inject::Tokens => attention.keys_and_values(memory.output(h, x.clone())),
            Inject::Kv => {
                let h = memory.recalled(h);
                [h.clone(), h]
            }
        };
        let (y, mut held) = attention.attend(x, Some(beside), carried.attention.take());
        let y = self.parts.norm(0, y);

        let written = match carried.open {
            0 => before.clone(),
            _ => carried.memory.take().expect("a segment is open"),
        };
        let mut memories = memory.memories(&y, Some(written), pass);
        let (tokens, tails) = memory.project(y.clone(), carried.tails.take());
        let (recalled, probe) = memories.read_write(&tokens);
        let recalled = memory.read_of(recalled, tokens.v);
        let recalled = memory.output(recalled, y.clone());

        let open = (carried.open + count) % self.segment;
        if open == 0 {
            for name in CACHE {
                held.take_heads(name);
            }
        }
        *carried = Carried {
            tail,
            tails: Some(tails),
            memory: Some(memories.into_state()),
            before: (open > 0).then_some(before),
            attention: Some(held),
            open,
        };
        (self.parts.gated(y, recalled), probe)
    }
}

impl TokenMixer for MacMixer {
    fn forward(
        &self,
        x: Tensor<3>,
        state: Option<StateTree>,
        pass: Pass,
    ) -> (Tensor<3>, StateTree, Option<Probe>) {
        let [b, t, d] = x.dims();
        assert!(b > 0 && t > 0, "{NO_TOKEN}, not [{b}, {t}, {d}]");
        let mut carried = self.carried(state);
        let mut outputs = Vec::new();
        let mut probe: Option<Probe> = None;
        let mut from = 0;
        while from < t {
            let to = t.min(from + self.segment - carried.open);
            let part = x.clone().slice(s![.., from..to, ..]);
            let (y, probed) = self.part_of_segment(part, &mut carried, pass);
            outputs.push(y);
            match (&mut probe, probed) {
                (Some(probe), Some(more)) => probe.extend(more),
                (probe, more) => *probe = more,
            }
            // Within a segment the memory cuts its own state off.
            let cut = (pass.truncate).filter(|every| *every > 0 && !pass.probe);
            if cut.is_some_and(|every| from / every != to / every) {
                let detached = |state: State| state.map(Tensor::detach);
                carried.memory = carried.memory.map(detached);
            }
            from = to;
        }
        (Tensor::cat(outputs, 1), Self::state(carried), probe)
    }

    fn state_layout(&self, rows: usize, position: usize) -> StateLayout {
        let Wired {
            memory, attention, ..
        } = &self.parts;
        let open = position % self.segment;
        let mut layout = StateLayout::default();
        if let Some(tail) = memory.query_tail(rows) {
            layout.insert(TAIL, StateShape::Rows(tail));
        }
        layout.insert_branch(MEMORY, memory.state_layout(rows, position));
        if open > 0 {
            let mut before = StateLayout::default();
            memory.add_memories(&mut before, rows, position - open);
            layout.insert_branch(BEFORE, before);
        }
        layout.insert_branch(HELD, attention.layout(rows, open, 2));
        layout
    }

    fn memory(&self) -> Vec<String> {
        let names = self.parts.memory.memory();
        names
            .iter()
            .map(|name| format!("{MEMORY}.{name}"))
            .collect()
    }

    fn chunks(&self, state: Option<&StateTree>) -> Option<Chunks> {
        self.parts.chunks(state)
    }

    fn groups(&self, groups: &mut ParameterGroups) {
        self.parts.groups(groups);
    }
}
