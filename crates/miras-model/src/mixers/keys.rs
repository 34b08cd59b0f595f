//! `[mixer]`: the keys that every mixer has.

use burn::{
    nn::RmsNorm,
    tensor::{Tensor, activation},
};
use miras_config::{ConfigError, Section};
use miras_engine::Read;
use miras_kernels::Gate;
use serde::{Deserialize, Serialize};

use crate::{
    config::LARGEST,
    gate::gated,
    norm::{rms_norm, unit_rows},
    precision::Projection,
};

/// `[mixer]` but for `kind`. The defaults are those of a memory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MixerKeys {
    /// Memories (or attention heads) a layer, 1 or more.
    pub heads: usize,
    /// Heads of keys and, in a memory, of queries; divides `heads`, and head `h` has the keys of
    /// head `h · key_heads / heads`. Default `heads`.
    pub key_heads: Option<usize>,
    /// The same for values.
    pub value_heads: Option<usize>,
    /// Taps of the causal depthwise convolution on queries, keys and values; 0 for none.
    pub conv: usize,
    /// What queries, keys and values go through after the convolution (or without one, after the
    /// projection); in attention the default is `"none"`.
    pub conv_activation: ConvActivation,
    /// What keys are: `"projected"` of the input, or `"complement"` of the decay of their channel.
    pub key: KeySource,
    /// What queries of a memory are: `"projected"` of the input, or its `"keys"`.
    pub query: QuerySource,
    /// Degree of the polynomial that each feature of queries and keys goes through before it is
    /// normalised, from 1 (none) to 8; of memories alone.
    pub polynomial: usize,
    /// Keys and values that a token writes, one after the other, 1 or more; of memories alone.
    pub writes: usize,
    /// Features between the two factors of the projection of each gate that has a value for every
    /// channel; 0 for a full projection; of memories alone.
    pub gate_rank: usize,
    /// How queries and keys are normalised, per head; in attention the default is `"none"`.
    pub qk_norm: QkNorm,
    /// How what was read is normalised, per head; in attention the default is `"none"`.
    pub output_norm: OutputNorm,
    /// What a projection of the input goes through before it multiplies what was read; in attention
    /// the default is `"none"`.
    pub output_gate: OutputGate,
    /// Whether a token's values, times a learned number of each head, are added to what it reads
    /// (Mamba-2's `D`); of memories alone.
    pub skip: bool,
    /// Learned tokens before every sequence: written into memories at its beginning, and visible to
    /// all tokens of attention.
    pub persistent: usize,
    /// Tokens of a segment, in which attention is confined; of `mac` alone.
    pub segment: Option<usize>,
    /// How attention gets what was read; of `mac` alone.
    pub inject: Option<Inject>,
    /// Tokens a chunk of each local memory, one or more; of `tnt` alone.
    pub local_chunks: Option<Vec<usize>>,
    /// Which weights a token reads from local memories, as `algorithm.read` says it of the global
    /// one; of `tnt` alone.
    pub local_read: Option<Read>,
    /// Tokens after which local memories start again, 0 for never; of `tnt` alone.
    pub shard: Option<usize>,
    /// Whether local memories are read with queries that are projected on the keys of the shard;
    /// of `tnt` alone.
    pub project_queries: Option<bool>,
}

/// How attention gets what a memory gave for a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Inject {
    /// As a token before its own, through the layer's projections of keys and values.
    Tokens,
    /// As a key and a value.
    Kv,
}

/// What queries, keys and values go through after their convolution.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConvActivation {
    /// `x σ(x)`.
    Silu,
    /// Nothing.
    None,
}

/// What keys are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeySource {
    /// What their projection and convolution make of the input, normalised.
    Projected,
    /// `1 − a`, for the decay `a` of their channel, which is made of that projection (HGRN2, arXiv
    /// 2404.07904).
    Complement,
}

/// What the queries of a memory are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QuerySource {
    /// What a projection and a convolution of their own make of the input, normalised.
    Projected,
    /// The keys, of which a token reads with its last: there is no projection and no convolution of
    /// queries. The control of Liu et al. (arXiv 2602.21204) for memories that are said to look
    /// queries up among keys.
    Keys,
}

/// How queries and keys are normalised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QkNorm {
    /// To Euclidean length 1.
    L2,
    /// To a root mean square of 1, times a learned gain per feature.
    Rms,
    /// Not at all.
    None,
}

/// How what was read is normalised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OutputNorm {
    /// To a root mean square of 1, times a learned gain per feature.
    Rms,
    /// Not at all.
    None,
}

/// What the projection of the output gate goes through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OutputGate {
    /// `z σ(z)`.
    Silu,
    /// `σ(z)`.
    Sigmoid,
    /// There is no gate and no projection for it.
    None,
}

/// Higher powers of features of about 1 are large, or nothing.
const HIGHEST_DEGREE: usize = 8;

impl Default for MixerKeys {
    fn default() -> Self {
        Self::new(4)
    }
}

impl MixerKeys {
    /// The defaults of a memory layer, for so many heads.
    pub fn new(heads: usize) -> Self {
        Self {
            heads,
            key_heads: None,
            value_heads: None,
            conv: 4,
            conv_activation: ConvActivation::Silu,
            key: KeySource::Projected,
            query: QuerySource::Projected,
            polynomial: 1,
            writes: 1,
            gate_rank: 0,
            qk_norm: QkNorm::L2,
            output_norm: OutputNorm::Rms,
            output_gate: OutputGate::Silu,
            skip: false,
            persistent: 0,
            segment: None,
            inject: None,
            local_chunks: None,
            local_read: None,
            shard: None,
            project_queries: None,
        }
    }

    /// Reads what is left of `[mixer]`.
    pub(crate) fn take(section: &mut Section<'_>) -> Result<Self, ConfigError> {
        let keys: Self = section.part()?;
        for (key, message) in keys.mistakes() {
            let mistake = section.error(key, message, None);
            section.note(mistake)?;
        }
        Ok(keys)
    }

    /// Keys whose values cannot be, each with why.
    pub(crate) fn mistakes(&self) -> Vec<(&'static str, String)> {
        let mut found = Vec::new();
        for (key, value, least) in [
            ("heads", self.heads, 1),
            ("conv", self.conv, 0),
            ("writes", self.writes, 1),
            ("gate_rank", self.gate_rank, 0),
            ("persistent", self.persistent, 0),
            ("segment", self.segment.unwrap_or(1), 1),
            ("shard", self.shard.unwrap_or(0), 0),
        ] {
            if value < least {
                found.push((key, format!("{key} must be {least} or more")));
            } else if value > LARGEST {
                let message = format!("{key} = {value} is more than the largest size, {LARGEST}");
                found.push((key, message));
            }
        }
        if !(1..=HIGHEST_DEGREE).contains(&self.polynomial) {
            let message = format!("polynomial must be from 1 (none) to {HIGHEST_DEGREE}");
            found.push(("polynomial", message));
        }
        for (key, value) in [
            ("key_heads", self.key_heads),
            ("value_heads", self.value_heads),
        ] {
            let heads = self.heads;
            if value.is_some_and(|value| value == 0 || !heads.is_multiple_of(value)) {
                let message = format!("{key} must divide mixer.heads = {heads}");
                found.push((key, message));
            }
        }
        found
    }

    /// Refuses what memories alone have.
    pub(crate) fn without_memory(self, section: &Section<'_>) -> Result<Self, ConfigError> {
        let of_memories = [
            ("skip", self.skip),
            ("key", self.key != KeySource::Projected),
            ("query", self.query != QuerySource::Projected),
            ("polynomial", self.polynomial != 1),
            ("writes", self.writes != 1),
            ("gate_rank", self.gate_rank != 0),
        ];
        match of_memories.into_iter().find(|(_, is_set)| *is_set) {
            None => Ok(self),
            Some((key, _)) => {
                let message = format!("mixer.{key} is of memories, and this mixer has none");
                let help = "leave it out, or use a mixer with a memory: `miras-train parts mixer`"
                    .to_owned();
                Err(section.error(key, message, Some(help)))
            }
        }
    }

    /// Refuses what kinds of mixers other than `kind` have alone.
    pub(crate) fn of_kind(self, kind: &str, section: &Section<'_>) -> Result<Self, ConfigError> {
        let of_one_kind = [
            ("segment", "mac", self.segment.is_some()),
            ("inject", "mac", self.inject.is_some()),
            ("local_chunks", "tnt", self.local_chunks.is_some()),
            ("local_read", "tnt", self.local_read.is_some()),
            ("shard", "tnt", self.shard.is_some()),
            ("project_queries", "tnt", self.project_queries.is_some()),
        ];
        let mut others =
            (of_one_kind.into_iter()).filter(|(_, owner, is_set)| *is_set && *owner != kind);
        match others.next() {
            None => Ok(self),
            Some((key, owner, _)) => {
                let message = format!("this kind of mixer has no `{key}`");
                let help = format!("leave it out, or use mixer.kind = \"{owner}\"");
                Err(section.error(key, message, Some(help)))
            }
        }
    }

    /// Why heads do not share the width of a layer equally, and the nearest number that would.
    pub(crate) fn unequal_heads(&self, dim: usize) -> Option<(String, String)> {
        let heads = self.heads;
        if heads > 0 && dim.is_multiple_of(heads) {
            return None;
        }
        let near = (1..=dim)
            .filter(|h| dim.is_multiple_of(*h))
            .min_by_key(|h| h.abs_diff(heads));
        let help = format!(
            "the nearest number of heads that divides it is {}",
            near.unwrap_or(1)
        );
        let message = format!("model.dim = {dim} is not a multiple of mixer.heads = {heads}");
        Some((message, help))
    }

    /// Heads of keys.
    pub(crate) fn of_keys(&self) -> usize {
        self.key_heads.unwrap_or(self.heads)
    }

    /// Heads of values.
    pub(crate) fn of_values(&self) -> usize {
        self.value_heads.unwrap_or(self.heads)
    }
}

impl ConvActivation {
    pub(crate) fn apply<const D: usize>(self, x: Tensor<D>) -> Tensor<D> {
        match self {
            Self::Silu => activation::silu(x),
            Self::None => x,
        }
    }
}

impl QkNorm {
    /// Rows `[…, d]`, normalised; `norm` is there for the root mean square.
    pub(crate) fn apply(self, x: Tensor<4>, norm: Option<&RmsNorm>) -> Tensor<4> {
        match self {
            Self::L2 => unit_rows(x),
            Self::Rms => rms_norm(norm.expect("made with the layer"), x),
            Self::None => x,
        }
    }
}

impl OutputGate {
    /// What was read, `y [b, t, d]`, times the gate of the input `x`.
    pub(crate) fn apply(
        self,
        y: Tensor<3>,
        x: Tensor<3>,
        projection: Option<&Projection>,
    ) -> Tensor<3> {
        match (self, projection) {
            (Self::Silu, Some(projection)) => gated(Gate::Silu, projection.forward(x), y),
            (Self::Sigmoid, Some(projection)) => gated(Gate::Sigmoid, projection.forward(x), y),
            (Self::Silu | Self::Sigmoid | Self::None, _) => y,
        }
    }
}
