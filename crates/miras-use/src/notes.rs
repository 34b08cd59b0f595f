//! What an evaluation says beside its numbers.

use miras_data::Amount;
use miras_engine::Read;
use miras_trainer::{StateRule, Sum};

use crate::sums::ranges;
use crate::{EvalRequest, Memory, Size, Trained};

/// A rise of the loss that is worth a note, in nats.
const RISE: f64 = 0.05;

/// An amount in batches depends on the batch.
pub(crate) fn of_size(request: &EvalRequest, amount: Amount) -> Option<String> {
    let (Some(Size::Batches(batches)), Amount::Tokens(tokens)) = (request.size, amount) else {
        return None;
    };
    Some(format!(
        "--batches {batches} is {tokens} tokens here, and others with another --batch or --length: use --tokens {tokens}"
    ))
}

/// Rows that memories cannot matter in, or not in the way that is asked for.
pub(crate) fn within_a_chunk(
    trained: &Trained,
    request: &EvalRequest,
    length: usize,
    carries: bool,
) -> Option<String> {
    let settings = &trained.config.model.choice.as_ref()?.rule.settings;
    let chunk = settings.chunk;
    // A state may end inside a chunk, and what is read before the next one is none of the row's.
    if length > chunk || carries || request.state.is_some() {
        return None;
    }
    if settings.read == Read::Stale {
        return Some(format!(
            "no token of a row of {length} tokens reads what was written: with algorithm.read = \"stale\" and algorithm.chunk = {chunk}, live, frozen and reset memories give the same numbers; use --length {} or more",
            chunk + 1
        ));
    }
    (request.memory == Memory::Reset).then(|| {
        format!(
            "a row of {length} tokens is no longer than algorithm.chunk = {chunk}, so that nothing is reset: the numbers are those of --memory live; use --length {} or more",
            chunk + 1
        )
    })
}

/// A loss that rises with the position where rows are longer than those of training.
pub(crate) fn beyond_training(trained: &Trained, positions: &[Sum]) -> Option<String> {
    // Memories that were carried have seen longer texts than a row.
    if trained.config.train.state == StateRule::Carry {
        return None;
    }
    let length = trained.config.data.seq_len();
    let ranges = ranges(positions);
    let known = ranges.iter().rfind(|range| range.to < length)?;
    let worst = (ranges.iter())
        .filter(|range| range.from >= length)
        .max_by(|a, b| a.sum.mean_loss().total_cmp(&b.sum.mean_loss()))?;
    let (before, after) = (known.sum.mean_loss(), worst.sum.mean_loss());
    let noise = 2.0 * error(&known.sum).hypot(error(&worst.sum));
    if after - before <= RISE.max(noise) {
        return None;
    }
    let help = match &trained.config.model.choice {
        Some(choice) if !choice.rule.retention.is_anchored() => {
            "; with --memory reset it shows whether memories are the cause, and retention.anchored = true in training keeps most from it"
        }
        _ => "",
    };
    Some(format!(
        "the loss rises beyond the {length} tokens of training: {before:.4} nats at positions {} to {}, {after:.4} at {} to {}{help}",
        known.from, known.to, worst.from, worst.to
    ))
}

/// The standard error of a mean loss.
fn error(sum: &Sum) -> f64 {
    let mean = sum.mean_loss();
    let variance = (sum.squares / sum.weight - mean * mean).max(0.0);
    (variance / sum.weight).sqrt()
}
