use miras_engine::Read;

use super::RunConfig;
use crate::StateRule;

impl RunConfig {
    /// What is allowed and may not be meant, a sentence each.
    pub fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        let seq_len = self.data.seq_len();
        let settings = (self.model.choice.as_ref()).map(|choice| &choice.rule.settings);
        let carries = self.train.state == StateRule::Carry;
        if let Some(settings) = settings.filter(|all| all.chunk >= seq_len && !carries) {
            let chunk = settings.chunk;
            if settings.read == Read::Stale {
                notes.push(format!(
                    "with algorithm.read = \"stale\" and a chunk of {chunk} no token of a sequence of data.seq_len = {seq_len} reads what was written: the memory is as it was learned; lower algorithm.chunk"
                ));
            } else if chunk > seq_len {
                notes.push(format!(
                    "algorithm.chunk = {chunk} is more than data.seq_len = {seq_len}: each sequence is one chunk"
                ));
            }
        }
        if let Some(batches) = self.eval.batches {
            notes.push(format!(
                "eval.batches = {batches} is taken as eval.tokens = {} (times train.batch = {} and data.seq_len = {seq_len}), which no longer depends on train.batch: write that",
                self.eval.tokens, self.train.batch
            ));
        }
        let (decay_steps, steps) = (self.optim.decay_steps, self.train.steps);
        if decay_steps != steps {
            let when = if decay_steps < steps {
                "stays at its end from there on"
            } else {
                "is still falling at the end"
            };
            notes.push(format!(
                "the learning rate falls until optim.decay_steps = {decay_steps}; with train.steps = {steps} it {when}"
            ));
        }
        notes
    }
}
