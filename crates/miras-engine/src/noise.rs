//! The noise of a retention gate, added to the state where a full chunk ends.

use std::collections::HashMap;

use burn::tensor::{Int, Tensor, TensorData};
use miras_core::{Bound, GateMap, MapState, STEP};
use miras_random::Stream;

use crate::{Place, Rule};

impl Rule {
    /// The most by which the write of one token moves the state, as a Frobenius norm over all maps:
    /// `θ_max c`, the largest step size times the largest norm of a gradient. None where either has
    /// no bound.
    pub fn largest_write(&self) -> Option<f64> {
        let gates = self.algorithm.gates();
        let step = gates.iter().find(|gate| gate.name == STEP)?;
        let step = match step.map {
            GateMap::Constant(step) | GateMap::Sigmoid { max: step } => step.abs(),
            GateMap::Softplus { .. }
            | GateMap::LogSigmoid
            | GateMap::DecayRate
            | GateMap::HeadDecay => return None,
        };
        let mut bounds = self.settings.rules().iter().filter_map(|rule| rule.bound());
        bounds.find_map(|bound| match bound {
            Bound::Gradient(norm) => Some(step * norm),
            Bound::Load(_) | Bound::State(_) => None,
        })
    }

    /// The standard deviation of the noise on each number of the state, `σ θ_max c`; 0 where the
    /// retention gate adds none.
    ///
    /// # Panics
    /// If there is noise and no [largest write](Self::largest_write); the registry refuses such rules.
    pub fn noise_deviation(&self) -> f64 {
        let noise = self
            .retention
            .noise()
            .filter(|noise| noise.multiplier > 0.0);
        noise.map_or(0.0, |noise| {
            let write = self.largest_write();
            noise.multiplier * write.expect("noise is in units of the largest write")
        })
    }
}

/// The states of memories whose chunk ends after `position` tokens of theirs, with noise where the
/// retention gate adds some: for each place, map and position the same numbers on every device.
pub(crate) fn noisy(
    rule: &Rule,
    places: &[Place],
    maps: Vec<MapState>,
    position: usize,
) -> Vec<MapState> {
    let deviation = rule.noise_deviation();
    let Some(noise) = rule.retention.noise().filter(|_| deviation > 0.0) else {
        return maps;
    };
    let mut distinct: Vec<&Place> = Vec::new();
    let mut known = HashMap::new();
    let of_memories = places.iter().map(|place| {
        *known.entry(place).or_insert_with(|| {
            distinct.push(place);
            distinct.len() as i64 - 1
        })
    });
    let of_memories: Vec<i64> = of_memories.collect();
    let with_noise = |(at, map): (usize, MapState)| {
        let [_, g, d_in, d_out] = map.weights.dims();
        assert_eq!(places.len(), g, "places of memories, and memories");
        let drawn = distinct.iter().flat_map(|place| {
            let purpose = format!("noise of {}", place.layer);
            let index = [place.head, at, place.first + position].map(|x| x as u64);
            let mut stream = Stream::new(noise.seed, &purpose, &index);
            (0..d_in * d_out).map(move |_| deviation * stream.normal())
        });
        let shape = [1, distinct.len(), d_in, d_out];
        let (device, dtype) = (map.weights.device(), map.weights.dtype());
        let drawn = TensorData::new(drawn.collect::<Vec<_>>(), shape).convert_dtype(dtype);
        let mut drawn = Tensor::<4>::from_data(drawn, (&device, dtype));
        if distinct.len() < g {
            let indices = TensorData::new(of_memories.clone(), [g]);
            drawn = drawn.select(1, Tensor::<1, Int>::from_data(indices, &device));
        }
        MapState {
            weights: map.weights + drawn,
            slots: map.slots,
        }
    };
    maps.into_iter().enumerate().map(with_noise).collect()
}
