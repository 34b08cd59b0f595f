//! Random numbers as a function of seed, purpose and place.
//!
//! No generator state is ever saved: batches, initial weights and samples ask
//! for the stream of their own seed, purpose and position.

use std::collections::HashSet;

/// The golden ratio in 64 bits, the step of `SplitMix64`.
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// Random numbers that depend on nothing but a seed, a purpose and a place in a sequence.
///
/// Streams with different arguments are independent, so any batch can be made without
/// making those before it. The numbers are the same on every platform and are pinned by a
/// test: recorded runs depend on them. The generator is xoshiro256** (Blackman and Vigna).
#[derive(Clone, Debug)]
pub struct Stream {
    state: [u64; 4],
}

impl Stream {
    /// The stream for one use, say `Stream::new(seed, "train", &[batch, row])`.
    pub fn new(seed: u64, purpose: &str, index: &[u64]) -> Self {
        let mut hash = mix(seed.wrapping_add(GOLDEN));
        let mut absorb = |word: u64| hash = mix(hash.wrapping_add(GOLDEN) ^ word);
        absorb(purpose.len() as u64);
        for byte in purpose.bytes() {
            absorb(u64::from(byte));
        }
        absorb(index.len() as u64);
        for &word in index {
            absorb(word);
        }
        let state = std::array::from_fn(|_| {
            hash = hash.wrapping_add(GOLDEN);
            mix(hash)
        });
        Self { state }
    }

    /// The next 64 random bits.
    pub fn next_u64(&mut self) -> u64 {
        let s = &mut self.state;
        let result = s[1].wrapping_mul(5).rotate_left(7).wrapping_mul(9);
        let t = s[1] << 17;
        s[2] ^= s[0];
        s[3] ^= s[1];
        s[1] ^= s[2];
        s[0] ^= s[3];
        s[2] ^= t;
        s[3] = s[3].rotate_left(45);
        result
    }

    /// A number from 0 to `bound - 1`, each equally likely; 0 if `bound` is 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        // Lemire's method: the high half of a product, with the few low halves that would
        // favour some results drawn again.
        let mut product = u128::from(self.next_u64()) * u128::from(bound);
        if (product as u64) < bound {
            let unfair = bound.wrapping_neg() % bound;
            while (product as u64) < unfair {
                product = u128::from(self.next_u64()) * u128::from(bound);
            }
        }
        (product >> 64) as u64
    }

    /// An index into a list of `len` items; 0 if it is empty.
    pub fn index(&mut self, len: usize) -> usize {
        self.below(len as u64) as usize
    }

    /// A number in [0, 1), of 53 random bits.
    pub fn unit(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// A number from the normal distribution with mean 0 and deviation 1 (Box and Muller).
    pub fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.unit()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.unit()).cos()
    }

    /// True once in `n` times on average.
    pub fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    /// Puts the items in random order.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            let other = self.index(last + 1);
            items.swap(last, other);
        }
    }

    /// `count` different numbers below `bound` in random order; all of them if `count` is larger.
    pub fn distinct(&mut self, bound: u64, count: usize) -> Vec<u64> {
        // Floyd's sampling needs memory for the result only.
        let count = (count as u64).min(bound);
        let mut seen = HashSet::new();
        let mut result = Vec::with_capacity(count as usize);
        for top in bound - count..bound {
            let drawn = self.below(top + 1);
            let fresh = if seen.insert(drawn) { drawn } else { top };
            seen.insert(fresh);
            result.push(fresh);
        }
        self.shuffle(&mut result);
        result
    }
}

/// The output function of `SplitMix64`: a bijection that spreads every bit over all bits.
fn mix(word: u64) -> u64 {
    let word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first(seed: u64, purpose: &str, index: &[u64]) -> u64 {
        Stream::new(seed, purpose, index).next_u64()
    }

    #[test]
    fn first_values_never_change() {
        let mut stream = Stream::new(7, "train", &[3, 1]);
        let values: [u64; 4] = std::array::from_fn(|_| stream.next_u64());
        let expected = [
            5_205_991_567_295_637_286,
            473_915_692_292_079_250,
            10_829_948_908_645_206_041,
            5_380_945_752_429_799_541,
        ];
        assert_eq!(values, expected);
        let mut stream = Stream::new(0, "", &[]);
        assert_eq!([stream.below(10), stream.below(1000)], [5, 610]);
    }

    #[test]
    fn every_argument_changes_the_stream() {
        let base = first(1, "train", &[2, 3]);
        assert_ne!(base, first(2, "train", &[2, 3]));
        assert_ne!(base, first(1, "eval", &[2, 3]));
        assert_ne!(base, first(1, "train", &[3, 2]));
        assert_ne!(base, first(1, "train", &[2, 3, 0]));
    }

    #[test]
    fn neighbouring_streams_share_no_values() {
        let mut seen = HashSet::new();
        for index in 0..200 {
            for row in 0..50 {
                assert!(seen.insert(first(0, "train", &[index, row])));
            }
        }
    }

    #[test]
    fn small_ranges_are_even() {
        let mut stream = Stream::new(1, "test", &[]);
        let mut counts = [0_u32; 6];
        for _ in 0..60_000 {
            counts[stream.index(6)] += 1;
        }
        assert!(
            counts.iter().all(|count| (9_600..10_400).contains(count)),
            "{counts:?}"
        );
    }

    #[test]
    fn large_ranges_are_even_too() {
        // A plain remainder would give the lower half of this range twice as often.
        let bound = (1 << 63) + (1 << 62);
        let mut stream = Stream::new(1, "test", &[]);
        let low = (0..10_000)
            .filter(|_| stream.below(bound) < bound / 2)
            .count();
        assert!((4_800..5_200).contains(&low), "{low}");
    }

    #[test]
    fn units_and_normals_have_their_moments() {
        let mut stream = Stream::new(1, "test", &[]);
        let count = 50_000;
        let units: f64 = (0..count).map(|_| stream.unit()).sum();
        assert!((units / f64::from(count) - 0.5).abs() < 0.01);
        let squares: f64 = (0..count).map(|_| stream.normal().powi(2)).sum();
        assert!((squares / f64::from(count) - 1.0).abs() < 0.03);
    }

    #[test]
    fn distinct_numbers_are_distinct_and_reach_the_whole_range() {
        let mut stream = Stream::new(1, "test", &[]);
        for count in [0, 1, 5, 10] {
            let drawn = stream.distinct(10, count);
            let set: HashSet<_> = drawn.iter().collect();
            assert_eq!((drawn.len(), set.len()), (count, count));
            assert!(drawn.iter().all(|&number| number < 10));
        }
        assert_eq!(stream.distinct(3, 9).len(), 3);
        assert_eq!(stream.below(0), 0);
    }
}
