//! Mixers: what mixes the tokens of a block.
//!
//! A mixer is a file in this folder that implements [`TokenMixer`] and has its configuration, and a
//! line of the list below: `docs/adding-a-part.md`.

#[macro_use]
mod list;

mod attention;
mod keys;
mod learned;
mod mac;
mod mag;
mod mal;
mod memory;
mod memory_spec;
mod tnt;
mod tnt_spec;
mod token_mixer;
mod widths;
mod wired;

use burn::{module::Module, tensor::Tensor};
use miras_config::{ConfigError, Tree, key_path};
use miras_engine::{Probe, cost::Flops};
use miras_registry::Choice;
use toml::{Table, Value};

pub(crate) use self::list::{Listed, MIXER, Spec, Tables, shared_keys};
pub use self::{
    attention::{AttentionKeys, AttentionMixer, AttentionSpec},
    keys::{
        ConvActivation, Inject, KeySource, MixerKeys, OutputGate, OutputNorm, QkNorm, QuerySource,
    },
    mac::{MacMixer, MacSpec},
    mag::MagMixer,
    mal::MalMixer,
    memory::MemoryMixer,
    memory_spec::{MemorySpec, MixerError},
    tnt::TntMixer,
    tnt_spec::TntSpec,
    token_mixer::{Chunks, TokenMixer},
    wired::WiredSpec,
};
pub(crate) use token_mixer::NO_TOKEN;

use crate::{
    ParameterGroups, Pass, StateLayout, StateTree,
    cost::{Parameters, StateNumbers},
    init::Init,
};

mixers! {
    /// A memory of the four axes.
    "memory" => Memory(MemoryMixer, MemorySpec),
    /// Causal attention.
    "attention" => Attention(AttentionMixer, AttentionSpec),
    /// Memory as a context.
    "mac" => Mac(MacMixer, MacSpec),
    /// Memory as a gate.
    "mag" => Mag(MagMixer, WiredSpec),
    /// Memory as a layer.
    "mal" => Mal(MalMixer, WiredSpec),
    /// A global memory and local ones.
    "tnt" => Tnt(TntMixer, TntSpec),
}

impl MixerSpec {
    /// `[mixer]` but for its kind.
    pub fn keys(&self) -> &MixerKeys {
        self.spec().keys()
    }

    /// Its memories, in the order of computation; none in attention.
    pub fn memories(&self) -> &[Choice] {
        self.spec().memories()
    }

    /// Numbers in the state of one sequence.
    pub fn state(&self) -> StateNumbers {
        self.spec().state()
    }

    /// Whether its memories run as one operation over the whole chunks of `tokens` tokens where there
    /// are kernels ([`miras_engine::is_fused`]).
    pub fn is_fused(&self, tokens: usize) -> bool {
        self.spec().is_fused(tokens)
    }

    /// Its parameters.
    pub fn parameters(&self) -> Parameters {
        self.spec().parameters()
    }

    pub(crate) fn flops(&self, tokens: usize) -> Flops {
        self.spec().flops(tokens)
    }

    pub(crate) fn kept(&self, tokens: usize, kernels: bool) -> usize {
        self.spec().kept(tokens, kernels)
    }

    pub(crate) fn again(&self, tokens: usize, kernels: bool) -> usize {
        self.spec().again(tokens, kernels)
    }

    /// About how many parameters it has, if that may be more than can be counted.
    pub(crate) fn size(&self) -> f64 {
        self.spec().size()
    }

    /// Its tables, complete, as they would be written in a config.
    pub fn tables(&self) -> Vec<(&'static str, Table)> {
        let mut mixer = Table::from_iter([("kind".to_owned(), Value::from(self.kind()))]);
        mixer.extend(Table::try_from(self.keys()).expect("settings are a TOML table"));
        let mut tables = vec![(MIXER, mixer)];
        tables.extend(self.spec().tables());
        tables
    }
}

/// Every table of a mixer, each once.
pub(crate) fn tables() -> impl Iterator<Item = &'static str> {
    std::iter::once(MIXER).chain(own_tables())
}

/// Every table of a mixer beside `[mixer]`, each once.
fn own_tables() -> impl Iterator<Item = &'static str> {
    let all = || MixerSpec::TABLES.iter().flat_map(|(_, tables)| *tables);
    let mut seen = Vec::new();
    all().copied().filter(move |table| {
        let is_new = !seen.contains(table);
        seen.push(*table);
        is_new
    })
}

/// Refuses tables of a user in the table `at` that belong to none of these kinds of mixers.
pub(crate) fn refuse_tables(tree: &mut Tree, at: &str, kinds: &[&str]) -> Result<(), ConfigError> {
    for table in own_tables() {
        let path = key_path(at, table);
        let mut owners = MixerSpec::TABLES
            .iter()
            .filter(|(_, own)| own.contains(&table));
        if owners.clone().any(|(owner, _)| kinds.contains(owner)) || !tree.is_set(&path) {
            continue;
        }
        let what = if at.is_empty() { "model" } else { "layer" };
        let mut kinds: Vec<String> = kinds.iter().map(|kind| format!("{kind:?}")).collect();
        kinds.dedup();
        let kinds = kinds.join(" and ");
        let message = format!("a {what} with mixer.kind = {kinds} has no [{table}]");
        let owner = owners.next().map_or("memory", |(owner, _)| owner);
        let help = format!("leave the table out, or use mixer.kind = {owner:?}");
        return Err(tree.error(&path, message, Some(help)));
    }
    Ok(())
}
