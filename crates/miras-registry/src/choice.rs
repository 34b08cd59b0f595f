//! A point of the design space, chosen by name.

use std::sync::Arc;

use miras_config::{ConfigError, Layers, Section, Tree, did_you_mean, key_path};
use miras_core::{Axis, MemoryArchitecture, Part, StepRulePart};
use miras_engine::{Read, Rule};
use serde::{Deserialize, Serialize};
use toml::{Table, Value};

use crate::{
    AlgorithmSettings, Registry, consistency, last_map::LastMap, noise, other_names, settings,
    validity,
};

/// Four parts by name, built and found valid together.
#[derive(Debug, Clone)]
pub struct Choice {
    /// The parts and the form.
    pub rule: Rule,
    /// Width of each memory (keys and values per head); `None` is the model's width over its heads.
    pub dim: Option<usize>,
    /// Width of its values, where that is another one.
    pub value_dim: Option<usize>,
    /// What a sequence starts with.
    pub start: StartKind,
    /// Which maps are written.
    pub learn: Learn,
    /// Which token's value is written under a key.
    pub target: Target,
    kinds: [&'static str; 4],
    /// All rules of the step size.
    step_rules: Vec<&'static StepRulePart>,
}

/// What a memory holds when a sequence begins.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StartKind {
    /// Weights learned by the outer loop.
    #[default]
    Learned,
    /// Zeros, as in linear attention and `DeltaNet`; a matrix or a vector only, for nothing reaches a deeper memory then.
    Zero,
}

/// Which maps of a memory are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Learn {
    /// All.
    #[default]
    All,
    /// The last one; those before it make features of keys and queries.
    Last,
}

/// Which token's value a memory is to recall at the key of a token.
///
/// # Formula
/// `ℓ(M(k_t), v_t)`, or `ℓ(M(k_{t−1}), v_t)` with `k_{−1} = 0`: what is read with `q_t` is then what
/// came behind keys like it.
///
/// # Reference
/// In-Place TTT (arXiv 2604.06169): a target of the same token gains next to nothing for the
/// prediction of the next. Its own target is a learned convolution over later tokens, whose values
/// a token that is read one by one would have to wait for; here the next token writes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// That of the same token.
    #[default]
    Same,
    /// That of the next token, which writes it under the key of the one before.
    Next,
}

/// The largest width of a memory.
const LARGEST: usize = 1 << 16;

impl Choice {
    /// Reads the four tables from TOML text, in which nothing else may stand.
    ///
    /// ```
    /// # use miras_registry::{Choice, Registry};
    /// let text = "[memory]\nkind = 'matrix'\n[algorithm]\nkind = 'gd'";
    /// let choice = Choice::from_toml(text, &Registry::builtin())?;
    /// assert!(choice.rule.has_exact_form());
    /// # Ok::<(), miras_config::ConfigError>(())
    /// ```
    pub fn from_toml(text: &str, registry: &Registry) -> Result<Self, ConfigError> {
        let mut layers = Layers::new();
        layers.text("memory", text)?;
        let mut tree = layers.merge()?;
        let choice = Self::take(&mut tree, registry);
        tree.conclude(choice).map(|(choice, _)| choice)
    }

    /// Takes `[memory]`, `[bias]`, `[retention]` and `[algorithm]` out of a config.
    ///
    /// What is left out is a Titans LMM: an MLP of depth 2, l2, decay, momentum.
    pub fn take(tree: &mut Tree, registry: &Registry) -> Result<Self, ConfigError> {
        Self::take_at(tree, "", registry)
    }

    /// Like [`take`](Self::take), for tables that stand inside the one at the path `at`.
    pub fn take_at(tree: &mut Tree, at: &str, registry: &Registry) -> Result<Self, ConfigError> {
        let path = |axis: Axis| key_path(at, axis.table());
        let memory = tree.attempt(&[&path(Axis::Memory)], |tree| {
            MemoryPart::take(tree.at(&path(Axis::Memory)), registry)
        });
        let hints = memory.as_ref().map_or_else(Table::new, MemoryPart::hints);
        let bias = tree.attempt(&[&path(Axis::Bias)], |tree| {
            let mut section = tree.at(&path(Axis::Bias)).with_hints(hints.clone());
            let target = section.value("target")?.unwrap_or_default();
            let bias = part(&mut section, registry, Axis::Bias, "l2", Registry::bias)?;
            Ok((target, bias.kind, (bias.build)(&mut section)?))
        });
        let retention = tree.attempt(&[&path(Axis::Retention)], |tree| {
            let mut section = tree.at(&path(Axis::Retention)).with_hints(hints.clone());
            let find = Registry::retention;
            let retention = part(&mut section, registry, Axis::Retention, "l2", find)?;
            Ok((retention.kind, (retention.build)(&mut section)?))
        });
        let algorithm = tree.attempt(&[&path(Axis::Algorithm)], |tree| {
            let mut section = tree.at(&path(Axis::Algorithm)).with_hints(hints);
            let asked = AlgorithmSettings::take(&mut section, registry.step_rules())?;
            let find = Registry::algorithm;
            let algorithm = part(&mut section, registry, Axis::Algorithm, "momentum", find)?;
            Ok((asked, algorithm.kind, (algorithm.build)(&mut section)?))
        });
        let (
            Some(MemoryPart {
                dim,
                value_dim,
                start,
                learn,
                kind: memory_kind,
                memory,
            }),
            Some((target, bias_kind, bias)),
            Some((retention_kind, retention)),
            Some((asked, algorithm_kind, algorithm)),
        ) = (memory, bias, retention, algorithm)
        else {
            return Err(tree.failed());
        };
        if let Some(reason) = retention.refuses_zero()
            && start == StartKind::Zero
        {
            let help = "use memory.start = \"learned\"".to_string();
            return Err(tree
                .at(&path(Axis::Memory))
                .error("start", reason, Some(help)));
        }

        let mut rule = Rule {
            memory,
            bias,
            retention,
            algorithm,
            settings: AlgorithmSettings::unset(),
        };
        if rule.least_squares().is_some()
            && start == StartKind::Learned
            && rule.retention.forgets()
            && !rule.retention.is_anchored()
        {
            let message = "least squares stay near the initial weights, which do not decay";
            let help = "leave retention.anchored out, or use memory.start = \"zero\"".to_owned();
            return Err(tree
                .at(&path(Axis::Retention))
                .error("anchored", message, Some(help)));
        }
        if rule.keeps_lengths() && start == StartKind::Zero {
            let message = "columns of weights are brought back to their initial lengths, which are 0: nothing would ever be held";
            let help = "use memory.start = \"learned\", or leave renormalise out".to_owned();
            return Err(tree
                .at(&path(Axis::Algorithm))
                .error("renormalise", message, Some(help)));
        }
        let kinds = [memory_kind, bias_kind, retention_kind, algorithm_kind];
        let step_rules = registry.step_rules();
        rule.settings = asked.resolve(&rule, step_rules);
        let checked = noise::check(&rule)
            .and_then(|()| validity::check(&rule, &asked))
            .and_then(|()| consistency::check(&rule, kinds));
        if let Err(refusal) = checked {
            return Err(refusal.error(tree, at));
        }
        Ok(Self {
            rule,
            dim,
            value_dim,
            start,
            learn,
            target,
            kinds,
            step_rules: step_rules.to_vec(),
        })
    }

    /// The same parts and settings with chunks of another length, and with another read; `None` for the
    /// read that the parts have by default.
    ///
    /// # Errors
    /// If these parts cannot be read in this way, or have more Picard iterations than such a chunk.
    pub fn rechunked(
        &self,
        chunk: usize,
        read: Option<Read>,
        registry: &Registry,
    ) -> Result<Self, ConfigError> {
        let mut tables = Table::new();
        for (name, mut table) in self.tables() {
            if name == Axis::Algorithm.table() {
                settings::rechunk(&mut table, chunk, read);
            }
            tables.insert(name.to_owned(), Value::Table(table));
        }
        Self::from_toml(&tables.to_string(), registry)
    }

    /// The name of the part on an axis.
    pub fn kind(&self, axis: Axis) -> &'static str {
        self.kinds[axis as usize]
    }

    /// The four tables, complete, as they would be written in a config.
    pub fn tables(&self) -> Vec<(&'static str, Table)> {
        let rule = &self.rule;
        Axis::ALL
            .map(|axis| {
                let mut table = Table::new();
                table.insert("kind".into(), self.kind(axis).into());
                let own = match axis {
                    Axis::Memory => rule.memory.config(),
                    Axis::Bias => rule.bias.config(),
                    Axis::Retention => rule.retention.config(),
                    Axis::Algorithm => {
                        table.extend(settings::to_table(&rule.settings, &self.step_rules));
                        rule.algorithm.config()
                    }
                };
                if axis == Axis::Memory {
                    for (key, width) in [("dim", self.dim), ("value_dim", self.value_dim)] {
                        if let Some(width) = width {
                            table.insert(key.into(), (width as i64).into());
                        }
                    }
                    let start = match self.start {
                        StartKind::Learned => "learned",
                        StartKind::Zero => "zero",
                    };
                    table.insert("start".into(), start.into());
                    let learn = match self.learn {
                        Learn::All => "all",
                        Learn::Last => "last",
                    };
                    table.insert("learn".into(), learn.into());
                }
                if axis == Axis::Bias {
                    let target = match self.target {
                        Target::Same => "same",
                        Target::Next => "next",
                    };
                    table.insert("target".into(), target.into());
                }
                table.extend(own);
                (axis.table(), table)
            })
            .into()
    }
}

/// `[memory]`, read.
struct MemoryPart {
    dim: Option<usize>,
    value_dim: Option<usize>,
    start: StartKind,
    learn: Learn,
    kind: &'static str,
    memory: Arc<dyn MemoryArchitecture>,
}

impl MemoryPart {
    /// What it asks of the other axes.
    fn hints(&self) -> Table {
        let mut hints = self.memory.hints();
        // Decay towards zero forgets what the outer loop has learned, and the loss rises with
        // it beyond the length of training.
        let anchored = self.start == StartKind::Learned;
        hints.insert("anchored".to_owned(), anchored.into());
        hints
    }

    fn take(mut section: Section<'_>, registry: &Registry) -> Result<Self, ConfigError> {
        let (dim, value_dim) = (section.value("dim")?, section.value("value_dim")?);
        for (key, width) in [("dim", dim), ("value_dim", value_dim)] {
            if width.is_some_and(|width| !(1..=LARGEST).contains(&width)) {
                let message = format!("a memory has from 1 to {LARGEST} features");
                let mistake = section.error(key, message, None);
                section.note(mistake)?;
            }
        }
        let start = section.value("start")?.unwrap_or_default();
        let learn = section.value("learn")?.unwrap_or_default();
        let find = Registry::memory;
        let part = part(&mut section, registry, Axis::Memory, "mlp", find)?;
        let memory = (part.build)(&mut section)?;
        let memory = match learn {
            Learn::All => memory,
            Learn::Last => {
                let last = LastMap::new(memory).map_err(|reason| {
                    let kind = part.kind;
                    let message = format!("memory `{kind}` has no last map to be written alone: {reason}");
                    let help = "use memory.learn = \"all\", or memory.kind = \"mlp\" of depth 2 or more with residual = false, or \"gated_mlp\"";
                    section.error("learn", message, Some(help.to_owned()))
                })?;
                Arc::new(last)
            }
        };
        if start == StartKind::Zero && !memory.is_linear_in_weights() {
            let message =
                "a deep memory that starts at zero never learns: its gradients are zero too";
            let help = "use memory.start = \"learned\", memory.learn = \"last\", or memory.kind = \"matrix\" or \"vector\""
                .to_string();
            return Err(section.error("start", message, Some(help)));
        }
        Ok(Self {
            dim,
            value_dim,
            start,
            learn,
            kind: part.kind,
            memory,
        })
    }
}

/// Finds the part that the key `kind` names.
fn part<T: ?Sized>(
    section: &mut Section<'_>,
    registry: &Registry,
    axis: Axis,
    default: &str,
    find: fn(&Registry, &str) -> Option<&'static Part<T>>,
) -> Result<&'static Part<T>, ConfigError> {
    let kind = section.value::<String>("kind")?;
    let kind = kind.unwrap_or_else(|| default.to_owned());
    let part = find(registry, &kind).ok_or_else(|| {
        let names = registry.kinds(axis);
        let message = format!(
            "unknown {} `{kind}`, expected one of {}",
            axis.table(),
            names.join(", ")
        );
        let near = || did_you_mean(&kind, names).map(|name| format!("did you mean `{name}`?"));
        let help = other_names::help(axis, &kind).or_else(near);
        section.error("kind", message, help)
    })?;
    for (key, choices) in registry.keys_of_others(axis, part.kind) {
        section.belongs(key, choices);
    }
    Ok(part)
}
