//! Combinations that are invalid or degenerate, refused with
//! the reason and the nearest valid choice.

use std::sync::Arc;

use miras_config::{ConfigError, Tree};
use miras_core::{
    AlgorithmKind, GateMap, GateSpec, Link, MOMENTUM, Order, Program, RETENTION, STEP, StepRule,
};
use miras_engine::{Read, Rule};

use crate::AlgorithmSettings;

/// Why a combination is refused.
pub(crate) struct Refusal {
    /// The key to point at, inside the table that holds those of the four axes.
    pub(crate) key: String,
    pub(crate) reason: String,
    pub(crate) instead: String,
}

impl Refusal {
    /// As an error of the configuration whose tables of the four axes are in the one at the path
    /// `at`.
    pub(crate) fn error(self, tree: &Tree, at: &str) -> ConfigError {
        tree.error(&path_in(at, &self.key), self.reason, Some(self.instead))
    }
}

/// The path of a dotted key in the table at the path `at`.
pub(crate) fn path_in(at: &str, key: &str) -> String {
    match at {
        "" => key.to_owned(),
        at => format!("{at}.{key}"),
    }
}

pub(crate) fn refuse(key: &str, reason: &str, instead: &str) -> Result<(), Refusal> {
    Err(Refusal {
        key: key.into(),
        reason: reason.into(),
        instead: instead.into(),
    })
}

/// The step size, one of each head, up to which the exact rule is bounded on a key of length 1 that comes again
/// and again: `θ ≤ (1 + a)(1 + η)`, `2(1 + η)` if the decay comes first, with the least decay and
/// momentum that the gates can give.
fn stable_step(rule: &Rule) -> f64 {
    let least = |gates: Vec<GateSpec>, name: &str, without: f64| {
        (gates.iter().find(|gate| gate.name == name)).map_or(without, |gate| match gate.map {
            GateMap::Constant(log) => log.exp(),
            GateMap::Sigmoid { .. }
            | GateMap::LogSigmoid
            | GateMap::DecayRate
            | GateMap::HeadDecay
            | GateMap::Softplus { .. } => 0.0,
        })
    };
    let decay = match rule.retention.order() {
        Order::After => least(rule.retention.gates(), RETENTION, 1.0),
        Order::Before => 1.0,
    };
    let share = match rule.algorithm.kind() {
        AlgorithmKind::Linear(algorithm) => algorithm.stable_share(),
        AlgorithmKind::ChunkEnd(_) | AlgorithmKind::LeastSquares(_) => 1.0,
    };
    share * (1.0 + decay) * (1.0 + least(rule.algorithm.gates(), MOMENTUM, 0.0))
}

/// The largest step size that is certain to be stable, if the rule's may be larger.
fn exceeded_step(rule: &Rule) -> Option<f64> {
    // No step is taken: the size of a token is its weight among all.
    if rule.least_squares().is_some() {
        return None;
    }
    let bound = stable_step(rule);
    let is_held = |rule: &Arc<dyn StepRule>| rule.largest_load().is_some_and(|most| most <= bound);
    if rule.settings.rules().iter().any(is_held) {
        return None;
    }
    let is_beyond = |gate: &GateSpec| {
        gate.name == STEP
            && match gate.map {
                GateMap::Constant(step) | GateMap::Sigmoid { max: step } => step > bound,
                // A softplus has no largest value.
                GateMap::Softplus { .. } => true,
                GateMap::LogSigmoid | GateMap::DecayRate | GateMap::HeadDecay => false,
            }
    };
    let writes_back = rule.bias.slope() != Some(0.0);
    (writes_back && rule.algorithm.gates().iter().any(is_beyond)).then_some(bound)
}

/// Whether steps go up the inner loss.
fn ascends(rule: &Rule) -> bool {
    let is_below = |gate: &GateSpec| {
        gate.name == STEP
            && match gate.map {
                GateMap::Constant(step)
                | GateMap::Sigmoid { max: step }
                | GateMap::Softplus { scale: step } => step < 0.0,
                GateMap::LogSigmoid | GateMap::DecayRate | GateMap::HeadDecay => false,
            }
    };
    rule.algorithm.gates().iter().any(is_below)
}

/// What the exact form asks of a rule.
fn check_exact(rule: &Rule, asked: &AlgorithmSettings) -> Result<(), Refusal> {
    let is_fixed = rule.memory.is_linear_in_weights() && rule.bias.slope() == Some(0.0);
    if !rule.memory.is_linear() && is_fixed {
        return refuse(
            "algorithm.form",
            "there is no exact chunk form for this memory, and none is needed: its gradients under this bias do not depend on its weights",
            "leave algorithm.form out: algorithm.form = \"chunk_start\" is exact here",
        );
    }
    if !rule.memory.is_linear() {
        return refuse(
            "algorithm.form",
            "there is no exact chunk form for this memory: its gradients depend on weights that change with every token",
            "use algorithm.form = \"chunk_start\" (algorithm.picard takes it towards the exact one), or memory.kind = \"matrix\"",
        );
    }
    if rule.acts_at_chunk_end() {
        return refuse(
            "algorithm.form",
            "this algorithm moves the memory at chunk ends only",
            "use algorithm.form = \"chunk_start\"",
        );
    }
    if rule.algorithm.window() > 1 {
        return refuse(
            "algorithm.form",
            "in a window each step takes the gradients of several tokens anew, for which there is no solve",
            "use algorithm.form = \"chunk_start\" (with algorithm.chunk = 1 its gradients are exact), or algorithm.window = 1",
        );
    }
    let has_channels = rule.decay_channels().is_some() || rule.step_channels().is_some();
    if has_channels && rule.has_identity_link() && !rule.has_exact_form() {
        return refuse(
            "algorithm.form",
            "the exact chunk form is not there for decays or steps per channel of the values under a bias that compares what is recalled, nor for steps per channel of the keys under one whose gradient is not linear",
            "use algorithm.form = \"chunk_start\" (algorithm.picard takes it towards the exact one), channels = \"key\" with bias.kind = \"l2\", or bias.kind = \"dot\"",
        );
    }
    if !rule.has_exact_form() {
        return refuse(
            "algorithm.form",
            "there is no exact chunk form behind this retention's link: the weights of a token are no sum over the ones before it",
            "use algorithm.form = \"chunk_start\" (algorithm.picard takes it towards the exact one), retention.kind = \"l2\", or bias.kind = \"dot\"",
        );
    }
    let act = |key: &str| rule.settings.rule(key).is_some();
    if let Some(key) = asked.rules().find(|key| !act(key)) {
        return refuse(
            &format!("algorithm.{key}"),
            &format!("{key} acts on chunk-start gradients, and this exact form has none"),
            &format!("leave {key} out, or use algorithm.form = \"chunk_start\""),
        );
    }
    if asked.picard() > 0 {
        return refuse(
            "algorithm.picard",
            "Picard iterations correct chunk-start gradients, and the exact form has none",
            "leave picard out, or use algorithm.form = \"chunk_start\"",
        );
    }
    if asked.read().is_some_and(|read| read != Read::Exact) {
        return refuse(
            "algorithm.read",
            "the exact form does not know chunks, so no weights are stale and no scale is frozen",
            "use algorithm.read = \"exact\", or algorithm.form = \"chunk_start\"",
        );
    }
    if ascends(rule) && rule.bias.slope() != Some(0.0) {
        return refuse(
            "algorithm.form",
            "an ascent is unstable in the exact form: a key k that comes again multiplies its error by a + theta |k|^2 each time, and nothing caps it",
            "use algorithm.form = \"chunk_start\" with its load cap (and algorithm.state_cap), or algorithm.ascent = false",
        );
    }
    if let Some(bound) = exceeded_step(rule) {
        return refuse(
            "algorithm.step_max",
            &format!(
                "with a unit key that comes again the exact rule may diverge from a step size of {bound} on, for the least decay and the worst momentum that the gates give, and nothing caps it"
            ),
            &format!(
                "use algorithm.step_max = {bound} or less (with step = \"input\" or \"fixed\"), or algorithm.form = \"chunk_start\" with its load cap"
            ),
        );
    }
    Ok(())
}

/// What an algorithm that keeps the lengths of weights asks of the other parts.
fn check_lengths(rule: &Rule) -> Result<(), Refusal> {
    if !rule.keeps_lengths() || rule.has_identity_link() {
        return Ok(());
    }
    refuse(
        "algorithm.renormalise",
        "behind this retention's link there is no state whose weights have their initial lengths",
        "use retention.kind = \"l2\" or \"none\", or leave algorithm.renormalise out",
    )
}

/// Refuses maps that give fewer features than the retention's link needs to tell states apart, and
/// maps of one row whose columns are to keep their lengths.
pub(crate) fn check_columns(rule: &Rule, program: &Program) -> Result<(), Refusal> {
    if rule.keeps_lengths()
        && let Some(map) = program.maps().iter().find(|map| map.d_in < 2)
    {
        return refuse(
            "algorithm.renormalise",
            &format!(
                "each column of the map `{}` of this memory is one number, whose sign alone could change at a given length",
                map.name
            ),
            "leave algorithm.renormalise out, or use memory.kind = \"matrix\" or \"gated_mlp\"",
        );
    }
    let least = rule.retention.least_columns();
    match program.maps().iter().find(|map| map.d_out < least) {
        None => Ok(()),
        Some(map) => refuse(
            "retention.kind",
            &format!(
                "the map `{}` of this memory gives {} feature, and this retention needs {least} or more: it fixes the sum of each row of weights, so that the map could not learn",
                map.name, map.d_out
            ),
            "use retention.kind = \"l2\", or a memory whose maps give more features",
        ),
    }
}

/// What a memory that is solved for asks of the other parts.
fn check_least_squares(rule: &Rule, asked: &AlgorithmSettings) -> Result<(), Refusal> {
    let is_solved_for = rule.least_squares().is_some();
    if is_solved_for && !rule.memory.is_linear() {
        return refuse(
            "algorithm.kind",
            "least squares are solved for a matrix, and this memory is not one",
            "use memory.kind = \"matrix\", or memory.learn = \"last\" with memory.norm = false, or algorithm.kind = \"momentum\"",
        );
    }
    if is_solved_for && (rule.bias.slope() != Some(1.0) || rule.bias.has_erase_key()) {
        return refuse(
            "bias.kind",
            "least squares are the minimum of a squared error, and this bias is another",
            "use bias.kind = \"l2\", or algorithm.kind = \"gd\"",
        );
    }
    if is_solved_for && !rule.has_identity_link() {
        return refuse(
            "retention.kind",
            "behind this retention's link the least squared error has no closed form",
            "use retention.kind = \"l2\" or \"none\", or algorithm.kind = \"gd\"",
        );
    }
    if is_solved_for && rule.retention.order() == Order::Before {
        return refuse(
            "retention.order",
            "every gradient is taken at the initial weights, which do not decay",
            "leave retention.order out",
        );
    }
    if is_solved_for {
        let first = asked.rules().next();
        let key = (first.map(str::to_owned))
            .or_else(|| (asked.picard() > 0).then(|| "picard".to_owned()))
            .or_else(|| {
                let reads_others = asked.read().is_some_and(|read| read != Read::Exact);
                reads_others.then(|| "read".to_owned())
            });
        if let Some(key) = key {
            return refuse(
                &format!("algorithm.{key}"),
                "least squares take no steps: the memory is solved for at every token",
                &format!("leave {key} out"),
            );
        }
    }
    Ok(())
}

/// What decays and steps per channel ask of a rule.
fn check_channels(rule: &Rule) -> Result<(), Refusal> {
    let key = match (rule.decay_channels(), rule.step_channels()) {
        (None, None) => return Ok(()),
        (Some(_), _) => "retention.channels",
        (None, Some(_)) => "algorithm.channels",
    };
    if !rule.memory.is_linear() {
        return refuse(
            key,
            "channels are those of a matrix from keys to values, and this memory is not a matrix",
            "leave channels out, or use memory.kind = \"matrix\"",
        );
    }
    if !rule.has_identity_link() {
        return refuse(
            key,
            "behind this retention's link the weights of a token are no sum over channels",
            "leave channels out, or use retention.kind = \"l2\"",
        );
    }
    if rule.least_squares().is_some() {
        return refuse(
            key,
            "least squares have one decay and one weight for all channels",
            "leave channels out, or use algorithm.kind = \"gd\"",
        );
    }
    if rule.algorithm.window() > 1 {
        return refuse(
            key,
            "there is no chunk form for channels under an algorithm with a window of tokens",
            "leave channels out, or use algorithm.window = 1",
        );
    }
    if rule.decay_channels().is_some() && rule.algorithm.slots() > 0 {
        return refuse(
            key,
            "there is no chunk form for decays per channel under an algorithm that keeps more than the weights",
            "leave channels out, or use algorithm.kind = \"gd\"",
        );
    }
    Ok(())
}

/// Checks a rule whose settings are resolved; `asked` is what the config says itself.
pub(crate) fn check(rule: &Rule, asked: &AlgorithmSettings) -> Result<(), Refusal> {
    check_channels(rule)?;
    check_least_squares(rule, asked)?;
    check_lengths(rule)?;
    let settings = &rule.settings;
    if settings.is_exact() {
        check_exact(rule, asked)?;
    } else if rule.least_squares().is_some() {
        return refuse(
            "algorithm.form",
            "least squares are solved for at every token, and no chunk has a start of its own",
            "use algorithm.form = \"exact\"",
        );
    } else if rule.retention.order() == Order::Before {
        return refuse(
            "retention.order",
            "with order = \"before\" each gradient is taken at its token's decayed memory, which the chunk-start form does not have",
            "use retention.order = \"after\", or memory.kind = \"matrix\" with bias.kind = \"l2\" and algorithm.form = \"exact\"",
        );
    }

    if let Some((key, rule)) = asked.idle(settings) {
        return refuse(
            &format!("algorithm.{key}"),
            &format!("{key} belongs to {rule}, which is off"),
            &format!("leave {key} out, or set algorithm.{rule} above 0"),
        );
    }

    if settings.read() == Read::Frozen && !matches!(rule.retention.link(), Link::Scale(_)) {
        return refuse(
            "algorithm.read",
            "this retention's link is not a number times the state, so there is no scale to freeze",
            "use algorithm.read = \"exact\" or \"stale\", or retention.kind = \"lq\" with link = \"paper\"",
        );
    }

    if settings.picard() > 0 && rule.memory.is_linear_in_weights() && rule.bias.slope() == Some(0.0)
    {
        return refuse(
            "algorithm.picard",
            "the gradients of this bias on this memory do not depend on its weights: they are exact already",
            "leave algorithm.picard out",
        );
    }

    if rule.algorithm.window() > 1 && settings.picard() > 0 {
        return refuse(
            "algorithm.picard",
            "Picard iterations refine one gradient a token, and in a window each step takes those of several tokens anew",
            "leave algorithm.picard out, or use algorithm.window = 1; with algorithm.chunk = 1 the gradients of a window are exact",
        );
    }

    if rule.acts_at_chunk_end() && settings.picard() > 0 {
        return refuse(
            "algorithm.picard",
            "this algorithm moves the memory at chunk ends only: within a chunk all gradients are exact already",
            "leave algorithm.picard out",
        );
    }

    if rule.acts_at_chunk_end() && settings.read() != Read::Stale {
        return refuse(
            "algorithm.read",
            "this algorithm moves the memory at chunk ends only: within a chunk there is nothing newer to read",
            "use algorithm.read = \"stale\"",
        );
    }

    let has_no_minimum = rule.bias.slope() == Some(0.0) || rule.bias.has_erase_key();
    let unbounded = has_no_minimum && !rule.memory.is_linear_in_weights();
    let bounds_state = |rule: &Arc<dyn StepRule>| rule.bounds_state();
    let held = rule.retention.forgets()
        || rule.memory.is_bounded()
        || rule.keeps_lengths()
        || settings.rules().iter().any(bounds_state);
    if unbounded && !held {
        return refuse(
            "bias.kind",
            "this bias has no minimum on a deep memory: without decay, norm or state cap it grows for ever",
            "use retention.kind = \"l2\", memory.norm = true, or bias.kind = \"l2\"",
        );
    }
    Ok(())
}
