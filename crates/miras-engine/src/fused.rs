//! The chunk loop as one operation of `miras-kernels`: which rules it is written for, and what goes
//! in and comes out.

mod operation;

use std::sync::Arc;

use burn::tensor::{DType, Device, Tensor};
use miras_core::{
    Activation, AlgorithmKind, MOMENTUM, MapState, Node, Order, Program, Recurrence, STEP, Value,
};
use miras_kernels::{Bias, Scan};

use crate::{Form, Initial, Read, Rule, State, Tokens, split::split};

/// A state is kept for the backward pass every so many chunks; those between are computed again.
const KEEP_EVERY: usize = 4;

/// Whole chunks through the operation, if it is written for this rule and the tensors are float32
/// on the CPU.
///
/// # Shapes
/// Those of [`dual::forward`](crate::dual::forward).
pub(crate) fn forward(
    rule: &Rule,
    initial: &Initial,
    state: &State,
    tokens: &Tokens,
) -> Option<(Tensor<4>, State)> {
    if !is_here(&tokens.q)
        || state.open.is_some()
        || !tokens.len().is_multiple_of(rule.settings.chunk)
    {
        return None;
    }
    let scan = Arc::new(scan_of(rule, &initial.program)?);
    let [_, g, t, d_v] = tokens.v.dims();
    let of_sequence = |x: Tensor<4>| x.expand([1, g, t, 1]);
    let mut gates = vec![
        of_sequence(rule.retention.log_decay(&tokens.gates, &tokens.q)),
        of_sequence(tokens.gates.get(STEP)),
    ];
    if scan.momentum {
        gates.push(of_sequence(tokens.gates.get(MOMENTUM)));
    }
    let maps = &state.maps;
    let anchors = if scan.anchored {
        rule.anchors(initial)?
    } else {
        Vec::new()
    };
    let memory = (maps.iter().map(|map| map.weights.clone()))
        .chain(maps.iter().flat_map(|map| map.slots.clone()))
        .chain(anchors)
        .chain(initial.gains.iter().cloned())
        .map(|x| {
            let [_, _, rows, d] = x.dims();
            x.expand([1, g, rows, d])
        });
    let out = operation::scan(
        &scan,
        [tokens.q.clone(), tokens.k.clone(), tokens.v.clone()],
        flat(gates),
        flat(memory),
    );

    let shapes: Vec<[usize; 4]> = maps.iter().map(|map| map.weights.dims()).collect();
    let sizes = shapes.iter().map(|shape| shape.iter().product::<usize>());
    let states = if scan.momentum { 2 } else { 1 };
    let mut lengths = vec![g * t * d_v];
    for _ in 0..states {
        lengths.extend(sizes.clone());
    }
    let len = lengths.iter().sum();
    let mut parts = split(out.reshape([1, 1, 1, len]), 3, &lengths).into_iter();
    let mut next = |shape: [usize; 4]| parts.next().expect("a part for each length").reshape(shape);
    let y = next([1, g, t, d_v]);
    let weights: Vec<_> = shapes.iter().map(|shape| next(*shape)).collect();
    let maps = (weights.into_iter().zip(&shapes))
        .map(|(weights, shape)| MapState {
            weights,
            slots: if scan.momentum {
                vec![next(*shape)]
            } else {
                Vec::new()
            },
        })
        .collect();
    Some((y, State { maps, open: None }))
}

/// Whether the operation runs on the device of this tensor, in its precision.
fn is_here(x: &Tensor<4>) -> bool {
    let device = x.device();
    let cpu = Device::flex();
    x.dtype() == DType::F32 && (device == cpu || device == cpu.autodiff())
}

/// The numbers of tensors behind each other.
fn flat(tensors: impl IntoIterator<Item = Tensor<4>>) -> Tensor<1> {
    let flat = tensors.into_iter().map(|x| {
        let numbers = x.shape().num_elements();
        x.reshape([numbers])
    });
    Tensor::cat(flat.collect(), 0)
}

/// The operation for a rule, if there is one.
pub(crate) fn scan_of(rule: &Rule, program: &Program) -> Option<Scan> {
    let Form::ChunkStart {
        picard: 0,
        read: Read::Exact,
        rules,
    } = &rule.settings.form
    else {
        return None;
    };
    let load_cap = match &rules[..] {
        [] => None,
        [rule] => Some(rule.load_bound()? as f32),
        _ => return None,
    };
    let AlgorithmKind::Linear(algorithm) = rule.algorithm.kind() else {
        return None;
    };
    let has_channels = rule.decay_channels().is_some() || rule.step_channels().is_some();
    let is_covered = rule.has_identity_link()
        && rule.retention.order() == Order::After
        && !rule.bias.has_erase_key()
        && !has_channels;
    if !is_covered {
        return None;
    }
    Some(Scan {
        program: program_of(program)?,
        bias: Bias::Affine {
            slope: rule.bias.slope()? as f32,
        },
        chunk: rule.settings.chunk,
        keep_every: KEEP_EVERY,
        anchored: rule.retention.is_anchored(),
        momentum: algorithm.recurrence()? == Recurrence::Momentum,
        load_cap,
    })
}

/// A memory whose maps see one row a token.
fn program_of(program: &Program) -> Option<miras_kernels::Program> {
    let maps: Vec<[usize; 2]> = program
        .maps()
        .iter()
        .map(|map| [map.d_in, map.d_out])
        .collect();
    let nodes: Option<Vec<_>> = program.nodes().map(|(_, node)| node_of(node)).collect();
    miras_kernels::Program::new(program.d_k(), &maps, &nodes?).ok()
}

fn node_of(node: &Node) -> Option<miras_kernels::Node> {
    use miras_kernels::Node as To;
    let at = |value: Value| value.index();
    Some(match *node {
        Node::Linear { map, x } => To::Linear { map, x: at(x) },
        Node::Activation { kind, x } => To::Activation {
            kind: match kind {
                Activation::Gelu => miras_kernels::Activation::Gelu,
                Activation::Silu => miras_kernels::Activation::Silu,
                Activation::ReluSquared => miras_kernels::Activation::ReluSquared,
            },
            x: at(x),
        },
        Node::Product { a, b } => To::Product { a: at(a), b: at(b) },
        Node::Sum { a, b } => To::Sum { a: at(a), b: at(b) },
        Node::LayerNorm { gain, x } => To::LayerNorm { gain, x: at(x) },
        Node::Ones { .. } | Node::Unfold { .. } | Node::Fold { .. } | Node::ByHand => return None,
    })
}
