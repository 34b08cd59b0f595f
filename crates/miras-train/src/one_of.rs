//! Options whose value is one of some words.

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};

/// A parser of one of some words, each of which means a value.
///
/// An entry is a word, its help, and what it means.
pub(crate) fn one_of<T: Copy + Send + Sync + 'static>(
    words: &'static [(&'static str, &'static str, T)],
) -> impl TypedValueParser<Value = T> {
    let values = words.iter();
    let values = values.map(|(word, help, _)| PossibleValue::new(*word).help(*help));
    PossibleValuesParser::new(values).map(|word| {
        let meant = words.iter().find(|(known, ..)| *known == word);
        meant.expect("the parser lets no other word through").2
    })
}
