use miras_data::DataError;

use crate::support::{Place, text};

/// 2706 of the 3007 bytes are for training.
const TRAIN: usize = 2706;

fn place() -> (Place, Vec<u8>) {
    let corpus = text(3007);
    (Place::new(&[("a.txt", &corpus)]), corpus)
}

#[test]
fn each_row_follows_its_stretch_in_order_and_begins_again() {
    let (place, corpus) = place();
    let as_tokens = |bytes: &[u8]| bytes.iter().copied().map(i32::from).collect::<Vec<_>>();
    for (rows, seq_len, steps) in [(1, 16, 169), (3, 16, 56), (5, 7, 77), (8, 168, 2)] {
        let mut config = place.config(&["a.txt"]);
        config.seq_len = seq_len;
        let data = place.open(&config, 0).unwrap();
        assert_eq!(data.stream_steps(rows).unwrap(), steps);
        let batches: Vec<_> = (0..steps)
            .map(|step| data.stream_batch(step, 0..rows, rows).unwrap())
            .collect();
        let stretch = TRAIN / rows;
        let read = steps as usize * seq_len;
        assert!((read + 1..=read + seq_len).contains(&stretch));
        for row in 0..rows {
            let place = row * seq_len..(row + 1) * seq_len;
            let (mut inputs, mut targets) = (Vec::<i32>::new(), Vec::<i32>::new());
            for batch in &batches {
                inputs.extend(&batch.inputs[place.clone()]);
                targets.extend(&batch.targets[place.clone()]);
                assert!(batch.weights.iter().all(|weight| *weight > 0.0));
            }
            let first = row * stretch;
            assert_eq!(inputs, as_tokens(&corpus[first..first + read]));
            assert_eq!(targets, as_tokens(&corpus[first + 1..=first + read]));
        }
        for (step, batch) in batches.iter().enumerate() {
            let again = data.stream_batch(step as u64 + 3 * steps, 0..rows, rows);
            assert_eq!(again.unwrap(), *batch);
        }
    }
}

#[test]
fn rows_taken_apart_are_the_rows_of_the_whole_step_whatever_the_seed() {
    let (place, _) = place();
    let open = |seed| place.open(&place.config(&["a.txt"]), seed).unwrap();
    let whole = open(1).stream_batch(9, 0..4, 4).unwrap();
    let parts = [0..1, 1..4].map(|rows| open(2).stream_batch(9, rows, 4).unwrap());
    let inputs: Vec<i32> = parts.iter().flat_map(|part| part.inputs.clone()).collect();
    assert_eq!(whole.inputs, inputs);
}

#[test]
fn stretches_shorter_than_two_steps_are_refused_with_the_numbers() {
    let (place, _) = place();
    let data = place.open(&place.config(&["a.txt"]), 0).unwrap();
    assert_eq!(data.stream_steps(82).unwrap(), 2);
    let expected = "the training part has 2706 bytes, which gives each of the 83 sequences of a \
                    step a stretch of 32, but two steps of seq_len = 16 in a row need at least \
                    33: give more text, or make seq_len or the number of sequences smaller";
    for error in [
        data.stream_steps(83).unwrap_err(),
        data.stream_batch(0, 0..1, 83).unwrap_err(),
    ] {
        assert!(matches!(error, DataError::ShortStretch { .. }));
        assert_eq!(error.to_string(), expected);
    }
}
