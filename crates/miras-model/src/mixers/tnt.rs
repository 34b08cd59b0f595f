//! A global memory and local ones, each at its own chunk length.

use std::sync::Arc;

use burn::{
    module::Module,
    tensor::{Tensor, s},
};
use miras_config::ConfigError;
use miras_core::{Axis, Gates, MapSpec, Program};
use miras_engine::{Initial, Probe, Rule, State, Tokens};
use miras_registry::Choice;

use super::{Chunks, Listed, MemoryMixer, Tables, TntSpec, TokenMixer, learned::LocalMemory};
use crate::{
    Ablation, Memories, ParameterGroups, Pass, StateLayout, StateTree,
    init::Init,
    memory_tree::{add_layout, from_tree, to_tree},
    norm::unit_rows,
};

/// A global memory and local ones in a layer, which read the same queries, keys and values at chunk
/// lengths of their own (TNT).
///
/// # Formula
/// ```text
/// q, k, v      as in a memory layer
/// V            ← the global memory over all tokens, with chunks of `algorithm.chunk`
/// W^n          ← local memory n, with chunks of `mixer.local_chunks[n]`, from its W_init at the
///                beginning of every shard of `mixer.shard` tokens
/// Π_t          = Π_{t−1} + u(k_t)ᵀ u(k_t), from 0 at the beginning of every shard
/// y_t          = V(q_t) + Σ_n W^n(q_t Π_t)           without `mixer.project_queries` W^n(q_t)
/// out          as in a memory layer
/// ```
/// `u` is the division by the Euclidean length. Which weights a token reads is said by
/// `algorithm.read` for the global memory and by `mixer.local_read` for local ones.
/// Each memory has gates and initial weights of its own; features (`memory.learn = "last"`) and
/// erase keys are shared as keys are. With `mixer.writes` the keys of all writes of a token are in
/// `Π_t`, and chunks are counted in writes.
/// Learned tokens (`mixer.persistent`) are the first ones of the first shard.
///
/// With `mixer.shard = 0` local memories are carried over the whole sequence: memories at growing
/// chunk lengths side by side, a continuum memory of levels that do not see each other.
///
/// # State
/// The global memory and what it shares, and within a shard the local memories and `Π`: its size
/// does not depend on the length of the sequence.
///
/// # Notes
/// The shards of a call that begins where a shard does are memories beside each other; otherwise the
/// open shard is finished first. Truncated backpropagation counts the tokens of local memories from
/// the beginning of a shard, or of the call within one.
///
/// # Reference
/// TNT (arXiv 2511.07343), Eqs. 6, 7 and 13 to 15; its sum of keys begins with the chunk in Eq. 7
/// and with the shard in Appendix C, as here. Its second stage is training that goes on with other
/// `mixer.local_chunks`. Continuum memory: Nested Learning (arXiv 2512.24695).
#[derive(Module, Debug)]
pub struct TntMixer {
    global: MemoryMixer,
    locals: Vec<LocalMemory>,
    heads: usize,
    writes: usize,
    shard: usize,
    persistent: usize,
    #[module(skip)]
    projection: Option<KeySum>,
}

/// `Π`, as linear attention whose values are its keys.
#[derive(Debug, Clone)]
struct KeySum {
    rule: Rule,
    program: Arc<Program>,
}

/// What local memories carry.
struct Carried {
    /// Writes of the sequence so far.
    written: usize,
    /// `Π`, if there is one, and the local memories; none before the first token of a shard.
    held: Option<Vec<State>>,
}

/// Shards that are computed beside each other: how many, and the writes of each.
#[derive(Clone, Copy)]
struct Part {
    shards: usize,
    writes: usize,
}

impl Listed for TntMixer {
    type Spec = TntSpec;

    const SUMMARY: &'static str =
        "a global memory and local ones that start again, each at its own chunk length (TNT)";

    const TABLES: &'static [&'static str] = &[
        Axis::Memory.table(),
        Axis::Bias.table(),
        Axis::Retention.table(),
        Axis::Algorithm.table(),
    ];

    const VARIANTS: &'static [&'static str] = &[
        "[mixer]\nlocal_chunks = [1, 2]\nshard = 4\n[memory]\nkind = 'mlp'\n[retention]\nkind = 'none'\n[algorithm]\nkind = 'gd'\nread = 'stale'\nchunk = 4",
        "[mixer]\nlocal_chunks = [2]\nshard = 4\nproject_queries = false\nlocal_read = 'stale'\n[memory]\nkind = 'matrix'\n[bias]\nkind = 'huber'\n[algorithm]\nform = 'chunk_start'\nchunk = 4",
        "[mixer]\nlocal_chunks = [2, 4]\nshard = 0\n[memory]\nkind = 'mlp'\n[algorithm]\nkind = 'gd'\nread = 'stale'\nchunk = 8",
        "[mixer]\nlocal_chunks = [4]\nshard = 4\n[memory]\nkind = 'matrix'\nstart = 'zero'\n[algorithm]\nchunk = 2",
        "[mixer]\nlocal_chunks = [2]\nshard = 1\nwrites = 2\nskip = true\n[memory]\nkind = 'matrix'\n[algorithm]\nchunk = 4",
        "[mixer]\nlocal_chunks = [2]\nshard = 2\nwrites = 2\nconv = 0\npersistent = 1\n[memory]\nkind = 'mlp'\nlearn = 'last'\n[bias]\nkind = 'erase'\ntarget = 'next'\n[algorithm]\nkind = 'gd'\nchunk = 4",
        "[mixer]\nlocal_chunks = [4, 2]\nshard = 4\npersistent = 3\nkey_heads = 1\n[memory]\nkind = 'mlp'\n[retention]\ngate = 'rate'\n[algorithm]\nkind = 'omega'\nwindow = 3\nchunk = 4",
        "[mixer]\nlocal_chunks = [2]\nshard = 4\nkey = 'complement'\nqk_norm = 'none'\n[memory]\nkind = 'matrix'\n[bias]\nkind = 'dot'\n[retention]\nchannels = 'key'\n[algorithm]\nkind = 'gd'\nchunk = 4",
        "[mixer]\nlocal_chunks = [2]\nshard = 4\nquery = 'keys'\nwrites = 2\n[memory]\nkind = 'matrix'\n[bias]\nkind = 'erase'\n[algorithm]\nkind = 'gd'\nchunk = 4",
        "[mixer]\nlocal_chunks = [2]\nshard = 4\n[memory]\nkind = 'matrix'\ndim = 3\nvalue_dim = 5\n[retention]\nkind = 'kl'\n[algorithm]\nchunk = 4",
        "[mixer]\nlocal_chunks = [2, 4]\nshard = 4\npersistent = 3\n[memory]\nkind = 'matrix'\n[retention]\nkind = 'private'\nnoise = 0.1\n[algorithm]\nkind = 'gd'\nchunk = 4",
        "[mixer]\nlocal_chunks = [2]\nshard = 0\n[memory]\nkind = 'matrix'\n[retention]\nkind = 'private'\nnoise = 0.1\n[algorithm]\nkind = 'gd'\nchunk = 4",
    ];

    fn take(tables: &mut Tables<'_>) -> Result<TntSpec, ConfigError> {
        TntSpec::take(tables)
    }

    fn from_spec(init: &mut Init, name: &str, spec: &TntSpec) -> Self {
        let (global, keys) = (&spec.global, &spec.global.keys);
        let key_sum = |choice: &Choice| {
            let d_k = global.program().d_k();
            let program = choice.rule.memory.program(d_k, d_k);
            KeySum {
                rule: choice.rule.clone(),
                program: Arc::new(program.expect("a matrix has one of any width")),
            }
        };
        Self {
            global: MemoryMixer::from_spec(init, &format!("{name}.global"), global),
            locals: (spec.locals.iter().enumerate())
                .map(|(at, local)| {
                    LocalMemory::from_spec(init, &format!("{name}.{}", local_name(at)), local)
                })
                .collect(),
            heads: keys.heads,
            writes: keys.writes,
            shard: spec.shard,
            persistent: keys.persistent,
            projection: spec.projection.as_ref().map(key_sum),
        }
    }
}

impl KeySum {
    /// Nothing, for `g` memories where `like` is.
    fn initial(&self, g: usize, like: &Tensor<4>) -> Initial {
        let zeros = |map: &MapSpec| {
            let shape = [1, g, map.d_in, map.d_out];
            Tensor::zeros(shape, (&like.device(), like.dtype()))
        };
        Initial {
            program: self.program.clone(),
            maps: self.program.maps().iter().map(zeros).collect(),
            gains: Vec::new(),
            // Nothing is drawn for it.
            places: Vec::new(),
        }
    }

    /// Its tokens, of queries and keys.
    fn tokens(&self, q: Tensor<4>, k: Tensor<4>) -> Tokens {
        let [n, g, t, _] = k.dims();
        let gates = (self.rule.gates().iter()).fold(Gates::new(), |gates, spec| {
            let zeros = Tensor::zeros([n, g, t, 1], (&k.device(), k.dtype()));
            gates.with(spec.name, spec.map.apply(zeros, None))
        });
        let k = unit_rows(k);
        Tokens {
            q,
            k: k.clone(),
            v: k,
            gates,
        }
    }
}

impl Part {
    /// The tokens of each shard as those of memories of their own: `[1, g, s·t, d] → [1, g·s, t, d]`.
    fn beside(self, x: Tensor<4>) -> Tensor<4> {
        let [_, g, _, d] = x.dims();
        x.reshape([1, g * self.shards, self.writes, d])
    }

    /// The same behind each other.
    fn behind(self, x: Tensor<4>) -> Tensor<4> {
        let [_, g, _, d] = x.dims();
        x.reshape([1, g / self.shards, self.shards * self.writes, d])
    }
}

impl TntMixer {
    /// What all memories gave for the tokens `x`, `[1, b·h, t, ·]`, after those of `state`.
    fn mix(
        &self,
        x: Tensor<3>,
        state: Option<StateTree>,
        pass: Pass,
    ) -> (Tensor<4>, StateTree, Option<Probe>) {
        let (global, tails, mut carried) = match state {
            Some(mut state) => {
                let mut global = state.take_branch(GLOBAL);
                let tails = global.take_branch("tails");
                let global = self.global.state(global);
                (Some(global), Some(tails), self.carried(state))
            }
            None => (
                None,
                None,
                Carried {
                    written: 0,
                    held: None,
                },
            ),
        };
        let mut memories = self.global.memories(&x, global, pass);
        let (tokens, gates, tails) = self.global.project_for(&self.locals, x, tails);
        let (y, mut probe) = memories.read_write(&tokens);
        let v = tokens.v.clone();
        let (local, probes) = self.walk(tokens, gates, &mut carried, pass);
        if let Some(probe) = &mut probe {
            for more in probes {
                probe.extend(more);
            }
        }
        let mut global = to_tree(&memories.into_state());
        global.insert_branch("tails", tails);
        let mut state = self.tree(&carried);
        state.insert_branch(GLOBAL, global);
        (self.global.read_of(y + local, v), state, probe)
    }

    /// What local memories gave for these tokens, those of each with its own gates.
    fn walk(
        &self,
        tokens: Tokens,
        gates: Vec<Gates>,
        carried: &mut Carried,
        pass: Pass,
    ) -> (Tensor<4>, Vec<Probe>) {
        let parts = self.parts(self.open(carried.written), tokens.len());
        let lengths: Vec<usize> = (parts.iter())
            .map(|part| part.shards * part.writes)
            .collect();
        let with = |gates| Tokens {
            gates,
            ..tokens.clone()
        };
        let mut pieces: Vec<_> = (gates.into_iter())
            .map(|gates| with(gates).split(&lengths).into_iter())
            .collect();
        let (mut outputs, mut probes) = (Vec::new(), Vec::new());
        for part in parts {
            let tokens = pieces.iter_mut().filter_map(Iterator::next).collect();
            let first = carried.written - self.open(carried.written);
            let held = (first, carried.held.take());
            let (y, held) = self.part(part, tokens, held, pass, &mut probes);
            outputs.push(y);
            carried.written += part.shards * part.writes;
            let is_held = self.open(carried.written) > 0;
            carried.held = is_held.then_some(held);
        }
        (Tensor::cat(outputs, 2), probes)
    }

    /// Writes of a shard, if there are shards.
    fn writes_of_shard(&self) -> Option<usize> {
        (self.shard > 0).then_some(self.shard * self.writes)
    }

    /// Writes of the shard that is open after `written` of a sequence, which without shards is one.
    fn open(&self, written: usize) -> usize {
        (self.writes_of_shard()).map_or(written, |shard| written % shard)
    }

    /// What `count` writes are computed in, after `open` of a shard: the rest of it, whole shards, and
    /// the beginning of another.
    fn parts(&self, open: usize, count: usize) -> Vec<Part> {
        let part = |shards, writes| Part { shards, writes };
        let Some(shard) = self.writes_of_shard() else {
            return vec![part(1, count)];
        };
        let first = if open > 0 { count.min(shard - open) } else { 0 };
        let (whole, rest) = ((count - first) / shard, (count - first) % shard);
        let parts = [part(1, first), part(whole, shard), part(1, rest)];
        let is_there = |part: &Part| part.shards * part.writes > 0;
        parts.into_iter().filter(is_there).collect()
    }

    /// One part, from `held` on, where its first shard begins at the token `first`: what was read, and
    /// what is held after it.
    fn part(
        &self,
        part: Part,
        tokens: Vec<Tokens>,
        (first, held): (usize, Option<Vec<State>>),
        pass: Pass,
        probes: &mut Vec<Probe>,
    ) -> (Tensor<4>, Vec<State>) {
        let pass = Pass {
            truncate: pass.truncate.map(|tokens| tokens * self.writes),
            ..pass
        };
        let mut held = held.into_iter().flatten();
        let mut after = Vec::new();
        let Tokens { q, k, v, .. } = &tokens[0];
        let [q, k, v] = [q, k, v].map(|x| part.beside(x.clone()));
        let g = k.dims()[1];
        let (b, device) = (g / part.shards / self.heads, k.device());
        let q = match &self.projection {
            None => q,
            Some(sum) => {
                // What queries are projected with is not learned: it goes on where memories do not.
                let ablation = match pass.ablation {
                    Ablation::StepZero | Ablation::Frozen => Ablation::None,
                    other => other,
                };
                let own = Pass {
                    probe: false,
                    ablation,
                    ..pass
                };
                let mut memories = Memories::new(&sum.rule, sum.initial(g, &k), held.next(), own);
                let (width, d_k) = (k.dims()[3], sum.program.d_k());
                // Behind an erase key.
                let keys = k.clone().slice(s![.., .., .., width - d_k..]);
                let (q, _) = memories.read_write(&sum.tokens(q, keys));
                after.push(memories.into_state());
                q
            }
        };
        let shards = (0..part.shards).map(|shard| first + shard * part.writes);
        let shards: Vec<_> = shards.collect();
        let mut outputs = Vec::new();
        for (local, own) in self.locals.iter().zip(tokens) {
            let initial = local.initial(b, &shards, &device);
            let mut memories = Memories::new(local.rule(), initial, held.next(), pass);
            let (y, probe) = memories.read_write(&Tokens {
                q: q.clone(),
                k: k.clone(),
                v: v.clone(),
                gates: own.gates.map(|gate| part.beside(gate)),
            });
            outputs.push(y);
            probes.extend(probe);
            after.push(memories.into_state());
        }
        let y = outputs.into_iter().reduce(|all, y| all + y);
        (part.behind(y.expect("there is a local memory")), after)
    }

    /// What local memories carry, out of the rest of a state.
    fn carried(&self, mut state: StateTree) -> Carried {
        let written = self.writes * state.take_count(TOKENS);
        let held = (self.open(written) > 0).then(|| {
            let projection = (self.projection.iter())
                .map(|sum| from_tree(&sum.rule, &sum.program, state.take_branch(PROJECTION)));
            let mut held: Vec<State> = projection.collect();
            for (at, local) in self.locals.iter().enumerate() {
                let tree = state.take_branch(&local_name(at));
                held.push(from_tree(local.rule(), local.program(), tree));
            }
            held
        });
        state.assert_empty();
        Carried { written, held }
    }

    fn tree(&self, carried: &Carried) -> StateTree {
        let mut state = StateTree::default();
        state.insert_count(TOKENS, carried.written / self.writes);
        let names = self.names().into_iter();
        for (name, held) in names.zip(carried.held.iter().flatten()) {
            state.insert_branch(&name, to_tree(held));
        }
        state
    }

    /// The branches of the state that are there within a shard.
    fn names(&self) -> Vec<String> {
        let projection = self.projection.iter().map(|_| PROJECTION.to_owned());
        let locals = (0..self.locals.len()).map(local_name);
        projection.chain(locals).collect()
    }
}

/// The branch of the state that is the global memory's.
const GLOBAL: &str = "global";

/// The branch that is the sum of keys.
const PROJECTION: &str = "projection";

/// The count of the tokens of the sequence.
const TOKENS: &str = "tokens";

/// A local memory, in names of weights and in the state.
fn local_name(at: usize) -> String {
    format!("local.{at}")
}

impl TokenMixer for TntMixer {
    fn forward(
        &self,
        x: Tensor<3>,
        state: Option<StateTree>,
        pass: Pass,
    ) -> (Tensor<3>, StateTree, Option<Probe>) {
        let mix = |x, state, pass| self.mix(x, state, pass);
        let (y, state, probe) = (self.global).after_learned(x.clone(), state, pass, mix);
        (self.global.output(y, x), state, probe)
    }

    fn state_layout(&self, rows: usize, position: usize) -> StateLayout {
        let mut layout = StateLayout::default();
        layout.insert_branch(GLOBAL, self.global.state_layout(rows, position));
        let tokens = position.saturating_add(self.persistent);
        layout.insert_count(TOKENS, tokens);
        let written = self.open(self.writes.saturating_mul(tokens));
        if written == 0 {
            return layout;
        }
        let g = rows.saturating_mul(self.heads);
        let projection = (self.projection.iter()).map(|sum| (&sum.rule, &*sum.program));
        let locals = self
            .locals
            .iter()
            .map(|local| (local.rule(), local.program()));
        for (name, (rule, program)) in self.names().iter().zip(projection.chain(locals)) {
            let mut own = StateLayout::default();
            add_layout(&mut own, rule, program, [g, written]);
            layout.insert_branch(name, own);
        }
        layout
    }

    /// Those that every state has: local memories are there within a shard alone.
    fn memory(&self) -> Vec<String> {
        let mut names: Vec<String> = (self.global.memory().iter())
            .map(|name| format!("{GLOBAL}.{name}"))
            .collect();
        if self.shard == 0 {
            for (at, local) in self.locals.iter().enumerate() {
                let maps = 0..local.program().maps().len();
                names.extend(maps.map(|map| format!("{}.maps.{map}.weights", local_name(at))));
            }
        }
        names
    }

    /// Those of the global memory.
    fn chunks(&self, state: Option<&StateTree>) -> Option<Chunks> {
        let global = state.map(|state| state.clone().take_branch(GLOBAL));
        let chunks = self.global.chunks(global.as_ref());
        chunks.map(|chunks| Chunks {
            others: self.locals.len(),
            ..chunks
        })
    }

    fn groups(&self, groups: &mut ParameterGroups) {
        self.global.groups(groups);
        for local in &self.locals {
            local.groups(groups);
        }
    }
}
