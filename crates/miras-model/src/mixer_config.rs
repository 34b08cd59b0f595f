//! A memory layer for a model that is not ours.

use burn::tensor::Device;
use miras_registry::Choice;

use crate::{
    InitKind, MemoryMixer, MemorySpec, MixerError, MixerKeys, init::Init, mixers::Listed as _,
};

/// What a [`MemoryMixer`] is made from: a width, the keys of its layer and what its memories are.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use miras_model::{MixerConfig, MixerKeys, Pass, TokenMixer};
/// use miras_registry::{Choice, Registry};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let memory = Choice::from_toml("[memory]\nkind = 'matrix'", &Registry::builtin())?;
/// let device = Device::flex();
/// let two_heads = MixerKeys::new(2);
/// let mixer = MixerConfig::new(16, two_heads, memory)?.with_seed(7).init(&device);
/// let x = Tensor::<3>::ones([1, 5, 16], &device);
/// let (y, _state, _probe) = mixer.forward(x, None, Pass::default());
/// assert_eq!(y.dims(), [1, 5, 16]);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct MixerConfig {
    spec: MemorySpec,
    init: InitKind,
    seed: u64,
}

impl MixerConfig {
    /// A layer on `dim` features with the standard initialisation and seed 0.
    pub fn new(dim: usize, keys: MixerKeys, memory: Choice) -> Result<Self, MixerError> {
        Ok(Self {
            spec: MemorySpec::new(dim, keys, memory)?,
            init: InitKind::Standard,
            seed: 0,
        })
    }

    /// How weights start.
    #[must_use]
    pub fn with_init(self, init: InitKind) -> Self {
        Self { init, ..self }
    }

    /// Decides the initial weights, the same on every device. Layers of one model begin apart
    /// only with seeds of their own.
    #[must_use]
    pub fn with_seed(self, seed: u64) -> Self {
        Self { seed, ..self }
    }

    /// The layer with its initial weights; its parameters have identifiers of their own, as
    /// those of burn's modules.
    pub fn init(&self, device: &Device) -> MemoryMixer {
        let mut init = Init::unnumbered(self.seed, self.init, device);
        MemoryMixer::from_spec(&mut init, "mixer", &self.spec)
    }

    /// What the layer is.
    pub fn spec(&self) -> &MemorySpec {
        &self.spec
    }
}
