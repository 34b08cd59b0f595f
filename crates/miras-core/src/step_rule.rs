//! Rules that a token's inner step size goes through before it writes.

use std::{fmt::Debug, sync::Arc};

use burn::tensor::Tensor;
use toml::Value;

use crate::{
    AttentionalBias, Factor, MemoryArchitecture, Program, RetentionGate,
    rows::{TINY, gradient_norm},
};

/// A rule of the step size, or of the state at a chunk's end: what keeps the inner loop bounded.
///
/// It is stated twice: [`of_token`](Self::of_token), one token after the other, the truth; and
/// [`of_chunk`](Self::of_chunk), all tokens of a chunk at once. The rules of a memory act one after
/// the other, each on the step that the one before it left.
pub trait StepRule: Debug + Send + Sync {
    /// The step of a token, the last of those that the chunk has written so far, `[1, g, 1, 1]`, or
    /// per channel `[1, g, 1, d]`; `carried` is what the rule carries after it, `[1, g, 1, n]`.
    fn of_token(
        &self,
        step: Tensor<4>,
        _written: &[TokenWrite],
        _program: &Program,
        _carried: Option<&Tensor<4>>,
    ) -> Tensor<4> {
        step
    }

    /// The steps of the tokens of a chunk, `[1, g, c, 1]`, or per channel `[1, g, c, d]`; `carried`
    /// is what the rule carries after each of them, `[1, g, c, n]`.
    fn of_chunk(
        &self,
        step: Tensor<4>,
        _chunk: &ChunkTokens<'_>,
        _carried: Option<&Tensor<4>>,
    ) -> Tensor<4> {
        step
    }

    /// What it carries from token to token, if it does.
    fn carry(&self) -> Option<&dyn Carry> {
        None
    }

    /// The state of a map after a full chunk, `[1, g, d_in, d_out]`.
    fn of_state(&self, state: Tensor<4>) -> Tensor<4> {
        state
    }

    /// Whether the step of a token follows from its own gradient and what is carried alone, and the
    /// state is left alone: then exact gradients are possible under the rule, by forward substitution.
    fn is_local(&self) -> bool {
        false
    }

    /// Whether the step of a token follows from what enters the maps alone: then it is known before
    /// its gradient is, and the rule acts where gradients are solved for, too.
    fn is_of_features(&self) -> bool {
        false
    }

    /// What `θ_t|x_t|²` of a token stays below, whatever its step was, over the features `x` that
    /// enter the maps of the output.
    fn largest_load(&self) -> Option<f64> {
        None
    }

    /// The rule as data, for forms that are written for such rules: what it bounds, and nothing
    /// else that it does.
    fn bound(&self) -> Option<Bound> {
        None
    }

    /// Whether no state is beyond a bound after [`of_state`](Self::of_state).
    fn bounds_state(&self) -> bool {
        matches!(self.bound(), Some(Bound::State(_)))
    }

    /// Whether it decides which tokens are written: what it makes of a step of 1, from 0 to 1, is then
    /// measured.
    fn is_gate(&self) -> bool {
        false
    }

    /// What it computes, which decides its cost.
    fn computes(&self) -> RuleCost;

    /// Its key and value in `[algorithm]`.
    fn config(&self) -> (&'static str, f64);

    /// The values of its further keys, in the order of [`StepRulePart::settings`].
    fn settings(&self) -> Vec<Value> {
        Vec::new()
    }
}

/// Numbers of each memory that a step rule carries along the sequence, from token to token; they start
/// at 0.
///
/// Like the rule it is stated twice. What it carries does not depend on steps. Of tokens whose
/// gradients a chunk takes anew, those in its windows and those of a further step at its end, it is
/// carried on anew, from what stood before the first of them.
pub trait Carry {
    /// How many, `n`.
    fn numbers(&self) -> usize;

    /// What is carried after a token, the last of those written, `[1, g, 1, n]` like what was before.
    fn after_token(&self, before: Tensor<4>, written: &[TokenWrite]) -> Tensor<4>;

    /// What is carried after each token of a chunk, `[1, g, c, n]`, with `[1, g, 1, n]` before them.
    fn after_each(&self, before: Tensor<4>, chunk: &ChunkTokens<'_>) -> Tensor<4>;
}

/// What a step rule bounds, and by which κ.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Bound {
    /// `θ_t ← θ_t max(1, load_t/κ)^−2` with the loads of
    /// `load_t = Σ_{i≤t} (∏_{i<s≤t} a_s) |⟨x_i, x_t⟩ θ_i| / damping_i`, where θ on the right is the
    /// step before all rules, over the features `x` that enter the maps of the output.
    Load(f64),
    /// `θ_t ← θ_t min(1, κ/‖g_t‖)`, the Frobenius norm of the gradient of a token over all maps,
    /// with [`TINY`](crate::rows::TINY) added to its square.
    Gradient(f64),
    /// `A ← A min(1, κ/‖A‖)`, the Frobenius norm of the state of each map at the end of a full chunk,
    /// with [`TINY`](crate::rows::TINY) added to its square.
    State(f64),
}

/// What a step rule computes beside elementwise work on the steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RuleCost {
    /// Nothing else.
    Nothing,
    /// The products of the features of all tokens of a chunk with each other.
    Overlaps,
    /// The norm of each token's gradient.
    GradientNorms,
    /// The same, and moving averages of these norms: the product of a matrix with those of a chunk.
    AveragedNorms,
    /// The norm of each map's state at the chunk's end.
    StateNorms,
}

/// A token of the open chunk, as the recurrence has it.
#[derive(Clone)]
pub struct TokenWrite {
    /// Its gradient, one factor per map.
    pub factors: Vec<Factor>,
    /// The size `|θ|` of its step before all rules, the largest of its channels: `[1, g, 1, 1]`.
    pub step: Tensor<4>,
    /// What its load is divided by, [`LinearAlgorithm::damping`](crate::LinearAlgorithm::damping).
    pub damping: Tensor<4>,
    /// The product of the decays of the tokens after it, `[1, g, 1, 1]`.
    pub left: Tensor<4>,
}

impl TokenWrite {
    /// The Frobenius norm of its gradient over all maps, each written out: `[1, g, 1, 1]`.
    pub fn gradient_norm(&self) -> Tensor<4> {
        let zero = self.step.zeros_like();
        let square = self.factors.iter().fold(zero, |sum, Factor { x, d }| {
            let gradient = x.clone().transpose().matmul(d.clone());
            sum + gradient.powi_scalar(2).sum_dim(3).sum_dim(2)
        });
        square.add_scalar(TINY).sqrt()
    }
}

/// The tokens of a chunk, all at once.
pub struct ChunkTokens<'a> {
    /// The program of the memory.
    pub program: &'a Program,
    /// Their gradients, one factor per map.
    pub factors: &'a [Factor],
    /// The sizes `|θ|` of their steps before all rules, the largest of each one's channels:
    /// `[1, g, c, 1]`.
    pub step: &'a Tensor<4>,
    /// What their loads are divided by, `[1, g, c, 1]`.
    pub damping: &'a Tensor<4>,
    /// `∏_{j<s≤t} a_s` for `j ≤ t`, else 0: `[1, g, c, c]`.
    pub decay: &'a Tensor<4>,
}

impl ChunkTokens<'_> {
    /// The Frobenius norms of their gradients over all maps: `[1, g, c, 1]`.
    pub fn gradient_norms(&self) -> Tensor<4> {
        gradient_norm(self.factors, self.step.dims()[2])
    }
}

/// One entry of the list of step rules: a number of `[algorithm]`, 0 for no rule, and what else there
/// is to say where it acts.
#[derive(Debug)]
pub struct StepRulePart {
    /// The key.
    pub key: &'static str,
    /// What it means, with unit, range and default.
    pub meaning: &'static str,
    /// The value where the configuration does not say.
    pub default: fn(&dyn MemoryArchitecture, &dyn AttentionalBias, &dyn RetentionGate) -> f64,
    /// Its further keys.
    pub settings: &'static [RuleSetting],
    /// The rule at a value above 0, with a number for each of the settings.
    pub build: fn(f64, &[f64]) -> Arc<dyn StepRule>,
}

impl StepRulePart {
    /// The rule at a value above 0, with its settings left at their defaults.
    pub fn plain(&self, value: f64) -> Arc<dyn StepRule> {
        let settings: Vec<f64> = self
            .settings
            .iter()
            .map(|own| (own.default)(value))
            .collect();
        (self.build)(value, &settings)
    }

    /// All its keys, with their meanings.
    pub fn keys(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        let further = self.settings.iter().map(|own| (own.key, own.meaning));
        std::iter::once((self.key, self.meaning)).chain(further)
    }
}

/// A further key of a step rule, which is there where the rule acts.
#[derive(Debug)]
pub struct RuleSetting {
    /// The key.
    pub key: &'static str,
    /// What it means, with unit, range and default.
    pub meaning: &'static str,
    /// What it may be.
    pub values: RuleValues,
    /// The value where the configuration does not say, by that of the rule.
    pub default: fn(f64) -> f64,
}

/// What a [`RuleSetting`] may be.
#[derive(Debug, Clone, Copy)]
pub enum RuleValues {
    /// A number.
    Number {
        /// Which ones are taken.
        holds: fn(f64) -> bool,
        /// The same in words, behind "must be".
        range: &'static str,
    },
    /// `false` or `true`, to [`StepRulePart::build`] 0 or 1.
    Switch,
}

/// [Local](StepRule::is_local) rules: those that exact gradients allow.
#[derive(Debug, Clone, Default)]
pub struct LocalRules(Vec<Arc<dyn StepRule>>);

impl LocalRules {
    /// These rules, or the first one that is not local.
    pub fn new(rules: Vec<Arc<dyn StepRule>>) -> Result<Self, Arc<dyn StepRule>> {
        match rules.iter().find(|rule| !rule.is_local()) {
            Some(rule) => Err(rule.clone()),
            None => Ok(Self(rules)),
        }
    }

    /// In the order in which they act.
    pub fn as_slice(&self) -> &[Arc<dyn StepRule>] {
        &self.0
    }
}
