//! The sizes of a chunk, from which all its costs follow.

use miras_core::MapSpec;

use crate::Rule;

/// One chunk of one memory.
pub(super) struct Chunk<'a> {
    pub(super) rule: &'a Rule,
    pub(super) maps: Vec<MapSpec>,
    /// Features of all gains.
    pub(super) gains: usize,
    /// Tokens.
    pub(super) c: usize,
    /// Rows of a map's input: tokens, or more where a token has several.
    pub(super) rows: usize,
    /// Slots that take part within a chunk; those of an algorithm that acts at chunk ends do not.
    pub(super) slots: usize,
}

impl<'a> Chunk<'a> {
    fn new(rule: &'a Rule, d: usize, c: usize) -> Self {
        Self {
            rule,
            maps: rule.memory.maps(d),
            gains: rule.memory.gains(d).iter().map(|gain| gain.d).sum(),
            c,
            rows: c * rule.memory.rows(),
            slots: if rule.algorithm.acts_at_chunk_end() {
                0
            } else {
                rule.algorithm.slots()
            },
        }
    }

    /// The chunks of a sequence with a new state, as (chunk, how often): whole ones and a rest.
    pub(super) fn of_sequence(rule: &'a Rule, d: usize, tokens: usize) -> Vec<(Self, usize)> {
        let chunk = rule.settings.chunk;
        [(chunk, tokens / chunk), (tokens % chunk, 1)]
            .into_iter()
            .filter(|(c, times)| *c > 0 && *times > 0)
            .map(|(c, times)| (Self::new(rule, d, c), times))
            .collect()
    }

    /// Width of keys and values.
    pub(super) fn d(&self) -> usize {
        self.maps.first().map_or(0, |map| map.d_in)
    }

    /// Numbers in the weights of all maps.
    pub(super) fn weights(&self) -> usize {
        self.maps.iter().map(|map| map.d_in * map.d_out).sum()
    }

    /// The maps through which gradients flow back: all but the first, which nothing is behind.
    pub(super) fn inner_maps(&self) -> &[MapSpec] {
        self.maps.get(1..).unwrap_or_default()
    }
}
