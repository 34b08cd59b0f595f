//! The noise of private memories in layers: that of their layer, head and position, in whatever pieces they
//! are called.

use burn::tensor::s;
use miras_model::{Ablation, Pass, StateTree, TokenMixer};
use miras_random::Stream;

use crate::small::{BATCH, DIM, HEADS, features, initial, small};

/// Memories that begin with nothing and forget nothing, under noise of this deviation.
const TABLES: &str = "
[memory]
kind = 'matrix'
start = 'zero'
[retention]
kind = 'private'
decay = 1
noise = 0.25
noise_seed = 9
[algorithm]
kind = 'gd'
chunk = 4
step_max = 0.5
grad_cap = 4
";
const DEVIATION: f64 = 0.5;

/// The state of the second layer after tokens that write nothing, in calls of these lengths.
fn after(keys: &str, calls: &[usize]) -> StateTree {
    let (model, _) = initial(&small(keys, TABLES));
    let mixer = model.blocks()[1].mixer();
    let (_, x) = features(calls.iter().sum(), 1.0);
    let pass = Pass {
        ablation: Ablation::StepZero,
        ..Pass::default()
    };
    let (mut state, mut from) = (None, 0);
    for call in calls {
        let part = x.clone().slice(s![.., from..from + call, ..]);
        state = Some(mixer.forward(part, state, pass).1);
        from += call;
    }
    state.unwrap()
}

/// What its memories hold: in every batch row the noise that was drawn for each head at these positions.
fn assert_noise(state: &StateTree, name: &str, layer: &str, positions: &[usize]) {
    let found = state.get(&format!("{name}maps.0.weights")).unwrap();
    let found: Vec<f32> = found.values().try_into_vec_as().unwrap();
    let size = (DIM / HEADS).pow(2);
    let mut row = vec![0.0; HEADS * size];
    for (head, numbers) in row.chunks_mut(size).enumerate() {
        for position in positions {
            let index = [head as u64, 0, *position as u64];
            let mut stream = Stream::new(9, &format!("noise of {layer}"), &index);
            for x in &mut *numbers {
                *x += DEVIATION * stream.normal();
            }
        }
    }
    assert_eq!(found.len(), BATCH * row.len(), "{layer}");
    for found in found.chunks(row.len()) {
        for (found, truth) in found.iter().zip(&row) {
            let gap = (f64::from(*found) - truth).abs();
            assert!(gap < 1e-5, "{layer} at {positions:?}: {found}, not {truth}");
        }
    }
}

#[test]
fn each_layer_and_head_has_the_noise_of_its_own_positions() {
    for calls in [&[4][..], &[1, 3], &[2, 4], &[7]] {
        assert_noise(&after("", calls), "", "blocks.1", &[4]);
    }
    for calls in [&[9][..], &[4, 4, 1], &[3, 3, 3]] {
        assert_noise(&after("", calls), "", "blocks.1", &[4, 8]);
    }
    // Two writes a token, and learned tokens before the first.
    let keys = "writes = 2\npersistent = 1";
    assert_noise(&after(keys, &[3, 2]), "", "blocks.1", &[4, 8, 12]);
}

/// Local memories begin anew with every shard, and their noise does not.
#[test]
fn shards_have_the_noise_of_their_own_positions() {
    let keys = "kind = 'tnt'\nlocal_chunks = [2, 1]\nshard = 4\nproject_queries = false";
    for calls in [&[11][..], &[4, 4, 3], &[3, 6, 2], &[9, 1, 1]] {
        let state = after(keys, calls);
        assert_noise(&state, "global.", "blocks.1.global", &[4, 8]);
        assert_noise(&state, "local.0.", "blocks.1.local.0", &[10]);
        assert_noise(&state, "local.1.", "blocks.1.local.1", &[9, 10, 11]);
    }
    let keys = "kind = 'tnt'\nlocal_chunks = [2]\nshard = 0\npersistent = 1";
    for calls in [&[4][..], &[1, 3], &[2, 1, 1]] {
        let state = after(keys, calls);
        assert_noise(&state, "global.", "blocks.1.global", &[4]);
        assert_noise(&state, "local.0.", "blocks.1.local.0", &[2, 4]);
    }
}
