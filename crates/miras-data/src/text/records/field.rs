//! The field of a record, or the column, with the text.

use miras_config::did_you_mean;

use crate::DataError;

/// The key that names it.
pub(crate) const KEY: &str = "field";

/// What takes the texts, one by one.
pub(super) type Take<'a> = dyn FnMut(&str) -> Result<(), DataError> + 'a;

/// Which of the names of a record, or the columns, may be meant by `field`, with its punctuation:
/// the most similar one, or the likely one.
pub(super) fn meant(field: &str, names: &[&str], likely: Option<&str>) -> String {
    let listed = match names {
        [] => "it has none".to_owned(),
        [one] => format!("it has {one:?}"),
        [rest @ .., last] => {
            let rest: Vec<String> = rest.iter().map(|name| format!("{name:?}")).collect();
            format!("it has {} and {last:?}", rest.join(", "))
        }
    };
    match did_you_mean(field, names.iter().copied()).or(likely) {
        Some(name) => format!("{listed}; did you mean {KEY} = {name:?}?"),
        None => listed,
    }
}
