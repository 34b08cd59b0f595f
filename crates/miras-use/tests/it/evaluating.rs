//! Evaluations against the trainer's own, and against each other.

use miras_use::{EvalRequest, Memory, Report, Size, Trained, evaluate};

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
    ] {
        let (trained, outcome) = if name == "attention" {
            bench.attention(name)
        } else {
            bench.trained(name, sets)
        };
        let report = plain(&trained);
        assert_near(report.measured.loss, outcome.eval_loss.unwrap(), 1e-6);
        assert_near(report.measured.perplexity, report.measured.loss.exp(), 1e-9);
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
fn recall_is_measured_by_load_where_it_fits() {
    let bench = Bench::new();
    let (trained, _) = bench.trained("recall", &[RECALL]);
    let report = plain(&trained);
    let loads: Vec<usize> = report.by_pairs.iter().map(|one| one.pairs).collect();
    assert_eq!(loads, [1, 2, 4, 8]);
    let own = &report.by_pairs[2].measured;
    assert_eq!(*own, report.measured);
    for one in &report.by_pairs {
        // Each key is asked once in an evaluation row.
        assert_eq!(one.measured.tokens, 2 * 3 * one.pairs as u64);
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
    let (trained, _) = bench.trained("run", &["model.conv=0"]);
    let with = |memory, length| {
        let request = EvalRequest {
            memory,
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
    // Within one chunk there is nothing to reset.
    assert_eq!(with(Memory::Reset, 8), with(Memory::Live, 8));
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
                memory: Memory::Frozen,
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
