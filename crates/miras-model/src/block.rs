//! A block: mixer and feed-forward, each behind a norm and beside a residual.

use burn::{module::Module, nn::RmsNorm, tensor::Tensor};
use miras_engine::Probe;

use crate::{
    Mixer, ModelSpec, ParameterGroup, ParameterGroups, Pass, StateTree, SwiGlu, TokenMixer,
    init::Init, norm::rms_norm,
};

/// `x ← x + mixer(RMSNorm(x))`, `x ← x + SwiGLU(RMSNorm(x))`.
#[derive(Module, Debug)]
pub struct Block {
    mixer_norm: RmsNorm,
    mixer: Mixer,
    ffn_norm: RmsNorm,
    ffn: SwiGlu,
}

impl Block {
    pub(crate) fn new(init: &mut Init, layer: usize, spec: &ModelSpec) -> Self {
        let config = &spec.config;
        let name = format!("blocks.{layer}");
        let hidden = config.ffn_dim.expect("resolved");
        Self {
            mixer_norm: init.rms_norm(config.dim),
            mixer: Mixer::new(init, &name, spec.mixer_of(layer)),
            ffn_norm: init.rms_norm(config.dim),
            ffn: SwiGlu::new(init, &format!("{name}.ffn"), config.dim, hidden),
        }
    }

    pub(crate) fn groups(&self, groups: &mut ParameterGroups) {
        groups.put(ParameterGroup::Norm, &self.mixer_norm.gamma);
        self.mixer.groups(groups);
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
        state: Option<StateTree>,
        pass: Pass,
    ) -> (Tensor<3>, StateTree, Option<Probe>) {
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
        state: Option<StateTree>,
        pass: Pass,
    ) -> (Tensor<3>, StateTree, Option<Probe>) {
        let normed = rms_norm(&self.mixer_norm, x.clone());
        let (mixed, state, probe) = self.mixer.forward(normed, state, pass);
        (x + mixed, state, probe)
    }

    /// The second half: `x + SwiGLU(RMSNorm(x))`.
    pub fn feed(&self, x: Tensor<3>) -> Tensor<3> {
        x.clone() + self.ffn.forward(rms_norm(&self.ffn_norm, x))
    }
}
