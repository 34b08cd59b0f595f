//! Matrix products counted by hand, layer by layer, for small models.
//!
//! `p(a, b, c)` is the product `[a, b] · [b, c]`. All products here have a backward pass of two
//! of their size, but for those that say otherwise.

use miras_model::cost;

use crate::model::preset;

fn p(rows: usize, inner: usize, columns: usize) -> f64 {
    (2 * rows * inner * columns) as f64
}

/// Products of a sequence, forward and backward: width 8, two heads of 4, feed-forward 10.
fn counted(name: &str, changes: &[&str], vocab: usize, tokens: usize) -> (f64, f64) {
    let small = [
        "model.dim=8",
        "mixer.heads=2",
        "model.layers=1",
        "model.ffn_dim=10",
    ];
    let spec = preset(name, &[&small[..], changes].concat());
    let flops = cost::flops(&spec, vocab, tokens);
    (flops.forward, flops.backward)
}

/// Feed-forward and head.
fn around(vocab: usize, tokens: usize) -> f64 {
    2.0 * p(tokens, 8, 10) + p(tokens, 10, 8) + p(tokens, 8, vocab)
}

#[test]
fn transformer() {
    let projections = 4.0 * p(5, 8, 8);
    // Two heads, scores and what they weigh.
    let attention = 2.0 * (p(5, 4, 5) + p(5, 5, 4));
    let forward = projections + attention + around(7, 5);
    assert_eq!(counted("transformer", &[], 7, 5), (forward, 2.0 * forward));
}

#[test]
fn gated_deltanet() {
    // One whole chunk of 4 and a rest of 2; gates for retention and step.
    let layer = 5.0 * p(6, 8, 8) + p(6, 8, 2 * 2) + around(7, 6);

    // Products of keys, then two right sides, then the state.
    let ordinary_of_4 = p(4, 4, 4) + 2.0 * p(4, 4, 4) + p(4, 4, 4)
        // What is written at the end.
        + p(4, 4, 4)
        // Queries through the state, against keys, and those against writes.
        + p(4, 4, 4) + p(4, 4, 4) + p(4, 4, 4);
    // 4 tokens: two blocks of 2, merged outside the graph; those of 2 take no product.
    let merges_of_4 = 2.0 * p(2, 2, 2);
    let derivative_of_4 = 2.0 * p(4, 4, 4);

    let ordinary_of_2 = p(2, 4, 2)
        + 2.0 * p(2, 2, 4)
        + p(2, 4, 4)
        + p(4, 2, 4)
        + p(2, 4, 4)
        + p(2, 4, 2)
        + p(2, 2, 4);
    let derivative_of_2 = 2.0 * p(2, 2, 2);

    let ordinary = layer + 2.0 * (ordinary_of_4 + ordinary_of_2);
    let halves = 2.0 * (derivative_of_4 + derivative_of_2);
    let forward = ordinary + halves + 2.0 * merges_of_4;
    let backward = 2.0 * ordinary + halves;
    let found = counted("gated-deltanet", &["algorithm.chunk=4"], 7, 6);
    assert_eq!(found, (forward, backward));
}

/// A head of width 4 with maps 4 x 8 and 8 x 4, momentum, chunks of 3.
const LMM: [&str; 2] = ["algorithm.chunk=3", "memory.expansion=2"];

/// What a chunk of 3 tokens takes in every form: writes into state and momentum, and reads.
fn lmm_end_and_read() -> f64 {
    let end = 2.0 * (p(4, 3, 8) + p(8, 3, 4));
    // Through the state, the momentum and the initial weights, then against the writes.
    let read_1 = 3.0 * p(3, 4, 8) + p(3, 4, 3) + p(3, 3, 8);
    let read_2 = 3.0 * p(3, 8, 4) + p(3, 8, 3) + p(3, 3, 4);
    end + read_1 + read_2
}

/// Coefficients of momentum: the slot's share, and its writes in the state.
fn lmm_coefficients() -> f64 {
    p(3, 3, 1) + p(3, 3, 3)
}

/// The load cap looks at the last map's input.
fn load_cap() -> f64 {
    p(3, 8, 3) + p(3, 3, 1)
}

#[test]
fn titans_lmm() {
    // Two chunks of 3; gates for retention, step and momentum.
    let layer = 5.0 * p(6, 8, 8) + p(6, 8, 3 * 2) + around(7, 6);
    let gradients = p(3, 4, 8) + p(3, 8, 4) + p(3, 4, 8);
    let ordinary = lmm_coefficients() + gradients + load_cap() + lmm_end_and_read();

    // Two heads, two chunks.
    let forward = layer + 4.0 * ordinary;
    assert_eq!(counted("titans-lmm", &LMM, 7, 6), (forward, 2.0 * forward));
}

#[test]
fn picard_iterations_take_the_memory_through_the_weights_of_every_token() {
    let swept_1 = 3.0 * p(3, 4, 8) + p(3, 4, 3) + p(3, 3, 8);
    let swept_2 = 3.0 * p(3, 8, 4) + p(3, 8, 3) + p(3, 3, 4);
    // Back through the second map: gradients against gradients, and those against inputs.
    let swept_back = 3.0 * p(3, 4, 8) + p(3, 4, 3) + p(3, 3, 8);
    let sweep = swept_1 + swept_2 + swept_back + load_cap();

    let (forward, backward) = counted("titans-lmm", &LMM, 7, 6);
    let changes = [&LMM[..], &["algorithm.picard=2"]].concat();
    let swept = counted("titans-lmm", &changes, 7, 6);
    let more = 4.0 * 2.0 * sweep;
    assert_eq!(swept, (forward + more, backward + 2.0 * more));
}

#[test]
fn links_that_are_no_scale_write_the_weights_of_every_token_out() {
    let changes = ["algorithm.chunk=3", "memory.expansion=2"];
    let stale = counted("memora", &changes, 7, 3);
    let exact = counted(
        "memora",
        &[&changes[..], &["algorithm.read=exact"]].concat(),
        7,
        3,
    );
    // 3 products of a row and a column, and their sums for 3 tokens, for each map of two heads.
    let written = 2.0 * 2.0 * (3.0 * p(4, 1, 8) + p(3, 3, 32));
    assert_eq!(exact, (stale.0 + written, stale.1 + 2.0 * written));
}

#[test]
fn nonlinear_gradients_are_substituted_in_blocks() {
    let changes = [
        "memory=matrix",
        "retention={ kind = 'l2', anchored = false }",
        "algorithm={ kind = 'gd', chunk = 20 }",
    ];
    let l2 = counted("titans-lmm", &changes, 7, 20);
    let huber = counted(
        "titans-lmm",
        &[&changes[..], &["bias=huber"]].concat(),
        7,
        20,
    );
    // Two heads. Exact l2 solves: products of keys, two right sides and the state, and for 20
    // tokens two products for the derivative. Outside the graph two blocks of 10, each of two of 5;
    // one of 5 is one of 3 and one of 2, computed as two of 3, which are of 2 and 1.
    let solved = p(20, 4, 20) + 2.0 * p(20, 20, 4) + p(20, 4, 4);
    let derivative = 2.0 * p(20, 20, 20);
    let of_3 = p(1, 1, 2) + p(1, 2, 2);
    let of_5 = 2.0 * of_3 + p(2, 2, 3) + p(2, 3, 3);
    let of_10 = 2.0 * of_5 + 2.0 * p(5, 5, 5);
    let merges = 2.0 * of_10 + 2.0 * p(10, 10, 10);
    // Products of keys, the state, a block of 16 and one of 4 token by token, the second one
    // against the first at once.
    let inside = p(1, 16 * 15 / 2, 4) + p(1, 4 * 3 / 2, 4);
    let substituted = p(20, 4, 20) + p(20, 4, 4) + inside + p(4, 16, 4);
    let forward = l2.0 + 2.0 * (substituted - solved - derivative - merges);
    let backward = l2.1 + 2.0 * (2.0 * substituted - 2.0 * solved - derivative);
    assert_eq!(huber, (forward, backward));
}
