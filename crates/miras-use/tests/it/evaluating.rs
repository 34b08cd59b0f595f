//! Evaluations against the trainer's own, and against each other.

use miras_use::{ByOccurrence, EvalRequest, Memory, Occurrence, Report, Size, Trained, evaluate};

use crate::support::{Bench, RECALL, assert_near};

fn plain(trained: &Trained) -> Report {
    evaluate(trained, &EvalRequest::default()).unwrap()
}

#[test]
fn it_agrees_with_the_trainer_on_the_same_batches() {
    let bench = Bench::new();
    for (name, sets) in [
        ("text", &[][..]),
        ("attention", &[]),
        ("matrix", &["memory=matrix", "algorithm.form=exact"]),
        ("recall", &[RECALL]),
        ("carried", &["train.state=carry", "eval.tokens=4096"]),
    ] {
        let (trained, outcome) = if name == "attention" {
            bench.attention(name)
        } else {
            bench.trained(name, sets)
        };
        let report = plain(&trained);
        assert_near(report.measured.loss, outcome.eval_loss.unwrap(), 1e-6);
        assert_near(
            report.measured.perplexity.unwrap(),
            report.measured.loss.exp(),
            1e-9,
        );
        match (name, report.measured.bits_per_byte) {
            ("recall", None) => {}
            (_, Some(bits)) => {
                assert_near(bits, report.measured.loss / std::f64::consts::LN_2, 1e-12);
            }
            other => panic!("{other:?}"),
        }
        let tokens: u64 = (report.by_position.iter())
            .map(|one| one.measured.tokens)
            .sum();
        assert_eq!(tokens, report.measured.tokens, "{name}");
        let loss: f64 = (report.by_position.iter())
            .map(|one| one.measured.loss * one.measured.tokens as f64)
            .sum();
        assert_near(loss / tokens as f64, report.measured.loss, 1e-9);
    }
}

#[test]
fn the_batch_changes_no_number() {
    let bench = Bench::new();
    for (name, sets) in [
        ("text", &[][..]),
        ("recall", &[RECALL]),
        ("carried", &["train.state=carry"]),
    ] {
        let (trained, _) = bench.trained(name, sets);
        let with = |batch: usize| {
            let request = EvalRequest {
                batch: Some(batch),
                size: Some(Size::Tokens(2000)),
                ..EvalRequest::default()
            };
            evaluate(&trained, &request).unwrap()
        };
        let one = with(1);
        assert_eq!(one.carried, name == "carried");
        for batch in [3, 8, 32] {
            let other = with(batch);
            assert_eq!(other.measured.tokens, one.measured.tokens, "{name}");
            assert_eq!(
                (other.rows, other.settings.clone()),
                (one.rows, one.settings.clone())
            );
            assert_near(other.measured.loss, one.measured.loss, 1e-6);
            let tokens = |report: &Report| -> Vec<(usize, u64)> {
                let ranges = report.by_position.iter();
                ranges.map(|one| (one.from, one.measured.tokens)).collect()
            };
            assert_eq!(tokens(&other), tokens(&one), "{name}, batch {batch}");
        }
        let scored = if name == "recall" {
            // 42 rows of 48 tokens with 4 questions.
            42 * 4
        } else {
            2000
        };
        assert_eq!(one.measured.tokens, scored, "{name}");
    }
}

#[test]
fn memories_are_carried_unless_a_length_is_asked_for() {
    let bench = Bench::new();
    let sets = ["train.state=carry", "eval.tokens=4096"];
    let (trained, _) = bench.trained("run", &sets);
    let report = plain(&trained);
    assert!(report.carried);
    // 4 stretches of about 1,024 tokens, of which memories know all that went before.
    assert_eq!((report.rows, report.stretches), (103, 4));
    assert_eq!(report.by_position.last().unwrap().from, 1024);
    let request = EvalRequest {
        length: Some(40),
        ..EvalRequest::default()
    };
    let fresh = evaluate(&trained, &request).unwrap();
    assert!(!fresh.carried);
    assert_eq!(fresh.by_position.last().unwrap().to, 39);
    assert_eq!(fresh.measured.tokens, report.measured.tokens);
    assert!((fresh.measured.loss - report.measured.loss).abs() > 1e-6);
    assert_ne!(fresh.settings, report.settings);
}

#[test]
fn rows_in_which_memories_cannot_matter_are_noted() {
    let bench = Bench::new();
    let (stale, _) = bench.trained("stale", &["algorithm.read=stale"]);
    let (exact, _) = bench.trained("exact", &[]);
    let with = |trained: &Trained, memory: Memory, length: usize| {
        let request = EvalRequest {
            memory: Some(memory),
            length: Some(length),
            ..EvalRequest::default()
        };
        evaluate(trained, &request).unwrap()
    };
    let live = with(&stale, Memory::Live, 8);
    let frozen = with(&stale, Memory::Frozen, 8);
    // The same up to rounding: the chunk loop of live memories is another code than their reads.
    assert_near(live.measured.loss, frozen.measured.loss, 1e-6);
    let note = "no token of a row of 8 tokens reads what was written: with algorithm.read = \"stale\" and algorithm.chunk = 8, live, frozen and reset memories give the same numbers; use --length 9 or more";
    assert_eq!(live.notes, [note]);
    assert_eq!(frozen.notes, [note]);
    assert_eq!(with(&stale, Memory::Live, 9).notes, [""; 0]);

    let notes = with(&exact, Memory::Reset, 8).notes;
    assert!(notes[0].starts_with("a row of 8 tokens is no longer than algorithm.chunk = 8"));
    assert_eq!(with(&exact, Memory::Live, 8).notes, [""; 0]);
}

#[test]
fn each_setting_has_a_file_of_its_own() {
    let bench = Bench::new();
    let (trained, _) = bench.trained("run", &[]);
    let text = bench.file("a.txt", "A fox ran over the hill, and back. ".repeat(20));
    let path = |request: &EvalRequest| {
        let report = evaluate(&trained, request).unwrap();
        let path = report.path_in(&trained.folder);
        (path, report)
    };
    let plain = EvalRequest::default();
    let requests = [
        plain.clone(),
        EvalRequest {
            memory: Some(Memory::Reset),
            ..plain.clone()
        },
        EvalRequest {
            length: Some(20),
            ..plain.clone()
        },
        EvalRequest {
            size: Some(Size::Tokens(40)),
            ..plain.clone()
        },
        EvalRequest {
            size: Some(Size::All),
            ..plain.clone()
        },
        EvalRequest {
            stretches: Some(3),
            ..plain.clone()
        },
        EvalRequest {
            data: vec![text.to_string_lossy().into_owned()],
            ..plain.clone()
        },
        EvalRequest {
            sets: vec!["data.valid_fraction=0.2".to_owned()],
            ..plain.clone()
        },
    ];
    let mut names: Vec<_> = requests.iter().map(|request| path(request).0).collect();
    assert_eq!(names[0], trained.folder.join("eval-40-live.json"));
    assert_eq!(names[1], trained.folder.join("eval-40-reset.json"));
    assert_eq!(names[2], trained.folder.join("eval-20-live.json"));
    names.sort();
    names.dedup();
    assert_eq!(names.len(), requests.len(), "{names:?}");
    // What is computed at once is no setting, nor is an amount that is the default.
    let same = EvalRequest {
        batch: Some(1),
        size: Some(Size::Tokens(240)),
        ..plain.clone()
    };
    let (own, _) = path(&same);
    assert_eq!(own, trained.folder.join("eval-40-live.json"));
    // A sweep gives the plain name to its own settings, and nobody else takes it then.
    let (_, of_sweep) = path(&requests[3]);
    std::fs::write(&own, serde_json::to_string(&of_sweep).unwrap()).unwrap();
    let (other, report) = path(&plain);
    assert_ne!(other, own);
    std::fs::write(&own, serde_json::to_string(&report).unwrap()).unwrap();
    assert_eq!(path(&plain).0, own);
}

#[test]
fn recall_is_measured_by_load_where_it_fits() {
    let bench = Bench::new();
    let (trained, _) = bench.trained("recall", &[RECALL]);
    let report = plain(&trained);
    let loads: Vec<usize> = report.by_pairs.iter().map(|one| one.pairs).collect();
    assert_eq!(loads, [1, 2, 4, 8]);
    let own = &report.by_pairs[2].measured;
    assert_eq!(*own, report.measured);
    for one in &report.by_pairs {
        // 5 rows of 48 tokens, and each key is asked once.
        assert_eq!(one.measured.tokens, 5 * one.pairs as u64);
    }

    let request = EvalRequest {
        pairs: vec![3, 12],
        length: Some(96),
        ..EvalRequest::default()
    };
    let report = evaluate(&trained, &request).unwrap();
    assert_eq!(report.length, 96);
    let loads: Vec<usize> = report.by_pairs.iter().map(|one| one.pairs).collect();
    assert_eq!(loads, [3, 12]);

    let request = EvalRequest {
        pairs: vec![16],
        ..EvalRequest::default()
    };
    let error = evaluate(&trained, &request).unwrap_err().to_string();
    assert!(error.contains("--pairs:1:"), "{error}");

    let request = EvalRequest {
        gaps: vec![0, 4, 16],
        ..EvalRequest::default()
    };
    let report = evaluate(&trained, &request).unwrap();
    let gaps: Vec<usize> = report.by_gap.iter().map(|one| one.gap).collect();
    assert_eq!(gaps, [0, 4, 16]);
    assert_eq!(report.by_gap[1].measured, report.measured);
    assert_ne!(report.by_gap[2].measured, report.measured);
    assert!(report.by_occurrence.is_empty());
    let request = EvalRequest {
        gaps: vec![48],
        ..EvalRequest::default()
    };
    let error = evaluate(&trained, &request).unwrap_err().to_string();
    assert!(error.contains("--gaps:1:"), "{error}");
    let request = EvalRequest {
        ngram: Some(2),
        ..EvalRequest::default()
    };
    let error = evaluate(&trained, &request).unwrap_err().to_string();
    assert!(error.contains("--ngram is about text"), "{error}");
}

#[test]
fn targets_that_come_again_are_measured_apart() {
    let bench = Bench::new();
    let (trained, _) = bench.trained("run", &[]);
    let of = |ngram| {
        let request = EvalRequest {
            ngram,
            ..EvalRequest::default()
        };
        evaluate(&trained, &request).unwrap()
    };
    let report = of(Some(2));
    let [new, repeated] = &report.by_occurrence[..] else {
        panic!("{:?}", report.by_occurrence);
    };
    assert_eq!(
        [new.occurrence, repeated.occurrence],
        [Occurrence::New, Occurrence::Repeated]
    );
    let tokens = new.measured.tokens + repeated.measured.tokens;
    assert_eq!(tokens, report.measured.tokens);
    let sum = |one: &ByOccurrence| one.measured.loss * one.measured.tokens as f64;
    let all = report.measured.loss * tokens as f64;
    assert!((sum(new) + sum(repeated) - all).abs() < 1e-6 * all);
    // Longer ones come again more rarely.
    let longer = of(Some(3));
    assert!(longer.by_occurrence[0].measured.tokens > new.measured.tokens);
    assert_eq!(longer.measured, report.measured);
    assert_ne!(longer.settings, report.settings);
    // Of bytes, the default is 8.
    assert_eq!(of(None).by_occurrence, of(Some(8)).by_occurrence);

    let request = EvalRequest {
        gaps: vec![4],
        ..EvalRequest::default()
    };
    let error = evaluate(&trained, &request).unwrap_err().to_string();
    assert!(error.contains("--gaps is about recall"), "{error}");
}

#[test]
fn rows_may_be_longer_than_in_training() {
    let bench = Bench::new();
    for name in ["memory", "attention"] {
        let (trained, _) = if name == "attention" {
            bench.attention(name)
        } else {
            bench.trained(name, &[])
        };
        let request = EvalRequest {
            length: Some(150),
            batch: Some(2),
            size: Some(Size::Tokens(300)),
            ..EvalRequest::default()
        };
        let report = evaluate(&trained, &request).unwrap();
        assert_eq!(report.measured.tokens, 300);
        let ranges: Vec<_> = (report.by_position.iter())
            .map(|one| (one.from, one.to))
            .collect();
        assert_eq!(ranges, [(0, 15), (16, 31), (32, 63), (64, 127), (128, 149)]);
    }
}

#[test]
fn any_text_is_scored_whole() {
    let bench = Bench::new();
    let (trained, _) = bench.trained("run", &[]);
    let path = bench.file("text.txt", "A fox ran over the hill, and back. ".repeat(5));
    let request = EvalRequest {
        data: vec![path.to_string_lossy().into_owned()],
        size: Some(Size::All),
        ..EvalRequest::default()
    };
    let report = evaluate(&trained, &request).unwrap();
    assert_eq!(report.measured.tokens, 35 * 5 - 1);
    assert_eq!(report.data.bytes, Some(35 * 5));

    let short = bench.file("short.txt", "A fox.");
    let request = EvalRequest {
        data: vec![short.to_string_lossy().into_owned()],
        ..EvalRequest::default()
    };
    let error = evaluate(&trained, &request).unwrap_err().to_string();
    assert_eq!(
        error,
        "the text has 6 bytes, and a row of 40 tokens needs 41: use `--length 5` or less"
    );
}

#[test]
fn a_frozen_memory_and_one_that_is_reset_are_less_than_a_live_one() {
    let bench = Bench::new();
    // Without convolutions a token's prediction depends on the memory and nothing else.
    let (trained, _) = bench.trained("run", &["mixer.conv=0"]);
    let with = |memory, length| {
        let request = EvalRequest {
            memory: Some(memory),
            length: Some(length),
            ..EvalRequest::default()
        };
        evaluate(&trained, &request)
            .unwrap()
            .measured
            .loss
            .to_bits()
    };
    let [live, frozen, reset] = [Memory::Live, Memory::Frozen, Memory::Reset].map(|m| with(m, 40));
    assert!(live != frozen && live != reset && frozen != reset);
    let [half, unread] = [Memory::Half, Memory::Unread].map(|m| with(m, 40));
    assert!(
        ![live, frozen, reset].contains(&half) && ![live, frozen, reset, half].contains(&unread)
    );
    // Within one chunk there is nothing to reset.
    assert_eq!(with(Memory::Reset, 8), with(Memory::Live, 8));
}

/// A run is measured as it was trained, or as it was not: trained without writes and read with them.
#[test]
fn a_run_is_measured_as_it_was_trained_unless_it_is_told_otherwise() {
    let bench = Bench::new();
    let (trained, outcome) = bench.trained("run", &["train.memory=frozen"]);
    let report = |memory| {
        let request = EvalRequest {
            memory,
            ..EvalRequest::default()
        };
        evaluate(&trained, &request).unwrap()
    };
    let own = report(None);
    assert_eq!(own.memory, Memory::Frozen);
    let logged = outcome.eval_loss.unwrap();
    assert!((own.measured.loss - logged).abs() < 1e-6);
    assert!((report(Some(Memory::Live)).measured.loss - logged).abs() > 1e-6);
}

/// The first half of a row is that of live memories, to the last bit.
#[test]
fn memories_learn_over_half_a_row() {
    let bench = Bench::new();
    let (trained, _) = bench.trained("run", &["mixer.conv=0"]);
    let [live, half] = [Memory::Live, Memory::Half].map(|memory| {
        let request = EvalRequest {
            memory: Some(memory),
            length: Some(64),
            ..EvalRequest::default()
        };
        evaluate(&trained, &request).unwrap().by_position
    });
    for (live, half) in live.iter().zip(&half) {
        let is_first = live.to < 32;
        let gap = (live.measured.loss - half.measured.loss).abs();
        assert!(
            if is_first { gap < 1e-6 } else { gap > 1e-6 },
            "{live:?} {half:?}"
        );
    }
}

#[test]
fn what_makes_no_sense_is_refused() {
    let bench = Bench::new();
    let (text, _) = bench.trained("text", &[]);
    let (attention, _) = bench.attention("attention");
    let request = EvalRequest::default();
    for (trained, request, expected) in [
        (
            &text,
            EvalRequest {
                pairs: vec![4],
                ..request.clone()
            },
            "--pairs is about recall (data.kind = \"mqar\"): leave it out",
        ),
        (
            &text,
            EvalRequest {
                sets: vec!["model.dim=32".to_owned()],
                ..request.clone()
            },
            "`--set model.dim=32`: an evaluation changes keys of [data] alone; the model is what it was trained as",
        ),
        (
            &text,
            EvalRequest {
                sets: vec![RECALL.to_owned()],
                ..request.clone()
            },
            "the data have 32 token values, and the model has 256",
        ),
        (
            &attention,
            EvalRequest {
                memory: Some(Memory::Frozen),
                ..request.clone()
            },
            "`--memory` is about memories, and this model has attention: leave it out",
        ),
    ] {
        let error = evaluate(trained, &request).unwrap_err();
        assert_eq!(error.to_string(), expected);
        assert!(error.is_usage());
    }
}
