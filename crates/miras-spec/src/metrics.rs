//! The tags under which a run logs what it measures.

use miras_data::Metric;

/// The mean loss of an evaluation, which decides which checkpoint is best.
pub const EVAL_LOSS: &str = "eval/loss";

/// The number of questions that an evaluation asks, where it measures an accuracy: one question
/// more or less that is answered is the smallest step of the accuracy.
pub const QUESTIONS: &str = "eval/questions";

/// The metric beside the loss, as the last part of a tag.
pub fn secondary(metric: Metric) -> &'static str {
    match metric {
        Metric::BitsPerByte => "bits_per_byte",
        Metric::Accuracy => "accuracy",
    }
}

/// The scalars of a memory layer, as the last parts of tags.
const OF_MEMORY: [&str; 7] = [
    "inner_loss",
    "surprise",
    "surprise_share",
    "write_norm",
    "retention",
    "state_norm",
    "capped",
];

/// The tag of a scalar of the memory of one layer.
pub fn of_memory(layer: usize, scalar: &str) -> String {
    format!("memory/{layer}/{scalar}")
}

/// The tags of the scalars of the memories of these layers.
pub fn of_memories(layers: Vec<usize>) -> impl Iterator<Item = String> {
    layers
        .into_iter()
        .flat_map(|layer| OF_MEMORY.map(|scalar| of_memory(layer, scalar)))
}
