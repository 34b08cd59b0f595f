//! Text that is read through noise.

use std::collections::BTreeSet;

use miras_data::{Batch, BuiltinConfig, DataConfig, DataKind, Dataset, TextConfig, open};

use crate::support::{Place, notes, text, tokenizer_path};

const STEPS: u64 = 10;

fn place() -> Place {
    let numbers: Vec<String> = (1..40_000_u64).map(|n| (n * n).to_string()).collect();
    Place::new(&[
        ("a.txt", numbers.join(" ").as_bytes()),
        ("b.txt", &text(9000)),
    ])
}

/// Bytes, and tokens of a BPE.
fn configs(place: &Place) -> [TextConfig; 2] {
    let bytes = TextConfig {
        seq_len: 64,
        ..place.config(&["a.txt"])
    };
    let tokens = TextConfig {
        tokenizer: tokenizer_path().to_str().unwrap().to_owned(),
        ..bytes.clone()
    };
    [bytes, tokens]
}

fn with(config: &TextConfig, corrupt: f64) -> TextConfig {
    TextConfig {
        corrupt,
        ..config.clone()
    }
}

/// Rows of training, of streams and of evaluation.
fn rows(data: &dyn Dataset) -> [Vec<Batch>; 3] {
    let train = (0..STEPS).map(|step| data.train_batch(step, 0..8).unwrap());
    let stream = (0..STEPS).map(|step| data.stream_batch(step, 0..8, 8).unwrap());
    let starts: Vec<u64> = (0..8 * STEPS).map(|row| 70 * row).collect();
    let valid = starts.chunks(8).map(|of| data.eval_rows(of).unwrap());
    [train.collect(), stream.collect(), valid.collect()]
}

/// The inputs of batches.
fn inputs(batches: &[Batch]) -> Vec<i32> {
    batches.iter().flat_map(|one| one.inputs.clone()).collect()
}

#[test]
fn the_share_is_read_as_other_tokens_and_nothing_else_changes() {
    let place = place();
    for config in configs(&place) {
        let clean = place.open(&config, 1).unwrap();
        let vocab = clean.vocab();
        for share in [0.01, 0.1, 0.9] {
            let noisy = place.open(&with(&config, share), 1).unwrap();
            for (as_it_is, noisy) in rows(&*clean).into_iter().zip(rows(&*noisy)) {
                let (own, read) = (inputs(&as_it_is), inputs(&noisy));
                let pairs = own.iter().zip(&read);
                let others: Vec<i32> = (pairs.filter(|(own, read)| own != read))
                    .map(|(_, read)| *read)
                    .collect();
                // One of the vocabulary is the token itself.
                let (count, p) = (own.len() as f64, share * (1.0 - 1.0 / vocab as f64));
                let off = (others.len() as f64 - count * p).abs();
                assert!(off < 5.0 * (count * p * (1.0 - p)).sqrt(), "{share}: {off}");
                assert!(others.iter().all(|&one| (0..vocab as i32).contains(&one)));
                // The mean of a uniform draw has the deviation √((V² − 1) / 12 n).
                let count = others.len() as f64;
                let mean = others.iter().map(|&one| f64::from(one)).sum::<f64>() / count;
                let all = vocab as f64;
                let deviation = ((all * all - 1.0) / 12.0 / count).sqrt();
                let off = (mean - (all - 1.0) / 2.0).abs();
                // Those that are drawn and are the token itself are missing among them.
                assert!(off < 5.0 * deviation + 1.0, "{share}: {mean} of {vocab}");
                for (clean, noisy) in as_it_is.into_iter().zip(noisy) {
                    let inputs = clean.inputs.clone();
                    assert_eq!(Batch { inputs, ..noisy }, clean);
                }
            }
        }
    }
}

#[test]
fn a_larger_share_replaces_what_a_smaller_one_does_and_none_leaves_the_text() {
    let place = place();
    let [config, _] = configs(&place);
    let of = |share| {
        let data = place.open(&with(&config, share), 3).unwrap();
        rows(&*data).map(|batches| inputs(&batches))
    };
    let (none, some, more) = (of(0.0), of(0.05), of(0.1));
    assert_eq!(
        none,
        rows(&*place.open(&config, 3).unwrap()).map(|of| inputs(&of))
    );
    for part in 0..3 {
        for (at, &one) in some[part].iter().enumerate() {
            let (clean, more) = (none[part][at], more[part][at]);
            assert!(one == clean || one == more, "{clean} {one} {more}");
        }
    }
}

#[test]
fn noise_of_training_is_a_function_of_seed_step_and_row() {
    let place = place();
    let [config, _] = configs(&place);
    let config = with(&config, 0.3);
    let open = |seed| place.open(&config, seed).unwrap();
    let whole = open(1).train_batch(7, 0..9).unwrap();
    let parts = [0..2, 2..9].map(|rows| open(1).train_batch(7, rows).unwrap());
    assert_eq!(inputs(&parts), whole.inputs);
    let stream = open(1).stream_batch(7, 0..9, 9).unwrap();
    let parts = [0..2, 2..9].map(|rows| open(1).stream_batch(7, rows, 9).unwrap());
    assert_eq!(inputs(&parts), stream.inputs);
    // The text of a stream is the same for every seed, and comes again; its noise does not.
    let again = 7 + open(1).stream_steps(9).unwrap();
    for other in [
        open(2).stream_batch(7, 0..9, 9).unwrap(),
        open(1).stream_batch(again, 0..9, 9).unwrap(),
    ] {
        assert_eq!(other.targets, stream.targets);
        assert_ne!(other.inputs, stream.inputs);
    }
    // No two rows have their noise at the same places.
    let clean = place.open(&with(&config, 0.0), 1).unwrap();
    let clean = clean.train_batch(7, 0..9).unwrap();
    let pairs = clean.inputs.iter().zip(&whole.inputs);
    let changed: Vec<bool> = pairs.map(|(clean, read)| clean != read).collect();
    let different: BTreeSet<&[bool]> = changed.chunks(64).collect();
    assert_eq!(different.len(), 9);
}

#[test]
fn noise_of_an_evaluation_is_that_of_the_place_in_the_text() {
    let place = place();
    let [config, _] = configs(&place);
    let read = |seed, seq_len, starts: &[u64]| {
        let config = TextConfig {
            seq_len,
            ..with(&config, 0.2)
        };
        let data = place.open(&config, seed).unwrap();
        data.eval_rows(starts).unwrap().inputs
    };
    let one = read(1, 64, &[100, 164]);
    assert_eq!(one, read(2, 64, &[100, 164]));
    assert_eq!(one, read(1, 32, &[100, 132, 164, 196]));
    assert_eq!(one, read(1, 128, &[100]));
    assert_eq!(one[64..], read(1, 64, &[164]));
    let clean = place.open(&config, 1).unwrap().eval_rows(&[100]).unwrap();
    assert_ne!(one[..64], clean.inputs);
    // Behind the end of the text nothing is drawn.
    let last = place.open(&config, 1).unwrap().eval_tokens().unwrap() - 3;
    assert_eq!(read(1, 64, &[last])[3..], [0; 61]);
}

#[test]
fn what_is_read_through_noise_is_other_data_for_evaluations_alone() {
    let place = place();
    let [config, of_bpe] = configs(&place);
    let about = |share| place.open(&with(&config, share), 0).unwrap().describe();
    let (none, some, more) = (about(0.0), about(0.05), about(0.1));
    assert_eq!(none.valid_fingerprint, None);
    for (share, noisy) in [("0.05", &some), ("0.1", &more)] {
        assert_eq!(noisy.fingerprint, none.fingerprint);
        let valid = noisy.valid_fingerprint.as_ref().unwrap();
        assert!(valid.starts_with("sha256-corrupted:"), "{valid}");
        assert_eq!(noisy.name, format!("{}, corrupt = {share}", none.name));
    }
    assert_ne!(some.valid_fingerprint, more.valid_fingerprint);
    // The same share of other tokens is other noise, of the same text.
    let tokens = place.open(&with(&of_bpe, 0.05), 0).unwrap().describe();
    assert_eq!(tokens.fingerprint, some.fingerprint);
    assert_ne!(tokens.valid_fingerprint, some.valid_fingerprint);
    assert_eq!(notes(&place, &config), [""; 0]);
    assert_eq!(
        notes(&place, &with(&config, 0.05)),
        [
            "corrupt = 0.05: each token is read as one drawn from all 256 \
             with that probability; targets are those of the text"
        ]
    );
}

#[test]
fn the_built_in_corpus_can_be_read_through_noise_and_shares_beyond_are_refused() {
    let builtin = |corrupt| {
        DataConfig::from(BuiltinConfig {
            corrupt,
            ..BuiltinConfig::default()
        })
    };
    let read = |corrupt| {
        open(&builtin(corrupt), 1)
            .unwrap()
            .train_batch(0, 0..4)
            .unwrap()
    };
    let (clean, noisy) = (read(0.0), read(0.1));
    assert_eq!(clean.targets, noisy.targets);
    assert_ne!(clean.inputs, noisy.inputs);
    let place = place();
    let [text, _] = configs(&place);
    for share in [-0.1, 1.0, f64::NAN] {
        let expected = format!("must be a share of the tokens from 0 to below 1, got {share}");
        let expected = [("corrupt", expected)];
        assert_eq!(builtin(share).validate(), expected);
        assert_eq!(with(&text, share).validate(), expected);
    }
}
