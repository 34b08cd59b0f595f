//! Shared by the tests of this crate.

/// Values as a tracker takes them.
pub(crate) fn named<V: Clone>(values: &[(&str, V)]) -> Vec<(String, V)> {
    let values = values.iter();
    values
        .map(|(name, value)| ((*name).to_owned(), value.clone()))
        .collect()
}
