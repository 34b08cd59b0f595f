//! The parts that a configuration can choose from.

use std::fmt;

use miras_core::{
    AttentionalBias, Axis, MemoryAlgorithm, MemoryArchitecture, Part, RetentionGate, StepRulePart,
};

use crate::{PartInfo, settings};

/// The lists of the four axes, as a value: ours, and whatever a program adds to them.
///
/// ```
/// # use miras_core::{AttentionalBias, Part};
/// # use miras_registry::{KindTaken, Registry};
/// # fn with(mine: &'static Part<dyn AttentionalBias>) -> Result<Registry, KindTaken> {
/// Registry::builtin().with_bias(mine)
/// # }
/// ```
#[derive(Clone)]
pub struct Registry {
    memory: List<dyn MemoryArchitecture>,
    bias: List<dyn AttentionalBias>,
    retention: List<dyn RetentionGate>,
    algorithm: List<dyn MemoryAlgorithm>,
    step_rules: Vec<&'static StepRulePart>,
    /// The keys of every algorithm: those of chunks, and one of each step rule.
    pub(crate) algorithm_keys: Vec<(&'static str, &'static str)>,
}

type List<T> = Vec<&'static Part<T>>;

impl Registry {
    /// The parts of this project.
    pub fn builtin() -> Self {
        let step_rules: Vec<&StepRulePart> = miras_algorithm::STEP_RULES.iter().collect();
        let rules = step_rules.iter().flat_map(|rule| rule.keys());
        Self {
            algorithm_keys: settings::KEYS.into_iter().chain(rules).collect(),
            step_rules,
            memory: miras_memory::PARTS.iter().collect(),
            bias: miras_bias::PARTS.iter().collect(),
            retention: miras_retention::PARTS.iter().collect(),
            algorithm: miras_algorithm::PARTS.iter().collect(),
        }
    }

    /// With one more memory architecture.
    pub fn with_memory(
        mut self,
        part: &'static Part<dyn MemoryArchitecture>,
    ) -> Result<Self, KindTaken> {
        add(&mut self.memory, part, Axis::Memory)?;
        Ok(self)
    }

    /// With one more attentional bias.
    pub fn with_bias(
        mut self,
        part: &'static Part<dyn AttentionalBias>,
    ) -> Result<Self, KindTaken> {
        add(&mut self.bias, part, Axis::Bias)?;
        Ok(self)
    }

    /// With one more retention gate.
    pub fn with_retention(
        mut self,
        part: &'static Part<dyn RetentionGate>,
    ) -> Result<Self, KindTaken> {
        add(&mut self.retention, part, Axis::Retention)?;
        Ok(self)
    }

    /// With one more memory algorithm.
    pub fn with_algorithm(
        mut self,
        part: &'static Part<dyn MemoryAlgorithm>,
    ) -> Result<Self, KindTaken> {
        add(&mut self.algorithm, part, Axis::Algorithm)?;
        Ok(self)
    }

    /// With one more rule of the step size, which acts after the others.
    pub fn with_step_rule(mut self, part: &'static StepRulePart) -> Result<Self, KeyTaken> {
        let own = self.algorithm.iter().flat_map(|part| part.keys);
        let taken: Vec<_> = own
            .chain(&self.algorithm_keys)
            .map(|(key, _)| *key)
            .collect();
        let mut keys = part.keys().map(|(key, _)| key);
        if let Some(key) = keys.find(|key| *key == "kind" || taken.contains(key)) {
            return Err(KeyTaken(key));
        }
        self.algorithm_keys.extend(part.keys());
        self.step_rules.push(part);
        Ok(self)
    }

    /// The rules of the step size, in the order in which they act.
    pub fn step_rules(&self) -> &[&'static StepRulePart] {
        &self.step_rules
    }

    /// The parts of an axis, in the order of their list.
    pub fn parts(&self, axis: Axis) -> Vec<PartInfo> {
        match axis {
            Axis::Memory => infos(&self.memory),
            Axis::Bias => infos(&self.bias),
            Axis::Retention => infos(&self.retention),
            Axis::Algorithm => infos(&self.algorithm),
        }
    }

    /// The names of an axis' parts.
    pub fn kinds(&self, axis: Axis) -> Vec<&'static str> {
        (self.parts(axis).into_iter())
            .map(|part| part.kind)
            .collect()
    }

    /// The part `kind` of an axis.
    pub fn find(&self, axis: Axis, kind: &str) -> Option<PartInfo> {
        (self.parts(axis).into_iter()).find(|part| part.kind == kind)
    }

    pub(crate) fn memory(&self, kind: &str) -> Option<&'static Part<dyn MemoryArchitecture>> {
        named(&self.memory, kind)
    }

    pub(crate) fn bias(&self, kind: &str) -> Option<&'static Part<dyn AttentionalBias>> {
        named(&self.bias, kind)
    }

    pub(crate) fn retention(&self, kind: &str) -> Option<&'static Part<dyn RetentionGate>> {
        named(&self.retention, kind)
    }

    pub(crate) fn algorithm(&self, kind: &str) -> Option<&'static Part<dyn MemoryAlgorithm>> {
        named(&self.algorithm, kind)
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kinds = Axis::ALL.map(|axis| (axis.table(), self.kinds(axis)));
        f.debug_map().entries(kinds).finish()
    }
}

fn add<T: ?Sized>(list: &mut List<T>, part: &'static Part<T>, axis: Axis) -> Result<(), KindTaken> {
    if named(list, part.kind).is_some() {
        let kind = part.kind;
        return Err(KindTaken { axis, kind });
    }
    list.push(part);
    Ok(())
}

fn named<T: ?Sized>(list: &List<T>, kind: &str) -> Option<&'static Part<T>> {
    list.iter().copied().find(|part| part.kind == kind)
}

fn infos<T: ?Sized>(list: &List<T>) -> Vec<PartInfo> {
    list.iter().map(|part| PartInfo::from(*part)).collect()
}

/// Two parts of one axis cannot have the same name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KindTaken {
    /// The axis.
    pub axis: Axis,
    /// The name.
    pub kind: &'static str,
}

impl fmt::Display for KindTaken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { axis, kind } = self;
        let axis = axis.table();
        write!(
            f,
            "there is a {axis} named `{kind}` already: give the part another `kind`"
        )
    }
}

impl std::error::Error for KindTaken {}

/// A rule of the step size cannot have the name of another key of `[algorithm]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyTaken(pub &'static str);

impl fmt::Display for KeyTaken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(key) = self;
        write!(
            f,
            "[algorithm] has a key `{key}` already: give the rule of the step size another `key`"
        )
    }
}

impl std::error::Error for KeyTaken {}
