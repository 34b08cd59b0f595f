//! The configuration of a layer with a global and local memories.

use std::ops::Add;

use miras_config::ConfigError;
use miras_core::Program;
use miras_engine::{
    Read,
    cost::{self, Flops},
};
use miras_registry::{Choice, Registry};
use toml::Table;

use super::{MIXER, MemorySpec, MixerKeys, Spec, Tables};
use crate::{
    config::LARGEST,
    cost::{Parameters, StateNumbers},
};

/// The chunk of one local memory, if `mixer.local_chunks` does not say otherwise.
const LOCAL_CHUNK: usize = 8;

/// The tokens of a shard, if `mixer.shard` does not say otherwise.
const SHARD: usize = 256;

/// A global memory and local ones in a layer.
///
/// The tables of the four axes are those of the global memory; local ones have the same parts with
/// chunks of their own.
#[derive(Debug, Clone)]
pub struct TntSpec {
    /// `[mixer]`, complete.
    keys: MixerKeys,
    pub(super) global: MemorySpec,
    /// As layers of their own, of which they have the gates and the memories.
    pub(super) locals: Vec<MemorySpec>,
    /// Tokens after which local memories start again; 0 for never.
    pub(super) shard: usize,
    /// The sum of keys that queries are projected with, as linear attention.
    pub(super) projection: Option<Choice>,
    /// Of the global memory and the local ones.
    choices: Vec<Choice>,
}

impl TntSpec {
    pub(super) fn take(tables: &mut Tables<'_>) -> Result<Self, ConfigError> {
        let keys = tables.attempt(MIXER, |mut section| {
            MixerKeys::take(&mut section)?.of_kind("tnt", &section)
        });
        let global = MemorySpec::with_keys(tables, keys.clone())?;
        let Some(mut keys) = keys else {
            return Err(tables.failed());
        };
        let chunks = (keys.local_chunks.get_or_insert_with(|| vec![LOCAL_CHUNK])).clone();
        let shard = *keys.shard.get_or_insert(SHARD);
        let projects = *keys.project_queries.get_or_insert(shard > 0);
        if let Some((key, message, help)) = fault(&keys, &chunks, shard, projects) {
            return Err(tables.section(MIXER).error(key, message, Some(help)));
        }
        let mut locals = Vec::new();
        for chunk in chunks {
            let local = local(tables, &global.choice, chunk, keys.local_read)?;
            locals.push(global.with_choice(local));
        }
        keys.local_read = locals
            .first()
            .map(|local| local.choice.rule.settings.read());
        let writes = shard * keys.writes;
        if keys.local_read == Some(Read::Stale)
            && locals
                .iter()
                .any(|local| local.choice.rule.settings.chunk == writes)
        {
            let message = "a local memory that starts again with every chunk, and is read as its chunk began, holds nothing that is read";
            let help = format!(
                "set mixer.shard = {}, that is two such chunks, or more, or mixer.local_read = \"exact\"",
                2 * shard
            );
            return Err(tables.section(MIXER).error("shard", message, Some(help)));
        }
        let projection = projects.then(|| projection(global.choice.rule.settings.chunk));
        let choices = std::iter::once(&global).chain(&locals);
        Ok(Self {
            choices: choices.map(|memory| memory.choice.clone()).collect(),
            keys,
            global,
            locals,
            shard,
            projection,
        })
    }

    /// The program of the sum of keys.
    fn projection(&self) -> Option<(&Choice, Program)> {
        let d_k = self.global.program().d_k();
        let program = |choice: &Choice| {
            let program = choice.rule.memory.program(d_k, d_k);
            program.expect("a matrix has one of any width")
        };
        (self.projection.as_ref()).map(|choice| (choice, program(choice)))
    }

    /// A cost of local memories over `tokens` tokens, out of what one shard of so many tokens costs.
    fn over_shards<T: Add<Output = T> + Default>(
        &self,
        tokens: usize,
        of_shard: impl Fn(usize) -> T,
        times: impl Fn(T, usize) -> T,
    ) -> T {
        if self.shard == 0 {
            return of_shard(tokens);
        }
        let (whole, rest) = (tokens / self.shard, tokens % self.shard);
        let part = |tokens, count| match tokens * count {
            0 => T::default(),
            _ => times(of_shard(tokens), count),
        };
        part(self.shard, whole) + part(rest, 1)
    }
}

/// The parts of a local memory.
fn local(
    tables: &mut Tables<'_>,
    global: &Choice,
    chunk: usize,
    read: Option<Read>,
) -> Result<Choice, ConfigError> {
    let found = tables.rechunked(global, chunk, read);
    found.map_err(|error| {
        let is_by_read = read.is_some() && tables.rechunked(global, chunk, None).is_ok();
        let (key, advice) = (
            if is_by_read {
                "local_read"
            } else {
                "local_chunks"
            },
            error.advice(),
        );
        let message = format!("in local chunks of {chunk}: {}", error.message());
        let help = advice.map(|help| help.replace("algorithm.read", "mixer.local_read"));
        tables.section(MIXER).error(key, message, help)
    })
}

/// Linear attention whose values are its keys: `Π_t = Π_{t−1} + k_tᵀ k_t`, read as `q_t Π_t`.
///
/// Its chunks are a matter of cost alone; where memories are kept from remembering longer than the
/// chunks of the global one, so is it.
fn projection(chunk: usize) -> Choice {
    let chunk = chunk.min(64);
    let text = format!(
        "memory = {{ kind = 'matrix', start = 'zero' }}\nbias.kind = 'dot'\nretention.kind = 'none'\n\
         algorithm = {{ kind = 'gd', step = 'fixed', step_max = 1.0, chunk = {chunk} }}"
    );
    Choice::from_toml(&text, &Registry::builtin()).expect("linear attention is valid")
}

/// A key that cannot be so, why, and what to do.
fn fault(
    keys: &MixerKeys,
    chunks: &[usize],
    shard: usize,
    projects: bool,
) -> Option<(&'static str, String, String)> {
    if chunks.is_empty() {
        let message = "without a chunk length there is no local memory".to_owned();
        let help = "give one length a local memory, or use mixer.kind = \"memory\"".to_owned();
        return Some(("local_chunks", message, help));
    }
    if chunks.contains(&0) {
        let message = "a chunk has one token or more".to_owned();
        let help = "one length a local memory, as in [4, 8]".to_owned();
        return Some(("local_chunks", message, help));
    }
    let each = keys.writes;
    if let Some(chunk) = chunks.iter().find(|chunk| !chunk.is_multiple_of(each)) {
        let message = format!("chunks of {chunk} writes do not end with a token that makes {each}");
        let help = "chunks are counted in writes: use multiples of mixer.writes".to_owned();
        return Some(("local_chunks", message, help));
    }
    let consists = |shard: usize| {
        let writes = shard.saturating_mul(each);
        chunks.iter().all(|chunk| writes.is_multiple_of(*chunk))
    };
    if !consists(shard) {
        let message = format!("a shard of {shard} tokens does not consist of chunks of {chunks:?}");
        let next = (shard..=LARGEST).find(|shard| consists(*shard));
        let help = match next {
            Some(next) => format!("the next larger one that does is mixer.shard = {next}"),
            None => "use a multiple of each".to_owned(),
        };
        return Some(("shard", message, help));
    }
    if projects && shard == 0 {
        let message = "without shards the sum of keys that queries are projected with grows with the sequence";
        let help = "set mixer.shard, or mixer.project_queries = false";
        return Some(("project_queries", message.to_owned(), help.to_owned()));
    }
    None
}

impl Spec for TntSpec {
    fn keys(&self) -> &MixerKeys {
        &self.keys
    }

    fn tables(&self) -> Vec<(&'static str, Table)> {
        self.global.tables()
    }

    fn memories(&self) -> &[Choice] {
        &self.choices
    }

    fn parameters(&self) -> Parameters {
        let locals = self.locals.iter().map(MemorySpec::further_parameters);
        locals.fold(self.global.parameters(), |all, own| Parameters {
            all: all.all + own.all,
            memory: all.memory + own.memory,
            fast: all.fast + own.fast,
        })
    }

    fn size(&self) -> f64 {
        let locals = self.locals.iter().map(MemorySpec::further_size);
        self.global.size() + locals.sum::<f64>()
    }

    fn flops(&self, tokens: usize) -> Flops {
        let all = tokens + self.keys.persistent;
        let of_shard = |tokens: usize| {
            let locals = self.locals.iter().map(|local| local.further_flops(tokens));
            let projection = self.projection().map(|(choice, program)| {
                let writes = tokens * self.keys.writes;
                cost::flops(&choice.rule, &program, writes) * self.keys.heads as f64
            });
            locals.chain(projection).sum::<Flops>()
        };
        let times = |flops: Flops, count| flops * count as f64;
        self.global.flops(tokens) + self.over_shards(all, of_shard, times)
    }

    fn kept(&self, tokens: usize, kernels: bool) -> usize {
        let of_shard = |tokens: usize| {
            let locals = (self.locals.iter()).map(|local| local.further_kept(tokens, kernels));
            let projection = self.projection().map(|(choice, program)| {
                let writes = tokens * self.keys.writes;
                let own = cost::kept(&choice.rule, &program, writes, kernels);
                // Keys before and after their division by their length.
                self.keys.heads * (own + 2 * writes * program.d_k())
            });
            locals.chain(projection).sum::<usize>()
        };
        let times = |kept: usize, count: usize| kept * count;
        self.global.kept(tokens, kernels) + self.over_shards(tokens, of_shard, times)
    }

    fn again(&self, tokens: usize, kernels: bool) -> usize {
        let of_shard = |tokens: usize| {
            let locals = self.locals.iter().map(|local| local.again(tokens, kernels));
            locals.max().unwrap_or(0)
        };
        let locals = self.over_shards(tokens, of_shard, |again, count| again * count);
        self.global.again(tokens, kernels).max(locals)
    }

    fn is_fused(&self, tokens: usize) -> bool {
        let of_shard = match self.shard {
            0 => tokens,
            shard => tokens.min(shard),
        };
        let mut locals = self.locals.iter();
        self.global.is_fused(tokens) && locals.all(|local| local.is_fused(of_shard))
    }

    fn state(&self) -> StateNumbers {
        let mut state = self.global.state();
        // Between shards there is nothing to hold.
        if self.shard == 1 {
            return state;
        }
        let locals = self.locals.iter().map(MemorySpec::further_state);
        state.fixed += locals.sum::<usize>();
        if let Some((_, program)) = self.projection() {
            state.fixed += self.keys.heads * program.d_k().pow(2);
        }
        state
    }
}
