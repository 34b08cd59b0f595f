//! Choosing a token.

use miras_random::Stream;

/// How a token is chosen: a function of the logits, the seed and the position, so that equal
/// texts with equal seeds go on equally, wherever they were stopped in between.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sampler {
    /// Logits are divided by it; 0 takes the most likely token.
    pub temperature: f64,
    /// Only so many of the most likely tokens are chosen from; 0 is all.
    pub top_k: usize,
    /// Only the most likely tokens that together have this probability are chosen from (of those
    /// that `top_k` leaves); 1 is all.
    pub top_p: f64,
    /// Seed of the choice.
    pub seed: u64,
}

impl Sampler {
    /// The most likely token, always.
    pub const GREEDY: Self = Self {
        temperature: 0.0,
        top_k: 0,
        top_p: 1.0,
        seed: 0,
    };

    /// What is wrong with the numbers, if anything is.
    pub fn problem(&self) -> Option<String> {
        let Self {
            temperature, top_p, ..
        } = self;
        if !(temperature.is_finite() && *temperature >= 0.0) {
            return Some(format!(
                "--temperature must be 0 or more, got {temperature}"
            ));
        }
        if !(*top_p > 0.0 && *top_p <= 1.0) {
            return Some(format!(
                "--top-p must be above 0 and at most 1, got {top_p}"
            ));
        }
        None
    }

    /// A token; of equally likely ones the lower comes first.
    pub fn pick(&self, logits: &[f32], position: u64) -> i32 {
        let candidates = self.candidates(logits);
        let mut left = Stream::new(self.seed, "generate", &[position]).unit();
        for (token, probability) in &candidates {
            left -= probability;
            if left < 0.0 {
                return *token;
            }
        }
        // Rounding may leave a little over.
        candidates.last().map_or(0, |(token, _)| *token)
    }

    /// The tokens to choose from with their probabilities, which add up to 1, the most likely
    /// first.
    pub fn candidates(&self, logits: &[f32]) -> Vec<(i32, f64)> {
        let mut order: Vec<usize> = (0..logits.len()).collect();
        order.sort_by(|&a, &b| logits[b].total_cmp(&logits[a]).then(a.cmp(&b)));
        let kept = match (self.temperature, self.top_k) {
            (0.0, _) => 1,
            (_, 0) => order.len(),
            (_, k) => k,
        };
        order.truncate(kept);
        let Some(&first) = order.first() else {
            return Vec::new();
        };
        let temperature = if self.temperature > 0.0 {
            self.temperature
        } else {
            1.0
        };
        let top = f64::from(logits[first]);
        let mut candidates: Vec<(i32, f64)> = (order.into_iter())
            .map(|token| {
                let weight = ((f64::from(logits[token]) - top) / temperature).exp();
                (token as i32, weight)
            })
            .collect();
        normalize(&mut candidates);
        if self.top_p < 1.0 {
            let mut sum = 0.0;
            let enough = candidates.iter().position(|(_, probability)| {
                sum += probability;
                sum >= self.top_p
            });
            candidates.truncate(enough.map_or(candidates.len(), |last| last + 1));
            normalize(&mut candidates);
        }
        candidates
    }
}

fn normalize(candidates: &mut [(i32, f64)]) {
    let sum: f64 = candidates.iter().map(|(_, weight)| weight).sum();
    for (_, weight) in candidates {
        *weight /= sum;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Probabilities 0.1, 0.4, 0.2, 0.3.
    fn logits() -> Vec<f32> {
        [0.1_f32, 0.4, 0.2, 0.3].map(f32::ln).to_vec()
    }

    const PLAIN: Sampler = Sampler {
        temperature: 1.0,
        top_k: 0,
        top_p: 1.0,
        seed: 3,
    };

    fn tokens(sampler: Sampler) -> Vec<i32> {
        let candidates = sampler.candidates(&logits());
        let sum: f64 = candidates.iter().map(|(_, probability)| probability).sum();
        assert!((sum - 1.0).abs() < 1e-12);
        candidates.into_iter().map(|(token, _)| token).collect()
    }

    #[test]
    fn cuts_are_where_they_are_said_to_be() {
        assert_eq!(tokens(PLAIN), [1, 3, 2, 0]);
        for (top_k, expected) in [(1, &[1][..]), (2, &[1, 3]), (9, &[1, 3, 2, 0])] {
            assert_eq!(tokens(Sampler { top_k, ..PLAIN }), expected, "{top_k}");
        }
        for (top_p, expected) in [
            (0.01, &[1][..]),
            (0.39, &[1]),
            (0.41, &[1, 3]),
            (0.69, &[1, 3]),
            (0.71, &[1, 3, 2]),
            (0.91, &[1, 3, 2, 0]),
            (1.0, &[1, 3, 2, 0]),
        ] {
            assert_eq!(tokens(Sampler { top_p, ..PLAIN }), expected, "{top_p}");
        }
        // Of the two that are left, the first has 4/7.
        let both = |top_p| Sampler {
            top_k: 2,
            top_p,
            ..PLAIN
        };
        assert_eq!(tokens(both(0.56)), [1]);
        assert_eq!(tokens(both(0.58)), [1, 3]);
    }

    #[test]
    fn the_greedy_choice_has_several_names() {
        let cold = Sampler {
            temperature: 0.0,
            ..PLAIN
        };
        let one = Sampler { top_k: 1, ..PLAIN };
        for position in 0..50 {
            for sampler in [Sampler::GREEDY, cold, one] {
                assert_eq!(sampler.pick(&logits(), position), 1);
            }
        }
        assert_eq!(
            Sampler::GREEDY.pick(&[1.0, 2.0, 2.0], 0),
            1,
            "the lower of equals"
        );
    }

    #[test]
    fn choices_follow_the_probabilities_and_the_seed() {
        let mut counts = [0_u32; 4];
        for position in 0..10_000 {
            counts[PLAIN.pick(&logits(), position) as usize] += 1;
        }
        for (count, expected) in counts.iter().zip([1000_u32, 4000, 2000, 3000]) {
            assert!(count.abs_diff(expected) < 200, "{counts:?}");
        }
        let text = |seed| -> Vec<i32> {
            let sampler = Sampler { seed, ..PLAIN };
            (0..40).map(|at| sampler.pick(&logits(), at)).collect()
        };
        assert_eq!(text(1), text(1));
        assert_ne!(text(1), text(2));
    }

    #[test]
    fn temperature_sharpens_and_flattens() {
        let first = |temperature| {
            let sampler = Sampler {
                temperature,
                ..PLAIN
            };
            sampler.candidates(&logits())[0].1
        };
        assert!(first(0.5) > first(1.0) && first(1.0) > first(2.0));
        assert!((first(0.5) - 0.16 / 0.30).abs() < 1e-6);
    }

    #[test]
    fn numbers_out_of_range_are_named() {
        assert_eq!(PLAIN.problem(), None);
        for temperature in [-1.0, f64::NAN, f64::INFINITY] {
            let sampler = Sampler {
                temperature,
                ..PLAIN
            };
            assert!(sampler.problem().is_some(), "{temperature}");
        }
        for top_p in [0.0, -0.1, 1.1, f64::NAN] {
            assert!(Sampler { top_p, ..PLAIN }.problem().is_some(), "{top_p}");
        }
    }
}
