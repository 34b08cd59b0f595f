//! Cutting a token into windows, and back.

use burn::tensor::{Tensor, s};

/// Windows over the features of a token, as [`Builder::unfold`](super::Builder::unfold) says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Windows {
    /// The features of a window.
    pub width: usize,
    /// From one window to the next.
    pub stride: usize,
    /// How many of a window's blocks of `stride` features come after its own.
    pub ahead: usize,
}

impl Windows {
    /// For each block of a window, the first one first: by how many features a token moves
    /// towards its end for that block to come where the window's own block is.
    fn moves(self) -> impl Iterator<Item = isize> {
        let blocks = (self.width / self.stride) as isize;
        (1..=blocks).map(move |at| (blocks - at - self.ahead as isize) * self.stride as isize)
    }

    /// `[n, g, c·R, d] → [n, g, c·rows, width]`.
    pub(super) fn unfold(self, x: Tensor<4>, r: usize) -> Tensor<4> {
        let token = with_rows(x, r, 1);
        let rows = token.dims()[3] / self.stride;
        let blocks = (self.moves()).map(|by| with_rows(shift(token.clone(), by), 1, rows));
        Tensor::cat(blocks.collect(), 3)
    }

    /// The transpose of [`unfold`](Self::unfold): each feature gathers from its windows.
    pub(super) fn gather(self, d: &Tensor<4>, rows: usize, r: usize) -> Tensor<4> {
        let token = (self.moves().enumerate())
            .map(|(at, by)| {
                let start = at * self.stride;
                let block = d.clone().slice(s![.., .., .., start..start + self.stride]);
                shift(with_rows(block, rows, 1), -by)
            })
            .reduce(|a, b| a + b);
        with_rows(token.expect("a window has a block"), 1, r)
    }
}

/// Features moved by so many places towards the end, with zeros where none come from.
fn shift(x: Tensor<4>, by: isize) -> Tensor<4> {
    let width = x.dims()[3];
    let places = by.unsigned_abs().min(width);
    let zeros = || x.clone().slice(s![.., .., .., 0..places]).zeros_like();
    let pieces = match by {
        0 => return x,
        _ if places == width => return x.zeros_like(),
        1.. => vec![zeros(), x.clone().slice(s![.., .., .., 0..width - places])],
        _ => vec![x.clone().slice(s![.., .., .., places..]), zeros()],
    };
    Tensor::cat(pieces, 3)
}

/// The same numbers with `to` rows a token in place of `from`.
pub(super) fn with_rows(x: Tensor<4>, from: usize, to: usize) -> Tensor<4> {
    let [n, g, rows, width] = x.dims();
    x.reshape([n, g, rows / from * to, width * from / to])
}
