//! Step sizes after the rules, and the rules of the state (chunk form).

use burn::tensor::Tensor;
use miras_core::{ChunkTokens, Factor, Gates, MapState, Program, STEP, rows};

use crate::{Place, Rule, noise::noisy, span::ChunkGradients, split::split_chunks};

/// What the step rules need of chunks beside their factors.
#[derive(Clone)]
pub(crate) struct Steps {
    /// θ, `[n, g, c, 1]`, or per channel `[n, g, c, d]`.
    step: Tensor<4>,
    /// `1 − η`, or 1 without momentum, `[n, g, c, 1]`.
    damping: Tensor<4>,
    /// `A_tj`, `[n, g, c, c]`.
    decay: Tensor<4>,
}

impl Steps {
    pub(crate) fn of(rule: &Rule, gates: &Gates, decay: &Tensor<4>) -> Self {
        Self {
            step: gates.get(STEP),
            damping: rule.damping(gates),
            decay: decay.clone(),
        }
    }

    /// Those of each of the `n` chunks.
    pub(crate) fn split(self, n: usize) -> impl Iterator<Item = Self> {
        let damping = split_chunks(self.damping);
        let decay = split_chunks(self.decay);
        let steps = split_chunks(self.step);
        assert_eq!(steps.len(), n, "step sizes of chunks, and chunks");
        (steps.into_iter().zip(damping).zip(decay)).map(|((step, damping), decay)| Self {
            step,
            damping,
            decay,
        })
    }

    /// The gradients of a chunk with their step sizes after the rules, of which `carried` is what
    /// they carry before it.
    pub(crate) fn ruled(
        &self,
        rule: &Rule,
        program: &Program,
        factors: Vec<Factor>,
        carried: &[Tensor<4>],
    ) -> ChunkGradients {
        let channels = rule.step_channels();
        let mut step = self.step.clone();
        let mut after_each = Vec::with_capacity(carried.len());
        if !rule.settings.rules().is_empty() {
            let chunk = ChunkTokens {
                program,
                factors: &factors,
                step: &rows::largest_step(step.clone()),
                damping: &self.damping,
                decay: &self.decay,
            };
            let mut carried = carried.iter();
            for rule in rule.settings.rules() {
                let own = rule.carry().map(|carry| {
                    let before = carried.next().expect("one of each rule that carries");
                    carry.after_each(before.clone(), &chunk)
                });
                step = rule.of_chunk(step, &chunk, own.as_ref());
                after_each.extend(own);
            }
        }
        ChunkGradients {
            factors,
            step,
            channels,
            carried: after_each,
        }
    }
}

/// The gradient of one token under rules that are local: those of a chunk that has no other token.
pub(crate) fn of_one(
    rule: &Rule,
    program: &Program,
    step: Tensor<4>,
    factor: Factor,
    carried: &[Tensor<4>],
) -> ChunkGradients {
    let one = rows::largest_channel(step.clone()).ones_like();
    let steps = Steps {
        step,
        damping: one.clone(),
        decay: one,
    };
    steps.ruled(rule, program, vec![factor], carried)
}

/// What the gates among the rules leave of a step, token by token, `[1, g, c, 1]`; none where there is no
/// gate.
pub(crate) fn gated(
    rule: &Rule,
    program: &Program,
    gradients: &ChunkGradients,
) -> Option<Tensor<4>> {
    let rules = rule.settings.rules();
    if !rules.iter().any(|rule| rule.is_gate()) {
        return None;
    }
    // A gate looks at gradients and at what is carried.
    let one = rows::largest_channel(gradients.step.clone()).ones_like();
    let chunk = ChunkTokens {
        program,
        factors: &gradients.factors,
        step: &one,
        damping: &one,
        decay: &one,
    };
    let mut carried = gradients.carried.iter();
    let gated = rules.iter().fold(one.clone(), |share, rule| {
        let own = rule.carry().and_then(|_| carried.next());
        if rule.is_gate() {
            rule.of_chunk(share, &chunk, own)
        } else {
            share
        }
    });
    Some(gated)
}

/// θ of the tokens of chunks after the rules that need no gradient, where `x` enters the one map.
pub(crate) fn of_features(
    rule: &Rule,
    program: &Program,
    step: Tensor<4>,
    x: &Tensor<4>,
) -> Tensor<4> {
    let mut rules = (rule.settings.rules().iter())
        .filter(|rule| rule.is_of_features())
        .peekable();
    if rules.peek().is_none() {
        return step;
    }
    // Of tokens on their own: nothing is decayed, and there are no gradients.
    let own = rows::largest_channel(step.clone());
    let one = own.ones_like();
    let chunk = ChunkTokens {
        program,
        factors: &[Factor {
            x: x.clone(),
            d: x.zeros_like(),
        }],
        step: &own,
        damping: &one,
        decay: &one,
    };
    rules.fold(step, |step, rule| rule.of_chunk(step, &chunk, None))
}

/// The states after a chunk, through the rules; `end` is where it ends, if it is full.
pub(crate) fn ruled_states(
    rule: &Rule,
    places: &[Place],
    maps: Vec<MapState>,
    end: Option<usize>,
) -> Vec<MapState> {
    let maps = match end {
        Some(position) => noisy(rule, places, maps, position),
        None => maps,
    };
    let rules = rule.settings.rules();
    let ruled = |map: MapState| MapState {
        weights: (rules.iter()).fold(map.weights, |state, rule| rule.of_state(state)),
        slots: map.slots,
    };
    maps.into_iter().map(ruled).collect()
}
