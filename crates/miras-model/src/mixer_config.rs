//! A memory layer for a model that is not ours.

use std::{fmt, sync::Arc};

use burn::tensor::Device;
use miras_core::{Program, ProgramError};
use miras_registry::Choice;

use crate::{ConvActivation, InitKind, MemoryMixer, MixerKind, init::Init};

/// What a [`MemoryMixer`] is made from: a width, a number of memories and what they are.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use miras_model::{MixerConfig, Pass, TokenMixer};
/// use miras_registry::{Choice, Registry};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let memory = Choice::from_toml("[memory]\nkind = 'matrix'", &Registry::builtin())?;
/// let device = Device::flex();
/// let mixer = MixerConfig::new(16, 2, memory)?.with_seed(7).init(&device);
/// let x = Tensor::<3>::ones([1, 5, 16], &device);
/// let (y, _state, _probe) = mixer.forward(x, None, Pass::default());
/// assert_eq!(y.dims(), [1, 5, 16]);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct MixerConfig {
    pub(crate) dim: usize,
    pub(crate) heads: usize,
    pub(crate) conv: usize,
    pub(crate) conv_activation: ConvActivation,
    pub(crate) choice: Choice,
    /// That of each memory.
    pub(crate) program: Arc<Program>,
    init: InitKind,
    seed: u64,
}

impl MixerConfig {
    /// `heads` memories on `dim` features, a convolution of 4 taps with `SiLU` after it, the
    /// recall initialisation and seed 0.
    pub fn new(dim: usize, heads: usize, memory: Choice) -> Result<Self, MixerError> {
        let splits = memory.dim.is_some() || heads > 0 && dim.is_multiple_of(heads);
        if dim == 0 || heads == 0 || !splits {
            return Err(MixerError::Sizes { dim, heads });
        }
        let width = memory.dim.unwrap_or(dim / heads);
        let program = (memory.rule.memory.program(width, width))
            .map_err(|error| MixerError::Memory { width, error })?;
        Ok(Self {
            dim,
            heads,
            conv: 4,
            conv_activation: ConvActivation::default_of(MixerKind::Memory),
            choice: memory,
            program: Arc::new(program),
            init: InitKind::Recall,
            seed: 0,
        })
    }

    /// Taps of the causal depthwise convolution on queries, keys and values; 0 for none.
    #[must_use]
    pub fn with_conv(self, taps: usize) -> Self {
        Self { conv: taps, ..self }
    }

    /// What queries, keys and values go through after the convolution.
    #[must_use]
    pub fn with_conv_activation(self, activation: ConvActivation) -> Self {
        Self {
            conv_activation: activation,
            ..self
        }
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
        MemoryMixer::from_config(&mut init, "mixer", self)
    }

    /// Width of each head's keys and values.
    pub fn head_dim(&self) -> usize {
        self.program.d_k()
    }
}

/// Why no layer can be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MixerError {
    /// Nothing to mix, or heads of different widths.
    Sizes {
        /// The layer's width.
        dim: usize,
        /// Its memories.
        heads: usize,
    },
    /// The memory has no program for keys and values of this width.
    Memory {
        /// Features of each head.
        width: usize,
        /// What its program lacks.
        error: ProgramError,
    },
}

impl fmt::Display for MixerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sizes { dim, heads } if *dim == 0 || *heads == 0 => {
                write!(f, "a layer of width {dim} with {heads} heads mixes nothing")
            }
            Self::Sizes { dim, heads } => write!(
                f,
                "the width {dim} is not a multiple of {heads} heads; `memory.dim` sets another width a head"
            ),
            Self::Memory { width, error } => write!(
                f,
                "the memory cannot have keys and values of {width} features: {error}; `memory.dim` sets another width a head"
            ),
        }
    }
}

impl std::error::Error for MixerError {}
