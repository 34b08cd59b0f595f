//! How long a sweep would take, from one measured point.

use miras_config::Layers;
use miras_registry::Registry;
use miras_spec::RunConfig;
use miras_sweep::{Expanded, Trial};
use miras_trainer::{BenchRequest, bench};

use super::listing;

/// Measures the trial in the middle by cost, and takes the others to compute as fast.
pub(crate) fn text(
    expanded: &Expanded,
    registry: &Registry,
    device: Option<&str>,
) -> anyhow::Result<String> {
    let mut all: Vec<&(Trial, String)> = expanded.trials.iter().collect();
    all.sort_by(|a, b| {
        let cost = |(trial, _): &(Trial, String)| trial.cost.flops_per_token;
        cost(a).total_cmp(&cost(b))
    });
    let (trial, config) = all[all.len() / 2];
    let mut layers = Layers::new();
    layers.text(&trial.name, config)?;
    let (config, ends) = RunConfig::load_with_ends(layers, registry)?;
    let request = BenchRequest {
        layer: false,
        launches: false,
        batch: config.train.batch,
        seq: config.data.seq_len(),
        repeats: 1,
        device: device.unwrap_or(&config.train.device).to_owned(),
    };
    let speed = bench(&config, ends, &request)?.both.median;
    let seconds = listing::flops(expanded) / (speed * trial.cost.flops_per_token);
    Ok(format!(
        "about {} of training, one trial at a time on {}: a guess from one pass of {}, measured now at \
         {speed:.0} tokens a second, with as many FLOPs a second for the others; without optimiser \
         steps, evaluations and checkpoints",
        duration(seconds),
        request.device,
        trial.name
    ))
}

/// In two digits and one unit.
fn duration(seconds: f64) -> String {
    let units = [(86_400.0, "days"), (3600.0, "hours"), (60.0, "minutes")];
    let unit = units.iter().find(|(size, _)| seconds >= 1.5 * size);
    let (number, unit) = unit.map_or((seconds, "seconds"), |(size, unit)| (seconds / size, unit));
    if number < 10.0 {
        format!("{number:.1} {unit}")
    } else {
        format!("{number:.0} {unit}")
    }
}

#[cfg(test)]
mod tests {
    use super::duration;

    #[test]
    fn a_duration_has_one_unit() {
        let shown = [0.25, 89.0, 90.0, 3000.0, 36_000.0, 1e6].map(duration);
        assert_eq!(
            shown,
            [
                "0.2 seconds",
                "89 seconds",
                "1.5 minutes",
                "50 minutes",
                "10 hours",
                "12 days"
            ]
        );
    }
}
