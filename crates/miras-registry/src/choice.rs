//! A point of the design space, chosen by name.

use std::sync::Arc;

use miras_config::{ConfigError, Layers, Tree, did_you_mean};
use miras_core::{Axis, Defaults, MemoryArchitecture, Part};
use miras_engine::Rule;
use serde::{Deserialize, Serialize};
use toml::Table;

use crate::{AlgorithmSettings, Registry, consistency, other_names, settings, validity};

/// Four parts by name, built and found valid together.
#[derive(Debug, Clone)]
pub struct Choice {
    /// The parts and the form.
    pub rule: Rule,
    /// Width of each memory (keys and values per head); `None` is the model's width over its heads.
    pub dim: Option<usize>,
    /// What a sequence starts with.
    pub start: StartKind,
    kinds: [&'static str; 4],
}

/// What a memory holds when a sequence begins.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StartKind {
    /// Weights learned by the outer loop.
    #[default]
    Learned,
    /// Zeros, as in linear attention and `DeltaNet`; a matrix only, for nothing reaches a deeper memory then.
    Zero,
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
        let memory = tree.attempt(&["memory"], |tree| MemoryPart::take(tree, registry));
        let asks = (memory.as_ref()).map_or_else(Defaults::default, MemoryPart::defaults);
        let bias = tree.attempt(&["bias"], |tree| {
            let bias = part(tree, registry, Axis::Bias, "l2", Registry::bias)?;
            Ok((bias.kind, (bias.build)(tree, asks)?))
        });
        let retention = tree.attempt(&["retention"], |tree| {
            let retention = part(tree, registry, Axis::Retention, "l2", Registry::retention)?;
            Ok((retention.kind, (retention.build)(tree, asks)?))
        });
        let algorithm = tree.attempt(&["algorithm"], |tree| {
            let asked = AlgorithmSettings::take(tree)?;
            let find = Registry::algorithm;
            let algorithm = part(tree, registry, Axis::Algorithm, "momentum", find)?;
            Ok((asked, algorithm.kind, (algorithm.build)(tree, asks)?))
        });
        let (
            Some(MemoryPart {
                dim,
                start,
                kind: memory_kind,
                memory,
            }),
            Some((bias_kind, bias)),
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
            return Err(tree.error("memory.start", reason, Some(help)));
        }

        let mut rule = Rule {
            memory,
            bias,
            retention,
            algorithm,
            settings: AlgorithmSettings::UNSET,
        };
        let kinds = [memory_kind, bias_kind, retention_kind, algorithm_kind];
        rule.settings = asked.resolve(&rule);
        let checked =
            validity::check(&rule, &asked).and_then(|()| consistency::check(&rule, kinds));
        if let Err(refusal) = checked {
            return Err(tree.error(&refusal.key, refusal.reason, Some(refusal.instead)));
        }
        Ok(Self {
            rule,
            dim,
            start,
            kinds,
        })
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
                        table.extend(settings::to_table(&rule.settings));
                        rule.algorithm.config()
                    }
                };
                if axis == Axis::Memory {
                    if let Some(dim) = self.dim {
                        table.insert("dim".into(), (dim as i64).into());
                    }
                    let start = match self.start {
                        StartKind::Learned => "learned",
                        StartKind::Zero => "zero",
                    };
                    table.insert("start".into(), start.into());
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
    start: StartKind,
    kind: &'static str,
    memory: Arc<dyn MemoryArchitecture>,
}

impl MemoryPart {
    /// What it asks of the other axes.
    fn defaults(&self) -> Defaults {
        Defaults {
            // Decay towards zero forgets what the outer loop has learned, and the loss rises with
            // it beyond the length of training.
            anchored: self.start == StartKind::Learned,
            ..self.memory.defaults()
        }
    }

    fn take(tree: &mut Tree, registry: &Registry) -> Result<Self, ConfigError> {
        let dim = tree.value("memory.dim")?;
        if dim.is_some_and(|dim| !(1..=LARGEST).contains(&dim)) {
            let message = format!("a memory has from 1 to {LARGEST} features");
            let mistake = tree.error("memory.dim", message, None);
            tree.note(mistake)?;
        }
        let start = tree.value("memory.start")?.unwrap_or_default();
        let part = part(tree, registry, Axis::Memory, "mlp", Registry::memory)?;
        let memory = (part.build)(tree, Defaults::default())?;
        if start == StartKind::Zero && !memory.is_linear() {
            let message =
                "a deep memory that starts at zero never learns: its gradients are zero too";
            let help = "use memory.start = \"learned\", or memory.kind = \"matrix\"".to_string();
            return Err(tree.error("memory.start", message, Some(help)));
        }
        Ok(Self {
            dim,
            start,
            kind: part.kind,
            memory,
        })
    }
}

/// Finds the part that `AXIS.kind` names.
fn part<T: ?Sized>(
    tree: &mut Tree,
    registry: &Registry,
    axis: Axis,
    default: &str,
    find: fn(&Registry, &str) -> Option<&'static Part<T>>,
) -> Result<&'static Part<T>, ConfigError> {
    let key = format!("{}.kind", axis.table());
    let kind = tree.value::<String>(&key)?.unwrap_or(default.to_string());
    let part = find(registry, &kind).ok_or_else(|| {
        let names = registry.kinds(axis);
        let message = format!(
            "unknown {} `{kind}`, expected one of {}",
            axis.table(),
            names.join(", ")
        );
        let near = || did_you_mean(&kind, names).map(|name| format!("did you mean `{name}`?"));
        let help = other_names::help(axis, &kind).or_else(near);
        tree.error(&key, message, help)
    })?;
    for (key, choices) in registry.keys_of_others(axis, part.kind) {
        tree.belongs(&format!("{}.{key}", axis.table()), choices);
    }
    Ok(part)
}
