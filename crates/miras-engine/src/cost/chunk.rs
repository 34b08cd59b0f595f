//! The sizes of a chunk, from which all its costs follow.

use miras_core::{AlgorithmKind, MapSpec, Program, RuleCost};

use crate::{Past, Rule};

/// One chunk of one memory.
pub(super) struct Chunk<'a> {
    pub(super) rule: &'a Rule,
    pub(super) program: &'a Program,
    /// Tokens.
    pub(super) c: usize,
    /// Slots that take part within a chunk; those of an algorithm that acts at chunk ends do not.
    pub(super) slots: usize,
}

impl<'a> Chunk<'a> {
    fn new(rule: &'a Rule, program: &'a Program, c: usize) -> Self {
        let slots = match rule.algorithm.kind() {
            AlgorithmKind::Linear(_) => rule.algorithm.slots(),
            AlgorithmKind::ChunkEnd(_) | AlgorithmKind::LeastSquares(_) => 0,
        };
        Self {
            rule,
            program,
            c,
            slots,
        }
    }

    /// The chunks of a sequence with a new state, as (chunk, how often): whole ones and a rest.
    pub(super) fn of_sequence(
        rule: &'a Rule,
        program: &'a Program,
        tokens: usize,
    ) -> Vec<(Self, usize)> {
        let chunk = rule.settings.chunk;
        [(chunk, tokens / chunk), (tokens % chunk, 1)]
            .into_iter()
            .filter(|(c, times)| *c > 0 && *times > 0)
            .map(|(c, times)| (Self::new(rule, program, c), times))
            .collect()
    }

    /// Steps at the chunk's end after the first, each of which takes all gradients anew.
    pub(super) fn further_steps(&self) -> usize {
        match self.rule.algorithm.kind() {
            AlgorithmKind::Linear(_) | AlgorithmKind::LeastSquares(_) => 0,
            AlgorithmKind::ChunkEnd(algorithm) => algorithm.steps().saturating_sub(1),
        }
    }

    /// How many of the step rules compute this.
    pub(super) fn rules_that_compute(&self, what: RuleCost) -> usize {
        let rules = self.rule.settings.rules().iter();
        rules.filter(|rule| rule.computes() == what).count()
    }

    pub(super) fn maps(&self) -> &'a [MapSpec] {
        self.program.maps()
    }

    /// The maps, each as often as rows go through it on the way to the gradients: forward, and
    /// back unless nothing learns before it.
    pub(super) fn passes(&self) -> impl Iterator<Item = &'a MapSpec> {
        let maps = self.maps().iter().enumerate();
        maps.flat_map(|(l, map)| [map].repeat(1 + usize::from(self.program.flows_back(l))))
    }

    /// Tokens whose gradients are taken: those of the chunk, and those before it that are in its
    /// windows.
    pub(super) fn written(&self) -> usize {
        self.c + Past::tokens(self.rule)
    }

    /// Keys of all of those.
    pub(super) fn keys(&self) -> usize {
        self.written() * self.rule.keys()
    }

    /// Numbers in the weights of all maps.
    pub(super) fn weights(&self) -> usize {
        self.maps().iter().map(MapSpec::weights).sum()
    }
}
