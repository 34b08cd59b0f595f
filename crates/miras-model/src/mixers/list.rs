//! The enum of all mixers, made from the list in `mod.rs`.

use crate::{ModelSpec, TokenMixer, init::Init};

/// What a mixer has beside [`TokenMixer`] to be in the list.
pub(crate) trait Listed: TokenMixer {
    /// Configurations in which the tests of all mixers run it, on top of a small `[model]`.
    const VARIANTS: &'static [&'static str];

    /// The mixer of a layer with its initial weights, whose names for [`Init`] begin with `name`.
    fn from_spec(init: &mut Init, name: &str, spec: &ModelSpec, layer: usize) -> Self;
}

/// `"name" => Kind(Type)` for each mixer, where `Kind` is that of `MixerKind`: the enum `Mixer`,
/// which is a module of burn as each of them is, and its trait.
macro_rules! mixers {
    ($($(#[$doc:meta])* $name:literal => $kind:ident($mixer:ty),)*) => {
        /// What mixes the tokens of a block: one of the list.
        #[derive(Module, Debug)]
        #[allow(
            clippy::large_enum_variant,
            reason = "one per layer; the variants hold handles"
        )]
        pub enum Mixer {
            $($(#[$doc])* $kind($mixer),)*
        }

        impl Mixer {
            /// The name of each mixer, and configurations to test it in, on top of a small
            /// `[model]`.
            pub const LIST: &'static [(&'static str, &'static [&'static str])] =
                &[$(($name, <$mixer as Listed>::VARIANTS)),*];

            pub(crate) fn new(init: &mut Init, name: &str, spec: &ModelSpec, layer: usize) -> Self {
                match spec.config.mixer {
                    $(MixerKind::$kind => {
                        Self::$kind(Listed::from_spec(init, name, spec, layer))
                    })*
                }
            }

            /// Its name in the list.
            pub fn name(&self) -> &'static str {
                match self {
                    $(Self::$kind(_) => $name,)*
                }
            }
        }

        impl TokenMixer for Mixer {
            fn forward(
                &self,
                x: Tensor<3>,
                state: Option<StateTree>,
                pass: Pass,
            ) -> (Tensor<3>, StateTree, Option<Probe>) {
                match self {
                    $(Self::$kind(mixer) => mixer.forward(x, state, pass),)*
                }
            }

            fn state_layout(&self, rows: usize, position: usize) -> StateLayout {
                match self {
                    $(Self::$kind(mixer) => mixer.state_layout(rows, position),)*
                }
            }

            fn memory(&self) -> Vec<String> {
                match self {
                    $(Self::$kind(mixer) => mixer.memory(),)*
                }
            }

            fn chunks(&self, state: Option<&StateTree>) -> Option<Chunks> {
                match self {
                    $(Self::$kind(mixer) => mixer.chunks(state),)*
                }
            }

            fn groups(&self, groups: &mut ParameterGroups) {
                match self {
                    $(Self::$kind(mixer) => mixer.groups(groups),)*
                }
            }
        }
    };
}
