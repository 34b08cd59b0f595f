//! Splitting a tensor along its first dimension at linear cost.
//!
//! The backward pass of an ordinary slice writes a gradient of the whole parent's
//! size, so that taking a tensor apart in a loop costs the square of its length. Here
//! the pieces share one gradient buffer of the parent: the first piece whose
//! backward step runs makes it, the others write their part into it.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use burn::{
    backend::{
        Autodiff, Backend, Flex,
        autodiff::{
            checkpoint::{base::Checkpointer, strategy::CheckpointStrategy},
            grads::Gradients,
            ops::{Backward, Ops, OpsKind},
        },
        backend_extension,
        tensor::FloatTensor,
    },
    tensor::{Shape, Slice, Tensor},
};
use miras_core::{Gates, Rows};

/// The `n` slices `[1, …]` of `x [n, g, c, d]`.
pub fn split(x: Tensor<4>) -> Vec<Tensor<4>> {
    let n = x.dims()[0];
    if n == 1 {
        return vec![x];
    }
    // A node of our own between the pieces and their parent: its gradient is theirs alone.
    let x = x.mul_scalar(1.0).into_dispatch();
    let buffer = Buffer::default();
    (0..n)
        .map(|at| {
            let piece = <burn::backend::Dispatch as Pieces>::piece(x.clone(), at, buffer.clone());
            Tensor::from_dispatch(piece)
        })
        .collect()
}

/// The gates of each of `n` chunks.
pub(crate) fn split_gates(gates: &Gates, n: usize) -> Vec<Gates> {
    let mut chunks: Vec<Gates> = vec![Gates::new(); n];
    for (name, value) in gates.iter() {
        for (chunk, value) in chunks.iter_mut().zip(split(value.clone())) {
            *chunk = std::mem::take(chunk).with(name, value);
        }
    }
    chunks
}

/// The rows of each chunk.
pub(crate) fn split_rows(rows: Rows) -> Vec<Rows> {
    let mut slots: Vec<_> = (rows.slots.into_iter())
        .map(|slot| split(slot).into_iter())
        .collect();
    (split(rows.carry).into_iter().zip(split(rows.writes)))
        .map(|(carry, writes)| Rows {
            carry,
            slots: (slots.iter_mut())
                .map(|slot| slot.next().expect("one per chunk"))
                .collect(),
            writes,
        })
        .collect()
}

/// Whether the parent's gradient exists already.
#[derive(Debug, Clone, Default)]
pub(crate) struct Buffer(Arc<AtomicBool>);

/// The operation behind [`split`].
#[backend_extension(
    Autodiff,
    Flex,
    Cube: cfg(feature = "cube"),
    Fusion: cfg(feature = "fusion"),
    LibTorch: cfg(feature = "tch")
)]
pub(crate) trait Pieces: Backend {
    /// Slice `at` along the first dimension, kept as a dimension of 1.
    #[fusion(default)]
    fn piece(x: FloatTensor<Self>, at: usize, buffer: Buffer) -> FloatTensor<Self> {
        drop(buffer);
        Self::float_slice(x, &[index(at)])
    }
}

impl Pieces for Flex {}

#[cfg(feature = "cube")]
impl Pieces for burn_cubecl::CubeBackend {}

#[cfg(feature = "tch")]
impl Pieces for burn::backend::LibTorch {}

impl<B: Pieces, C: CheckpointStrategy> Pieces for Autodiff<B, C> {
    fn piece(x: FloatTensor<Self>, at: usize, buffer: Buffer) -> FloatTensor<Self> {
        let (x, node) = x.into_parts();
        let prepared = Piece.prepare::<C>([node]).compute_bound().stateful();
        let state = PieceState {
            at,
            shape: burn::backend::TensorMetadata::shape(&x),
            buffer,
        };
        let out = B::float_slice(x, &[index(at)]);
        match prepared {
            OpsKind::Tracked(tracked) => tracked.finish(state, out),
            OpsKind::UnTracked(untracked) => untracked.finish(out),
        }
    }
}

fn index(at: usize) -> Slice {
    Slice::from(at..at + 1)
}

#[derive(Debug)]
struct Piece;

#[derive(Debug, Clone)]
struct PieceState {
    at: usize,
    shape: Shape,
    buffer: Buffer,
}

impl<B: Backend> Backward<B, 1> for Piece {
    type State = PieceState;

    fn backward(self, ops: Ops<PieceState, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let gradient = grads.consume::<B>(&ops.node);
        let [Some(parent)] = ops.parents else { return };
        let PieceState { at, shape, buffer } = ops.state;
        let whole = if buffer.0.swap(true, Ordering::Relaxed) {
            grads.consume::<B>(&parent)
        } else {
            let device = burn::backend::TensorMetadata::device(&gradient);
            let dtype = burn::backend::TensorMetadata::dtype(&gradient);
            B::float_zeros(shape, &device, dtype.into())
        };
        grads.register::<B>(
            parent.id,
            B::float_slice_assign(whole, &[index(at)], gradient),
        );
    }
}
