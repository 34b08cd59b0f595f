//! Memory for rows of vectors.

use bytemuck::{Pod, Zeroable, cast_slice, cast_slice_mut};

/// Rows and columns of every buffer are multiples of this, the floats of the widest vector.
pub(crate) const LANES: usize = 16;

/// The multiple of [`LANES`] that has room for `n`.
pub(crate) fn padded(n: usize) -> usize {
    n.next_multiple_of(LANES)
}

/// A vector of the widest kind, in one line of the cache.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C, align(64))]
struct Line([f32; LANES]);

/// Floats that start at the start of a cache line, 0 at first.
#[derive(Clone)]
pub(crate) struct Buffer(Vec<Line>);

impl Buffer {
    /// Room for `rows` of `columns`, both padded.
    pub(crate) fn new(rows: usize, columns: usize) -> Self {
        let lines = padded(rows) * padded(columns) / LANES;
        Self(vec![Line([0.0; LANES]); lines])
    }

    pub(crate) fn clear(&mut self) {
        self.fill(0.0);
    }
}

impl std::ops::Deref for Buffer {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        cast_slice(&self.0)
    }
}

impl std::ops::DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [f32] {
        cast_slice_mut(&mut self.0)
    }
}
