//! What a configuration is said to take.

use std::cmp::Ordering;

use miras_spec::{Estimate, RunConfig};

use crate::configs::{ATTENTION, MEMORY, RECALL, config};

fn estimate(config: &RunConfig) -> Estimate {
    miras_spec::estimate(config, config.data.vocab().unwrap())
}

#[test]
fn weights_gradients_and_moments_are_numbers_a_parameter() {
    for text in [MEMORY, ATTENTION] {
        let once = estimate(&config(text, &[]));
        let bytes = 4 * once.parameters as u64;
        assert_eq!(once.train.weights, bytes);
        assert_eq!(once.train.gradients, bytes);
        assert_eq!(once.train.optimizer, 2 * bytes);
        // The sum of the micro-batches stands beside the gradient that is added to it.
        let summed = estimate(&config(text, &["train.accumulate=4"]));
        assert_eq!(summed.train.gradients, 2 * bytes);
        assert_eq!(summed.train.activations, once.train.activations);
    }
}

#[test]
fn carried_memories_are_two_states_for_every_sequence_of_a_step() {
    let reset = estimate(&config(MEMORY, &["train.accumulate=3"]));
    assert_eq!(reset.train.state, 0);
    let carry = ["train.accumulate=3", "train.state='carry'"];
    let carried = estimate(&config(MEMORY, &carry));
    assert_eq!(carried.train.state, 2 * carried.state_bytes * 2 * 3);
    let more = carried.train.peak() - reset.train.peak();
    assert_eq!(more, carried.train.state);
}

#[test]
fn activations_grow_with_the_batch_and_a_memorys_with_the_length() {
    let activations = |text: &str, sets: &[&str]| {
        let train = estimate(&config(text, sets)).train;
        assert!(train.peak() > train.activations + train.workspace);
        train.activations
    };
    for text in [MEMORY, ATTENTION] {
        let two = activations(text, &["train.batch=2"]);
        assert_eq!(activations(text, &["train.batch=6"]), 3 * two);
    }
    let at = |text: &str, device: &str, length: usize| {
        let sets = [
            format!("train.device='{device}'"),
            format!("data.seq_len={length}"),
        ];
        activations(text, &sets.each_ref().map(|set| &set[..]))
    };
    // Attention: all scores are kept, and by kernels none.
    let grows = |device: &str| at(ATTENTION, device, 128).cmp(&(4 * at(ATTENTION, device, 32)));
    assert_eq!(grows("cuda"), Ordering::Greater);
    assert_eq!(grows("cpu"), Ordering::Equal);
    // Chunks of 8: runs of 512 tokens there, of which one at a time has a graph.
    let runs = |of: usize| at(MEMORY, "cuda", 512 * of);
    let of_run = runs(3) - runs(2);
    assert_eq!(runs(6) - runs(3), 3 * of_run);
    assert!(of_run < runs(1));
    // Kernels keep states every few chunks beside what a memory starts with.
    let longer = |from: usize| at(MEMORY, "cpu", 2 * from) - at(MEMORY, "cpu", from);
    assert_eq!(longer(64), 2 * longer(32));
}

#[test]
fn what_is_done_twice_is_kept_twice() {
    let activations = |set: &str| {
        estimate(&config(MEMORY, &["algorithm.chunk=8", set]))
            .train
            .activations
    };
    let mut last = 0;
    for picard in 0..4 {
        let kept = activations(&format!("algorithm.picard={picard}"));
        assert!(kept > last, "{picard} iterations");
        last = kept;
    }
    last = 0;
    for depth in 1..=4 {
        let kept = activations(&format!("memory.depth={depth}"));
        assert!(kept > last, "depth {depth}");
        last = kept;
    }
    let read = |read| {
        let sets = ["retention=kl", &format!("algorithm.read={read}")];
        estimate(&config(MEMORY, &sets)).train.activations
    };
    assert!(read("exact") > read("stale"));
}

#[test]
fn a_state_is_constant_for_a_memory_and_grows_under_attention() {
    let memory = estimate(&config(MEMORY, &[]));
    assert!(memory.state_bytes > 0 && memory.fast_weights > 0);
    assert_eq!(memory.state_bytes_per_token, 0);
    let attention = estimate(&config(ATTENTION, &[]));
    assert_eq!(attention.fast_weights, 0);
    // Keys and values of width 16 in two layers.
    assert_eq!(attention.state_bytes_per_token, 2 * 16 * 2 * 4);
}

#[test]
fn the_vocabulary_is_that_of_the_data() {
    let text = config(MEMORY, &[]);
    let recall = config(MEMORY, RECALL);
    let fewer = (256 - 32) * 16;
    assert_eq!(
        estimate(&text).parameters,
        estimate(&recall).parameters + fewer
    );
    for config in [text, recall] {
        let data = miras_data::open(&config.data, 1).unwrap();
        assert_eq!(data.vocab(), config.data.vocab().unwrap());
    }
}
