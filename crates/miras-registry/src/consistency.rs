//! What the parts of a rule say about themselves and about each other, checked before a model is
//! made of them: a gate with two owners or a slot without coefficients would be a dead column of
//! the projection or a memory that forgets its momentum, and nothing else would tell.

use burn::tensor::{Device, Tensor};
use miras_core::{
    AlgorithmKind, Axis, ChunkWrite, GateSpec, Gates, LogDecay, MapState, STEP, typical,
};
use miras_engine::Rule;

use crate::validity::{self, Refusal};

/// Refuses a memory without a program or with maps that its retention cannot move, two owners of
/// one gate, an algorithm without a step size, and slots that its updates do not have.
pub(crate) fn check(rule: &Rule, kinds: [&str; 4]) -> Result<(), Refusal> {
    let part = |axis: Axis| format!("{} `{}`", axis.table(), kinds[axis as usize]);
    let refuse = |axis: Axis, reason: String, instead: &str| {
        Err(Refusal {
            key: format!("{}.kind", axis.table()),
            reason,
            instead: instead.to_owned(),
        })
    };

    match typical(&*rule.memory) {
        Ok(program) => validity::check_columns(rule, &program)?,
        Err(error) => {
            let memory = part(Axis::Memory);
            return refuse(
                Axis::Memory,
                format!("{memory} has no program at any width up to 64: {error}"),
                "let its `program` accept a width up to there, keys and values alike",
            );
        }
    }

    let mut owners: Vec<(Axis, GateSpec)> = Vec::new();
    for (axis, gates) in [
        (Axis::Bias, rule.bias.gates()),
        (Axis::Retention, rule.retention.gates()),
        (Axis::Algorithm, rule.algorithm.gates()),
    ] {
        for gate in gates {
            let first = owners.iter().find(|(_, other)| other.name == gate.name);
            if let Some((first, _)) = first {
                let (first, second, gate) = (part(*first), part(axis), gate.name);
                return refuse(
                    axis,
                    format!("the gate `{gate}` is declared twice, by {first} and by {second}"),
                    "a gate belongs to one part: choose another part on one of these axes, or rename the gate of your own part",
                );
            }
            owners.push((axis, gate));
        }
    }
    for (axis, gate) in &owners {
        let Some(source) = gate.source else { continue };
        let (part, name) = (part(*axis), gate.name);
        let owner = owners.iter().find(|(_, other)| other.name == source);
        let fault = match owner {
            Some((_, owner)) if !owner.has_projection() => "has none",
            Some((_, owner)) if owner.channels != gate.channels => "is of other channels",
            // Both are a softplus of it, so that a larger step forgets more.
            Some((_, owner)) if !owner.map.has_rate() => "is that of no rate",
            Some(_) => continue,
            None => "is not there",
        };
        return refuse(
            *axis,
            format!(
                "the gate `{name}` of {part} reads the projection of the gate `{source}`, which {fault}"
            ),
            "choose a part with a projected gate of that name (for `retention`: retention.gate = \"rate\"), or a gate with a projection of its own (algorithm.step = \"input\")",
        );
    }
    let algorithm = part(Axis::Algorithm);
    let takes_several_steps = match rule.algorithm.kind() {
        AlgorithmKind::Linear(_) | AlgorithmKind::LeastSquares(_) => false,
        AlgorithmKind::ChunkEnd(algorithm) => algorithm.steps() > 1,
    };
    if rule.algorithm.window() > 1 && takes_several_steps {
        return refuse(
            Axis::Algorithm,
            format!("{algorithm} has a window of tokens and takes several steps at a chunk's end"),
            "let its `window` be 1, or its `steps`: gradients of the tokens of a chunk alone are taken anew",
        );
    }
    if !rule.algorithm.gates().iter().any(|gate| gate.name == STEP) {
        return refuse(
            Axis::Algorithm,
            format!(
                "{algorithm} declares no gate `{STEP}`, from which the engine has the step size"
            ),
            "declare it in the part's `gates`, a constant one if it is fixed",
        );
    }
    if let Some(fault) = slot_fault(rule, owners.iter().map(|(_, gate)| gate)) {
        return refuse(
            Axis::Algorithm,
            format!(
                "{algorithm} has {} slots, but {fault}",
                rule.algorithm.slots()
            ),
            "a slot needs its share in the rows and a `SlotEnd` in `coefficients`, and its new value in `step`",
        );
    }
    Ok(())
}

/// What does not know of every slot, found by an update of one token and of a chunk of two.
fn slot_fault<'a>(rule: &Rule, gates: impl Iterator<Item = &'a GateSpec>) -> Option<String> {
    let algorithm = &rule.algorithm;
    let slots = algorithm.slots();
    let zeros = |tokens: usize| Tensor::<4>::zeros([1, 1, tokens, 1], &Device::flex());
    let chunk = gates.fold(Gates::new(), |all, gate| {
        let rate = gate.map.has_rate().then(|| zeros(1));
        all.with(gate.name, gate.map.apply(zeros(2), rate))
    });
    let map = MapState {
        weights: zeros(1),
        slots: vec![zeros(1); slots],
    };
    let algorithm = match algorithm.kind() {
        AlgorithmKind::Linear(algorithm) => algorithm,
        AlgorithmKind::LeastSquares(_) => {
            return (slots != 1).then(|| "least squares keep one, of features".to_owned());
        }
        AlgorithmKind::ChunkEnd(algorithm) => {
            let write = ChunkWrite {
                step: 0,
                carry: zeros(1),
                write: zeros(1),
                gates: &chunk,
            };
            let found = algorithm.step(map, &write).slots.len();
            return (found != slots).then(|| format!("its `step` gives back {found}"));
        }
    };
    let log = rule.retention.log_decay(&chunk, &chunk.get(STEP));
    let coefficients = algorithm.coefficients(LogDecay::of_heads(log), &chunk);
    let step = algorithm.step(map, zeros(1), zeros(1), &chunk.tokens(0, 1));
    [
        (
            "the rows of its `coefficients` have",
            coefficients.rows.slots.len(),
        ),
        (
            "the end of its `coefficients` has",
            coefficients.end.slots.len(),
        ),
        ("its `step` gives back", step.slots.len()),
    ]
    .into_iter()
    .find(|(_, found)| *found != slots)
    .map(|(what, found)| format!("{what} {found}"))
}
