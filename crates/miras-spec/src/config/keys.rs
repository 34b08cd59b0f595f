use miras_config::{Renamed, fields_of};
use miras_core::Axis;
use miras_data::{DataConfig, KINDS};
use miras_model::{MixerKeys, MixerSpec, ModelConfig};
use miras_registry::Registry;

use crate::task::{TASKS, TaskConfig};

use super::{CheckpointConfig, EvalConfig, LogConfig, OptimConfig, TrainConfig, eval::BATCHES};

/// Keys that had other names in earlier versions, which are read still.
pub(super) const RENAMED: &[Renamed] = &[
    renamed("algorithm.sweeps", "algorithm.picard"),
    renamed("model.mixer", "mixer.kind"),
    renamed("model.heads", "mixer.heads"),
    renamed("model.conv", "mixer.conv"),
    renamed("model.conv_activation", "mixer.conv_activation"),
    renamed("model.rope_base", "attention.rope_base"),
    renamed(BATCHES, "eval.tokens"),
];

const fn renamed(old: &'static str, new: &'static str) -> Renamed {
    Renamed { old, new }
}

/// Names that other programs use for keys of ours.
pub(super) const OTHER_NAMES: &[(&str, &str)] = &[
    ("d_model", "model.dim"),
    ("hidden_size", "model.dim"),
    ("n_embd", "model.dim"),
    ("width", "model.dim"),
    ("n_layer", "model.layers"),
    ("n_layers", "model.layers"),
    ("num_layers", "model.layers"),
    ("num_hidden_layers", "model.layers"),
    ("n_head", "mixer.heads"),
    ("n_heads", "mixer.heads"),
    ("num_heads", "mixer.heads"),
    ("intermediate_size", "model.ffn_dim"),
    ("chunk_size", "algorithm.chunk"),
    ("block_size", "data.seq_len"),
    ("context_length", "data.seq_len"),
    ("max_seq_len", "data.seq_len"),
    ("dataset", "data.path"),
    ("batch_size", "train.batch"),
    ("grad_accum", "train.accumulate"),
    ("gradient_accumulation_steps", "train.accumulate"),
    ("max_steps", "train.steps"),
    ("max_iters", "train.steps"),
    ("dtype", "train.precision"),
    ("learning_rate", "optim.lr"),
    ("warmup_steps", "optim.warmup"),
    ("warmup_iters", "optim.warmup"),
    ("lr_decay_iters", "optim.decay_steps"),
    ("grad_clip", "optim.clip"),
    ("max_grad_norm", "optim.clip"),
    ("eval_interval", "eval.every"),
    ("eval_every", "eval.every"),
    ("save_every", "checkpoint.every"),
    ("save_interval", "checkpoint.every"),
    ("log_interval", "log.every"),
];

/// Names of keys that have no counterpart here, and what to use.
pub(super) const ABSENT: &[(&str, &str)] = &[
    (
        "epochs",
        "there are no epochs: training is counted in steps, `train.steps`",
    ),
    (
        "num_epochs",
        "there are no epochs: training is counted in steps, `train.steps`",
    ),
    (
        "vocab_size",
        "the vocabulary is that of `data.tokenizer`, or `data.vocab` for recall",
    ),
    (
        "betas",
        "there are two keys: `optim.beta1` and `optim.beta2`",
    ),
];

/// The tables that do not belong to a part, with their keys.
fn sections() -> Vec<(&'static str, &'static [&'static str])> {
    let mut sections = MixerSpec::own_keys();
    sections.extend([
        ("model", fields_of::<ModelConfig>()),
        ("mixer", fields_of::<MixerKeys>()),
        ("train", fields_of::<TrainConfig>()),
        ("optim", fields_of::<OptimConfig>()),
        ("eval", fields_of::<EvalConfig>()),
        ("checkpoint", fields_of::<CheckpointConfig>()),
        ("log", fields_of::<LogConfig>()),
    ]);
    sections
}

/// Every key that a configuration can have, whatever its kinds, as a path; not the kinds
/// themselves.
pub(super) fn all(registry: &Registry) -> Vec<String> {
    let mut paths = registry.key_paths();
    for (section, keys) in sections() {
        paths.extend(keys.iter().map(|key| format!("{section}.{key}")));
    }
    for task in TASKS {
        paths.extend(task.keys.iter().map(|(key, _)| format!("task.{key}")));
    }
    for kind in KINDS {
        paths.extend(kind.key_names().map(|key| format!("data.{key}")));
    }
    paths
}

/// The keys that choose a kind.
pub(super) fn kinds() -> impl Iterator<Item = String> {
    let tables = (Axis::ALL.map(Axis::table).into_iter()).chain(["mixer", "task", "data"]);
    tables.map(|table| format!("{table}.kind"))
}

/// The keys that a configuration can have with these kinds.
pub(super) fn of(
    mixer: &MixerSpec,
    (task, data): (&TaskConfig, &DataConfig),
    registry: &Registry,
) -> Vec<String> {
    let mut paths = Vec::new();
    let own = mixer.tables();
    let is_others = |section: &str| {
        let of_mixers = MixerSpec::own_keys().into_iter();
        let is_own = own.iter().any(|(table, _)| *table == section);
        !is_own
            && of_mixers
                .map(|(table, _)| table)
                .any(|table| table == section)
    };
    for (section, keys) in sections() {
        if !is_others(section) {
            paths.extend(keys.iter().map(|key| format!("{section}.{key}")));
        }
    }
    let task = task.entry().keys.iter();
    paths.extend(task.map(|(key, _)| format!("task.{key}")));
    let data = data.entry().key_names();
    paths.extend(data.map(|key| format!("data.{key}")));
    for choice in mixer.memories() {
        for axis in Axis::ALL {
            let part = registry.find(axis, choice.kind(axis));
            let own = part.iter().flat_map(|part| part.keys);
            let keys = own.chain(registry.common_keys(axis)).map(|(key, _)| key);
            paths.extend(keys.map(|key| format!("{}.{key}", axis.table())));
        }
    }
    paths
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_other_programs_lead_to_keys_and_are_none_themselves() {
        let all = all(&Registry::builtin());
        for (name, path) in OTHER_NAMES {
            assert!(all.contains(&(*path).to_owned()), "{path}");
            let is_last = |key: &String| key.rsplit('.').next() == Some(name);
            assert!(!all.iter().any(is_last), "{name}");
        }
    }
}
