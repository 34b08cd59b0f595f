//! What an evaluation says beside its numbers.

use miras_data::{Amount, DataConfig, LANGUAGE};
use miras_registry::StartKind;
use miras_spec::{StateRule, Sum};

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

/// Another split of the files of training, by which rows of training may be held out.
pub(crate) fn of_parts(trained: &Trained, data: &DataConfig) -> Option<String> {
    let parts = |data: &DataConfig| {
        let mut table = data.to_table();
        let files = ["path", "mix", "valid_path"].map(|key| table.remove(key));
        (
            files,
            ["valid_fraction", "split"].map(|key| table.remove(key)),
        )
    };
    let ((now, of_now), (then, of_then)) = (parts(data), parts(&trained.config.data));
    (now == then && of_now != of_then).then(|| {
        "data.valid_fraction or data.split is not that of training: rows that the run was trained on \
         may be among those it is measured on"
            .to_owned()
    })
}

/// Another share of tokens that are read as others than in training.
pub(crate) fn of_corruption(trained: &Trained, now: f64) -> Option<String> {
    let then = trained.config.data.corrupt();
    let differs = now.total_cmp(&then).is_ne();
    differs.then(|| format!("data.corrupt is {now} here and was {then} in training"))
}

/// Questions of recall that the memory cannot answer, whatever it has learned.
pub(crate) fn of_recall(trained: &Trained, data: &DataConfig) -> Option<String> {
    let mut config = trained.config.clone();
    config.data.clone_from(data);
    config.recall_note()
}

/// Rows that memories cannot matter in, or not in the way that is asked for.
pub(crate) fn within_a_chunk(
    trained: &Trained,
    request: &EvalRequest,
    length: usize,
    carries: bool,
) -> Option<String> {
    let chunk = trained.config.shortest_chunk()?;
    // A state may end inside a chunk: what is read before the next chunk was not written by the row.
    if length > chunk || carries || request.state.is_some() {
        return None;
    }
    if trained.config.unread_at(length).is_some() {
        return Some(format!(
            "no token of a row of {length} tokens reads what was written: with algorithm.read = \"stale\" and algorithm.chunk = {chunk}, live, frozen and reset memories give the same numbers; use --length {} or more",
            chunk + 1
        ));
    }
    (trained.memory(request.memory) == Memory::Reset).then(|| {
        format!(
            "a row of {length} tokens is no longer than algorithm.chunk = {chunk}, so that nothing is reset: the numbers are those of --memory live; use --length {} or more",
            chunk + 1
        )
    })
}

/// A loss that rises with the position where rows are longer than those of training.
pub(crate) fn beyond_training(
    trained: &Trained,
    memory: Memory,
    positions: &[Sum],
) -> Option<String> {
    // Elsewhere positions are no tokens.
    if trained.config.task.kind() != LANGUAGE {
        return None;
    }
    // Memories that were carried have seen longer texts than a row.
    if trained.config.train.state == StateRule::Carry {
        return None;
    }
    let rise = rise(trained.config.data.seq_len(), positions)?;
    let model = &trained.config.model;
    let is_live = memory == Memory::Live && model.has_memory();
    let forgets = is_live
        && model.memories().any(|(_, choice)| {
            let retention = &choice.rule.retention;
            choice.start == StartKind::Learned && retention.forgets() && !retention.is_anchored()
        });
    let cause = if is_live {
        "; --memory reset shows whether memories are the cause"
    } else {
        ""
    };
    let help = if forgets {
        ": this one forgets its learned initial weights, train with retention.anchored = true"
    } else {
        ""
    };
    Some(format!("{rise}{cause}{help}"))
}

/// A rise beyond the tokens of a row of training that noise does not explain, in words.
fn rise(length: usize, positions: &[Sum]) -> Option<String> {
    let ranges = ranges(positions);
    let known = ranges.iter().rfind(|range| range.to < length)?;
    let before = known.sum.mean_loss();
    let rises = |sum: &Sum| {
        let noise = 2.0 * error(&known.sum).hypot(error(sum));
        sum.mean_loss() - before > RISE.max(noise)
    };
    // A last range of few targets must not hide a rise in one of many.
    let worst = (ranges.iter())
        .filter(|range| range.from >= length && rises(&range.sum))
        .max_by(|a, b| a.sum.mean_loss().total_cmp(&b.sum.mean_loss()))?;
    let after = worst.sum.mean_loss();
    Some(format!(
        "the loss rises beyond the {length} tokens of training: {before:.4} nats at positions {} to {}, {after:.4} at {} to {}",
        known.from, known.to, worst.from, worst.to
    ))
}

/// The standard error of a mean loss.
fn error(sum: &Sum) -> f64 {
    let mean = sum.mean_loss();
    let variance = (sum.squares / sum.weight - mean * mean).max(0.0);
    (variance / sum.weight).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Positions with two targets each, whose losses are `spread` above and below the mean.
    fn positions(losses: &[(usize, f64)], spread: f64) -> Vec<Sum> {
        let mut found = Vec::new();
        for &(end, loss) in losses {
            let one = Sum {
                loss: 2.0 * loss,
                squares: (loss - spread).powi(2) + (loss + spread).powi(2),
                hits: 0.0,
                weight: 2.0,
                bytes: 2.0,
            };
            found.resize(end, one);
        }
        found
    }

    #[test]
    fn a_rise_beyond_training_is_noted_unless_it_is_small_or_noise() {
        let noted = |losses: &[(usize, f64)], spread| rise(256, &positions(losses, spread));
        let text = noted(&[(256, 2.0), (512, 2.1), (1024, 2.3), (2048, 2.2)], 0.5);
        assert_eq!(
            text.unwrap(),
            "the loss rises beyond the 256 tokens of training: 2.0000 nats at positions 128 to 255, 2.3000 at 512 to 1023"
        );
        for losses in [
            &[(256, 2.0), (2048, 2.04)][..],
            &[(256, 2.0), (2048, 1.5)],
            // Within training it may rise.
            &[(128, 1.0), (256, 2.0)],
            &[(128, 1.0), (256, 2.0), (2048, 2.0)],
        ] {
            assert_eq!(noted(losses, 0.1), None, "{losses:?}");
        }
        // 256 targets that are 5 nats above or below: the mean is known to about 0.3.
        assert_eq!(noted(&[(256, 2.0), (512, 2.5)], 5.0), None);
        // A few targets at the end, of which nothing is known, hide no rise before them.
        let text = noted(&[(256, 2.0), (512, 3.0), (514, 4.0)], 5.0).unwrap();
        assert!(text.ends_with("3.0000 at 256 to 511"), "{text}");
        // No position of training at all.
        assert_eq!(rise(8, &positions(&[(64, 2.0)], 0.1)), None);
    }
}
