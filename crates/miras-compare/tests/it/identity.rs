//! What makes runs a variant: contents, settings that change what is trained, and no more.

use std::fs;

use miras_compare::Comparison;
use serde_json::{Value, json};

use crate::fixture::{Draft, Place, compare};

#[test]
fn the_same_content_is_the_same_variant_wherever_it_lies() {
    type Move = fn(Draft, &str, &str) -> Draft;
    let keys: [(&str, Move); 4] = [
        ("data.path", |draft, path, sum| draft.text(path, sum)),
        ("data.valid_path", |draft, path, sum| {
            let draft = draft.text("a.txt", &format!("sha256:aa {sum}"));
            draft.set("data.valid_path", &format!("['{path}']"))
        }),
        ("data.tokenizer", |draft, path, sum| {
            let draft = draft.text("a.txt", &format!("sha256:aa tokenizer-{sum}"));
            draft.set("data.tokenizer", &format!("'{path}'"))
        }),
        ("train.init_from", |draft, path, sum| {
            let mut draft = draft.text("a.txt", "sha256:aa");
            draft.weights = Some(sum.to_owned());
            draft.set("train.init_from", &format!("'{path}'"))
        }),
    ];
    for (key, moved) in keys {
        let place = Place::new();
        let run = |seed: u64, path: &str, sum: &str| {
            let name = format!("{}-{}-s{seed}", path.replace('/', "-"), &sum[7..]);
            let draft = Draft::new(&name, seed, 2.0 + seed as f64);
            place.run(&moved(draft, path, sum))
        };
        let runs = [
            run(1, "here/one", "sha256:01"),
            run(2, "there/*.gz", "sha256:01"),
        ];
        let comparison = compare(&runs);
        assert_eq!(comparison.variants.len(), 1, "{key}");
        assert_eq!(comparison.warnings, [] as [String; 0], "{key}");
        assert_eq!(comparison.differing, [] as [String; 0], "{key}");
        // Other content is another variant, at the same path too.
        let other = run(1, "here/one", "sha256:02");
        let comparison = compare(&[runs[0].clone(), other]);
        assert_eq!(comparison.variants.len(), 2, "{key}");
        assert_eq!(comparison.differing, [key]);
    }
}

#[test]
fn what_changes_nothing_that_is_trained_splits_no_variant() {
    let place = Place::new();
    for (at, (key, value)) in [
        ("eval.controls", "['read_zero']"),
        ("eval.every", "7"),
        ("train.max_minutes", "5"),
        ("train.on_nonfinite", "'skip'"),
        ("train.max_skips", "4"),
        ("train.fusion", "true"),
        ("data.allow_binary", "true"),
        ("log.hparams", "['optim.lr']"),
        ("checkpoint.every", "3"),
    ]
    .into_iter()
    .enumerate()
    {
        let with = Draft::new(&format!("with{at}-s2"), 2, 2.0).set(key, value);
        let without = Draft::new(&format!("without{at}-s1"), 1, 2.1);
        let comparison = compare(&[place.run(&without), place.run(&with)]);
        assert_eq!(comparison.variants.len(), 1, "{key}");
    }
    for (at, (key, value)) in [("train.batch", "3"), ("eval.tokens", "7")]
        .into_iter()
        .enumerate()
    {
        let with = Draft::new(&format!("other{at}-s2"), 2, 2.0).set(key, value);
        let without = Draft::new(&format!("plain{at}-s1"), 1, 2.1);
        let comparison = compare(&[place.run(&without), place.run(&with)]);
        assert_eq!(comparison.variants.len(), 2, "{key}");
    }
}

/// Recall with evaluations at two lengths by position and load, whose fingerprints are those of
/// an earlier version, which depend on the seed, or those of this one.
fn recalled(place: &Place, is_old: bool) -> Comparison {
    let mut trials = Vec::new();
    for depth in [1_u64, 2] {
        for seed in 1..=3_u64 {
            let loss = 2.0 + 0.1 * depth as f64 + 0.01 * seed as f64;
            let mut draft = Draft::new(&format!("d{depth}-s{seed}"), seed, loss)
                .set("memory.depth", &depth.to_string())
                .evaluated()
                .recall(10 + seed, 64);
            for (at, one) in draft.evaluations.iter_mut().enumerate() {
                let fingerprint = if is_old {
                    format!("sha256-generated:{seed}{at}")
                } else {
                    "sha256-generator:aa".to_owned()
                };
                one["data"]["fingerprint"] = json!(fingerprint);
                one["bits_per_byte"] = json!(null);
                one["by_pairs"][1]["accuracy"] = json!(0.1 * seed as f64);
            }
            if !is_old {
                "recall; generated without end; sha256-generator:aa".clone_into(&mut draft.data);
            }
            trials.push((draft, "done"));
        }
    }
    compare(&[place.sweep("recall", &trials)])
}

#[test]
fn seeds_of_generated_data_are_seeds() {
    for is_old in [true, false] {
        let place = Place::new();
        let comparison = recalled(&place, is_old);
        assert_eq!(comparison.warnings, [] as [String; 0]);
        let plots = comparison.plots();
        for name in ["accuracy-by-pairs", "loss-by-position", "loss-by-length"] {
            let plot = plots.iter().find(|plot| plot.name() == name);
            let plot = plot.unwrap_or_else(|| panic!("{name}, {is_old}"));
            // All three seeds of both variants at each place, and their spread.
            let svg = plot.svg().unwrap();
            let places = match name {
                "loss-by-position" => 3,
                _ => 2,
            };
            let rings = svg.matches("fill=\"none\"").count();
            let memories = if name == "loss-by-length" { 2 } else { 1 };
            let circles = svg.matches("<circle").count();
            assert_eq!(circles, 2 * memories * places * (3 + 1), "{name}: {rings}");
            assert!(
                svg.contains("mean ± standard deviation over seeds"),
                "{name}"
            );
        }
    }
}

#[test]
fn other_settings_of_a_generator_are_other_data() {
    let place = Place::new();
    let run = |pairs: u64, length: u64| {
        let name = format!("p{pairs}-l{length}");
        let draft = Draft::new(&name, 1, 2.0).recall(8, 64);
        let draft = draft.set("data.pairs", &pairs.to_string());
        place.run(&draft.set("data.seq_len", &length.to_string()))
    };
    let shown = |name: &str, showings: u64| {
        let draft = Draft::new(name, 1, 2.0).recall(8, 64);
        let draft = draft.set("data.pairs", "4").set("data.seq_len", "64");
        let draft = draft.set("data.showings", &showings.to_string());
        place.run(&draft.set("data.outliers", "0"))
    };
    let one = run(4, 64);
    let warned = |other: std::path::PathBuf| compare(&[one.clone(), other]).warnings.join("\n");
    let pairs = warned(run(8, 64));
    assert!(
        pairs.contains("not equal: data (kind=mqar outliers=0 pairs=4 showings=1, kind=mqar outliers=0 pairs=8 showings=1)"),
        "{pairs}"
    );
    // An earlier version, which had no key for it, showed each pair once.
    let once = warned(shown("once", 1));
    assert!(!once.contains("not equal: data ("), "{once}");
    let thrice = warned(shown("thrice", 3));
    assert!(thrice.contains("not equal: data ("), "{thrice}");
    let length = warned(run(4, 128));
    assert!(!length.contains("not equal: data ("), "{length}");
    assert!(length.contains("not equal: data.seq_len, so"), "{length}");
}

#[test]
fn what_an_earlier_version_had_no_key_for_is_what_it_did() {
    type Case = (&'static str, &'static str, [&'static str; 2]);
    // A kind, a key that it has since, the value of before and another.
    let cases: [Case; 9] = [
        (
            "mixer.kind='memory'",
            "mixer.query",
            ["'projected'", "'keys'"],
        ),
        (
            "layers=[{mixer={kind='memory'}}]",
            "layers.0.mixer.query",
            ["'projected'", "'keys'"],
        ),
        (
            "retention.kind='lq'",
            "retention.anchored",
            ["false", "true"],
        ),
        (
            "retention.kind='kl'",
            "retention.anchored",
            ["false", "true"],
        ),
        (
            "retention.kind='elastic_net'",
            "retention.anchored",
            ["false", "true"],
        ),
        ("data.kind='mqar'", "data.showings", ["1", "3"]),
        ("data.kind='mqar'", "data.outliers", ["0", "1"]),
        ("data.kind='builtin'", "data.corrupt", ["0.0", "0.1"]),
        ("data.kind='builtin'", "data.needles", ["0.0", "0.5"]),
    ];
    for (kind, key, [before, other]) in cases {
        let place = Place::new();
        let run = |name: &str, seed: u64, commit: &str, value: Option<&str>| {
            let (table, chosen) = kind.split_once('=').unwrap();
            let mut draft = Draft::new(name, seed, 2.0 + seed as f64).set(table, chosen);
            if let Some(value) = value {
                draft = match key.strip_prefix("layers.0.mixer.") {
                    Some(key) => {
                        let layers = format!("[{{mixer={{kind='memory', {key}={value}}}}}]");
                        draft.set("layers", &layers)
                    }
                    None => draft.set(key, value),
                };
            }
            let path = place.run(&draft);
            let file = path.join("run.json");
            let mut record: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
            record.as_object_mut().unwrap().remove("seal");
            record["starts"][0]["built_from"] = json!({"commit": commit, "dirty": false});
            fs::write(file, record.to_string()).unwrap();
            path
        };
        let old = run("old-s1", 1, "aaaaaaaaaaaa", None);
        let new = run("other-s2", 2, "bbbbbbbbbbbb", Some(other));
        let same = run("same-s3", 3, "bbbbbbbbbbbb", Some(before));
        let comparison = compare(&[old.clone(), new]);
        assert_eq!(comparison.variants.len(), 2, "{kind} {key}");
        assert_eq!(comparison.differing, [key], "{kind}");
        assert_eq!(compare(&[old, same]).variants.len(), 1, "{kind} {key}");
    }
}

#[test]
fn text_of_earlier_versions_was_read_as_it_is() {
    let place = Place::new();
    let old = place.run(&Draft::new("old", 1, 2.0).text("a.txt", "sha256:aa"));
    let with = |name: &str, share: &str, checksums: &str| {
        let draft = Draft::new(name, 2, 2.1).text("a.txt", checksums);
        place.run(&draft.set("data.corrupt", share))
    };
    let clean = with("clean", "0.0", "sha256:aa");
    assert_eq!(compare(&[old.clone(), clean]).variants.len(), 1);
    let noisy = with("noisy", "0.1", "sha256:aa sha256-corrupted:bb");
    let comparison = compare(&[old, noisy]);
    assert_eq!(comparison.differing, ["data.corrupt"]);
    let verdicts = comparison.variants.iter().map(|one| one.verdict);
    let verdicts: Vec<String> = verdicts.map(|one| one.to_string()).collect();
    assert_eq!(verdicts, ["best", "other data: cannot tell"]);
}
