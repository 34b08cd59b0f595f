//! Which memory of a model a memory is.

use std::sync::Arc;

/// Which memory of a model a memory is, and where in its sequence it begins: what is drawn at random for
/// it depends on nothing else of it. Batch rows have the same places.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Place {
    /// The layer, and which of its memories where it has several.
    pub layer: Arc<str>,
    /// The head.
    pub head: usize,
    /// Tokens of the sequence before its first one.
    pub first: usize,
}

impl Place {
    /// The places of the memories of `rows` batch rows, one a head, from the beginning of a sequence
    /// on.
    pub fn of_heads(layer: &Arc<str>, heads: usize, rows: usize) -> Vec<Self> {
        let row = (0..heads).map(|head| Self {
            layer: layer.clone(),
            head,
            first: 0,
        });
        let row: Vec<_> = row.collect();
        vec![row; rows].concat()
    }

    /// The same memory from so many tokens later on.
    #[must_use]
    pub fn later(&self, tokens: usize) -> Self {
        Self {
            first: self.first + tokens,
            ..self.clone()
        }
    }
}
