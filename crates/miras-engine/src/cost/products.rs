//! Counting matrix products.

use std::ops::{Add, AddAssign, Mul};

/// Floating-point operations of matrix products: a multiplication and its addition are 2.
///
/// Elementwise work is not counted. Numbers are exact up to 2^53.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Flops {
    /// Of the forward pass.
    pub forward: f64,
    /// Of the backward pass alone: a product for each factor that needs a gradient.
    pub backward: f64,
}

/// Which factors of a product need a gradient.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    /// None: it is outside the graph.
    Neither,
    /// One of them: the other one is constant.
    One,
    /// Both.
    Both,
}

impl Flops {
    /// `[rows, inner] · [inner, columns]`.
    pub fn product(rows: usize, inner: usize, columns: usize, needs: Needs) -> Self {
        let forward = 2.0 * rows as f64 * inner as f64 * columns as f64;
        let products = match needs {
            Needs::Neither => 0.0,
            Needs::One => 1.0,
            Needs::Both => 2.0,
        };
        Self {
            forward,
            backward: products * forward,
        }
    }

    /// Forward and backward pass.
    pub fn both(self) -> f64 {
        self.forward + self.backward
    }
}

impl Add for Flops {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            forward: self.forward + other.forward,
            backward: self.backward + other.backward,
        }
    }
}

impl AddAssign for Flops {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl std::iter::Sum for Flops {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), Add::add)
    }
}

/// So many times the same.
impl Mul<f64> for Flops {
    type Output = Self;

    fn mul(self, times: f64) -> Self {
        Self {
            forward: self.forward * times,
            backward: self.backward * times,
        }
    }
}
