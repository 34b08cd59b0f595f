//! Memory for rows of vectors.

use std::ops::{Deref, DerefMut};

use bytemuck::{Pod, Zeroable, cast_slice, cast_slice_mut, zeroed_vec};

/// Rows and columns of every buffer are multiples of this, the floats of the widest vector.
pub(crate) const LANES: usize = 16;

/// The multiple of [`LANES`] that has room for `n`.
pub(crate) fn padded(n: usize) -> usize {
    n.next_multiple_of(LANES)
}

/// A vector of the widest kind, in one line of the cache.
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
#[repr(C, align(64))]
struct Line([f32; LANES]);

/// Floats that start at the start of a cache line, 0 at first.
#[derive(Debug, Clone)]
pub(crate) struct Buffer(Vec<Line>);

impl Buffer {
    /// Room for `rows` of `columns`, both padded.
    pub(crate) fn new(rows: usize, columns: usize) -> Self {
        Self::rows(padded(rows), columns)
    }

    /// Room for exactly `rows` of `columns`, of which the columns are padded.
    pub(crate) fn rows(rows: usize, columns: usize) -> Self {
        Self(zeroed_vec(rows * padded(columns) / LANES))
    }

    /// Room for one row.
    pub(crate) fn row(columns: usize) -> Self {
        Self::rows(1, columns)
    }

    pub(crate) fn clear(&mut self) {
        self.fill(0.0);
    }
}

impl Deref for Buffer {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        cast_slice(&self.0)
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [f32] {
        cast_slice_mut(&mut self.0)
    }
}
