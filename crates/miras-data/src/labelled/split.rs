//! Which sequences are kept for validation.

use sha2::{Digest, Sha256};

/// Whether each of some sequences of one class is kept, about a share `fraction` of them.
///
/// It follows from the sequences alone, neither from their order nor from a seed: those with the
/// largest hashes are kept. Equal ones are on one side. Of a single sequence, or of equal ones, none is
/// kept.
pub(super) fn kept(sequences: &[&[i32]], fraction: f64) -> Vec<bool> {
    let hashes: Vec<[u8; 32]> = sequences.iter().map(|tokens| hash(tokens)).collect();
    let mut sorted = hashes.clone();
    sorted.sort_unstable();
    let count = sorted.len();
    let wanted = (count as f64 * fraction).round().max(1.0) as usize;
    let mut first = count - wanted.min(count);
    // The smallest hash is for training, and equal ones are where the first of them is.
    while first < count && (sorted[first] == sorted[0] || sorted[first] == sorted[first - 1]) {
        first += 1;
    }
    let least = sorted.get(first);
    let is_kept = |hash: &[u8; 32]| least.is_some_and(|least| hash >= least);
    hashes.iter().map(is_kept).collect()
}

/// By which sequences are split and ordered.
pub(super) fn hash(tokens: &[i32]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for token in tokens {
        hash.update(token.to_le_bytes());
    }
    hash.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_kept_whatever_the_order_and_equal_ones_together() {
        let sequences: Vec<Vec<i32>> = (0..200).map(|at| vec![at % 150, 7]).collect();
        let found = |order: &dyn Fn(usize) -> usize| {
            let given: Vec<&[i32]> = (0..200).map(|at| &*sequences[order(at)]).collect();
            let mut all: Vec<_> = given.iter().copied().zip(kept(&given, 0.2)).collect();
            all.sort_unstable();
            all
        };
        let one = found(&|at| at);
        assert_eq!(one, found(&|at| 199 - at));
        let count = one.iter().filter(|(_, is_kept)| *is_kept).count();
        assert!((35..=40).contains(&count), "{count}");
        for two in one.windows(2).filter(|two| two[0].0 == two[1].0) {
            assert_eq!(two[0].1, two[1].1);
        }
    }

    #[test]
    fn something_is_left_for_training() {
        for (sequences, fraction, expected) in [
            (&[&[1][..]][..], 0.5, 0),
            (&[&[1], &[1]], 0.9, 0),
            (&[&[1], &[2]], 0.1, 1),
            (&[&[1], &[2]], 0.99, 1),
            (&[&[1], &[2], &[3]], 0.99, 2),
        ] {
            let kept = kept(sequences, fraction);
            let count = kept.iter().filter(|is_kept| **is_kept).count();
            assert_eq!(count, expected, "{sequences:?} {fraction}");
        }
    }
}
