//! Values of a configuration in JSON.

use serde_json::Value as Json;
use toml::Value;

/// The same value. JSON has no NaN, no infinities and no dates: they become the text that TOML
/// writes, so that two of them stay two.
pub fn json(value: &Value) -> Json {
    match value {
        Value::String(text) => text.clone().into(),
        Value::Integer(number) => (*number).into(),
        Value::Float(number) if number.is_finite() => (*number).into(),
        Value::Boolean(flag) => (*flag).into(),
        Value::Float(_) | Value::Datetime(_) => value.to_string().into(),
        Value::Array(values) => values.iter().map(json).collect(),
        Value::Table(table) => (table.iter())
            .map(|(key, value)| (key.clone(), json(value)))
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn different_values_stay_different() {
        let text = "a = [nan, inf, -inf, 1e3, 1, true, 'nan?', 2026-01-02]\nb = { c = [] }";
        let table = Value::Table(text.parse().unwrap());
        let expected = serde_json::json!({
            "a": ["nan", "inf", "-inf", 1000.0, 1, true, "nan?", "2026-01-02"],
            "b": { "c": [] },
        });
        assert_eq!(json(&table), expected);
    }
}
