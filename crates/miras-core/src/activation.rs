//! Activations between a memory's maps, with their derivatives.

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use crate::{Formula, Term};

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

    /// `f(x)` and `f'(x)`, as terms of `x` that share what they have in common.
    fn terms(self) -> [Term; 2] {
        let x = Term::argument();
        match self {
            Activation::Gelu => {
                let cdf = ((&x * std::f64::consts::FRAC_1_SQRT_2).erf() + 1.0) * 0.5;
                let density = (x.square() * -0.5).exp() * NORMAL_DENSITY;
                [&x * &cdf, cdf + x * density]
            }
            Activation::Silu => {
                let s = x.sigmoid();
                let value = x * &s;
                // s(1 + x(1 − s)) = s + x s − (x s) s
                let slope = &s + &value - &value * s;
                [value, slope]
            }
            Activation::ReluSquared => {
                let positive = x.relu();
                [positive.square(), positive * 2.0]
            }
        }
    }

    /// The formula of `f(x)` or, with the `slope`, of `f(x)` and `f'(x)`.
    pub fn formula(self, slope: bool) -> Formula {
        let terms = self.terms();
        Formula::of(if slope { &terms } else { &terms[..1] })
    }

    /// `f(x)`.
    pub fn value(self, x: Tensor<4>) -> Tensor<4> {
        self.formula(false).of_argument(x).remove(0)
    }

    /// `f(x)` and `f'(x)`.
    pub fn value_and_slope(self, x: Tensor<4>) -> (Tensor<4>, Tensor<4>) {
        let mut both = self.formula(true).of_argument(x).into_iter();
        let mut next = || both.next().expect("a value and a slope");
        (next(), next())
    }
}
