//! A block: mixer and feed-forward, each behind a norm and beside a residual.

use burn::{module::Module, nn::RmsNorm, tensor::Tensor};
use miras_engine::Probe;

use crate::{
    AttentionMixer, MemoryMixer, MixerState, ModelSpec, ParameterGroup, ParameterGroups, Pass,
    SwiGlu, init::Init,
};

/// `x ← x + mixer(RMSNorm(x))`, `x ← x + SwiGLU(RMSNorm(x))`.
#[derive(Module, Debug)]
pub struct Block {
    mixer_norm: RmsNorm,
    mixer: Mixer,
    ffn_norm: RmsNorm,
    ffn: SwiGlu,
}

/// What mixes the tokens of a block.
#[derive(Module, Debug)]
#[allow(
    clippy::large_enum_variant,
    reason = "one a layer; the variants are handles"
)]
pub enum Mixer {
    /// A memory of the four axes.
    Memory(MemoryMixer),
    /// Causal attention.
    Attention(AttentionMixer),
}

impl Block {
    pub(crate) fn new(init: &mut Init, layer: usize, spec: &ModelSpec) -> Self {
        let config = &spec.config;
        let name = format!("blocks.{layer}");
        let hidden = config.ffn_dim.expect("resolved");
        Self {
            mixer_norm: init.rms_norm(config.dim),
            mixer: match spec.choice_of(layer) {
                Some(choice) => Mixer::Memory(MemoryMixer::new(init, &name, &spec.memory(choice))),
                None => Mixer::Attention(AttentionMixer::new(init, &name, spec)),
            },
            ffn_norm: init.rms_norm(config.dim),
            ffn: SwiGlu::new(init, &format!("{name}.ffn"), config.dim, hidden),
        }
    }

    pub(crate) fn groups(&self, groups: &mut ParameterGroups) {
        groups.put(ParameterGroup::Norm, &self.mixer_norm.gamma);
        match &self.mixer {
            Mixer::Memory(mixer) => mixer.groups(groups),
            Mixer::Attention(mixer) => mixer.groups(groups),
        }
        groups.put(ParameterGroup::Norm, &self.ffn_norm.gamma);
        self.ffn.groups(groups);
    }

    /// The mixer.
    pub fn mixer(&self) -> &Mixer {
        &self.mixer
    }

    /// `[b, t, d] → [b, t, d]`, from `state` on.
    ///
    /// # Panics
    /// If `state` is that of another kind of mixer, or `x` has no token.
    pub fn forward(
        &self,
        x: Tensor<3>,
        state: Option<MixerState>,
        pass: Pass,
    ) -> (Tensor<3>, MixerState, Option<Probe>) {
        let (x, state, probe) = self.mix(x, state, pass);
        (self.feed(x), state, probe)
    }

    /// The first half: `x + mixer(RMSNorm(x))`.
    ///
    /// # Panics
    /// As [`forward`](Self::forward).
    pub fn mix(
        &self,
        x: Tensor<3>,
        state: Option<MixerState>,
        pass: Pass,
    ) -> (Tensor<3>, MixerState, Option<Probe>) {
        let normed = self.mixer_norm.forward(x.clone());
        let (mixed, state, probe) = match (&self.mixer, state) {
            (Mixer::Memory(mixer), None) => memory(mixer.forward(normed, None, pass)),
            (Mixer::Memory(mixer), Some(MixerState::Memory(state))) => {
                memory(mixer.forward(normed, Some(state), pass))
            }
            (Mixer::Attention(mixer), None) => attention(mixer.forward(normed, None)),
            (Mixer::Attention(mixer), Some(MixerState::Attention(state))) => {
                attention(mixer.forward(normed, Some(state)))
            }
            (Mixer::Memory(_), Some(MixerState::Attention(_))) => {
                panic!("this block has a memory, and the state is that of attention")
            }
            (Mixer::Attention(_), Some(MixerState::Memory(_))) => {
                panic!("this block has attention, and the state is that of a memory")
            }
        };
        (x + mixed, state, probe)
    }

    /// The second half: `x + SwiGLU(RMSNorm(x))`.
    pub fn feed(&self, x: Tensor<3>) -> Tensor<3> {
        x.clone() + self.ffn.forward(self.ffn_norm.forward(x))
    }
}

fn memory(
    (x, state, probe): (Tensor<3>, crate::MemoryState, Option<Probe>),
) -> (Tensor<3>, MixerState, Option<Probe>) {
    (x, MixerState::Memory(state), probe)
}

fn attention(
    (x, state): (Tensor<3>, crate::AttentionState),
) -> (Tensor<3>, MixerState, Option<Probe>) {
    (x, MixerState::Attention(state), None)
}
