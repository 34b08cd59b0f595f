use pulp::{Arch, Simd, WithSimd};

use super::*;

/// The largest distance of a function from its float64 form, over `x`, relative to the value where
/// that is above 1.
fn error<const N: usize>(x: &[f32], ours: Function<N>, theirs: impl Fn(f64) -> [f64; N]) -> f64 {
    let ours = Arch::new().dispatch(ours.over(x));
    let errors = x.iter().zip(ours).flat_map(|(x, ours)| {
        let theirs = theirs(f64::from(*x));
        (0..N).map(move |at| (f64::from(ours[at]) - theirs[at]).abs() / theirs[at].abs().max(1.0))
    });
    errors.fold(0.0, f64::max)
}

/// A function by its name, since vectors have no closures.
#[derive(Clone, Copy)]
enum Name {
    Exp,
    Ln,
    Sigmoid,
    Tanh,
    Atan,
    Softplus,
    Sign,
    Gelu,
    Silu,
    ReluSquared,
}

struct Function<const N: usize>(Name);

struct Over<'a, const N: usize>(Name, &'a [f32]);

impl<const N: usize> Function<N> {
    fn over(self, x: &[f32]) -> Over<'_, N> {
        Over(self.0, x)
    }
}

impl<const N: usize> WithSimd for Over<'_, N> {
    type Output = Vec<[f32; N]>;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Self::Output {
        let first = |raw: V<S>| bytemuck::cast_slice::<_, f32>(&[raw.raw])[0];
        (self.1.iter())
            .map(|x| {
                let x = V::splat(simd, *x);
                let all = match self.0 {
                    Name::Exp => [x.exp(); 3],
                    Name::Ln => [x.ln(); 3],
                    Name::Sigmoid => [x.sigmoid(); 3],
                    Name::Tanh => [x.tanh(); 3],
                    Name::Atan => [x.atan(); 3],
                    Name::Softplus => [x.softplus(); 3],
                    Name::Sign => [x.sign(); 3],
                    Name::Gelu => x.gelu(),
                    Name::Silu => x.silu(),
                    Name::ReluSquared => x.relu_squared(),
                };
                std::array::from_fn(|at| first(all[at]))
            })
            .collect()
    }
}

fn around_zero(reach: f32) -> Vec<f32> {
    (-4000..=4000)
        .map(|at| at as f32 / 4000.0 * reach)
        .collect()
}

/// `erfc` for `x ≥ 0` by its continued fraction and its series, in float64.
fn erfc(x: f64) -> f64 {
    if x < 2.0 {
        let mut term = x;
        let mut sum = x;
        for n in 1..60 {
            term *= -x * x / f64::from(n);
            sum += term / f64::from(2 * n + 1);
        }
        return 1.0 - sum * 2.0 / std::f64::consts::PI.sqrt();
    }
    let mut fraction = 0.0;
    for n in (1..80).rev() {
        fraction = f64::from(n) / 2.0 / (x + fraction);
    }
    (-x * x).exp() / std::f64::consts::PI.sqrt() / (x + fraction)
}

#[test]
fn functions_are_those_of_float64() {
    let x = around_zero(9.0);
    assert!(error(&x, Function(Name::Exp), |x| [x.exp()]) < 3e-7);
    let positive: Vec<f32> = (1..4000).map(|at| at as f32 * 0.01).collect();
    assert!(error(&positive, Function(Name::Ln), |x| [x.ln()]) < 2e-7);
    assert!(error(&[1e-30, 1e30], Function(Name::Ln), |x| [x.ln()]) < 2e-7);
    let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
    assert!(error(&x, Function(Name::Sigmoid), |x| [sigmoid(x)]) < 2e-7);
    assert!(error(&x, Function(Name::Tanh), |x| [x.tanh()]) < 3e-7);
    assert!(error(&x, Function(Name::Atan), |x| [x.atan()]) < 3e-7);
    assert!(
        error(&[-1e30, -50.0, 0.0, 1e5], Function(Name::Atan), |x| [
            x.atan()
        ]) < 3e-7
    );
    assert!(error(&x, Function(Name::Softplus), |x| [x.exp().ln_1p()]) < 3e-7);
    let sign = |x: f64| [if x == 0.0 { 0.0 } else { x.signum() }];
    assert!(error(&x, Function(Name::Sign), sign) == 0.0);
}

#[test]
fn activations_have_the_slopes_and_curvatures_of_float64() {
    let x = around_zero(7.0);
    let gelu = |x: f64| {
        let half = 0.5 * erfc(x.abs() / 2f64.sqrt());
        let cdf = if x > 0.0 { 1.0 - half } else { half };
        let density = (-0.5 * x * x).exp() / (2.0 * std::f64::consts::PI).sqrt();
        [x * cdf, cdf + x * density, density * (2.0 - x * x)]
    };
    assert!(error(&x, Function(Name::Gelu), gelu) < 6e-7);
    let silu = |x: f64| {
        let s = 1.0 / (1.0 + (-x).exp());
        let curvature = s * (1.0 - s) * (2.0 + x * (1.0 - 2.0 * s));
        [x * s, s * (1.0 + x * (1.0 - s)), curvature]
    };
    assert!(error(&x, Function(Name::Silu), silu) < 6e-7);
    let relu_squared = |x: f64| {
        let positive = x.max(0.0);
        [
            positive * positive,
            2.0 * positive,
            if x > 0.0 { 2.0 } else { 0.0 },
        ]
    };
    assert!(error(&x, Function(Name::ReluSquared), relu_squared) < 1e-7);
}
