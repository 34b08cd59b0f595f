//! What tasks say of an evaluation beside means.

use serde::{Deserialize, Serialize};

/// What a task says of an evaluation beside means: a field a thing, in reports as well.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Details {}
