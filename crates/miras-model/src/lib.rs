//! The language model around the inner loop: layers, blocks, state.
//!
//! Start with [`MemoryMixer`], the layer that turns a token's features into
//! keys, values, queries and gates and hands them to `miras-engine`.
//! A model of your own takes it through [`MixerConfig`]: `docs/library.md`.

mod attention;
mod block;
mod config;
mod conv;
pub mod cost;
mod feed_forward;
mod groups;
mod heads;
mod init;
mod language_model;
mod layer_spec;
mod memory_mixer;
mod mixer_config;
mod named_state;
mod precision;
mod rope;
mod sample;
mod state;
mod state_error;
mod state_file;
mod state_rows;

pub use attention::AttentionMixer;
pub use block::{Block, Mixer};
pub use config::{ConvActivation, InitKind, MixerKind, ModelConfig, ModelSpec};
pub use conv::ShortConv;
pub use feed_forward::SwiGlu;
pub use groups::{ParameterGroup, ParameterGroups};
pub use language_model::{LanguageModel, ModelOutput, Scores};
pub use layer_spec::LayerSpec;
pub use memory_mixer::MemoryMixer;
pub use mixer_config::{MixerConfig, MixerError};
pub use named_state::{NamedState, StateOrigin};
pub use precision::Precision;
pub use sample::Sampler;
pub use state::{Ablation, AttentionState, MemoryState, MixerState, ModelState, Pass};
pub use state_error::StateError;
