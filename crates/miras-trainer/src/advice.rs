//! What to try after a stop.

use miras_spec::{OnNonfinite, RunConfig};

/// What may keep a run finite that was not, with the present values; `go_on` is the command that
/// resumes it, if there is a checkpoint to go on from.
pub(crate) fn after_nonfinite(config: &RunConfig, go_on: Option<&str>) -> String {
    let optim = &config.optim;
    let mut lower = Vec::new();
    // A step that takes more away from a weight than the weight is.
    if optim.lr * optim.weight_decay > 1.0 {
        lower.push(format!("optim.weight_decay (now {:?})", optim.weight_decay));
    }
    lower.push(format!("optim.lr (now {:?})", optim.lr));
    let mut more = String::new();
    if let Some((_, choice)) = config.model.memories().next() {
        let algorithm = choice.rule.algorithm.config();
        let step_max = algorithm.get("step_max").and_then(toml::Value::as_float);
        lower.extend(step_max.map(|now| format!("algorithm.step_max (now {now:?})")));
        let settings = &choice.rule.settings;
        match settings.rule("load_cap") {
            Some(rule) => lower.push(format!("algorithm.load_cap (now {:?})", rule.config().1)),
            None if !settings.is_exact() => {
                more.push_str(", or with algorithm.load_cap = 0.5 (now off)");
            }
            None => {}
        }
    }
    if config.optim.clip == 0.0 {
        more.push_str(", or with optim.clip = 1.0 (now off)");
    }
    let skip = match (config.train.on_nonfinite, go_on) {
        (OnNonfinite::Skip, _) => String::new(),
        (OnNonfinite::Stop, Some(command)) => {
            format!("; {SKIP}: {command} --set train.on_nonfinite=skip")
        }
        (OnNonfinite::Stop, None) => format!("; {SKIP}: train.on_nonfinite = \"skip\""),
    };
    let lower = lower.join(" or ");
    format!("try a new run with a lower {lower}{more}{skip}")
}

const SKIP: &str = "if single batches are bad, leave them out";

#[cfg(test)]
mod tests {
    use miras_config::Layers;

    use super::*;

    fn advice(text: &str, go_on: Option<&str>) -> String {
        let mut layers = Layers::new();
        layers.text("test", text).unwrap();
        after_nonfinite(
            &RunConfig::load(layers, &miras_registry::Registry::builtin())
                .unwrap()
                .0,
            go_on,
        )
    }

    #[test]
    fn it_names_the_keys_that_the_run_has() {
        for (text, go_on, expected) in [
            (
                "",
                Some("miras-train run --name a --resume"),
                "try a new run with a lower optim.lr (now 0.003) or algorithm.step_max (now 1.0) or \
                 algorithm.load_cap (now 0.5); if single batches are bad, leave them out: \
                 miras-train run --name a --resume --set train.on_nonfinite=skip",
            ),
            (
                "[algorithm]\nload_cap = 0",
                None,
                "try a new run with a lower optim.lr (now 0.003) or algorithm.step_max (now 1.0), \
                 or with algorithm.load_cap = 0.5 (now off); if single batches are bad, leave \
                 them out: train.on_nonfinite = \"skip\"",
            ),
            (
                "[mixer]\nkind = 'attention'\n[optim]\nclip = 0.0\n[train]\non_nonfinite = 'skip'",
                None,
                "try a new run with a lower optim.lr (now 0.003), or with optim.clip = 1.0 (now off)",
            ),
            (
                "[memory]\nkind = 'matrix'\n[train]\non_nonfinite = 'skip'",
                None,
                "try a new run with a lower optim.lr (now 0.003) or algorithm.step_max (now 1.0)",
            ),
            (
                "[mixer]\nkind = 'attention'\n[train]\non_nonfinite = 'skip'",
                None,
                "try a new run with a lower optim.lr (now 0.003)",
            ),
            (
                "[optim]\nweight_decay = 900\n[mixer]\nkind = 'attention'\n[train]\non_nonfinite = 'skip'",
                None,
                "try a new run with a lower optim.weight_decay (now 900.0) or optim.lr (now 0.003)",
            ),
        ] {
            assert_eq!(advice(text, go_on), expected, "{text}");
        }
    }
}
