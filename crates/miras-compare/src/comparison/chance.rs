//! Recall that is no better than guessing, which a table of equal numbers does not say.

use serde_json::Value;

use super::Variant;

/// How near to guessing counts as no better: accuracies up to twice that of a guess, losses of at
/// least this share of its loss.
const TIMES: f64 = 2.0;
const SHARE: f64 = 0.97;

/// What to say of a variant whose recall is no better than guessing.
pub(super) fn note(variant: &Variant, metric: &str) -> Option<String> {
    let setting = |key: &str| variant.settings.get(key);
    if setting("data.kind")?.as_str() != Some("mqar") {
        return None;
    }
    // Values are the upper half of the tokens.
    let vocab = setting("data.vocab").and_then(Value::as_u64)?;
    let values = (vocab - vocab / 2) as f64;
    let mean = variant.sample?.mean;
    let (guess, is_near) = if metric.ends_with("/accuracy") {
        (1.0 / values, mean <= TIMES / values)
    } else if metric.ends_with("/loss") {
        (values.ln(), mean >= SHARE * values.ln())
    } else {
        return None;
    };
    is_near.then(|| {
        format!(
            "recall is hardly better than guessing one of the {values} values, which gives {metric} {guess:.4}: \
             differences say nothing of the memories"
        )
    })
}
