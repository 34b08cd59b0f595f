//! No spread is not certainty, in any of the outputs.

use std::path::PathBuf;

use miras_compare::{Comparison, Verdict};
use serde_json::Value;

use crate::fixture::{Draft, Place};

/// Recall at two depths and two rates, by the number of right answers of each seed.
fn recall(place: &Place, questions: u64, right: [&[u64]; 2], is_paired: bool) -> Comparison {
    let mut paths: Vec<PathBuf> = Vec::new();
    for lr in ["0.1", "0.2"] {
        for (depth, right) in (1_u64..).zip(right) {
            for (seed, &right) in (1..).zip(right) {
                let seed = seed + if is_paired { 0 } else { 100 * depth };
                let draft = Draft::new(&format!("d{depth}-{lr}-s{seed}"), seed, 2.0)
                    .recall(right, questions)
                    .set("memory.depth", &depth.to_string())
                    .set("optim.lr", lr);
                paths.push(place.run(&draft));
            }
        }
    }
    Comparison::read(&paths, Some("eval/accuracy"), None).unwrap()
}

/// That nothing in a comparison claims to know: verdicts, contrasts, JSON, text, report.
fn cannot_tell(comparison: &Comparison, verdict: Verdict) {
    for variant in &comparison.variants[1..] {
        assert!(
            variant.verdict == verdict || variant.verdict == Verdict::WithinNoise,
            "{:?}",
            variant.verdict
        );
    }
    assert!(
        comparison
            .contrasts
            .iter()
            .all(|contrast| { contrast.pairs.iter().all(|pair| !pair.is_significant) })
    );
    let json: Value = serde_json::from_str(&comparison.json()).unwrap();
    let variants = json["variants"].as_array().unwrap();
    let contrasts = json["contrasts"].as_array().unwrap();
    let pairs = contrasts
        .iter()
        .flat_map(|one| one["pairs"].as_array().unwrap());
    for one in variants.iter().chain(pairs) {
        for key in ["p", "p_holm"] {
            assert!(one[key].as_f64().is_none_or(|p| p > 0.05), "{one}");
        }
        assert_ne!(one["verdict"], "worse");
        assert_ne!(one["verdict"], "different");
    }
    for text in [
        comparison.text(),
        comparison.markdown(),
        comparison.html().unwrap(),
    ] {
        assert!(
            !text.contains("different") && !text.contains("is worse"),
            "{text}"
        );
    }
}

#[test]
fn two_seeds_cannot_tell_whatever_their_values() {
    for is_paired in [true, false] {
        let place = Place::new();
        // One question in sixteen more, for both seeds.
        let comparison = recall(&place, 16, [&[1, 6], &[2, 7]], is_paired);
        cannot_tell(&comparison, Verdict::TwoSeeds);
        assert!(comparison.text().contains("two seeds: cannot tell"));
        assert!(
            comparison
                .variants
                .iter()
                .all(|one| one.difference.is_none())
        );
    }
}

#[test]
fn a_metric_of_few_questions_has_the_spread_of_one_question() {
    for is_paired in [true, false] {
        let place = Place::new();
        let comparison = recall(&place, 16, [&[4; 3], &[5; 3]], is_paired);
        assert_eq!(comparison.resolution, Some(0.0625));
        cannot_tell(&comparison, Verdict::WithinNoise);
        assert!(
            comparison.text().contains("steps of 0.0625"),
            "{}",
            comparison.text()
        );
        // With questions enough the same shares are told apart.
        let place = Place::new();
        let comparison = recall(&place, 1600, [&[400; 3], &[500; 3]], is_paired);
        let worse = |one: &&miras_compare::Variant| one.verdict == Verdict::Worse;
        assert_eq!(comparison.variants.iter().filter(worse).count(), 2);
        let p = comparison.variants[3].p_holm.unwrap();
        assert!(p > 0.0 && p < 0.01, "{p}");
    }
}

#[test]
fn runs_that_do_not_say_how_many_questions_show_it_by_their_steps() {
    let place = Place::new();
    let mut paths = Vec::new();
    for (depth, accuracy) in [(1, 0.25), (2, 0.3125)] {
        for seed in 1..=3 {
            let mut draft = Draft::new(&format!("d{depth}-s{seed}"), seed, 2.0)
                .set("memory.depth", &depth.to_string());
            draft.tail = [0.125, accuracy]
                .map(|value| {
                    format!("{{\"step\":100,\"tokens\":100000,\"eval/accuracy\":{value}}}\n")
                })
                .concat();
            paths.push(place.run(&draft));
        }
    }
    let comparison = Comparison::read(&paths, Some("eval/accuracy"), None).unwrap();
    assert_eq!(comparison.resolution, Some(0.0625));
    assert_eq!(comparison.variants[1].verdict, Verdict::WithinNoise);
}

#[test]
fn values_that_are_all_equal_say_nothing_of_chance() {
    for is_paired in [true, false] {
        let place = Place::new();
        let mut paths = Vec::new();
        for depth in [1_u64, 2] {
            for seed in 1..=4 {
                let seed = seed + if is_paired { 0 } else { 100 * depth };
                let draft = Draft::new(&format!("d{depth}-s{seed}"), seed, 2.0 + depth as f64);
                paths.push(place.run(&draft.set("memory.depth", &depth.to_string())));
            }
        }
        let comparison = Comparison::read(&paths, None, None).unwrap();
        assert_eq!(comparison.variants[1].verdict, Verdict::NoSpread);
        cannot_tell(&comparison, Verdict::NoSpread);
    }
}
