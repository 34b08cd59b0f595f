//! The operation for burn: [`Scan`] on the CPU, with its own backward pass.

use std::{
    ops::Range,
    sync::{Arc, OnceLock},
};

use burn::{
    backend::{
        Autodiff, Backend, Flex, TensorMetadata,
        autodiff::{
            checkpoint::{base::Checkpointer, strategy::CheckpointStrategy},
            grads::Gradients,
            ops::{Backward, Ops, OpsKind},
        },
        backend_extension,
        tensor::FloatTensor,
    },
    tensor::{Slice, Tensor, TensorData},
};
use miras_kernels::{Inputs, OutputGradients, Scan, Tape};

/// Runs the operation: `q`, `k`, `v` `[1, g, t, d]`; decays, steps, momenta and the bias' gates behind each other;
/// weights, slots, initial weights and gains behind each other. Outputs, weights and slots come out
/// behind each other.
pub(super) fn scan(
    scan: &Arc<Scan>,
    [q, k, v]: [Tensor<4>; 3],
    gates: Tensor<1>,
    memory: Tensor<1>,
) -> Tensor<1> {
    Tensor::from_dispatch(<burn::backend::Dispatch as Scans>::scan(
        q.into_dispatch(),
        k.into_dispatch(),
        v.into_dispatch(),
        gates.into_dispatch(),
        memory.into_dispatch(),
        scan.clone(),
        None,
    ))
}

/// What a forward pass keeps for its backward pass.
pub(crate) type Kept = Arc<OnceLock<Tape>>;

/// The operation, chosen on the CPU alone.
#[backend_extension(
    Autodiff,
    Flex,
    Cube: cfg(feature = "cube"),
    Fusion: cfg(feature = "fusion"),
    LibTorch: cfg(feature = "tch")
)]
pub(crate) trait Scans: Backend {
    /// The forward pass; what the backward pass needs goes to `kept`, if there is one.
    #[fusion(default)]
    fn scan(
        _q: FloatTensor<Self>,
        _k: FloatTensor<Self>,
        _v: FloatTensor<Self>,
        _gates: FloatTensor<Self>,
        _memory: FloatTensor<Self>,
        _scan: Arc<Scan>,
        _kept: Option<Kept>,
    ) -> FloatTensor<Self> {
        unreachable!("the fused chunk loop is chosen on the CPU alone")
    }

    /// The gradients of what goes in, behind each other, from those of what comes out.
    #[fusion(default)]
    #[allow(
        clippy::too_many_arguments,
        reason = "the inputs of the forward pass, and `of`"
    )]
    fn scan_backward(
        _q: FloatTensor<Self>,
        _k: FloatTensor<Self>,
        _v: FloatTensor<Self>,
        _gates: FloatTensor<Self>,
        _memory: FloatTensor<Self>,
        _of: FloatTensor<Self>,
        _scan: Arc<Scan>,
        _kept: Kept,
    ) -> FloatTensor<Self> {
        unreachable!("the fused chunk loop is chosen on the CPU alone")
    }
}

#[cfg(feature = "cube")]
impl Scans for burn_cubecl::CubeBackend {}

#[cfg(feature = "tch")]
impl Scans for burn::backend::LibTorch {}

impl Scans for Flex {
    fn scan(
        q: FloatTensor<Self>,
        k: FloatTensor<Self>,
        v: FloatTensor<Self>,
        gates: FloatTensor<Self>,
        memory: FloatTensor<Self>,
        scan: Arc<Scan>,
        kept: Option<Kept>,
    ) -> FloatTensor<Self> {
        let all = [q, k, v, gates, memory].map(|x| x.to_contiguous());
        let all = all.each_ref().map(|x| x.storage::<f32>());
        let (out, tape) = scan.forward(&inputs(&scan, all), kept.is_some());
        if let Some(kept) = kept {
            kept.set(tape).expect("a forward pass keeps once");
        }
        let parts = [out.y].into_iter().chain(out.weights).chain(out.slots);
        tensor(parts)
    }

    fn scan_backward(
        q: FloatTensor<Self>,
        k: FloatTensor<Self>,
        v: FloatTensor<Self>,
        gates: FloatTensor<Self>,
        memory: FloatTensor<Self>,
        of: FloatTensor<Self>,
        scan: Arc<Scan>,
        kept: Kept,
    ) -> FloatTensor<Self> {
        let all = [q, k, v, gates, memory].map(|x| x.to_contiguous());
        let all = all.each_ref().map(|x| x.storage::<f32>());
        let inputs = inputs(&scan, all);
        let of = of.to_contiguous();
        let mut rest = of.storage::<f32>();
        let y = take(&mut rest, inputs.v.len());
        let sizes = |maps: &[&[f32]]| maps.iter().map(|map| map.len()).collect::<Vec<_>>();
        let mut maps = |sizes: Vec<usize>| -> Vec<&[f32]> {
            sizes
                .into_iter()
                .map(|size| take(&mut rest, size))
                .collect()
        };
        let of = OutputGradients {
            y,
            weights: maps(sizes(&inputs.weights)),
            slots: maps(sizes(&inputs.slots)),
        };
        let tape = kept.get().expect("a forward pass came before");
        let gradients = scan.backward(&inputs, tape, &of);
        let parts = [
            gradients.q,
            gradients.k,
            gradients.v,
            gradients.log_decay,
            gradients.step,
        ]
        .into_iter()
        .chain([gradients.log_momentum])
        .chain(gradients.bias_gates)
        .chain(gradients.weights)
        .chain(gradients.slots)
        .chain(gradients.anchors)
        .chain(gradients.gains);
        tensor(parts)
    }
}

/// What goes in, out of the tensors.
fn inputs<'a>(scan: &Scan, [q, k, v, mut gates, mut memory]: [&'a [f32]; 5]) -> Inputs<'a> {
    let program = &scan.program;
    let tokens = q.len() / program.d_k();
    let log_decay = take(&mut gates, tokens);
    let step = take(&mut gates, tokens);
    let log_momentum = take(&mut gates, if scan.momentum { tokens } else { 0 });
    let of_bias = 0..scan.bias.gates();
    let bias_gates = of_bias.map(|_| take(&mut gates, tokens)).collect();
    let of_one: usize = program.maps().map(|[d_in, d_out]| d_in * d_out).sum();
    let maps = 1 + usize::from(scan.momentum) + usize::from(scan.anchored);
    let gains: usize = program.gains().iter().sum();
    let memories = memory.len() / (maps * of_one + gains);
    let mut of_maps = |is_there: bool| -> Vec<&'a [f32]> {
        let maps = program.maps().filter(|_| is_there);
        maps.map(|[d_in, d_out]| take(&mut memory, memories * d_in * d_out))
            .collect()
    };
    let (weights, slots, anchors) = (
        of_maps(true),
        of_maps(scan.momentum),
        of_maps(scan.anchored),
    );
    let gains = (program.gains().iter())
        .map(|d| take(&mut memory, memories * d))
        .collect();
    Inputs {
        q,
        k,
        v,
        log_decay,
        step,
        log_momentum,
        bias_gates,
        weights,
        slots,
        anchors,
        gains,
    }
}

fn take<'a>(from: &mut &'a [f32], len: usize) -> &'a [f32] {
    let (first, rest) = from.split_at(len);
    *from = rest;
    first
}

/// Numbers behind each other.
fn tensor(parts: impl IntoIterator<Item = Vec<f32>>) -> FloatTensor<Flex> {
    let parts: Vec<Vec<f32>> = parts.into_iter().collect();
    let numbers = parts.concat();
    let len = numbers.len();
    FloatTensor::<Flex>::from_data(TensorData::new(numbers, [len]))
}

impl<B: Scans, C: CheckpointStrategy> Scans for Autodiff<B, C> {
    fn scan(
        q: FloatTensor<Self>,
        k: FloatTensor<Self>,
        v: FloatTensor<Self>,
        gates: FloatTensor<Self>,
        memory: FloatTensor<Self>,
        scan: Arc<Scan>,
        _: Option<Kept>,
    ) -> FloatTensor<Self> {
        let [q, k, v, gates, memory] = [q, k, v, gates, memory].map(|x| x.into_parts());
        let nodes = [q.1, k.1, v.1, gates.1, memory.1];
        let inputs = [q.0, k.0, v.0, gates.0, memory.0];
        let run = |[q, k, v, gates, memory]: [FloatTensor<B>; 5], kept| {
            B::scan(q, k, v, gates, memory, scan.clone(), kept)
        };
        match Chunks.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(tracked) => {
                let kept = Kept::default();
                let out = run(inputs.clone(), Some(kept.clone()));
                let state = ChunksState::<B> {
                    inputs,
                    scan: scan.clone(),
                    kept,
                };
                tracked.finish(state, out)
            }
            OpsKind::UnTracked(untracked) => untracked.finish(run(inputs, None)),
        }
    }
}

#[derive(Debug)]
struct Chunks;

#[derive(Debug, Clone)]
struct ChunksState<B: Backend> {
    inputs: [FloatTensor<B>; 5],
    scan: Arc<Scan>,
    kept: Kept,
}

impl<B: Scans> Backward<B, 5> for Chunks {
    type State = ChunksState<B>;

    fn backward(self, ops: Ops<ChunksState<B>, 5>, grads: &mut Gradients, _: &mut Checkpointer) {
        let of = grads.consume::<B>(&ops.node);
        let ChunksState { inputs, scan, kept } = ops.state;
        let shapes = inputs.each_ref().map(TensorMetadata::shape);
        let [q, k, v, gates, memory] = inputs;
        let all = B::scan_backward(q, k, v, gates, memory, of, scan, kept);
        let mut from = 0;
        for (parent, shape) in ops.parents.into_iter().zip(shapes) {
            let range: Range<usize> = from..from + shape.num_elements();
            from = range.end;
            if let Some(parent) = parent {
                let gradient = B::float_slice(all.clone(), &[Slice::from(range)]);
                grads.register::<B>(parent.id, B::float_reshape(gradient, shape));
            }
        }
    }
}
