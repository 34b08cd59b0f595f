//! The enums of all mixers and of their configurations, made from the list in `mod.rs`.

use miras_config::{ConfigError, Section, Tree, key_path};
use miras_core::{Axis, Program};
use miras_engine::{Read, cost::Flops};
use miras_registry::{Choice, Registry};
use toml::Table;

use crate::{
    TokenMixer,
    cost::{Parameters, StateNumbers},
    init::Init,
    mixers::keys::MixerKeys,
};

/// What a mixer has beside [`TokenMixer`] to be in the list.
pub(crate) trait Listed: TokenMixer {
    /// Its configuration.
    type Spec: Spec;

    /// One sentence.
    const SUMMARY: &'static str;

    /// The tables that it has beside `[mixer]`.
    const TABLES: &'static [&'static str];

    /// Configurations in which the tests of all mixers run it, on top of a small `[model]`.
    const VARIANTS: &'static [&'static str];

    /// The keys of those of its tables that are no axis.
    fn own_keys() -> Vec<(&'static str, &'static [&'static str])> {
        Vec::new()
    }

    /// Takes its tables, of which the kind is taken already.
    fn take(tables: &mut Tables<'_>) -> Result<Self::Spec, ConfigError>;

    /// The mixer with its initial weights, whose names for [`Init`] begin with `name`.
    fn from_spec(init: &mut Init, name: &str, spec: &Self::Spec) -> Self;
}

/// The configuration of a mixer, checked and complete, and what it costs.
pub(crate) trait Spec {
    /// What it has of `[mixer]`.
    fn keys(&self) -> &MixerKeys;

    /// Its tables beside `[mixer]`, complete.
    fn tables(&self) -> Vec<(&'static str, Table)>;

    /// Its memories, in the order of computation.
    fn memories(&self) -> &[Choice];

    /// Its parameters.
    fn parameters(&self) -> Parameters;

    /// About how many parameters, if that may be more than can be counted.
    fn size(&self) -> f64;

    /// The matrix products of a sequence of `tokens` tokens from a new state on.
    fn flops(&self, tokens: usize) -> Flops;

    /// Numbers that a forward pass over `tokens` tokens keeps for its backward pass, by the rule of
    /// [`miras_engine::cost::kept`].
    fn kept(&self, tokens: usize, kernels: bool) -> usize;

    /// Numbers that its backward pass computes again, by the rule of
    /// [`miras_engine::cost::again`].
    fn again(&self, _tokens: usize, _kernels: bool) -> usize {
        0
    }

    /// Whether its memories run as one operation over the whole chunks of `tokens` tokens where there
    /// are kernels.
    fn is_fused(&self, _tokens: usize) -> bool {
        false
    }

    /// Numbers in the state of one sequence.
    fn state(&self) -> StateNumbers;
}

/// The tables of a mixer: those at the top of a configuration, or of an entry of `[[layers]]`.
pub(crate) struct Tables<'a> {
    tree: &'a mut Tree,
    at: &'a str,
    registry: &'a Registry,
    /// `model.dim`, if it can be.
    dim: Option<usize>,
}

impl<'a> Tables<'a> {
    pub(crate) fn new(
        tree: &'a mut Tree,
        at: &'a str,
        registry: &'a Registry,
        dim: Option<usize>,
    ) -> Self {
        Self {
            tree,
            at,
            registry,
            dim,
        }
    }

    fn path(&self, table: &str) -> String {
        key_path(self.at, table)
    }

    /// One of them.
    pub(crate) fn section(&mut self, table: &str) -> Section<'_> {
        let path = self.path(table);
        self.tree.at(&path)
    }

    /// The parts that the tables of the four axes choose.
    pub(crate) fn choice(&mut self) -> Result<Choice, ConfigError> {
        Choice::take_at(self.tree, self.at, self.registry)
    }

    /// The same parts with chunks of another length, and with another [`Read`](miras_engine::Read)
    /// (none: what the parts have by default).
    pub(crate) fn rechunked(
        &self,
        choice: &Choice,
        chunk: usize,
        read: Option<Read>,
    ) -> Result<Choice, ConfigError> {
        choice.rechunked(chunk, read, self.registry)
    }

    /// Refuses a memory that has no program at these widths.
    pub(crate) fn check_program(
        &self,
        choice: &Choice,
        d_k: usize,
        d_v: usize,
    ) -> Result<Program, ConfigError> {
        choice.program(self.tree, self.at, d_k, d_v)
    }

    /// Reads a table; after a mistake the others are read all the same.
    pub(crate) fn attempt<T>(
        &mut self,
        table: &str,
        read: impl FnOnce(Section<'_>) -> Result<T, ConfigError>,
    ) -> Option<T> {
        let path = self.path(table);
        (self.tree).attempt(&[&path], |tree| read(tree.at(&path)))
    }

    /// `model.dim`; if reading `[model]` failed, the mistakes in it.
    pub(crate) fn dim(&self) -> Result<usize, ConfigError> {
        self.dim.ok_or_else(|| self.failed())
    }

    /// The mistakes that were noted, for a mixer that needs what was not read.
    pub(crate) fn failed(&self) -> ConfigError {
        self.tree.failed()
    }

    /// Takes `mixer.kind`; where it is not set, the first name of the list.
    pub(crate) fn kind(&mut self, names: &[&'static str]) -> Result<&'static str, ConfigError> {
        let mut section = self.section(MIXER);
        let kind = section.value::<String>("kind")?;
        let kind = kind.as_deref().unwrap_or(names[0]);
        (names.iter().find(|name| **name == kind).copied()).ok_or_else(|| {
            let message = format!(
                "unknown mixer `{kind}`, expected one of {}",
                names.join(", ")
            );
            let near = miras_config::did_you_mean(kind, names.iter().copied());
            let help = near.map(|name| format!("did you mean `{name}`?"));
            section.error("kind", message, help)
        })
    }
}

/// The table that every mixer has.
pub(crate) const MIXER: &str = "mixer";

/// The keys of a table that an entry of `[[layers]]` takes over although it names another kind.
pub(crate) fn shared_keys(table: &str, registry: &Registry) -> Vec<&'static str> {
    if table == MIXER {
        return vec!["heads", "conv"];
    }
    let axis = Axis::ALL.into_iter().find(|axis| axis.table() == table);
    let keys = axis.map_or(&[][..], |axis| registry.common_keys(axis));
    keys.iter().map(|(key, _)| *key).collect()
}

/// `"name" => Kind(Module, Spec)` for each mixer: the enum `Mixer`, which is a module of burn as each of them
/// is, with its trait, and the enum `MixerSpec` of their configurations.
macro_rules! mixers {
    ($($(#[$doc:meta])* $name:literal => $kind:ident($mixer:ty, $spec:ty),)*) => {
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

            pub(crate) fn new(init: &mut Init, name: &str, spec: &MixerSpec) -> Self {
                match spec {
                    $(MixerSpec::$kind(spec) => {
                        Self::$kind(Listed::from_spec(init, name, spec))
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

        /// The configuration of a mixer: one of the list.
        #[derive(Debug, Clone)]
        #[allow(
            clippy::large_enum_variant,
            reason = "one for the model and one per entry of `[[layers]]`"
        )]
        pub enum MixerSpec {
            $($(#[$doc])* $kind($spec),)*
        }

        impl MixerSpec {
            /// The name of each mixer, with a sentence about it.
            pub const LIST: &'static [(&'static str, &'static str)] =
                &[$(($name, <$mixer as Listed>::SUMMARY)),*];

            /// Their names.
            pub(crate) const NAMES: &'static [&'static str] = &[$($name),*];

            /// The tables that each has beside `[mixer]`.
            pub const TABLES: &'static [(&'static str, &'static [&'static str])] =
                &[$(($name, <$mixer as Listed>::TABLES)),*];

            /// The keys of the tables of mixers that are no axis, beside those of `[mixer]`.
            pub fn own_keys() -> Vec<(&'static str, &'static [&'static str])> {
                let mut keys = [$(<$mixer as Listed>::own_keys()),*].concat();
                keys.sort_unstable();
                keys.dedup();
                keys
            }

            /// Takes the tables of the mixer that is called `kind`.
            pub(crate) fn take(kind: &str, tables: &mut Tables<'_>) -> Result<Self, ConfigError> {
                match kind {
                    $($name => <$mixer as Listed>::take(tables).map(Self::$kind),)*
                    other => unreachable!("`{other}` is not in the list"),
                }
            }

            /// Its name in the list.
            pub fn kind(&self) -> &'static str {
                match self {
                    $(Self::$kind(_) => $name,)*
                }
            }

            pub(crate) fn spec(&self) -> &dyn Spec {
                match self {
                    $(Self::$kind(spec) => spec,)*
                }
            }
        }
    };
}
