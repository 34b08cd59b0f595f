//! Splitting a tensor along a dimension at linear cost.
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
use miras_core::Gates;

/// The pieces of `x` along dimension `dim` that have these lengths.
///
/// # Panics
/// If the lengths do not add up to the size of the dimension.
pub fn split(x: Tensor<4>, dim: usize, lengths: &[usize]) -> Vec<Tensor<4>> {
    let size = x.dims()[dim];
    let sum: usize = lengths.iter().sum();
    assert_eq!(sum, size, "lengths of all pieces, and what is split");
    if lengths.len() == 1 {
        return vec![x];
    }
    // A node of our own between the pieces and their parent: its gradient is theirs alone.
    let shape = x.dims();
    let x = x.reshape(shape).into_dispatch();
    let buffer = Buffer::default();
    let mut from = 0;
    (lengths.iter())
        .map(|length| {
            let place = Place {
                dim,
                from,
                to: from + length,
            };
            from = place.to;
            let buffer = buffer.clone();
            Tensor::from_dispatch(<burn::backend::Dispatch as Pieces>::piece(
                x.clone(),
                place,
                buffer,
            ))
        })
        .collect()
}

/// What pieces of tokens gave, behind each other.
///
/// # Panics
/// If there is no piece.
pub(crate) fn joined(mut pieces: Vec<Tensor<4>>) -> Tensor<4> {
    match pieces.len() {
        1 => pieces.remove(0),
        _ => Tensor::cat(pieces, 2),
    }
}

/// The `n` slices `[1, …]` of `x [n, g, c, d]`.
pub(crate) fn split_chunks(x: Tensor<4>) -> Vec<Tensor<4>> {
    let n = x.dims()[0];
    split(x, 0, &vec![1; n])
}

/// Lengths of the pieces of `of` each that `size` falls into, and of a rest.
pub(crate) fn lengths(size: usize, of: usize) -> Vec<usize> {
    let starts = (0..size).step_by(of);
    starts.map(|start| of.min(size - start)).collect()
}

/// The gates of every piece.
pub(crate) fn split_gates(gates: &Gates, dim: usize, lengths: &[usize]) -> Vec<Gates> {
    let mut pieces: Vec<Gates> = vec![Gates::new(); lengths.len()];
    for (name, value) in gates.iter() {
        for (piece, value) in (pieces.iter_mut()).zip(split(value.clone(), dim, lengths)) {
            *piece = std::mem::take(piece).with(name, value);
        }
    }
    pieces
}

/// Where a piece is in its parent.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    dim: usize,
    from: usize,
    to: usize,
}

impl Place {
    fn slices(self, parent: &Shape) -> Vec<Slice> {
        let before = parent.iter().take(self.dim);
        let mut slices: Vec<Slice> = before.map(|size| Slice::from(0..*size)).collect();
        slices.push(Slice::from(self.from..self.to));
        slices
    }
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
    /// The piece of `x` at `place`.
    #[fusion(default)]
    fn piece(x: FloatTensor<Self>, place: Place, buffer: Buffer) -> FloatTensor<Self> {
        drop(buffer);
        let shape = burn::backend::TensorMetadata::shape(&x);
        let piece = Self::float_slice(x, &place.slices(&shape));
        if 2 * (place.to - place.from) < shape[place.dim] {
            Self::owned(piece)
        } else {
            piece
        }
    }

    /// The same tensor, without a larger one behind it.
    #[fusion(default)]
    fn owned(x: FloatTensor<Self>) -> FloatTensor<Self> {
        x
    }
}

impl Pieces for Flex {
    /// Its slices are views, which keep all of their parent in memory.
    fn owned(x: FloatTensor<Self>) -> FloatTensor<Self> {
        FloatTensor::<Self>::from_data(x.into_data())
    }
}

#[cfg(feature = "cube")]
impl Pieces for burn_cubecl::CubeBackend {}

#[cfg(feature = "tch")]
impl Pieces for burn::backend::LibTorch {}

impl<B: Pieces, C: CheckpointStrategy> Pieces for Autodiff<B, C> {
    fn piece(x: FloatTensor<Self>, place: Place, buffer: Buffer) -> FloatTensor<Self> {
        let (x, node) = x.into_parts();
        let prepared = Piece.prepare::<C>([node]).compute_bound().stateful();
        let shape = burn::backend::TensorMetadata::shape(&x);
        let out = B::piece(x, place, buffer.clone());
        let state = PieceState {
            place,
            shape,
            buffer,
        };
        match prepared {
            OpsKind::Tracked(tracked) => tracked.finish(state, out),
            OpsKind::UnTracked(untracked) => untracked.finish(out),
        }
    }
}

#[derive(Debug)]
struct Piece;

#[derive(Debug, Clone)]
struct PieceState {
    place: Place,
    shape: Shape,
    buffer: Buffer,
}

impl<B: Backend> Backward<B, 1> for Piece {
    type State = PieceState;

    fn backward(self, ops: Ops<PieceState, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let gradient = grads.consume::<B>(&ops.node);
        let [Some(parent)] = ops.parents else { return };
        let PieceState {
            place,
            shape,
            buffer,
        } = ops.state;
        let slices = place.slices(&shape);
        let whole = if buffer.0.swap(true, Ordering::Relaxed) {
            grads.consume::<B>(&parent)
        } else {
            let device = burn::backend::TensorMetadata::device(&gradient);
            let dtype = burn::backend::TensorMetadata::dtype(&gradient);
            B::float_zeros(shape, &device, dtype.into())
        };
        grads.register::<B>(parent.id, B::float_slice_assign(whole, &slices, gradient));
    }
}
