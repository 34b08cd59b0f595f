//! Parameters, and the weights that learn at test time.

use super::Parameters;
use crate::ModelSpec;

/// The parameters of the model that would be built.
pub fn parameters(spec: &ModelSpec, vocab: usize) -> Parameters {
    let dim = spec.config.dim;
    let tables = if spec.config.tie_head { 1 } else { 2 };
    let mut parameters = Parameters {
        all: tables * vocab * dim + dim,
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
