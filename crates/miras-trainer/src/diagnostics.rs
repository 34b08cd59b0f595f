//! What memories and weights look like, as metrics.

use std::collections::BTreeMap;

use miras_data::Batch;
use miras_engine::Probe;
use miras_log::Tracker;
use miras_model::{ParameterGroup, Pass, parameters};
use miras_spec::metrics;
use miras_spec::read::{Tokens, read};

use crate::TrainError;
use crate::session::Session;

impl Session {
    /// What the memories do with the rows of a step, when it is due: scalars to log; histograms
    /// are written right away.
    pub(crate) fn probe(
        &mut self,
        step: u64,
        is_logged: bool,
        batches: &[Batch],
    ) -> Result<Vec<(String, f64)>, TrainError> {
        let log = &self.config.log;
        // Without a memory there is none, and no probe either.
        let threshold = log.surprise_threshold.unwrap_or(f64::INFINITY);
        let wants_histograms = log.histograms > 0 && step.is_multiple_of(log.histograms);
        if wants_histograms {
            self.weight_histograms(step)?;
        }
        if self.config.model.choice.is_none() || !(is_logged || wants_histograms) {
            return Ok(Vec::new());
        }
        let pass = Pass {
            probe: true,
            ..Pass::default()
        };
        let model = self.learner.frozen();
        let mut probes: Vec<Probe> = Vec::new();
        for (at, batch) in batches.iter().enumerate() {
            let inputs = Tokens::new(batch, &self.device).inputs;
            let earlier = self.learner.frozen_state(at);
            let found = model.forward(inputs, earlier, pass).probes;
            if probes.is_empty() {
                probes = found;
            } else {
                for (all, more) in probes.iter_mut().zip(found) {
                    all.extend(more);
                }
            }
        }
        let mut scalars = Vec::new();
        for (layer, probe) in probes.iter().enumerate() {
            scalars.extend(scalars_of(layer, probe, threshold));
            if wants_histograms {
                for (tag, values) in histograms_of(layer, probe) {
                    self.trackers.histogram(step, &tag, values)?;
                }
            }
        }
        Ok(scalars)
    }

    fn weight_histograms(&mut self, step: u64) -> Result<(), TrainError> {
        let mut groups: BTreeMap<ParameterGroup, Vec<f32>> = BTreeMap::new();
        for parameter in parameters(&self.learner.model) {
            let group = self.learner.groups.of(parameter.id);
            let group = group.expect("a learner has a group for every parameter");
            let values = groups.entry(group).or_default();
            values.extend(read(parameter.values)?);
        }
        for (group, values) in groups {
            let tag = format!("histograms/weights/{}", group.name());
            self.trackers.histogram(step, &tag, &values)?;
        }
        Ok(())
    }
}

/// The scalars of one memory layer.
fn scalars_of(layer: usize, probe: &Probe, threshold: f64) -> Vec<(String, f64)> {
    let above = |surprise: &&f32| f64::from(**surprise) > threshold;
    let share = probe.surprise.iter().filter(above).count() as f64 / probe.surprise.len() as f64;
    let mut found = Vec::new();
    // Not every bias has a loss.
    if !probe.loss.is_empty() {
        found.push(("inner_loss", mean(&probe.loss)));
    }
    found.extend([
        ("surprise", mean(&probe.surprise)),
        ("surprise_share", share),
        ("write_norm", mean(&probe.write)),
        ("retention", mean(&probe.retention)),
        ("state_norm", mean(&probe.state)),
        ("capped", mean(&probe.capped)),
    ]);
    let found = found.into_iter();
    found
        .map(|(scalar, value)| (metrics::of_memory(layer, scalar), value))
        .collect()
}

/// The distributions of one memory layer over tokens and memories.
fn histograms_of(layer: usize, probe: &Probe) -> [(String, &[f32]); 3] {
    [
        ("surprise", &probe.surprise),
        ("write", &probe.write),
        ("retention", &probe.retention),
    ]
    .map(|(name, values)| {
        (
            format!("histograms/memory/{layer}/{name}"),
            values.as_slice(),
        )
    })
}

fn mean(values: &[f32]) -> f64 {
    let sum: f64 = values.iter().copied().map(f64::from).sum();
    sum / values.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scalars_are_means_and_a_share() {
        let probe = Probe {
            surprise: vec![0.5, 1.0, 2.0, 4.5],
            write: vec![1.0, 3.0],
            ..Probe::default()
        };
        let found = scalars_of(2, &probe, 1.0);
        let get = |name: &str| {
            let tag = format!("memory/2/{name}");
            found
                .iter()
                .find(|(found, _)| *found == tag)
                .map(|(_, value)| *value)
        };
        assert_eq!(get("surprise"), Some(2.0));
        assert_eq!(get("surprise_share"), Some(0.5));
        assert_eq!(get("write_norm"), Some(2.0));
        assert_eq!(get("inner_loss"), None);
    }
}
