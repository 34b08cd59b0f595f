//! Other values for a key, from a rule.

use toml::Value;

/// Values to try for a key.
pub(crate) struct Alternatives {
    pub(crate) values: Vec<Value>,
    /// Whether each that is accepted has to matter, as the names of a list do; of numbers, one is
    /// enough.
    pub(crate) need_all: bool,
}

/// `value` is the present one, `refusal` what is said to a name that does not exist, and `extra`
/// are values that are known to be accepted somewhere.
pub(crate) fn alternatives(
    value: Option<&Value>,
    refusal: Option<&str>,
    extra: &[Value],
) -> Alternatives {
    let names = refusal.map_or_else(Vec::new, |text| names("value", text));
    let need_all = !names.is_empty();
    let mut values: Vec<Value> = match value {
        _ if need_all => names.into_iter().map(Value::String).collect(),
        Some(Value::Boolean(on)) => vec![(!on).into()],
        Some(Value::Integer(n)) => ([n + 1, n * 2, n / 2, 1, 0].map(Value::Integer)).into(),
        Some(Value::Float(x)) => {
            ([x / 2.0, x * 2.0, (x + 1.0) / 2.0, 3.0, 0.5, 0.01, 1e-4].map(Value::Float)).into()
        }
        Some(Value::Array(all)) if all.iter().any(Value::is_integer) => {
            vec![Value::Array(all[1..].to_vec())]
        }
        _ => {
            let mut any: Vec<Value> = vec![true.into(), false.into()];
            any.extend([1, 2, 3, 8].map(Value::Integer));
            any.extend([0.5, 2.0].map(Value::Float));
            any
        }
    };
    values.extend(extra.iter().cloned());
    values.retain(|other| Some(other) != value);
    Alternatives { values, need_all }
}

/// The names in "unknown value `x`, expected one of `a`, `b`", and the same for a field.
pub(crate) fn names(what: &str, refusal: &str) -> Vec<String> {
    let first = refusal.lines().next().unwrap_or_default();
    let Some((_, listed)) = first
        .strip_prefix("error: unknown ")
        .and_then(|rest| rest.strip_prefix(what))
        .and_then(|rest| rest.split_once("expected "))
    else {
        return Vec::new();
    };
    (listed.split('`').skip(1).step_by(2))
        .map(str::to_owned)
        .collect()
}

#[test]
fn names_come_from_the_refusal_of_one_that_does_not_exist() {
    let refusal = "error: unknown value `x`, expected `a` or `b_c`\n --> f:1:1";
    let found = alternatives(Some(&"a".into()), Some(refusal), &[]);
    assert_eq!(found.values, [Value::from("b_c")]);
    assert!(found.need_all);
    let found = alternatives(Some(&1.0.into()), Some("error: expected a number"), &[]);
    assert!(!found.need_all && !found.values.is_empty());
}
