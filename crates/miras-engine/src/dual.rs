//! The chunk-parallel form: the same recurrence without per-token weights.
//!
//! A pass over `n` chunks has two halves. The *write* half walks through the
//! chunks, for it needs each chunk's starting state: gradients there (or, in the
//! exact form, solved for), and the state behind the chunk. The *read* half then
//! runs all queries of all chunks at once. Whatever else needs no state
//! (coefficients, solves) is computed for all chunks before the walk.

use burn::tensor::Tensor;

use crate::{
    Initial, Probe, Rule, State, Tokens, fused, pass::pass, read::read, recomputed, split::joined,
    write::spans,
};

/// What [`forward`] gives back.
pub struct Output {
    /// `[1, g, t, d_v]`.
    pub y: Tensor<4>,
    /// The state after the last token.
    pub state: State,
    /// Diagnostics, if they were asked for.
    pub probe: Option<Probe>,
}

/// Runs tokens through a memory, from `state` on.
///
/// Any number of tokens: an open chunk is filled first, whole chunks go in
/// parallel, and what remains stays open in the state (chunk-start form). Equal
/// to [`crate::recurrence::forward`] over everything since the state was new.
///
/// # Shapes
/// See [`Tokens`] and [`Output`].
///
/// # Panics
/// If there is no token.
pub fn forward(
    rule: &Rule,
    initial: &Initial,
    state: State,
    tokens: &Tokens,
    probe: bool,
) -> Output {
    forward_part(rule, initial, state, tokens, probe, tokens.len())
}

/// The same, cut off from the graph every `every` tokens: the values are those of [`forward`], and
/// the state before a piece is a constant for its gradients.
///
/// # Panics
/// If there is no token, or `every` is 0.
pub fn forward_truncated(
    rule: &Rule,
    initial: &Initial,
    state: State,
    tokens: &Tokens,
    every: usize,
) -> Output {
    let of = tokens.len();
    let mut state = state;
    let mut outputs = Vec::new();
    for (at, part) in (tokens
        .split(&recomputed::parts_of(rule, tokens, every))
        .iter())
    .enumerate()
    {
        let start = cut_off(state, at);
        let (y, next) = recomputed::beside(rule, initial, &start, part, every, of)
            .unwrap_or_else(|| piece_by_piece(rule, initial, start, part, every, of));
        outputs.push(y);
        state = next;
    }
    Output {
        y: joined(outputs),
        state,
        probe: None,
    }
}

fn piece_by_piece(
    rule: &Rule,
    initial: &Initial,
    state: State,
    tokens: &Tokens,
    every: usize,
    of: usize,
) -> (Tensor<4>, State) {
    let mut state = state;
    let mut outputs = Vec::new();
    for (at, piece) in tokens.split_every(every).iter().enumerate() {
        let out = forward_part(rule, initial, cut_off(state, at), piece, false, of);
        outputs.push(out.y);
        state = out.state;
    }
    (joined(outputs), state)
}

/// The state before piece `at`: the first one goes on with the graph of whoever calls.
fn cut_off(state: State, at: usize) -> State {
    if at > 0 {
        state.map(Tensor::detach)
    } else {
        state
    }
}

/// The same as [`forward`] for a part of a pass over `of` tokens. What a long pass leaves for its
/// backward pass is its inputs and some states; where there are parts, `of` says that it is long.
///
/// # Panics
/// If there is no token.
fn forward_part(
    rule: &Rule,
    initial: &Initial,
    state: State,
    tokens: &Tokens,
    probe: bool,
    of: usize,
) -> Output {
    assert!(
        !tokens.is_empty(),
        "the inner loop needs at least one token"
    );
    let mut state = state;
    let mut outputs = Vec::new();
    let mut seen = probe.then(Probe::default);
    for part in tokens.split(&spans(rule, &state, tokens.len())) {
        let whole = if probe {
            None
        } else {
            fused::forward(rule, initial, &state, &part)
                .or_else(|| recomputed::forward(rule, initial, &state, &part, of))
        };
        let (y, next) = whole.unwrap_or_else(|| {
            let passed = pass(rule, initial, state, &part, seen.as_mut());
            (passed.y, passed.state)
        });
        outputs.push(y);
        state = next;
    }
    let y = joined(outputs);
    if let Some(seen) = &mut seen {
        let unwritten = State::new(rule, initial);
        seen.record_reads(&y, read(rule, initial, &unwritten, tokens.q.clone()));
    }
    Output {
        y,
        state,
        probe: seen,
    }
}
