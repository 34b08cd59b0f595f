//! Activations between a memory's maps, with their derivatives.

use burn::tensor::{Tensor, activation};
use serde::{Deserialize, Serialize};

/// An elementwise function whose derivative is known in closed form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Activation {
    /// `x Φ(x)`, Φ the normal distribution function (the exact form, with erf).
    Gelu,
    /// `x σ(x)`.
    Silu,
    /// `max(x, 0)²`: no transcendental function.
    ReluSquared,
}

/// 1/√(2π).
const NORMAL_DENSITY: f64 = 0.398_942_280_401_432_7;

impl Activation {
    /// Its name in TOML.
    pub fn name(self) -> &'static str {
        match self {
            Activation::Gelu => "gelu",
            Activation::Silu => "silu",
            Activation::ReluSquared => "relu_squared",
        }
    }

    /// `f(x)`.
    pub fn value(self, x: Tensor<4>) -> Tensor<4> {
        match self {
            Activation::Gelu => x.clone() * normal_cdf(x),
            Activation::Silu => x.clone() * activation::sigmoid(x),
            Activation::ReluSquared => {
                let positive = activation::relu(x);
                positive.clone() * positive
            }
        }
    }

    /// `f(x)` and `f'(x)`, sharing what they have in common.
    pub fn value_and_slope(self, x: Tensor<4>) -> (Tensor<4>, Tensor<4>) {
        match self {
            Activation::Gelu => {
                let cdf = normal_cdf(x.clone());
                let density = x.clone().powi_scalar(2).mul_scalar(-0.5).exp();
                let density = density.mul_scalar(NORMAL_DENSITY);
                (x.clone() * cdf.clone(), cdf + x * density)
            }
            Activation::Silu => {
                let s = activation::sigmoid(x.clone());
                let value = x * s.clone();
                // s(1 + x(1 − s)) = s + x s − (x s) s
                let slope = s.clone() + value.clone() - value.clone() * s;
                (value, slope)
            }
            Activation::ReluSquared => {
                let positive = activation::relu(x);
                (
                    positive.clone() * positive.clone(),
                    positive.mul_scalar(2.0),
                )
            }
        }
    }
}

fn normal_cdf(x: Tensor<4>) -> Tensor<4> {
    let root_half = std::f64::consts::FRAC_1_SQRT_2;
    (x.mul_scalar(root_half).erf() + 1.0).mul_scalar(0.5)
}
