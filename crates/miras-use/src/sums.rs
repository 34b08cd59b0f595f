//! Sums over scored targets, in all and by position.

use std::f64::consts::LN_2;

use miras_data::Targets;
use miras_spec::Sum;

use crate::report::{ByPosition, Measured};

/// The end of the first range of positions; each further one is as long as all before it.
const FIRST: usize = 16;

/// The targets at some positions.
pub(crate) struct Range {
    /// The first position.
    pub(crate) from: usize,
    /// The last one.
    pub(crate) to: usize,
    pub(crate) sum: Sum,
}

pub(crate) fn measured(sum: &Sum, targets: Targets) -> Measured {
    let loss = sum.mean_loss();
    Measured {
        tokens: sum.weight as u64,
        loss,
        perplexity: (!matches!(targets, Targets::Classes | Targets::Values)).then(|| loss.exp()),
        bits_per_byte: sum.bits_per_byte(),
        bits_per_base: (targets == Targets::Bases).then_some(loss / LN_2),
        accuracy: (targets != Targets::Values).then(|| sum.accuracy()),
    }
}

/// The positions in ranges 0 to 15, 16 to 31, 32 to 63 and so on, without those in which nothing
/// is scored.
pub(crate) fn ranges(positions: &[Sum]) -> Vec<Range> {
    let mut found = Vec::new();
    let (mut from, mut end) = (0, FIRST);
    while from < positions.len() {
        let to = end.min(positions.len());
        let sum = Sum::total(&positions[from..to]);
        if sum.weight > 0.0 {
            let to = to - 1;
            found.push(Range { from, to, sum });
        }
        (from, end) = (end, 2 * end);
    }
    found
}

/// What the targets of each range say.
pub(crate) fn by_position(positions: &[Sum], targets: Targets) -> Vec<ByPosition> {
    let ranges = ranges(positions).into_iter();
    ranges
        .map(|range| ByPosition {
            from: range.from,
            to: range.to,
            measured: measured(&range.sum, targets),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_double_and_add_up() {
        let one = Sum {
            loss: 2.0,
            squares: 4.0,
            hits: 0.5,
            weight: 1.0,
            bytes: 1.0,
        };
        let mut positions = vec![one; 70];
        positions[16..32].fill(Sum::default());
        let found = by_position(&positions, Targets::Text);
        let ranges: Vec<_> = found
            .iter()
            .map(|one| (one.from, one.to, one.measured.tokens))
            .collect();
        assert_eq!(ranges, [(0, 15, 16), (32, 63, 32), (64, 69, 6)]);
        assert!((found[0].measured.loss - 2.0).abs() < 1e-12);
        assert_eq!(found[0].measured.bits_per_base, None);
        let all = measured(&Sum::total(&positions), Targets::Bases);
        assert_eq!(all.tokens, 54);
        assert!((all.bits_per_base.unwrap() - 2.0 / LN_2).abs() < 1e-12);
        assert!(by_position(&[], Targets::Text).is_empty());
    }
}
