//! Tensors behind each other as one, for an operation that takes and gives a fixed number of them.

use burn::tensor::Tensor;
use miras_core::MapState;

use crate::split::split;

/// The numbers of tensors behind each other.
pub(crate) fn flat(tensors: impl IntoIterator<Item = Tensor<4>>) -> Tensor<1> {
    let flat = tensors.into_iter().map(|x| {
        let numbers = x.shape().num_elements();
        x.reshape([numbers])
    });
    Tensor::cat(flat.collect(), 0)
}

/// The tensors of these shapes out of one that holds their numbers behind each other.
pub(crate) fn parts(flat: Tensor<1>, shapes: &[[usize; 4]]) -> impl Iterator<Item = Tensor<4>> {
    let lengths: Vec<usize> = shapes.iter().map(|shape| shape.iter().product()).collect();
    let [len] = flat.dims();
    split(flat.reshape([1, 1, 1, len]), 3, &lengths)
        .into_iter()
        .zip(shapes)
        .map(|(part, shape)| part.reshape(*shape))
}

/// The tensors of a state: the weights of all maps, then their slots.
pub(crate) fn of_maps(maps: &[MapState]) -> impl Iterator<Item = Tensor<4>> {
    let weights = maps.iter().map(|map| map.weights.clone());
    weights.chain(maps.iter().flat_map(|map| map.slots.clone()))
}

/// The state of so many maps with so many slots each, from its tensors.
///
/// # Panics
/// If there are too few of them.
pub(crate) fn to_maps(
    tensors: &mut impl Iterator<Item = Tensor<4>>,
    maps: usize,
    slots: usize,
) -> Vec<MapState> {
    let mut next = |n: usize| -> Vec<Tensor<4>> {
        let found: Vec<_> = tensors.take(n).collect();
        assert_eq!(found.len(), n, "tensors of a state");
        found
    };
    (next(maps).into_iter())
        .map(|weights| MapState {
            weights,
            slots: next(slots),
        })
        .collect()
}
