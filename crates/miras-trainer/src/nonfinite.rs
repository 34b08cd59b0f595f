//! Where a pass turns non-finite.

use burn::tensor::{Device, Tensor};
use miras_data::Batch;
use miras_engine::Probe;
use miras_model::{
    Ablation, Chunks, LanguageModel, Mixer, ModelState, Parameter, Pass, StateTree, TokenMixer,
    parameters,
};
use miras_spec::Task;
use miras_spec::read::read;

use crate::TrainError;
use crate::learner::{Fault, Gradients, Learner};

/// A description of the first place with NaN or infinity: a parameter, or layer and tensor (in a
/// memory also the chunk) of the pass over the batch from `earlier` on; none if that pass is
/// finite. Chunks count from the one that `earlier` left open, if it did.
fn first_place(
    (task, model): (&dyn Task, &LanguageModel),
    ablation: Ablation,
    batch: &Batch,
    earlier: Option<ModelState>,
    device: &Device,
) -> Result<Option<String>, TrainError> {
    if let Some(name) = first_nonfinite(&parameters(model))? {
        return Ok(Some(format!("parameter `{name}`")));
    }
    // Blocks know nothing of the middle of a row.
    if matches!(ablation, Ablation::FrozenFrom(_)) {
        return Ok(None);
    }
    // Chunks of memories that are kept from something are not those of a probe.
    let pass = Pass {
        probe: ablation == Ablation::None,
        ablation,
        ..Pass::default()
    };
    let mut earlier = earlier
        .map_or_else(Vec::new, |state| state.layers)
        .into_iter();
    // Embeddings are parameters, and those are finite.
    let mut x = task.encode(model, batch, device);
    for (layer, block) in model.blocks().iter().enumerate() {
        let earlier = earlier.next();
        let (mixer, chunks) = (block.mixer(), block.mixer().chunks(earlier.as_ref()));
        let (mixed, state, probe) = block.mix(x, earlier, pass);
        let inside = match (probe, chunks) {
            (Some(probe), Some(chunks)) => in_probe(&probe, batch.rows, chunks),
            _ => in_state(mixer, &state)?,
        };
        let inside = match inside {
            None if !is_finite(mixed.clone())? => Some(format!("{} output", mixer.name())),
            inside => inside,
        };
        x = block.feed(mixed);
        let place = match inside {
            None if !is_finite(x.clone())? => Some("feed-forward output".to_owned()),
            inside => inside,
        };
        if let Some(place) = place {
            return Ok(Some(format!("layer {layer}, {place}")));
        }
    }
    if is_finite(task.outputs(model, batch, x))? {
        Ok(None)
    } else {
        let last = model.blocks().len() - 1;
        Ok(Some(format!("logits, after layer {last}")))
    }
}

/// The first non-finite place in the passes over these batches, each from its state on.
pub(crate) fn locate<'a>(
    learner: &Learner,
    passes: impl IntoIterator<Item = (&'a Batch, Option<ModelState>)>,
) -> Result<Option<String>, TrainError> {
    let model = learner.inference_model();
    for (batch, earlier) in passes {
        let with = (&*learner.task, &model);
        let place = first_place(with, learner.pass.ablation, batch, earlier, &learner.device)?;
        if place.is_some() {
            return Ok(place);
        }
    }
    Ok(None)
}

/// Why a step cannot be made.
pub(crate) struct Cause {
    /// What is not finite.
    pub(crate) what: String,
    /// Where that began.
    pub(crate) place: String,
}

/// Why a step with these gradients cannot be made, and where that began.
pub(crate) fn cause(
    learner: &Learner,
    batches: &[Batch],
    gradients: &Gradients,
    fault: &Fault,
) -> Result<Cause, TrainError> {
    let what = match fault {
        Fault::Loss => format!("the loss is {}", gradients.loss),
        Fault::Gradient => format!("the gradient norm is {}", gradients.norm.value),
        Fault::Memory => "the carried memory is not finite".to_owned(),
        Fault::Huge(huge) => {
            let value = huge.value;
            let place = format!("AdamW's second moment of parameter `{}`", huge.name);
            let what = format!(
                "the gradient is finite, but it has an entry of {value:.1e}, whose square float32 cannot hold"
            );
            return Ok(Cause { what, place });
        }
    };
    let passes =
        (batches.iter().enumerate()).map(|(at, batch)| (batch, learner.inference_state(at)));
    let gradient = gradients.norm.nonfinite.as_ref();
    let place = locate(learner, passes)?
        .or_else(|| gradient.map(|name| format!("gradient of parameter `{name}`")))
        .unwrap_or_else(|| match fault {
            Fault::Memory => "the memory after the last token".to_owned(),
            _ => "the loss itself".to_owned(),
        });
    Ok(Cause { what, place })
}

/// The name of the first that holds NaN or infinity.
pub(crate) fn first_nonfinite(list: &[Parameter]) -> Result<Option<String>, TrainError> {
    // 0 times NaN or infinity is NaN; a plain sum of large finite values could overflow.
    let probes = (list.iter()).map(|one| one.values.clone().mul_scalar(0.0).sum());
    let probes = read(Tensor::cat(probes.collect(), 0))?;
    let first = probes.iter().position(|value| !value.is_finite());
    Ok(first.map(|at| list[at].name.clone()))
}

/// The first tensor of a mixer's memory with a non-finite value.
fn in_state(mixer: &Mixer, state: &StateTree) -> Result<Option<String>, TrainError> {
    for name in mixer.memory() {
        let tensor = state.get(&name).expect("a tensor of this mixer's state");
        if !is_finite(tensor.values())? {
            return Ok(Some(format!("{} {name}", mixer.name())));
        }
    }
    Ok(None)
}

/// The first chunk with a non-finite value, and the first tensor in the order of computation; of
/// memories beside the first one of a layer the tensor alone.
fn in_probe(probe: &Probe, rows: usize, chunks: Chunks) -> Option<String> {
    let memories = rows * chunks.memories;
    let (per_chunk, before) = (memories * chunks.len, memories * chunks.open);
    // Chunks of the first memory; all memories of a layer have the same tokens.
    let tokens = probe.surprise.len() / (1 + chunks.others);
    let whole = match chunks.others {
        0 => usize::MAX,
        _ => (tokens + before).div_ceil(per_chunk),
    };
    // Values per chunk, and values of the first chunk that belong to an earlier pass.
    let (of_tokens, of_chunks) = ((per_chunk, before), (1, 0));
    [
        ("retention gate", &probe.retention, of_tokens),
        ("inner gradient (surprise)", &probe.surprise, of_tokens),
        ("step size after caps", &probe.capped, of_tokens),
        ("write", &probe.write, of_tokens),
        ("memory state", &probe.state, of_chunks),
        ("inner loss", &probe.loss, of_tokens),
    ]
    .into_iter()
    .filter_map(|(name, values, (per_chunk, before))| {
        let first = values.iter().position(|value| !value.is_finite())?;
        let of_first = if per_chunk == 1 { whole } else { tokens };
        let chunk = (first < of_first).then(|| (first + before) / per_chunk);
        Some((chunk.unwrap_or(whole), name))
    })
    // The first of equals is kept, which is the earliest in the order above.
    .min_by_key(|(chunk, _)| *chunk)
    .map(|(chunk, name)| {
        if chunk < whole {
            format!("chunk {chunk}, {name}")
        } else {
            format!("a memory beside the first, {name}")
        }
    })
}

fn is_finite<const D: usize>(tensor: Tensor<D>) -> Result<bool, TrainError> {
    Ok(read(tensor.mul_scalar(0.0).sum())?[0].is_finite())
}

#[cfg(test)]
mod tests {
    use burn::module::{Module, ModuleMapper, Param};
    use miras_config::Layers;

    use super::*;
    use miras_spec::RunConfig;

    /// Sets every value of one parameter.
    struct Fill {
        number: u64,
        value: f64,
    }

    impl ModuleMapper for Fill {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            if param.id.val() != self.number {
                return param;
            }
            param.map(|tensor| tensor.zeros_like().add_scalar(self.value))
        }
    }

    /// What is found after every value of the parameter `name` became `value`.
    fn place(text: &str, name: &str, value: f64) -> Option<String> {
        let mut layers = Layers::new();
        layers.text("test", text).unwrap();
        layers.set("data.seq_len=16").unwrap();
        let (config, _, data) =
            RunConfig::load_and_open(layers, &miras_registry::Registry::builtin()).unwrap();
        let device = Device::flex();
        let learner = Learner::new(&config, data.vocab(), &device).unwrap();
        let model = learner.inference_model();
        let number = parameters(&model)
            .into_iter()
            .find(|one| one.name == name)
            .unwrap()
            .id
            .val();
        let model = model.map(&mut Fill { number, value });
        let batch = data.train_batch(0, 0..2).unwrap();
        first_place(
            (&*learner.task, &model),
            Ablation::None,
            &batch,
            None,
            &device,
        )
        .unwrap()
    }

    #[test]
    fn a_pass_is_searched_from_its_beginning() {
        let memory = "[model]\nlayers = 2\ndim = 8\ninit = 'recall'\n[mixer]\nheads = 2\n[algorithm]\nchunk = 4";
        let attention =
            "[model]\nlayers = 2\ndim = 8\ninit = 'recall'\n[mixer]\nheads = 2\nkind = 'attention'";
        for (text, name, value, expected) in [
            (memory, "norm.gamma", 1.0, None),
            (
                memory,
                "norm.gamma",
                f64::NAN,
                Some("parameter `norm.gamma`"),
            ),
            (memory, "norm.gamma", 3e38, Some("logits, after layer 1")),
            (
                memory,
                "blocks.1.mixer.v.weight",
                3e38,
                Some("layer 1, chunk 0, inner gradient (surprise)"),
            ),
            (
                memory,
                "blocks.0.mixer.output.weight",
                3e38,
                Some("layer 0, memory output"),
            ),
            (
                memory,
                "blocks.0.ffn.down.weight",
                3e38,
                Some("layer 0, feed-forward output"),
            ),
            (
                attention,
                "blocks.1.mixer.output.weight",
                3e38,
                Some("layer 1, attention output"),
            ),
            (
                attention,
                "blocks.0.ffn.gate.weight",
                f64::MAX,
                Some("parameter `blocks.0.ffn.gate.weight`"),
            ),
            (
                attention,
                "blocks.0.ffn.up.weight",
                3e38,
                Some("layer 0, feed-forward output"),
            ),
            (
                attention,
                "blocks.1.mixer.k.weight",
                3e38,
                Some("layer 1, attention keys"),
            ),
            (
                attention,
                "blocks.0.mixer.v.weight",
                3e38,
                Some("layer 0, attention values"),
            ),
        ] {
            assert_eq!(place(text, name, value).as_deref(), expected, "{name}");
        }
    }

    #[test]
    fn the_earliest_chunk_wins_then_the_order_of_computation() {
        // 2 memories, chunks of 3 tokens: 6 values a chunk.
        let beside = |probe: &Probe, open, others| {
            let chunks = Chunks {
                memories: 1,
                len: 3,
                open,
                others,
            };
            in_probe(probe, 2, chunks)
        };
        let found = |probe: &Probe, open| beside(probe, open, 0);
        let fine = vec![1.0; 15];
        let mut probe = Probe {
            loss: fine.clone(),
            surprise: fine.clone(),
            write: fine.clone(),
            retention: fine.clone(),
            capped: fine,
            gate: Vec::new(),
            read_change: Vec::new(),
            state: vec![1.0; 3],
        };
        assert_eq!(found(&probe, 0), None);
        let chunk = |chunk, name| Some(format!("chunk {chunk}, {name}"));
        probe.surprise[14] = f32::NAN;
        assert_eq!(found(&probe, 0), chunk(2, "inner gradient (surprise)"));
        probe.write[11] = f32::INFINITY;
        probe.state[1] = f32::NAN;
        assert_eq!(found(&probe, 0), chunk(1, "write"));
        // A token of each memory was there before.
        assert_eq!(found(&probe, 1), chunk(1, "memory state"));
        probe.state[1] = 1.0;
        probe.surprise[14] = 1.0;
        assert_eq!(found(&probe, 0), chunk(1, "write"));
        assert_eq!(found(&probe, 1), chunk(2, "write"));

        // Another memory, with chunks of its own, has the same tokens.
        let more = Probe {
            state: vec![1.0, 1.0, 1.0, 1.0, f32::NAN],
            write: vec![1.0; 15],
            ..probe.clone()
        };
        probe.extend(more);
        assert_eq!(beside(&probe, 0, 1), chunk(1, "write"));
        probe.write[11] = 1.0;
        let other = |name| Some(format!("a memory beside the first, {name}"));
        assert_eq!(beside(&probe, 0, 1), other("memory state"));
        probe.surprise[15] = f32::NAN;
        assert_eq!(beside(&probe, 0, 1), other("inner gradient (surprise)"));
        probe.state[2] = f32::NAN;
        assert_eq!(beside(&probe, 0, 1), chunk(2, "memory state"));
    }
}
