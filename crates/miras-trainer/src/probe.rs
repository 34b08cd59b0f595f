//! What memories and weights look like, as metrics.

use std::collections::BTreeMap;

use miras_data::Batch;
use miras_engine::Probe;
use miras_model::{ParameterGroup, Pass, parameters};
use miras_run::Memory;
use miras_run::metrics::{
    CAPPED, INNER_LOSS, READ_CHANGE, RETENTION, STATE_NORM, SURPRISE, SURPRISE_SHARE, WRITE_NORM,
    WRITE_RATE, WRITTEN,
};
use miras_spec::RunConfig;
use miras_spec::read::read;

use crate::TrainError;
use crate::learner::Learner;

/// Which metrics a step is due.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Due {
    pub(crate) scalars: bool,
    pub(crate) histograms: bool,
}

/// The metrics of memories and weights at a step, by their tags.
#[derive(Default)]
pub(crate) struct Probed {
    pub(crate) scalars: Vec<(String, f64)>,
    pub(crate) histograms: Vec<(String, Vec<f32>)>,
}

/// What the memories do with the rows of a step, and what the weights are before its update.
pub(crate) fn probe(
    config: &RunConfig,
    learner: &Learner,
    batches: &[Batch],
    due: Due,
) -> Result<Probed, TrainError> {
    let mut found = Probed::default();
    if due.histograms {
        found.histograms = weights(learner)?;
    }
    // Of memories that are kept from learning there is nothing to see.
    let learns = config.model.has_memory() && config.train.memory == Memory::Live;
    if !learns || !(due.scalars || due.histograms) {
        return Ok(found);
    }
    // Set in every model that has a memory.
    let threshold = config.log.surprise_threshold.unwrap_or(f64::INFINITY);
    let layers = config.model.memory_layers().into_iter();
    for (layer, probe) in layers.zip(probes(learner, batches)) {
        found.scalars.extend(scalars_of(layer, &probe, threshold));
        if due.histograms {
            found.histograms.extend(histograms_of(layer, probe));
        }
    }
    Ok(found)
}

/// What is seen in each memory layer, over all batches.
fn probes(learner: &Learner, batches: &[Batch]) -> Vec<Probe> {
    let pass = Pass {
        probe: true,
        ..Pass::default()
    };
    let model = learner.inference_model();
    let mut probes: Vec<Probe> = Vec::new();
    for (at, batch) in batches.iter().enumerate() {
        let x = (learner.task).encode(&model, batch, &learner.device);
        let found = model.hidden(x, learner.inference_state(at), pass).probes;
        if probes.is_empty() {
            probes = found;
        } else {
            for (all, more) in probes.iter_mut().zip(found) {
                all.extend(more);
            }
        }
    }
    probes
}

/// The distributions of the weights, by group.
fn weights(learner: &Learner) -> Result<Vec<(String, Vec<f32>)>, TrainError> {
    let mut groups: BTreeMap<ParameterGroup, Vec<f32>> = BTreeMap::new();
    for parameter in parameters(&learner.model) {
        let group = learner.groups.of(parameter.id);
        let group = group.expect("a learner has a group for every parameter");
        let values = groups.entry(group).or_default();
        values.extend(read(parameter.values)?);
    }
    let groups = groups.into_iter();
    Ok(groups
        .map(|(group, values)| (format!("histograms/weights/{}", group.name()), values))
        .collect())
}

/// The scalars of one memory layer.
fn scalars_of(layer: usize, probe: &Probe, threshold: f64) -> Vec<(String, f64)> {
    let above = |surprise: &&f32| f64::from(**surprise) > threshold;
    let share = probe.surprise.iter().filter(above).count() as f64 / probe.surprise.len() as f64;
    let mut found = Vec::new();
    // Not every bias has a loss.
    if !probe.loss.is_empty() {
        found.push((&INNER_LOSS, mean(&probe.loss)));
    }
    found.extend([
        (&SURPRISE, mean(&probe.surprise)),
        (&SURPRISE_SHARE, share),
        (&WRITE_NORM, mean(&probe.write)),
        (&READ_CHANGE, mean(&probe.read_change)),
        (&RETENTION, mean(&probe.retention)),
        (&STATE_NORM, mean(&probe.state)),
        (&CAPPED, mean(&probe.capped)),
    ]);
    if let Some(rate) = probe.write_rate() {
        found.extend([
            (&WRITE_RATE, rate.mean()),
            (&WRITTEN, rate.written_per_1000()),
        ]);
    }
    let found = found.into_iter();
    found
        .map(|(metric, value)| (metric.of_layer(layer), value))
        .collect()
}

/// The distributions of one memory layer over tokens and memories.
fn histograms_of(layer: usize, probe: Probe) -> [(String, Vec<f32>); 3] {
    [
        ("surprise", probe.surprise),
        ("write", probe.write),
        ("retention", probe.retention),
    ]
    .map(|(name, values)| (format!("histograms/memory/{layer}/{name}"), values))
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
            read_change: vec![0.5, 0.0],
            gate: vec![0.9, 0.6, 0.1, 0.4],
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
        assert_eq!(get("read_change"), Some(0.25));
        assert_eq!(get("inner_loss"), None);
        assert!((get("write_rate").unwrap() - 0.5).abs() < 1e-6);
        assert_eq!(get("written_per_1000"), Some(500.0));
        let without = scalars_of(2, &Probe::default(), 1.0);
        let rates = without
            .iter()
            .filter(|(tag, _)| tag.contains("rate") || tag.contains("written"));
        assert_eq!(rates.count(), 0);
    }
}
