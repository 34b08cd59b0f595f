//! Data-dependent gates: what a part asks for, and their values.

use std::collections::BTreeMap;

use burn::tensor::{Tensor, activation, s};

use crate::Side;

/// Inner step size θ; below 0 in an ascent.
pub const STEP: &str = "step";
/// Retention a ∈ \[0, 1\] (keeps the past); values are `log a`.
pub const RETENTION: &str = "retention";
/// Momentum η ∈ \[0, 1\]; values are `log η`.
pub const MOMENTUM: &str = "momentum";
/// Threshold δ > 0 of a robust bias.
pub const THRESHOLD: &str = "threshold";

/// The smallest logarithm a gate may have, so that a gate of exactly 0 gives
/// a product of about 1e-13 and not a NaN.
const LOG_FLOOR: f64 = -30.0;

/// A gate that a part needs: a value of each token and head, or of each of their channels.
///
/// The layer owns the projection `z = x W + b`; the part says what becomes of `z`.
#[derive(Debug, Clone, PartialEq)]
pub struct GateSpec {
    /// [`STEP`], [`RETENTION`], … or a name of the part's own.
    pub name: &'static str,
    /// From the projection to the gate's value.
    pub map: GateMap,
    /// Where the projection's bias starts; for [`GateMap::HeadDecay`], the rate of head 0.
    pub bias: f64,
    /// The features of which each has a value of its own; none for one value a head.
    pub channels: Option<Side>,
    /// The gate whose projection this one reads in the place of its own, bias and all: Mamba-2's
    /// step and decay share one.
    pub source: Option<&'static str>,
}

impl GateSpec {
    /// One value a head, of a projection of its own whose bias starts at `bias`.
    pub fn new(name: &'static str, map: GateMap, bias: f64) -> Self {
        Self {
            name,
            map,
            bias,
            channels: None,
            source: None,
        }
    }

    /// With a value for each feature of this side of a map.
    #[must_use]
    pub fn per(self, channels: Option<Side>) -> Self {
        Self { channels, ..self }
    }

    /// Of the projection of another gate, which is a [`GateMap::DecayRate`].
    #[must_use]
    pub fn from_projection_of(self, source: &'static str) -> Self {
        let source = Some(source);
        Self { source, ..self }
    }

    /// Values a head, for keys of `d_k` features and values of `d_v`.
    pub fn width(&self, d_k: usize, d_v: usize) -> usize {
        match self.channels {
            None => 1,
            Some(Side::Key) => d_k,
            Some(Side::Value) => d_v,
        }
    }

    /// Where the learned rate of head `head` starts, of a gate that has one.
    pub fn rate(&self, head: usize) -> f64 {
        match self.map {
            GateMap::HeadDecay => {
                let first = -(-self.bias.exp()).exp_m1();
                let lost = first * 0.5_f64.powi(head as i32);
                (-(-lost).ln_1p()).ln()
            }
            _ => 0.0,
        }
    }

    /// Whether the layer has a projection for this gate alone.
    pub fn has_projection(&self) -> bool {
        self.map.is_projected() && self.source.is_none()
    }
}

/// How a projection `z` becomes a gate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum GateMap {
    /// The same value for every token, not learned; `z` is not projected.
    Constant(f64),
    /// `max · σ(z)`, between 0 and `max`.
    Sigmoid {
        /// The end of the range; below 0 for the steps of an ascent.
        max: f64,
    },
    /// `log σ(z)`: a gate in (0, 1) as its logarithm.
    LogSigmoid,
    /// `−exp(r) · softplus(z)` with `r` learned per head: the decay of Mamba-2
    /// (arXiv 2405.21060) and Gated `DeltaNet` (arXiv 2412.06464) as its logarithm.
    DecayRate,
    /// `−exp(r)` with `r` learned per head and no projection: a decay as its logarithm, of which each
    /// head starts to lose half of what the head before it loses (`RetNet`, arXiv 2307.08621).
    HeadDecay,
    /// `scale · softplus(z)`, of the sign of `scale`.
    Softplus {
        /// The factor.
        scale: f64,
    },
}

impl GateMap {
    /// Whether the layer projects the input for this gate.
    pub fn is_projected(self) -> bool {
        !matches!(self, GateMap::Constant(_) | GateMap::HeadDecay)
    }

    /// Whether the gate has a learned rate per head.
    pub fn has_rate(self) -> bool {
        matches!(self, GateMap::DecayRate | GateMap::HeadDecay)
    }

    /// The gate's value for the projection `z`; `rate` broadcasts against it
    /// and is read by [`GateMap::DecayRate`] and [`GateMap::HeadDecay`] alone.
    ///
    /// # Shapes
    /// `z` and the result: any, usually `[1, g, t, w]`.
    pub fn apply(self, z: Tensor<4>, rate: Option<Tensor<4>>) -> Tensor<4> {
        match self {
            GateMap::Constant(value) => z.zeros_like().add_scalar(value),
            GateMap::Sigmoid { max } => activation::sigmoid(z).mul_scalar(max),
            GateMap::LogSigmoid => activation::softplus(z.neg(), 1.0)
                .neg()
                .clamp_min(LOG_FLOOR),
            GateMap::DecayRate => {
                let speed = activation::softplus(z, 1.0);
                let decay = match rate {
                    Some(rate) => speed * rate.exp(),
                    None => speed,
                };
                decay.neg().clamp_min(LOG_FLOOR)
            }
            GateMap::HeadDecay => {
                let zero = z.zeros_like();
                let rate = rate.map_or(zero.clone(), |rate| zero + rate);
                rate.exp().neg().clamp_min(LOG_FLOOR)
            }
            GateMap::Softplus { scale } => activation::softplus(z, 1.0).mul_scalar(scale),
        }
    }

    /// `log value` for a constant gate kept as a logarithm.
    pub fn constant_log(value: f64) -> Self {
        GateMap::Constant(value.ln().max(LOG_FLOOR))
    }
}

/// The `z` at which `softplus(z)` is `y > 0`.
pub fn inverse_softplus(y: f64) -> f64 {
    y + (-(-y).exp_m1()).ln()
}

/// Gate values by name, each `[n, g, t, w]` with its [width](GateSpec::width).
#[derive(Debug, Clone, Default)]
pub struct Gates(BTreeMap<&'static str, Tensor<4>>);

impl Gates {
    /// No gates.
    pub fn new() -> Self {
        Self::default()
    }

    /// With one more gate.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: Tensor<4>) -> Self {
        self.0.insert(name, value);
        self
    }

    /// The gate `name`.
    ///
    /// # Panics
    /// If no part asked for it: a bug of the part that reads it, not of the user.
    pub fn get(&self, name: &str) -> Tensor<4> {
        match self.0.get(name) {
            Some(value) => value.clone(),
            None => panic!("gate `{name}` is read but no part declares it"),
        }
    }

    /// Names and values, in the order of the names.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &Tensor<4>)> {
        self.0.iter().map(|(name, value)| (*name, value))
    }

    /// The same gates, each value through `f`.
    #[must_use]
    pub fn map(&self, f: impl Fn(Tensor<4>) -> Tensor<4>) -> Self {
        Self(self.0.iter().map(|(n, v)| (*n, f(v.clone()))).collect())
    }

    /// Tokens `start..end`.
    #[must_use]
    pub fn tokens(&self, start: usize, end: usize) -> Self {
        self.map(|value| value.slice(s![.., .., start..end, ..]))
    }

    /// These tokens and then those of `later`, gate by gate.
    #[must_use]
    pub fn followed_by(self, later: Self) -> Self {
        let joined = self.0.into_iter().zip(later.0);
        Self(
            joined
                .map(|((name, first), (_, second))| (name, Tensor::cat(vec![first, second], 2)))
                .collect(),
        )
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
mod tests {
    use burn::tensor::{Device, TensorData};

    use super::*;

    fn tensor<const N: usize>(values: [f64; N], shape: [usize; 4]) -> Tensor<4> {
        let data = TensorData::new(values.to_vec(), shape).convert::<f32>();
        Tensor::from_data(data, &Device::flex())
    }

    fn assert_values(what: &str, got: Tensor<4>, expected: &[f64]) {
        let got: Vec<f64> = got.into_data().convert::<f64>().try_into_vec().unwrap();
        assert_eq!(got.len(), expected.len(), "{what}");
        for (got, expected) in got.iter().zip(expected) {
            let gap = (got - expected).abs();
            assert!(
                gap < 1e-12 + 1e-6 * expected.abs(),
                "{what}: {got}, expected {expected}"
            );
        }
    }

    const LN_2: f64 = std::f64::consts::LN_2;
    /// σ(ln 3) = 3/4 and σ(−ln 3) = 1/4.
    const LN_3: f64 = 1.098_612_288_668_109_8;
    /// `softplus(ln(e − 1)) = 1`.
    const UNIT: f64 = 0.541_324_854_612_918_1;

    #[test]
    fn maps_have_the_values_of_their_formulas() {
        let sigmoid = GateMap::Sigmoid { max: 2.0 };
        for (map, z, rate, expected) in [
            (GateMap::Constant(0.3), 0.0, None, 0.3),
            (GateMap::Constant(0.3), -7.0, None, 0.3),
            (sigmoid, 0.0, None, 1.0),
            (sigmoid, LN_3, None, 1.5),
            (sigmoid, -LN_3, None, 0.5),
            (sigmoid, -2.0, None, 0.238_405_844_044_235_1),
            (GateMap::LogSigmoid, 0.0, None, -LN_2),
            (GateMap::LogSigmoid, LN_3, None, -0.287_682_072_451_780_9),
            (GateMap::LogSigmoid, -LN_3, None, -2.0 * LN_2),
            (GateMap::LogSigmoid, -100.0, None, -30.0),
            (GateMap::DecayRate, 0.0, None, -LN_2),
            (GateMap::DecayRate, UNIT, None, -1.0),
            (GateMap::DecayRate, UNIT, Some(0.0), -1.0),
            (GateMap::DecayRate, UNIT, Some(LN_2), -2.0),
            (GateMap::DecayRate, 0.0, Some(-LN_2), -0.5 * LN_2),
            (GateMap::DecayRate, 100.0, Some(0.0), -30.0),
            (GateMap::HeadDecay, 7.0, None, -1.0),
            (GateMap::HeadDecay, 7.0, Some(LN_2), -2.0),
            (GateMap::HeadDecay, 7.0, Some(9.0), -30.0),
            (GateMap::Softplus { scale: 1.0 }, 0.0, None, LN_2),
            (GateMap::Softplus { scale: 1.0 }, UNIT, None, 1.0),
            (
                GateMap::Softplus { scale: 1.0 },
                -20.0,
                None,
                2.061_153_620_314_381e-9,
            ),
            (GateMap::Softplus { scale: 1.0 }, 50.0, None, 50.0),
            (GateMap::Softplus { scale: 0.5 }, UNIT, None, 0.5),
        ] {
            let one = [1, 1, 1, 1];
            let rate_of = rate.map(|rate| tensor([rate], one));
            let value = map.apply(tensor([z], one), rate_of);
            assert_values(
                &format!("{map:?} at {z}, rate {rate:?}"),
                value,
                &[expected],
            );
        }
    }

    #[test]
    fn a_rate_is_that_of_its_head_for_all_tokens() {
        let z = tensor([0.0, UNIT, UNIT, 0.0, UNIT, 0.0], [1, 2, 3, 1]);
        let rate = tensor([LN_2, -LN_2], [1, 2, 1, 1]);
        let expected = [-2.0 * LN_2, -2.0, -2.0, -0.5 * LN_2, -0.5, -0.5 * LN_2];
        let values = GateMap::DecayRate.apply(z, Some(rate));
        assert_values("decay rate", values, &expected);
    }

    #[test]
    fn a_constant_kept_as_a_logarithm_has_a_floor() {
        assert_eq!(GateMap::constant_log(1.0), GateMap::Constant(0.0));
        assert_eq!(GateMap::constant_log(0.5), GateMap::Constant(-LN_2));
        assert_eq!(GateMap::constant_log(0.0), GateMap::Constant(-30.0));
    }

    #[test]
    fn heads_start_to_lose_half_of_what_the_one_before_loses() {
        // RetNet: 1 − 2^(−5−h).
        let first = (-(1.0_f64 - 0.03125).ln()).ln();
        let gate = GateSpec::new(RETENTION, GateMap::HeadDecay, first);
        for head in 0..8 {
            let kept = (-gate.rate(head).exp()).exp();
            let lost = 0.5_f64.powi(5 + head as i32);
            assert!((1.0 - kept - lost).abs() < 1e-12, "{head}: {kept}");
        }
        let other = GateSpec::new(RETENTION, GateMap::DecayRate, first);
        assert!(other.rate(3).abs() < 1e-12);
    }

    #[test]
    fn only_constants_are_not_projected_and_only_decay_has_a_rate() {
        let sigmoid = GateMap::Sigmoid { max: 1.0 };
        for (map, is_projected, has_rate) in [
            (GateMap::Constant(0.3), false, false),
            (sigmoid, true, false),
            (GateMap::LogSigmoid, true, false),
            (GateMap::DecayRate, true, true),
            (GateMap::HeadDecay, false, true),
            (GateMap::Softplus { scale: 1.0 }, true, false),
        ] {
            assert_eq!(map.is_projected(), is_projected, "{map:?}");
            assert_eq!(map.has_rate(), has_rate, "{map:?}");
        }
    }
}
