//! Means, t-tests and Holm's correction against numbers by hand.

use std::collections::BTreeMap;

use miras_compare::{Difference, Sample, holm};

fn close(a: f64, b: f64) {
    assert!((a - b).abs() < 1e-5, "{a} is not {b}");
}

/// Values with seeds from `first` on.
fn seeds(first: u64, values: &[f64]) -> BTreeMap<u64, f64> {
    (first..).zip(values.iter().copied()).collect()
}

#[test]
fn welch_by_hand() {
    // Means 2 and 5, variances 1 and 4: t = -3 / sqrt(5/3), and
    // df = (5/3)² / ((1/9 + 16/9) / 2) = 50/17.
    let (a, b) = (seeds(1, &[1.0, 2.0, 3.0]), seeds(11, &[3.0, 5.0, 7.0]));
    let welch = Difference::of(&a, &b, 0.0).unwrap();
    assert!(!welch.paired);
    close(welch.mean, -3.0);
    close(welch.t, -3.0 / (5.0_f64 / 3.0).sqrt());
    close(welch.degrees_of_freedom, 50.0 / 17.0);
    assert!(welch.p > 0.09 && welch.p < 0.11, "{}", welch.p);
    close(Difference::of(&b, &a, 0.0).unwrap().t, -welch.t);
    // A step of 2 widens the first side to the spread of the second.
    let coarse = Difference::of(&a, &b, 2.0).unwrap();
    close(coarse.t, -3.0 / (8.0_f64 / 3.0).sqrt());
    close(coarse.degrees_of_freedom, 4.0);
}

#[test]
fn seeds_in_common_are_paired() {
    // Differences 0.1, 0.2, 0.3: mean 0.2, deviation 0.1, t = 0.2 / (0.1 / sqrt 3), df 2.
    let (one, other) = (seeds(1, &[5.1, 3.2, 9.3]), seeds(1, &[5.0, 3.0, 9.0]));
    let paired = Difference::of(&one, &other, 0.0).unwrap();
    assert!(paired.paired);
    close(paired.mean, 0.2);
    close(paired.t, 2.0 * 3.0_f64.sqrt());
    close(paired.degrees_of_freedom, 2.0);
    close(paired.half_width, 4.302_653 * 0.1 / 3.0_f64.sqrt());
    // Where p has a closed form: p = 1 - t / sqrt(2 + t²).
    close(paired.p, 1.0 - paired.t / (2.0 + paired.t.powi(2)).sqrt());
    let coarse = Difference::of(&one, &other, 0.5).unwrap();
    close(coarse.half_width, 4.302_653 * 0.5 / 3.0_f64.sqrt());
}

#[test]
fn no_spread_is_never_certainty() {
    // One question in sixteen answered more by both seeds.
    let few = seeds(1, &[0.0625, 0.375]);
    assert_eq!(
        Difference::of(&seeds(1, &[0.125, 0.4375]), &few, 0.0625),
        None
    );
    for first in [1, 7] {
        let (low, high) = (seeds(1, &[2.0; 3]), seeds(first, &[3.0; 3]));
        assert_eq!(Difference::of(&low, &high, 0.0), None, "seeds from {first}");
        assert_eq!(Difference::of(&low, &low, 0.0), None);
        // The last bit of a 32-bit number is no spread.
        let rounded = seeds(1, &[2.0, 2.0 + 1e-7, 2.0 - 1e-7]);
        assert_eq!(Difference::of(&rounded, &high, 0.0), None);
        // One question of sixteen is told by nothing, half of a thousand is.
        let (none, one) = (seeds(1, &[0.25; 3]), seeds(first, &[0.3125; 3]));
        assert!(Difference::of(&none, &one, 0.0625).unwrap().p > 0.2);
        let half = seeds(first, &[0.75; 3]);
        let told = Difference::of(&none, &half, 0.001).unwrap().p;
        assert!(told > 0.0 && told < 0.01, "{told}");
    }
    let many: Vec<f64> = vec![0.0; 400];
    let far = Difference::of(&seeds(1, &many), &seeds(1, &vec![1e4; 400]), 0.01).unwrap();
    assert!(far.p > 0.0, "{}", far.p);
}

#[test]
fn edges() {
    assert_eq!(Sample::of(&[]), None);
    assert_eq!(Sample::of(&[2.0]).unwrap().std, None);
}

#[test]
fn holm_by_hand() {
    let corrected = holm(&[0.01, 0.04, 0.03]);
    for (got, expected) in corrected.iter().zip([0.03, 0.06, 0.06]) {
        close(*got, expected);
    }
    assert!(holm(&[]).is_empty());
}

/// Values of two sides with a spread of 1 for each difference, paired or not.
fn unit_spread(paired: bool, seeds_of_each: u64) -> Difference {
    // Steps up and down by the deviation, over n values: the variance is n / (n - 1) of its square.
    let n = seeds_of_each as f64;
    let sides = if paired { 1.0 } else { 2.0 };
    let step = ((n - 1.0) / n / sides).sqrt();
    let value = |seed: u64| if seed.is_multiple_of(2) { step } else { -step };
    let one = (0..seeds_of_each).map(|seed| (seed, value(seed))).collect();
    let first = if paired { 0 } else { seeds_of_each };
    let other =
        (first..first + seeds_of_each).map(|seed| (seed, if paired { 0.0 } else { value(seed) }));
    Difference::of(&one, &other.collect(), 0.0).unwrap()
}

#[test]
fn seeds_for_an_effect_are_those_of_published_tables() {
    for paired in [true, false] {
        for seeds in [4, 10, 60] {
            let pilot = unit_spread(paired, seeds);
            close(pilot.spread, 1.0);
            assert_eq!(pilot.seeds(), seeds as usize, "{paired}");
        }
    }
    // Two-sided 5 %, power 80 %: the numbers of G*Power 3.1 for one sample and for two.
    let pilot = unit_spread(true, 10);
    for (effect, seeds) in [(0.2, 199), (0.5, 34), (0.8, 15), (1.0, 10)] {
        assert_eq!(pilot.seeds_for(effect).expected, seeds, "{effect}");
        assert_eq!(pilot.seeds_for(-effect), pilot.seeds_for(effect));
    }
    let pilot = unit_spread(false, 10);
    // Effects there are in units of the deviation of one side.
    for (effect, seeds) in [(0.2, 394), (0.5, 64), (0.8, 26), (1.0, 17)] {
        let effect = effect / 2.0_f64.sqrt();
        assert_eq!(pilot.seeds_for(effect).expected, seeds, "{effect}");
    }
    // What they find is the effect, and one seed less would not do.
    let found = unit_spread(true, 34).smallest();
    assert!(
        found <= 0.5 && unit_spread(true, 32).smallest() > 0.5,
        "{found}"
    );
    // A small pilot leaves more room: 4 seeds, √(3 / χ²₀.₂(3)) = √(3 / 1.005174).
    let few = unit_spread(true, 4);
    let wide = (3.0_f64 / 1.005_174).sqrt();
    let expected = unit_spread(true, 10).seeds_for(0.5 / wide).expected;
    assert_eq!(few.seeds_for(0.5).at_most, expected);
    assert!(few.seeds_for(0.5).at_most > pilot.seeds_for(0.5).at_most);
    assert_eq!(few.seeds_for(1e-9).expected, 1_000_000);
}
