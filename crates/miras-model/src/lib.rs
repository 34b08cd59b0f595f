//! The model around the inner loop: layers, blocks, state, and the two ends of a task.
//!
//! Start with [`TokenMixer`], what mixes the tokens of a block, and [`MemoryMixer`], which turns a
//! token's features into keys, values, queries and gates and hands them to `miras-engine`.
//! A model of your own takes that one through [`MixerConfig`]: `docs/library.md`.

mod attend;
mod block;
mod config;
mod conv;
pub mod cost;
mod encoder;
mod ends;
mod feed_forward;
mod gate;
mod groups;
mod heads;
mod init;
#[cfg(test)]
mod kernels_tests;
mod language_model;
mod layer_spec;
mod memories;
mod memory_tree;
mod mixer_config;
mod mixers;
mod model_spec;
mod named_state;
mod norm;
mod parameters;
mod pass;
mod precision;
mod rope;
mod sample;
mod state;
mod state_error;
mod state_file;
mod state_origin;
mod state_tree;

pub use block::Block;
pub use config::{InitKind, ModelConfig};
pub use conv::ShortConv;
pub use ends::{EncoderSpec, Ends, HeadSpec};
pub use feed_forward::SwiGlu;
pub use groups::{ParameterGroup, ParameterGroups};
pub use language_model::{
    Hidden, LanguageModel, ModelOutput, Scores, TrainScores, add_write_rates,
};
pub use layer_spec::LayerSpec;
pub use memories::Memories;
pub use miras_engine::WriteRate;
pub use mixer_config::MixerConfig;
pub use mixers::{
    AttentionKeys, AttentionMixer, AttentionSpec, Chunks, ConvActivation, Inject, KeySource,
    MacMixer, MacSpec, MagMixer, MalMixer, MemoryMixer, MemorySpec, Mixer, MixerError, MixerKeys,
    MixerSpec, OutputGate, OutputNorm, QkNorm, QuerySource, TntMixer, TntSpec, TokenMixer,
    WiredSpec,
};
pub use model_spec::ModelSpec;
pub use named_state::NamedState;
pub use parameters::{Parameter, TensorOf, parameters, tensors_of, ungrouped};
pub use pass::{Ablation, Pass};
pub use precision::Precision;
pub use sample::Sampler;
pub use state::ModelState;
pub use state_error::StateError;
pub use state_origin::StateOrigin;
pub use state_tree::{StateLayout, StateShape, StateTensor, StateTree};
