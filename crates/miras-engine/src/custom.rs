//! Operations with a backward pass of their own, on tensors of any backend.

use std::{fmt::Debug, sync::Arc};

use burn::{
    backend::{
        Autodiff, Backend, DispatchKindConversion, DispatchTensor, Flex,
        autodiff::{
            checkpoint::{base::Checkpointer, strategy::CheckpointStrategy},
            grads::Gradients,
            ops::{Backward, Ops, OpsKind},
        },
        backend_extension,
        tensor::FloatTensor,
    },
    tensor::Tensor,
};

/// A function of two flat tensors; what is in them is its own affair. It sees tensors without a
/// graph alone.
pub(crate) trait Custom: Debug + Send + Sync {
    /// The value, once; `keep` says whether a backward pass follows.
    fn forward(&self, inputs: [Tensor<1>; 2], keep: bool) -> Tensor<1>;

    /// The gradients of the inputs, from that of the value.
    fn backward(&self, inputs: [Tensor<1>; 2], of: Tensor<1>) -> [Tensor<1>; 2];
}

/// The value of an operation; all that its graph keeps are the inputs, and what the operation does.
pub(crate) fn apply(custom: Arc<dyn Custom>, [a, b]: [Tensor<1>; 2]) -> Tensor<1> {
    let (a, b) = (a.into_dispatch(), b.into_dispatch());
    Tensor::from_dispatch(<burn::backend::Dispatch as Apply>::apply(
        a, b, custom, false,
    ))
}

/// What is behind [`apply`]. With kernel fusion `Cube` is the fusing backend itself: the tensors
/// that an operation is made of are fused as any are.
#[backend_extension(
    Autodiff,
    Flex,
    Cube: cfg(feature = "cube"),
    LibTorch: cfg(feature = "tch")
)]
pub(crate) trait Apply: Backend {
    /// See [`Custom::forward`].
    fn apply(
        a: FloatTensor<Self>,
        b: FloatTensor<Self>,
        custom: Arc<dyn Custom>,
        keep: bool,
    ) -> FloatTensor<Self>;
}

macro_rules! on_tensors {
    ($backend:ty) => {
        impl Apply for $backend {
            fn apply(
                a: FloatTensor<Self>,
                b: FloatTensor<Self>,
                custom: Arc<dyn Custom>,
                keep: bool,
            ) -> FloatTensor<Self> {
                let inputs = [a, b].map(Tensor::from_primitive::<Self>);
                primitive::<Self>(custom.forward(inputs, keep))
            }
        }
    };
}

on_tensors!(Flex);
#[cfg(feature = "cube")]
on_tensors!(burn::backend::Cube);
#[cfg(feature = "tch")]
on_tensors!(burn::backend::LibTorch);

/// The tensor of a backend that an operation gave.
fn primitive<B: Backend>(x: Tensor<1>) -> FloatTensor<B>
where
    DispatchTensor: DispatchKindConversion<B>,
{
    x.try_into_primitive::<B>()
        .expect("the backend that the inputs are on")
}

impl<B: Apply, C: CheckpointStrategy> Apply for Autodiff<B, C>
where
    DispatchTensor: DispatchKindConversion<B>,
{
    fn apply(
        a: FloatTensor<Self>,
        b: FloatTensor<Self>,
        custom: Arc<dyn Custom>,
        _: bool,
    ) -> FloatTensor<Self> {
        let ((a, of_a), (b, of_b)) = (a.into_parts(), b.into_parts());
        match Step.prepare::<C>([of_a, of_b]).compute_bound().stateful() {
            OpsKind::Tracked(tracked) => {
                let out = B::apply(a.clone(), b.clone(), custom.clone(), true);
                let inputs = [a, b];
                tracked.finish(StepState::<B> { inputs, custom }, out)
            }
            OpsKind::UnTracked(untracked) => untracked.finish(B::apply(a, b, custom, false)),
        }
    }
}

#[derive(Debug)]
struct Step;

#[derive(Debug, Clone)]
struct StepState<B: Backend> {
    inputs: [FloatTensor<B>; 2],
    custom: Arc<dyn Custom>,
}

impl<B: Backend> Backward<B, 2> for Step
where
    DispatchTensor: DispatchKindConversion<B>,
{
    type State = StepState<B>;

    fn backward(self, ops: Ops<StepState<B>, 2>, grads: &mut Gradients, _: &mut Checkpointer) {
        let of = Tensor::from_primitive::<B>(grads.consume::<B>(&ops.node));
        let StepState { inputs, custom } = ops.state;
        let inputs = inputs.map(Tensor::from_primitive::<B>);
        let gradients = custom.backward(inputs, of);
        for (parent, gradient) in ops.parents.into_iter().zip(gradients) {
            if let Some(parent) = parent {
                grads.register::<B>(parent.id, primitive::<B>(gradient));
            }
        }
    }
}
