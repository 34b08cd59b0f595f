//! Which runs are one variant, which of them count, and what is said of them.

use miras_compare::{Comparison, State, Verdict};
use miras_run::Status;

use crate::fixture::{Draft, Place, compare, full};

fn labels(comparison: &Comparison) -> Vec<&str> {
    comparison
        .variants
        .iter()
        .map(|one| one.label.as_str())
        .collect()
}

/// Three seeds of a variant with a depth, spread by 0.01 around a loss; no two depths have a seed
/// in common.
fn three(place: &Place, depth: u32, loss: f64) -> Vec<std::path::PathBuf> {
    let one = |seed: u64| {
        let name = format!("d{depth}-s{seed}");
        let own = 10 * u64::from(depth) + seed;
        let draft = Draft::new(&name, own, loss + 0.01 * (seed as f64 - 2.0));
        place.run(&draft.set("memory.depth", &depth.to_string()))
    };
    (1..=3).map(one).collect()
}

#[test]
fn seeds_are_one_variant_and_means_are_held_against_the_best() {
    let place = Place::new();
    let mut paths = three(&place, 1, 2.5);
    paths.extend(three(&place, 2, 2.3));
    paths.extend(three(&place, 4, 2.305));
    let comparison = compare(&paths);
    assert_eq!(labels(&comparison), ["depth=2", "depth=4", "depth=1"]);
    let best = comparison.variants[0].sample.unwrap();
    assert_eq!(best.n, 3);
    assert!((best.mean - 2.3).abs() < 1e-12 && (best.std.unwrap() - 0.01).abs() < 1e-12);
    let verdicts: Vec<_> = comparison.variants.iter().map(|one| one.verdict).collect();
    assert_eq!(
        verdicts,
        [Verdict::Best, Verdict::WithinNoise, Verdict::Worse]
    );
    // Equal spreads: t = 0.2 / sqrt(2 * 0.01² / 3) = 24.49, and df = 4.
    let p = comparison.variants[2].difference.unwrap().p;
    assert!((p / 1.65e-5 - 1.0).abs() < 0.05, "{p}");
    assert!((comparison.variants[2].p_holm.unwrap() - 2.0 * p).abs() < 1e-12);
    assert_eq!(comparison.warnings, [] as [String; 0]);
}

#[test]
fn one_seed_cannot_tell() {
    let place = Place::new();
    let mut paths = three(&place, 1, 2.5);
    paths.push(place.run(&Draft::new("alone", 1, 2.0)));
    let comparison = compare(&paths);
    assert_eq!(comparison.variants[0].label, "depth=2");
    assert_eq!(comparison.variants[1].verdict, Verdict::OneSeed);
    assert!(comparison.text().contains("one seed: cannot tell"));
}

#[test]
fn runs_that_did_not_end_as_asked_are_listed_and_in_no_mean() {
    let place = Place::new();
    let mut paths = three(&place, 2, 2.3);
    for (at, status) in [
        Some(Status::Interrupted),
        Some(Status::Nonfinite),
        Some(Status::Failed),
        None,
        Some(Status::Finished),
    ]
    .into_iter()
    .enumerate()
    {
        let loss = if status == Some(Status::Finished) {
            f64::NAN
        } else {
            0.1
        };
        let mut draft = Draft::new(&format!("bad-{at}"), 100 + at as u64, loss);
        draft.status = status;
        draft.message = (status == Some(Status::Failed)).then(|| "disk full".to_owned());
        paths.push(place.run(&draft));
    }
    let comparison = compare(&paths);
    assert_eq!(comparison.variants.len(), 1);
    let variant = &comparison.variants[0];
    assert_eq!((variant.sample.unwrap().n, variant.excluded()), (3, 5));
    let why: Vec<_> = comparison
        .excluded()
        .map(|(_, run)| run.excluded.clone().unwrap())
        .collect();
    assert_eq!(
        why,
        [
            "interrupted at step 100",
            "nonfinite at step 100",
            "failed at step 100: disk full",
            "unfinished at step 100",
            "eval/loss is NaN at the end",
        ]
    );
    // Nothing differs, so the name is the first run's without its seed.
    assert_eq!(variant.label, "d2");
}

#[test]
fn a_sweep_names_its_keys_and_its_failed_trials() {
    let place = Place::new();
    let comparison = compare(&[full(&place)]);
    assert_eq!(comparison.shown, ["memory.depth", "optim.lr"]);
    assert_eq!(comparison.variants.len(), 6);
    assert_eq!(comparison.variants[0].label, "depth=4 lr=0.003");
    let (variant, run) = comparison.excluded().next().unwrap();
    assert_eq!(variant.label, "depth=4 lr=0.001");
    assert_eq!(run.state, State::Ended(Status::Failed));
    assert_eq!(run.excluded.as_deref(), Some("failed: out of <memory>"));
    assert_eq!((variant.sample.unwrap().n, variant.excluded()), (2, 1));
}

/// Points that have names are called by them, and contrasts are made at each of them, however many
/// keys they set.
#[test]
fn points_with_names_are_called_by_them() {
    let place = Place::new();
    let mut trials = Vec::new();
    for at in 0..2_usize {
        for (lr, gain) in [("0.001", 0.0), ("0.003", 0.1)] {
            for seed in 1..=3_u64 {
                let chance = 0.001 * ((seed * 7 + at as u64) % 4) as f64;
                let loss = 2.0 + 0.1 * at as f64 - gain + chance;
                let mut draft = Draft::new(&format!("p{at}-lr{lr}-s{seed}"), seed, loss);
                for key in 0..8 {
                    draft = draft.set(&format!("bias.key{key}"), &at.to_string());
                }
                trials.push((draft.set("optim.lr", lr), "done"));
            }
        }
    }
    let folder = place.sweep("named", &trials);
    let plan = folder.join("sweep.json");
    let mut text: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(&plan).unwrap()).unwrap();
    text["keys"] = serde_json::json!(["name", "optim.lr"]);
    for trial in text["trials"].as_array_mut().unwrap() {
        let is_first = trial["name"].as_str().unwrap().starts_with("p0");
        trial["values"]["name"] = if is_first { "as it is" } else { "exact" }.into();
    }
    std::fs::write(&plan, text.to_string()).unwrap();
    let comparison = compare(&[folder]);
    assert_eq!(comparison.shown, ["name", "optim.lr"]);
    assert_eq!(comparison.variants[0].label, "as it is lr=0.003");
    let of_rate = |key: &str| {
        comparison
            .contrasts
            .iter()
            .find(|one| one.key == key)
            .unwrap()
    };
    let pairs = &of_rate("optim.lr").pairs;
    let at: Vec<&str> = pairs.iter().map(|pair| &*pair.label).collect();
    assert_eq!(at, ["as it is", "exact"]);
    for pair in pairs {
        assert!((pair.mean + 0.1).abs() < 1e-9, "{}", pair.mean);
    }
}

#[test]
fn a_run_named_beside_its_sweep_is_read_once() {
    let place = Place::new();
    let sweep = full(&place);
    let run = sweep.join("d1-lr0.001-s1");
    let comparison = compare(&[run, sweep.clone(), sweep]);
    assert_eq!(comparison.runs().count(), 18);
}

#[test]
fn keys_that_follow_from_others_are_not_in_the_label() {
    let place = Place::new();
    let mut paths = Vec::new();
    for (depth, ffn) in [(1, 100), (2, 200), (3, 200)] {
        let draft = Draft::new(&format!("r{depth}"), 1, 2.0 + f64::from(depth));
        let draft = draft.set("memory.depth", &depth.to_string());
        paths.push(place.run(&draft.set("model.ffn_dim", &ffn.to_string())));
    }
    let comparison = compare(&paths);
    assert_eq!(labels(&comparison), ["depth=1", "depth=2", "depth=3"]);
    assert_eq!(comparison.variants[1].also["model.ffn_dim"], 200);
    assert!(comparison.text().contains("ffn_dim=200"));
}

#[test]
fn kinds_are_named_by_their_table_and_many_keys_by_the_run() {
    let place = Place::new();
    let draft = |kind: &str| Draft::new(kind, 1, 2.0).set("memory.kind", &format!("'{kind}'"));
    let mut paths = vec![place.run(&draft("mlp")), place.run(&draft("linear"))];
    assert_eq!(labels(&compare(&paths)), ["memory=mlp", "memory=linear"]);
    let mut many = draft("other");
    for at in 0..7 {
        many = many.set(&format!("bias.key{at}"), "1");
    }
    many.name = "many-s1".into();
    paths.push(place.run(&many));
    assert_eq!(labels(&compare(&paths)), ["mlp", "linear", "many"]);
}

#[test]
fn what_was_not_equal_is_said() {
    let place = Place::new();
    let plain = Draft::new("plain", 1, 2.0);
    let mut longer = Draft::new("longer", 1, 1.9).set("memory.depth", "3");
    longer.tokens = 200_000;
    longer.parameters = Some(52_000);
    longer.data = "other.txt; 9 bytes; sha256:bb".into();
    let comparison = compare(&[place.run(&plain), place.run(&longer)]);
    let warnings = comparison.warnings.join("\n");
    for part in [
        "not equal: tokens of training, 100k (depth=2) to 200k (depth=3)",
        "not equal: parameters, 50k (depth=2) to 52k (depth=3)",
        "not equal: data (sha256:aa, sha256:bb)",
    ] {
        assert!(warnings.contains(part), "{warnings}");
        assert!(comparison.text().contains(part));
    }
    // Two per cent are equal enough, and so is the same file at another place.
    longer.name = "near".into();
    longer.tokens = 100_000;
    longer.parameters = Some(51_000);
    longer.data = "moved/words.txt; 9 bytes; sha256:aa".into();
    let comparison = compare(&[place.run(&longer), place.path().join("plain")]);
    assert_eq!(comparison.warnings, [] as [String; 0]);
}

#[test]
fn trials_without_a_folder_belong_to_their_variant() {
    let place = Place::new();
    let trial = |depth: &str, seed: u64| {
        Draft::new(&format!("d{depth}-s{seed}"), seed, 2.0)
            .set("memory.depth", depth)
            .set("model.ffn_dim", if depth == "2" { "500" } else { "600" })
    };
    let sweep = place.sweep(
        "some",
        &[
            (trial("2", 1), "done"),
            (trial("2", 2), "gone"),
            (trial("2", 3), "planned"),
            (trial("3", 1), "done"),
            (trial("3", 2), "failed"),
            (trial("4", 1), "planned"),
        ],
    );
    let comparison = compare(&[sweep]);
    assert_eq!(labels(&comparison), ["depth=2", "depth=3", "depth=4"]);
    assert_eq!(comparison.variants[0].also["model.ffn_dim"], 500);
    assert_eq!(comparison.variants[2].verdict, Verdict::Unmeasured);
    let why: Vec<_> = comparison
        .excluded()
        .map(|(variant, run)| (variant.label.as_str(), run.excluded.as_deref().unwrap()))
        .collect();
    assert_eq!(
        why,
        [
            ("depth=2", "failed: its run folder is gone"),
            ("depth=2", "not started yet"),
            ("depth=3", "failed at step 100: out of <memory>"),
            ("depth=4", "not started yet"),
        ]
    );
}

#[test]
fn a_copy_is_no_second_seed() {
    let place = Place::new();
    let mut paths: Vec<_> = (1..=2)
        .map(|seed| {
            place.run(&Draft::new(
                &format!("own-s{seed}"),
                seed,
                2.0 + seed as f64,
            ))
        })
        .collect();
    paths.push(place.run(&Draft::new("copy-s1", 1, 3.0)));
    let comparison = compare(&paths);
    let variant = &comparison.variants[0];
    assert_eq!((variant.sample.unwrap().n, variant.excluded()), (2, 1));
    let why = comparison
        .excluded()
        .map(|(_, run)| run.excluded.clone().unwrap());
    assert_eq!(why.collect::<Vec<_>>(), ["seed 1 again, as in copy-s1"]);
}

#[test]
fn seeds_in_common_are_paired_and_keys_of_two_values_are_contrasted() {
    let place = Place::new();
    let mut trials = Vec::new();
    for (depth, lr, loss) in [
        (1, "0.001", 2.0),
        (1, "0.003", 1.9),
        (2, "0.001", 2.1),
        (2, "0.003", 2.0),
    ] {
        for seed in 1..=3_u64 {
            // Seeds differ by far more than variants do.
            let chance = if lr == "0.003" {
                0.002 * seed as f64
            } else {
                0.0
            };
            let own = 0.001 * ((seed + depth) % 2) as f64;
            let loss = loss + seed as f64 + chance + own;
            let name = format!("d{depth}-{lr}-s{seed}");
            let draft = Draft::new(&name, seed, loss).set("memory.depth", &depth.to_string());
            trials.push((draft.set("optim.lr", lr), "done"));
        }
    }
    let comparison = compare(&[place.sweep("pairs", &trials)]);
    let verdicts: Vec<_> = comparison.variants.iter().map(|one| one.verdict).collect();
    assert_eq!(verdicts[0], Verdict::Best);
    assert!(
        verdicts[1..].iter().all(|one| *one == Verdict::Worse),
        "{verdicts:?}"
    );
    let best = &comparison.variants[1].difference.unwrap();
    assert!(best.paired);
    let rate = comparison
        .contrasts
        .iter()
        .find(|one| one.key == "optim.lr")
        .unwrap();
    assert_eq!(rate.values, ["0.001", "0.003"]);
    let pairs: Vec<_> = rate
        .pairs
        .iter()
        .map(|pair| (&*pair.label, pair.is_significant))
        .collect();
    assert_eq!(pairs, [("depth=1", true), ("depth=2", true)]);
    // 0.1 less, and 0.002, 0.004, 0.006 by chance.
    assert!(
        (rate.pairs[0].mean + 0.096).abs() < 1e-9,
        "{}",
        rate.pairs[0].mean
    );
    let text = comparison.text();
    assert!(
        text.contains("lr: 0.003 against 0.001, all else equal"),
        "{text}"
    );
}

#[test]
fn what_was_stopped_on_a_rung_is_in_no_mean() {
    let place = Place::new();
    let trials: Vec<_> = [(1, 2.0), (2, 2.5)]
        .map(|(depth, loss)| {
            let draft = Draft::new(&format!("d{depth}-s1"), 1, loss);
            let draft = draft.set("memory.depth", &depth.to_string());
            (draft.set("optim.lr", "0.1"), "done")
        })
        .into();
    let folder = place.sweep("rungs", &trials);
    // Runs of a fixture have 100 steps.
    let plan = std::fs::read_to_string(folder.join("sweep.json")).unwrap();
    let plan = plan.replacen("\"steps\":[100]", "\"steps\":[100,500]", 1);
    std::fs::write(folder.join("sweep.json"), plan).unwrap();
    let comparison = compare(&[folder]);
    assert_eq!(comparison.variants[0].label, "depth=2");
    assert_eq!(comparison.variants[1].verdict, Verdict::Stopped);
    let (_, run) = comparison.excluded().next().unwrap();
    let why = run.excluded.as_deref().unwrap();
    assert!(why.starts_with("stopped on rung 1 after "), "{why}");
    assert!(why.ends_with("eval/loss 2.0000"), "{why}");
}

#[test]
fn keys_that_an_earlier_version_did_not_know_are_no_difference() {
    let place = Place::new();
    let made_by = |path: &std::path::Path, commit: &str| {
        let file = path.join("run.json");
        let mut record: serde_json::Value =
            serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
        record.as_object_mut().unwrap().remove("seal");
        record["starts"][0]["built_from"] = serde_json::json!({"commit": commit, "dirty": false});
        std::fs::write(file, record.to_string()).unwrap();
    };
    let older = place.run(&Draft::new("old-s1", 1, 2.0));
    let newer = place.run(&Draft::new("new-s2", 2, 2.1).set("train.truncate", "64"));
    made_by(&older, "aaaaaaaaaaaa");
    made_by(&newer, "bbbbbbbbbbbb");
    let comparison = compare(&[older.clone(), newer.clone()]);
    assert_eq!(comparison.variants.len(), 1);
    let warned = comparison.warnings.join("\n");
    assert!(
        warned.contains("commits of the program (aaaaaaaaaa; bbbbbbbbbb)"),
        "{warned}"
    );
    // One version knows what it leaves out.
    made_by(&newer, "aaaaaaaaaaaa");
    assert_eq!(compare(&[older, newer]).variants.len(), 2);
}
