//! Parameters, and the weights that learn at test time.

use super::Parameters;
use crate::{Ends, ModelSpec};

/// The parameters of the model that would be built.
pub fn parameters(spec: &ModelSpec, ends: impl Into<Ends>) -> Parameters {
    let (dim, ends) = (spec.config.dim, ends.into());
    let head = if ends.are_tied(&spec.config) {
        0
    } else {
        ends.outputs()
    };
    let mut parameters = Parameters {
        all: (ends.vocab() + ends.patch() + head + 1) * dim,
        memory: 0,
        fast: 0,
    };
    let feed_forward = 3 * dim * spec.config.ffn_dim.unwrap_or(0);
    for (count, mixer) in spec.mixers() {
        let own = mixer.parameters();
        parameters.all += count * (own.all + 2 * dim + feed_forward);
        parameters.memory += count * own.memory;
        parameters.fast += count * own.fast;
    }
    parameters
}
