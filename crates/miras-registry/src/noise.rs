//! What noise on the state asks of the other parts: that the most by which one write moves the state is
//! known, for the noise is in units of it.

use std::sync::Arc;

use miras_core::{AlgorithmKind, Bound, MemoryAlgorithm, Recurrence, StepRule};
use miras_engine::Rule;

use crate::validity::{Refusal, refuse};

/// Whether a write moves the state once, and nothing else is kept of it.
fn writes_once(algorithm: &dyn MemoryAlgorithm) -> bool {
    let is_sum = match algorithm.kind() {
        AlgorithmKind::Linear(linear) => linear.recurrence() == Some(Recurrence::DecayedSum),
        AlgorithmKind::ChunkEnd(_) | AlgorithmKind::LeastSquares(_) => false,
    };
    is_sum && algorithm.slots() == 0 && algorithm.window() == 1
}

/// Whether a rule leaves each token a step that follows from that token alone. Rules that bound the
/// state change no steps.
fn is_of_one_token(rule: &dyn StepRule) -> bool {
    let is_of_state = matches!(rule.bound(), Some(Bound::State(_)));
    is_of_state || (rule.is_local() && rule.carry().is_none())
}

pub(crate) fn check(rule: &Rule) -> Result<(), Refusal> {
    if rule.retention.noise().is_none() {
        return Ok(());
    }
    if !writes_once(&*rule.algorithm) {
        return refuse(
            "algorithm.kind",
            "this retention adds noise in units of what one write moves the state by, and with this algorithm a write moves it more than once, or is kept beside it",
            "use algorithm.kind = \"gd\", or retention.kind = \"l2\"",
        );
    }
    if rule.settings.is_exact() {
        return refuse(
            "algorithm.form",
            "this retention adds noise where a full chunk ends, and the exact form does not know chunks",
            "use algorithm.form = \"chunk_start\", or retention.kind = \"l2\"",
        );
    }
    if rule.settings.picard() > 0 {
        return refuse(
            "algorithm.picard",
            "with Picard iterations the gradients of a chunk depend on its earlier writes, before any noise is added to them",
            "leave algorithm.picard out, or use retention.kind = \"l2\"",
        );
    }
    let others = |rule: &&Arc<dyn StepRule>| !is_of_one_token(&***rule);
    if let Some(found) = rule.settings.rules().iter().find(others) {
        let key = found.config().0;
        return refuse(
            &format!("algorithm.{key}"),
            &format!(
                "under {key} a token changes the steps of later ones, by more than this retention's noise is made for"
            ),
            &if found.carry().is_some() {
                format!("leave {key} out, or let it carry nothing (surprise_average = 0)")
            } else {
                format!("leave {key} out, or use retention.kind = \"l2\"")
            },
        );
    }
    let caps = |rule: &Arc<dyn StepRule>| matches!(rule.bound(), Some(Bound::Gradient(_)));
    if !rule.settings.rules().iter().any(caps) {
        return refuse(
            "algorithm.grad_cap",
            "this retention adds noise in units of the largest gradient, and without a cap there is none",
            "leave grad_cap out (3), or set it above 0",
        );
    }
    if rule.largest_write().is_none() {
        return refuse(
            "algorithm.step",
            "this retention adds noise in units of the largest step, and this step size has none",
            "use algorithm.step = \"input\" or \"fixed\"",
        );
    }
    Ok(())
}
