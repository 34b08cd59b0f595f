//! The chunk loop as one operation of `miras-kernels`: which rules it is written for, and what goes
//! in and comes out.

use std::sync::Arc;

use burn::tensor::Tensor;
use miras_core::{
    Activation, AlgorithmKind, AttentionalBias, Bound, Extent, Formula, Function, Link, MOMENTUM,
    Node, Operation, Order, Pair, Program, Recurrence, STEP, StepRule, Symbol, Term, Value,
};
use miras_kernels::{Bias, Binary, Caps, MapFormula, Op, Over, Scan, Unary};

use crate::{
    Form, Initial, Read, Rule, State, Tokens,
    flat::{flat, of_maps, parts, to_maps},
    kernel::{has_kernels, run},
};

/// A state is kept for the backward pass every so many chunks; those between are computed again.
pub(crate) const KEEP_EVERY: usize = 4;

/// Whether the whole chunks of `tokens` tokens are one operation where there are kernels, on burn's
/// own CPU backend in float32; `program` is that of the rule's memory at its widths.
pub fn is_fused(rule: &Rule, program: &Program, tokens: usize) -> bool {
    whole(rule, tokens) > 0 && scan_of(rule, program).is_some()
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
    // A single token costs less on tensors.
    if t == 1 || !has_kernels(&tokens.q) || state.open.is_some() || whole(rule, t) < t {
        return None;
    }
    let scan = scan_of(rule, &initial.program)?;
    let scan = Scan {
        chunk: scan.chunk.min(t),
        ..scan
    };
    let of_sequence = |x: Tensor<4>| x.expand([1, g, t, 1]);
    let mut gates = vec![
        of_sequence(rule.retention.log_decay(&tokens.gates, &tokens.q)),
        of_sequence(tokens.gates.get(STEP)),
    ];
    if scan.momentum {
        gates.push(of_sequence(tokens.gates.get(MOMENTUM)));
    }
    let of_bias = rule.bias.gates().into_iter().take(scan.bias.gates());
    gates.extend(of_bias.map(|gate| of_sequence(tokens.gates.get(gate.name))));
    let anchors = if scan.anchored {
        rule.anchors(initial)?
    } else {
        Vec::new()
    };
    let memory = of_maps(&state.maps)
        .chain(anchors)
        .chain(initial.gains.iter().cloned());
    let slots = usize::from(scan.momentum);
    let shapes: Vec<_> = ([[1, g, t, d_v]].into_iter())
        .chain(of_maps(&state.maps).map(|x| x.dims()))
        .collect();
    let operands = [
        tokens.q.clone().into(),
        tokens.k.clone().into(),
        tokens.v.clone().into(),
        flat(gates).into(),
        flat(memory).into(),
    ];
    let sizes = shapes.iter().map(|shape| shape.iter().product::<usize>());
    let len = sizes.sum();
    let out = run(scan, operands, [len]);
    let mut out = parts(out, &shapes);
    let y = out.next().expect("outputs come first");
    let maps = to_maps(&mut out, state.maps.len(), slots);
    let next = State {
        maps,
        past: None,
        carried: Vec::new(),
        open: None,
        position: state.position + t,
    };
    Some((y, next))
}

/// The operation for a rule, if there is one.
fn scan_of(rule: &Rule, program: &Program) -> Option<Scan> {
    let AlgorithmKind::Linear(algorithm) = rule.algorithm.kind() else {
        return None;
    };
    let order = rule.retention.order();
    let link = link_of(&rule.retention.link())?;
    let form = match &rule.settings.form {
        Form::Exact { rules }
            if rules.as_slice().is_empty()
                && program.is_linear()
                && link == miras_kernels::Link::Identity =>
        {
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
            read,
            rules,
        } if order == Order::After => miras_kernels::Form::ChunkStart {
            read: read_of(*read, &link)?,
            caps: caps_of(rules)?,
        },
        _ => return None,
    };
    let has_channels = rule.gates().iter().any(|gate| gate.channels.is_some());
    let is_noisy = rule.noise_deviation() > 0.0;
    if rule.bias.has_erase_key() || has_channels || is_noisy || rule.algorithm.window() > 1 {
        return None;
    }
    Some(Scan {
        program: program_of(program)?,
        bias: bias_of(&*rule.bias)?,
        chunk: rule.settings.chunk,
        keep_every: KEEP_EVERY,
        link,
        anchored: rule.retention.is_anchored(),
        momentum: algorithm.recurrence()? == Recurrence::Momentum,
        form,
    })
}

/// A link whose formula has operations that the kernels have.
fn link_of(link: &Link) -> Option<miras_kernels::Link> {
    let formula = |term: &Term| {
        let formula = Formula::of(std::slice::from_ref(term));
        MapFormula::new(&ops_of(&formula, &|_| None)?).ok()
    };
    Some(match link {
        Link::Identity => miras_kernels::Link::Identity,
        Link::Scale(scale) => {
            miras_kernels::Link::Scale(formula(scale).filter(MapFormula::is_number)?)
        }
        Link::General(weights) => {
            let formula = formula(weights).filter(|formula| !formula.is_number());
            miras_kernels::Link::General(formula?)
        }
    })
}

/// How queries are read, where no token's weights are written out.
fn read_of(read: Read, link: &miras_kernels::Link) -> Option<miras_kernels::Read> {
    match (read, link) {
        (Read::Exact, miras_kernels::Link::Identity) => Some(miras_kernels::Read::Exact),
        (Read::Frozen, miras_kernels::Link::Scale(_)) => Some(miras_kernels::Read::Frozen),
        (Read::Stale, _) => Some(miras_kernels::Read::Stale),
        (Read::Exact | Read::Frozen, _) => None,
    }
}

/// Rules that say what they bound, none of them twice. Each makes a step, or a state, smaller by a
/// factor that no other rule changes, so that the result does not depend on their order.
fn caps_of(rules: &[Arc<dyn StepRule>]) -> Option<Caps> {
    let mut caps = Caps::default();
    for rule in rules {
        let (cap, bound) = match rule.bound()? {
            Bound::Load(bound) => (&mut caps.load, bound),
            Bound::Gradient(bound) => (&mut caps.gradient, bound),
            Bound::State(bound) => (&mut caps.state, bound),
        };
        if cap.replace(bound as f32).is_some() {
            return None;
        }
    }
    Some(caps)
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
    let operations = ops_of(&bias.gradients(), &gate)?;
    miras_kernels::Formula::new(&operations)
        .ok()
        .map(Bias::Formula)
}

/// The operations of a formula, if the kernels have them all; its last one gives its value.
fn ops_of(formula: &Formula, gate: &dyn Fn(&str) -> Option<usize>) -> Option<Vec<Op>> {
    let operations = formula.operations().iter();
    operations.map(|operation| op_of(operation, gate)).collect()
}

fn op_of(operation: &Operation, gate: &dyn Fn(&str) -> Option<usize>) -> Option<Op> {
    Some(match *operation {
        Operation::Symbol(Symbol::Recalled) => Op::Output,
        Operation::Symbol(Symbol::Value) => Op::Value,
        Operation::Symbol(Symbol::Gate(name)) => Op::Gate(gate(name)?),
        Operation::Symbol(Symbol::Argument) => Op::Argument,
        Operation::Function(Function::TimesRowLength(p), x) => Op::TimesRowLength(x, p as f32),
        Operation::Function(function, x) => Op::Unary(unary_of(function)?, x),
        Operation::Pair(pair, a, b) => Op::Binary(binary_of(pair), a, b),
        Operation::Where {
            left: a,
            right: b,
            x: yes,
            otherwise: no,
        } => Op::Select { a, b, yes, no },
        Operation::Sum(x, over) => Op::Sum(x, over_of(over)?),
        Operation::Mean(x, over) => Op::Mean(x, over_of(over)?),
        Operation::Softmax(x) => Op::Softmax(x),
        Operation::LogSoftmax(x) => Op::LogSoftmax(x),
        Operation::Symbol(Symbol::Erased) | Operation::ByHand(..) => return None,
    })
}

fn over_of(extent: Extent) -> Option<Over> {
    match extent {
        Extent::All => Some(Over::All),
        Extent::Row => Some(Over::Row),
        Extent::Each => None,
    }
}

fn unary_of(function: Function) -> Option<Unary> {
    Some(match function {
        Function::Scale(s) => Unary::Scale(s as f32),
        Function::Shift(s) => Unary::Shift(s as f32),
        // The kernels' power is of numbers above 0.
        Function::Square | Function::Power(2.0) => Unary::Square,
        Function::Power(p) => Unary::Power(p as f32),
        Function::Sqrt => Unary::Sqrt,
        Function::Recip => Unary::Recip,
        Function::Exp => Unary::Exp,
        Function::Tanh => Unary::Tanh,
        Function::Atan => Unary::Atan,
        Function::Softplus => Unary::Softplus,
        Function::Abs => Unary::Abs,
        Function::Sign => Unary::Sign,
        Function::AtLeast(s) => Unary::AtLeast(s as f32),
        Function::AtMost(s) => Unary::AtMost(s as f32),
        Function::Erf | Function::Sigmoid | Function::Relu | Function::TimesRowLength(_) => {
            return None;
        }
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
