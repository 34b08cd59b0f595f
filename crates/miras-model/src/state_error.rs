//! Why stored values are no state of a model.

use crate::StateOrigin;

/// Why stored values are no state of a model.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StateError {
    /// A tensor that the model needs is not there.
    #[error(
        "the state lacks the tensor `{0}`, which this model needs; it may be that of another model"
    )]
    Missing(String),
    /// A tensor that the model has no place for.
    #[error(
        "the state has a tensor `{0}`, for which this model has no place; it may be that of another model"
    )]
    Unknown(String),
    /// A tensor of another shape.
    #[error("the tensor `{name}` has the shape {found:?}, but this model needs {needed:?}")]
    Shape {
        /// The tensor.
        name: String,
        /// Its shape.
        found: Vec<usize>,
        /// The shape that the model, the rows and the position ask for.
        needed: Vec<usize>,
    },
    /// Another number of batch rows.
    #[error("the state has {found} rows instead of {needed}")]
    Rows {
        /// Its rows.
        found: usize,
        /// The rows that it goes on with.
        needed: usize,
    },
    /// A state that other weights made.
    #[error(
        "the state was made by step {} of run `{}` (weights {}), not by these weights ({})",
        made_by.step, made_by.run, short(&made_by.weights), short(needed)
    )]
    Weights {
        /// What made it.
        made_by: StateOrigin,
        /// SHA-256 of the weights that it is to go on with.
        needed: String,
    },
    /// A state that does not say which weights made it.
    #[error("the state does not say which weights made it")]
    Origin,
    /// A file of a later version.
    #[error(
        "this is the file of a state in version {found}, and this program reads version {known}"
    )]
    Version {
        /// Its version.
        found: u32,
        /// The version of this program.
        known: u32,
    },
    /// A file whose values are not those that were written.
    #[error(
        "the file of the state is damaged: its values are not those that were saved (SHA-256 differs)"
    )]
    Content,
    /// A file that is not one of a state.
    #[error("this is not the file of a state: {0}")]
    File(String),
    /// The device cannot be read from.
    #[error("the device failed: {0}")]
    Device(String),
}

/// Enough of a checksum to tell two apart.
fn short(sha256: &str) -> &str {
    sha256.get(..12).unwrap_or(sha256)
}
