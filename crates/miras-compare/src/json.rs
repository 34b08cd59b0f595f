//! Everything in numbers, for other programs.

use serde_json::{Value, json};

use crate::comparison::Comparison;
use crate::evaluation::Evaluation;
use crate::run::Run;
use crate::statistics::Difference;
use crate::variant::Variant;
use crate::verdict::Contrast;

impl Comparison {
    /// Schema `miras_compare`, version 1. What is not known, or no finite number, is null.
    pub fn json(&self) -> String {
        let notes = self.notes.iter();
        // `about` is empty if a note is about all variants.
        let notes = notes.map(|note| json!({"note": note.text, "about": note.about}));
        let failed = self.excluded().map(|(variant, run)| {
            json!({
                "variant": variant.label,
                "run": run.name,
                "seed": run.seed,
                "status": run.state,
                "reason": run.excluded,
            })
        });
        let file = json!({
            "schema": "miras_compare",
            "version": 1,
            "metric": self.metric,
            "goal": self.goal,
            // Null if each run is compared at its end.
            "at_tokens": self.at,
            "resolution": self.resolution,
            "differing": self.differing,
            "common": self.common,
            "variants": values(&self.variants, |one| self.variant(one)),
            "contrasts": values(&self.contrasts, contrast),
            "warnings": self.warnings,
            "notes": notes.collect::<Value>(),
            "failed": failed.collect::<Value>(),
        });
        format!("{file:#}\n")
    }

    fn variant(&self, variant: &Variant) -> Value {
        let (sample, cost) = (variant.sample, variant.cost());
        let mut value = json!({
            "label": variant.label,
            "values": variant.values,
            "also": variant.also,
            "n": sample.map_or(0, |sample| sample.n),
            "mean": sample.map(|sample| sample.mean),
            "std": sample.and_then(|sample| sample.std),
            "verdict": variant.verdict,
            "difference": variant.difference.map(|one| one.mean),
            "paired": variant.difference.map(|one| one.paired),
            "parameters": cost.map(|cost| cost.parameters),
            "memory_parameters": cost.map(|cost| cost.memory_parameters),
            "fast_weights": cost.map(|cost| cost.fast_weights),
            "state_bytes": cost.map(|cost| cost.state_bytes),
            "state_bytes_per_token": cost.map(|cost| cost.state_bytes_per_token),
            "flops_per_token": cost.map(|cost| cost.flops_per_token),
            "tokens": variant.tokens(),
            "flops": variant.flops(),
            "seconds": variant.seconds(),
            "tokens_per_s": variant.tokens_per_s(),
            "excluded": variant.excluded(),
            "runs": values(&variant.runs, |run| self.run(run)),
        });
        add_test(&mut value, variant.difference, variant.p_holm);
        value
    }

    fn run(&self, run: &Run) -> Value {
        json!({
            "run": run.name,
            "seed": run.seed,
            "status": run.state,
            "counted": run.value.is_some(),
            "reason": run.excluded,
            "value": run.value.or_else(|| run.last(&self.metric)),
            "best": run.best(&self.metric, self.goal),
            "tokens": run.compared_tokens(),
            "steps": run.compared_steps(),
            "seconds": run.compared_seconds(),
            "tokens_per_s": run.tokens_per_s(),
            "flops": run.flops(),
            "skipped_steps": run.skipped(),
            "data": run.data(),
            "evaluations": values(&run.evaluations, evaluation),
        })
    }
}

fn evaluation(one: &Evaluation) -> Value {
    json!({
        "length": one.length,
        "memory": one.memory,
        "carried": one.carried,
        "loss": one.loss,
        "bits_per_byte": one.bits_per_byte,
        "accuracy": one.accuracy,
    })
}

fn contrast(contrast: &Contrast) -> Value {
    let pairs = values(&contrast.pairs, |pair| {
        let mut value = json!({
            "label": pair.label,
            "difference": pair.mean,
            "told": pair.is_significant,
            "verdict": pair.verdict(),
            "seeds": pair.seeds,
        });
        add_test(&mut value, pair.difference, pair.p_holm);
        value
    });
    json!({"key": contrast.key, "values": contrast.values, "pairs": pairs})
}

/// Adds the numbers of a test.
fn add_test(value: &mut Value, difference: Option<Difference>, p_holm: Option<f64>) {
    // Half of the 95 % confidence interval.
    value["difference_half_width"] = json!(difference.map(|one| one.half_width));
    value["p"] = json!(difference.map(|one| one.p));
    value["p_holm"] = json!(p_holm);
}

fn values<T>(all: &[T], of: impl Fn(&T) -> Value) -> Value {
    all.iter().map(of).collect()
}
