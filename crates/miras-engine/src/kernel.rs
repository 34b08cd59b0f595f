//! Operations of `miras-kernels` on tensors: on burn's own CPU backend, in float32.

use std::{marker::PhantomData, sync::Arc};

use burn::{
    backend::{
        Autodiff, Flex,
        autodiff::{
            checkpoint::{base::Checkpointer, strategy::NoCheckpointing},
            grads::Gradients,
            ops::{Backward, Ops, OpsKind},
        },
        tensor::FloatTensor,
    },
    tensor::{DType, Device, Shape, Tensor, TensorData},
};
use miras_kernels::Operation;

/// Whether there are kernels where `x` is, in its precision.
pub fn has_kernels<const D: usize>(x: &Tensor<D>) -> bool {
    x.dtype() == DType::F32 && x.device() == Device::flex()
}

/// What goes into an operation: a tensor for which [`has_kernels`] holds.
#[derive(Debug)]
pub enum Operand {
    /// Without gradients.
    Plain(FloatTensor<Flex>),
    /// With them.
    Tracked(FloatTensor<Autodiff<Flex>>),
}

impl<const D: usize> From<Tensor<D>> for Operand {
    fn from(x: Tensor<D>) -> Self {
        let message = "a tensor on the CPU";
        if x.device().is_autodiff() {
            Self::Tracked(x.try_into_primitive::<Autodiff<Flex>>().expect(message))
        } else {
            Self::Plain(x.try_into_primitive::<Flex>().expect(message))
        }
    }
}

impl Operand {
    fn tracked(self) -> FloatTensor<Autodiff<Flex>> {
        match self {
            Self::Plain(x) => FloatTensor::<Autodiff<Flex>>::new(x),
            Self::Tracked(x) => x,
        }
    }
}

/// The result of an operation, of this shape, with gradients by its own backward pass.
///
/// Where gradients are tracked it keeps what goes in, if the operation needs that, and what the
/// operation says.
///
/// # Panics
/// If there are no kernels where an operand is, or a size does not fit.
pub fn run<O: Operation<N>, const N: usize, const D: usize>(
    operation: O,
    operands: [Operand; N],
    shape: [usize; D],
) -> Tensor<D> {
    let is_plain = |x: &Operand| matches!(x, Operand::Plain(_));
    if operands.iter().all(is_plain) {
        let inputs = operands.map(|x| x.tracked().into_primitive().to_contiguous());
        let (out, _) = operation.forward(inputs.each_ref().map(numbers), false);
        return Tensor::from_primitive::<Flex>(tensor(out, shape.into()));
    }
    let parts = operands.map(|x| x.tracked().into_parts());
    let inputs = parts.each_ref().map(|(x, _)| x.to_contiguous());
    let nodes = parts.map(|(_, node)| node);
    let step = Step::<O>(PhantomData);
    let prepared = step.prepare::<NoCheckpointing>(nodes).compute_bound();
    let forward = |keep| {
        let (out, kept) = operation.forward(inputs.each_ref().map(numbers), keep);
        (tensor(out, shape.into()), kept)
    };
    let out = match prepared.stateful() {
        OpsKind::Tracked(tracked) => {
            let (out, kept) = forward(true);
            let passed = Passed {
                operation,
                shapes: inputs.each_ref().map(|x| x.layout().shape().clone()),
                inputs: O::NEEDS_INPUTS.then_some(inputs),
                kept,
            };
            tracked.finish(Arc::new(passed), out)
        }
        OpsKind::UnTracked(untracked) => untracked.finish(forward(false).0),
    };
    Tensor::from_primitive::<Autodiff<Flex>>(out)
}

/// What `f` makes of the numbers of a tensor, without gradients.
///
/// # Panics
/// If there are no kernels where the tensor is.
pub fn read<const D: usize, T>(x: Tensor<D>, f: impl FnOnce(&[f32]) -> T) -> T {
    f(numbers(&plain(x)))
}

/// Tensors whose numbers `f` has changed, by what `x` holds: in place where nothing else holds
/// them, in copies elsewhere. Without gradients.
///
/// # Panics
/// If there are no kernels where a tensor is.
pub fn change<const N: usize, const D: usize>(
    changed: [Tensor<D>; N],
    x: Tensor<D>,
    f: impl FnOnce([&mut [f32]; N], &[f32]),
) -> [Tensor<D>; N] {
    let mut changed = changed.map(|x| {
        let x = plain(x);
        // The storage of a view holds more than its numbers.
        if x.storage::<f32>().len() == x.layout().num_elements() {
            x
        } else {
            tensor(numbers(&x).to_vec(), x.layout().shape().clone())
        }
    });
    let numbers_of = changed.each_mut().map(FloatTensor::<Flex>::storage_mut);
    f(numbers_of, numbers(&plain(x)));
    changed.map(Tensor::from_primitive::<Flex>)
}

fn plain<const D: usize>(x: Tensor<D>) -> FloatTensor<Flex> {
    let x = x.try_into_primitive::<Flex>();
    x.expect("a tensor on the CPU").to_contiguous()
}

fn numbers(x: &FloatTensor<Flex>) -> &[f32] {
    x.as_slice().expect("numbers behind each other, in float32")
}

fn tensor(numbers: Vec<f32>, shape: Shape) -> FloatTensor<Flex> {
    FloatTensor::<Flex>::from_data(TensorData::new(numbers, shape))
}

/// An operation that has run forward.
#[derive(Debug)]
struct Passed<O: Operation<N>, const N: usize> {
    operation: O,
    /// Of what went in.
    shapes: [Shape; N],
    inputs: Option<[FloatTensor<Flex>; N]>,
    kept: O::Kept,
}

/// The backward pass of an operation.
#[derive(Debug)]
struct Step<O>(PhantomData<O>);

impl<O: Operation<N>, const N: usize> Backward<Flex, N> for Step<O> {
    type State = Arc<Passed<O, N>>;

    fn backward(self, ops: Ops<Self::State, N>, grads: &mut Gradients, _: &mut Checkpointer) {
        let of = grads.consume::<Flex>(&ops.node).to_contiguous();
        let passed = &*ops.state;
        let inputs = match &passed.inputs {
            Some(inputs) => inputs.each_ref().map(numbers),
            None => [&[][..]; N],
        };
        let gradients = (passed.operation).backward(inputs, &passed.kept, numbers(&of));
        let parents = ops.parents.into_iter().zip(&passed.shapes);
        for ((parent, shape), gradient) in parents.zip(gradients) {
            if let Some(parent) = parent {
                grads.register::<Flex>(parent.id, tensor(gradient, shape.clone()));
            }
        }
    }
}
