//! What a run says about itself before it starts.

use miras_core::Axis;
use miras_data::Dataset;
use miras_model::{LanguageModel, ParameterGroup, parameters};
use miras_run::{RunFolder, counted, short_checksums};
use miras_spec::{RunConfig, StateRule, notes_here};

use crate::snapshot::State;
use crate::start::in_words;

/// The lines of the banner.
pub(crate) fn lines(
    config: &RunConfig,
    folder: &RunFolder,
    model: &LanguageModel,
    data: &dyn Dataset,
    state: &State,
) -> Vec<String> {
    let train = &config.train;
    let model_config = &config.model.config;
    let parts = config.model.parts(|choice| {
        Axis::ALL
            .map(|axis| format!("{} {}", axis.table(), choice.kind(axis)))
            .join(", ")
    });
    let (all, groups) = (parameters(model), model.groups());
    let count = |of_memory: bool| -> usize {
        (all.iter())
            .filter(|one| !of_memory || groups.of(one.id) == Some(ParameterGroup::Memory))
            .map(|one| one.values.dims()[0])
            .sum()
    };
    let tokens = train.sequences() * config.data.seq_len();
    let plan = match state.step {
        0 => counted(train.steps, "step", "steps"),
        at if at >= train.steps => format!("nothing: step {at} is the last"),
        at => format!("from step {at} to step {}", train.steps),
    };
    let description = data.describe();
    let mut lines = vec![
        format!("run      {} in {}", folder.name(), folder.path().display()),
        format!("device   {}", train.device),
        format!(
            "model    {parts}; {} of width {}, {}",
            counted(model_config.layers as u64, "layer", "layers"),
            model_config.dim,
            counted(config.model.mixer.keys().heads as u64, "head", "heads")
        ),
        format!(
            "weights  {} parameters, {} of them the memories' own",
            count(false),
            count(true)
        ),
        format!("data     {}", short_checksums(&in_words(&description))),
        format!(
            "training {plan}, {} a step ({} x {} of {})",
            counted(tokens as u64, "token", "tokens"),
            train.accumulate,
            counted(train.batch as u64, "sequence", "sequences"),
            config.data.seq_len()
        ),
        evaluation(config, data),
    ];
    if let (Some(path), 0) = (&train.init_from, state.step) {
        lines.insert(4, format!("start    with the weights of {path}"));
    }
    let notes = notes_here(config, config.ends(data), &description.notes);
    lines.extend(notes.iter().map(|note| format!("note     {note}")));
    lines
}

/// What `eval/loss` is of.
fn evaluation(config: &RunConfig, data: &dyn Dataset) -> String {
    let selection = config.eval.selection(data, config.data.seq_len());
    let memory = match (config.model.has_memory(), config.train.state) {
        (false, _) => String::new(),
        (true, StateRule::Reset) => ", each from the initial memory".to_owned(),
        (true, StateRule::Carry) => format!(
            ", memories carried along {} of them",
            counted(selection.stretches(), "stretch", "stretches")
        ),
    };
    format!(
        "eval     {} of {}{memory}",
        counted(selection.rows(), "held-out row", "held-out rows"),
        counted(selection.row_len() as u64, "token", "tokens")
    )
}
