//! The chunk loop as one operation of `miras-kernels`: which rules it is written for, and what goes
//! in and comes out.

mod scan;

use burn::tensor::{DType, Device, Tensor};
use miras_core::{
    Activation, AlgorithmKind, AttentionalBias, Extent, Function, MOMENTUM, Node, Operation, Order,
    Pair, Program, Recurrence, STEP, Symbol, Value,
};
use miras_kernels::{Bias, Binary, Op, Scan, Unary};

use crate::{
    Form, Initial, Read, Rule, State, Tokens,
    flat::{flat, of_maps, parts, to_maps},
};

/// A state is kept for the backward pass every so many chunks; those between are computed again.
pub(crate) const KEEP_EVERY: usize = 4;

/// Whether whole chunks of a rule are one operation where there are kernels, on burn's own CPU
/// backend in float32; `program` is that of the rule's memory at its widths.
pub fn is_fused(rule: &Rule, program: &Program) -> bool {
    scan_of(rule, program).is_some()
}

/// Of so many tokens, those in whole chunks; in the exact form any number of tokens is a chunk.
pub(crate) fn whole(rule: &Rule, tokens: usize) -> usize {
    if rule.settings.is_exact() {
        tokens
    } else {
        tokens - tokens % rule.settings.chunk
    }
}

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
    let [_, g, t, d_v] = tokens.v.dims();
    if !is_here(&tokens.q) || state.open.is_some() || whole(rule, t) < t {
        return None;
    }
    let scan = scan_of(rule, &initial.program)?;
    let scan = Scan {
        chunk: scan.chunk.min(t),
        ..scan
    };
    let of_sequence = |x: Tensor<4>| x.expand([1, g, t, 1]);
    let mut sequence = vec![
        tokens.q.clone(),
        tokens.k.clone(),
        tokens.v.clone(),
        of_sequence(rule.retention.log_decay(&tokens.gates, &tokens.q)),
        of_sequence(tokens.gates.get(STEP)),
    ];
    if scan.momentum {
        sequence.push(of_sequence(tokens.gates.get(MOMENTUM)));
    }
    let of_bias = rule.bias.gates().into_iter().take(scan.bias.gates());
    sequence.extend(of_bias.map(|gate| of_sequence(tokens.gates.get(gate.name))));
    let anchors = if scan.anchored {
        rule.anchors(initial)?
    } else {
        Vec::new()
    };
    let memory = of_maps(&state.maps)
        .chain(anchors)
        .chain(initial.gains.iter().cloned())
        .map(|x| {
            let [_, _, rows, d] = x.dims();
            x.expand([1, g, rows, d])
        });
    let slots = usize::from(scan.momentum);
    let out = scan::scan(scan, [flat(sequence), flat(memory)]);
    let shapes = [[1, g, t, d_v]].into_iter();
    let shapes: Vec<_> = shapes
        .chain(of_maps(&state.maps).map(|x| x.dims()))
        .collect();
    let mut out = parts(out, &shapes);
    let y = out.next().expect("outputs come first");
    let maps = to_maps(&mut out, state.maps.len(), slots);
    Some((y, State { maps, open: None }))
}

/// Whether the operation runs on the device of this tensor, in its precision.
fn is_here(x: &Tensor<4>) -> bool {
    let device = x.device();
    let cpu = Device::flex();
    x.dtype() == DType::F32 && (device == cpu || device == cpu.autodiff())
}

/// The operation for a rule, if there is one.
fn scan_of(rule: &Rule, program: &Program) -> Option<Scan> {
    let AlgorithmKind::Linear(algorithm) = rule.algorithm.kind() else {
        return None;
    };
    let order = rule.retention.order();
    let form = match &rule.settings.form {
        Form::Exact { rules } if rules.as_slice().is_empty() && program.is_linear() => {
            rule.bias.slope()?;
            miras_kernels::Form::Exact {
                order: match order {
                    Order::After => miras_kernels::Order::After,
                    Order::Before => miras_kernels::Order::Before,
                },
            }
        }
        Form::ChunkStart {
            picard: 0,
            read: Read::Exact,
            rules,
        } if order == Order::After => miras_kernels::Form::ChunkStart {
            load_cap: match &rules[..] {
                [] => None,
                [rule] => Some(rule.load_bound()? as f32),
                _ => return None,
            },
        },
        _ => return None,
    };
    let has_channels = rule.decay_channels().is_some() || rule.step_channels().is_some();
    if !rule.has_identity_link() || rule.bias.has_erase_key() || has_channels {
        return None;
    }
    Some(Scan {
        program: program_of(program)?,
        bias: bias_of(&*rule.bias)?,
        chunk: rule.settings.chunk,
        keep_every: KEEP_EVERY,
        anchored: rule.retention.is_anchored(),
        momentum: algorithm.recurrence()? == Recurrence::Momentum,
        form,
    })
}

/// A gradient whose formula has operations that the kernels have; its gates in their own order.
fn bias_of(bias: &dyn AttentionalBias) -> Option<Bias> {
    if let Some(slope) = bias.slope() {
        return Some(Bias::Affine {
            slope: slope as f32,
        });
    }
    let gates = bias.gates();
    let gate = |name: &str| gates.iter().position(|gate| gate.name == name);
    let formula = bias.gradients();
    let operations: Option<Vec<Op>> = (formula.operations().iter())
        .map(|operation| op_of(operation, &gate))
        .collect();
    miras_kernels::Formula::new(&operations?)
        .ok()
        .map(Bias::Formula)
}

fn op_of(operation: &Operation, gate: &dyn Fn(&str) -> Option<usize>) -> Option<Op> {
    Some(match *operation {
        Operation::Symbol(Symbol::Recalled) => Op::Output,
        Operation::Symbol(Symbol::Value) => Op::Value,
        Operation::Symbol(Symbol::Gate(name)) => Op::Gate(gate(name)?),
        Operation::Function(function, x) => Op::Unary(unary_of(function)?, x),
        Operation::Pair(pair, a, b) => Op::Binary(binary_of(pair), a, b),
        Operation::Where {
            left: a,
            right: b,
            x: yes,
            otherwise: no,
        } => Op::Select { a, b, yes, no },
        Operation::Sum(x, Extent::Row) => Op::Sum(x),
        Operation::Softmax(x) => Op::Softmax(x),
        Operation::LogSoftmax(x) => Op::LogSoftmax(x),
        Operation::Symbol(_) | Operation::Sum(..) | Operation::Mean(..) | Operation::ByHand(..) => {
            return None;
        }
    })
}

fn unary_of(function: Function) -> Option<Unary> {
    Some(match function {
        Function::Scale(s) => Unary::Scale(s as f32),
        Function::Shift(s) => Unary::Shift(s as f32),
        Function::Square => Unary::Square,
        Function::Power(p) => Unary::Power(p as f32),
        Function::Sqrt => Unary::Sqrt,
        Function::Recip => Unary::Recip,
        Function::Exp => Unary::Exp,
        Function::Tanh => Unary::Tanh,
        Function::Softplus => Unary::Softplus,
        Function::Abs => Unary::Abs,
        Function::AtLeast(s) => Unary::AtLeast(s as f32),
        Function::AtMost(s) => Unary::AtMost(s as f32),
        Function::Atan
        | Function::Erf
        | Function::Sigmoid
        | Function::Sign
        | Function::TimesRowLength(_) => return None,
    })
}

fn binary_of(pair: Pair) -> Binary {
    match pair {
        Pair::Sum => Binary::Add,
        Pair::Difference => Binary::Sub,
        Pair::Product => Binary::Mul,
        Pair::Quotient => Binary::Div,
        Pair::Min => Binary::Min,
        Pair::Max => Binary::Max,
    }
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
