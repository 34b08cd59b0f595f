//! Sums over scored targets, in all and by position.

use crate::report::{ByPosition, Measured};

/// The end of the first range of positions; each further one is as long as all before it.
const FIRST: usize = 16;

/// What a position, or several, add up to.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Sum {
    /// Nats.
    pub(crate) loss: f64,
    /// Targets ranked first.
    pub(crate) hits: f64,
    /// Scored targets.
    pub(crate) weight: f64,
    /// Bytes of the scored targets.
    pub(crate) bytes: f64,
}

impl Sum {
    pub(crate) fn add(&mut self, other: &Self) {
        self.loss += other.loss;
        self.hits += other.hits;
        self.weight += other.weight;
        self.bytes += other.bytes;
    }

    pub(crate) fn measured(&self) -> Measured {
        let loss = self.loss / self.weight;
        Measured {
            tokens: self.weight as u64,
            loss,
            perplexity: loss.exp(),
            bits_per_byte: (self.bytes > 0.0)
                .then(|| self.loss / self.bytes / std::f64::consts::LN_2),
            accuracy: self.hits / self.weight,
        }
    }
}

/// All positions together.
pub(crate) fn total(positions: &[Sum]) -> Sum {
    let mut total = Sum::default();
    for sum in positions {
        total.add(sum);
    }
    total
}

/// The positions in ranges 0 to 15, 16 to 31, 32 to 63 and so on, without those in which nothing
/// is scored.
pub(crate) fn by_position(positions: &[Sum]) -> Vec<ByPosition> {
    let mut found = Vec::new();
    let (mut from, mut end) = (0, FIRST);
    while from < positions.len() {
        let to = end.min(positions.len());
        let sum = total(&positions[from..to]);
        if sum.weight > 0.0 {
            found.push(ByPosition {
                from,
                to: to - 1,
                measured: sum.measured(),
            });
        }
        (from, end) = (end, 2 * end);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_double_and_add_up() {
        let mut positions = vec![
            Sum {
                loss: 2.0,
                hits: 0.5,
                weight: 1.0,
                bytes: 1.0,
            };
            70
        ];
        positions[16..32].fill(Sum::default());
        let found = by_position(&positions);
        let ranges: Vec<_> = found
            .iter()
            .map(|one| (one.from, one.to, one.measured.tokens))
            .collect();
        assert_eq!(ranges, [(0, 15, 16), (32, 63, 32), (64, 69, 6)]);
        assert!((found[0].measured.loss - 2.0).abs() < 1e-12);
        assert_eq!(total(&positions).measured().tokens, 54);
        assert!(by_position(&[]).is_empty());
    }
}
