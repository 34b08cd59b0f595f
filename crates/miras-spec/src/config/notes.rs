use std::collections::BTreeSet;

use miras_data::{DataConfig, EvalPart};
use miras_engine::Read;
use miras_model::InitKind;
use miras_run::Memory;

use super::{RunConfig, StateRule, learning_rate};

impl RunConfig {
    /// What is allowed and may not be meant, a sentence each. It follows from the configuration
    /// alone; [`notes_here`](crate::notes_here) adds what the data and the machine say.
    pub fn notes(&self) -> Vec<String> {
        let notes = [
            self.chunk_note(),
            self.recall_note(),
            self.start_note(),
            self.batches_note(),
            self.schedule_note(),
            self.part_note(),
            self.noise_note(),
        ];
        notes.into_iter().flatten().collect()
    }

    /// Why no token of a row of `length` tokens reads what the memory has written, if it starts
    /// from the learned initial memory.
    pub fn unread_at(&self, length: usize) -> Option<String> {
        let chunk = self.stale_chunk().filter(|&chunk| chunk >= length)?;
        Some(format!(
            "with algorithm.read = \"stale\" and a chunk of {chunk} no token of a sequence of {length} reads what was written: the memory is as it was learned"
        ))
    }

    /// Tokens of the shortest chunk of any memory of the model; nothing for attention.
    pub fn shortest_chunk(&self) -> Option<usize> {
        (self.model.memories())
            .map(|(_, choice)| choice.rule.settings.chunk)
            .min()
    }

    /// What computes the chunks of the memories over sequences of `tokens` tokens on the device of
    /// this name: `"kernels"`, one operation over all chunks of a sequence; `"tensors"`, which any
    /// device and any part has; or both, in different layers. Nothing for attention.
    pub fn chunk_loop(&self, device: &str, tokens: usize) -> Option<&'static str> {
        let has_kernels = miras_device::has_kernels(device);
        let fused: BTreeSet<bool> = (self.model.mixers())
            .filter(|(_, mixer)| !mixer.memories().is_empty())
            .map(|(_, mixer)| has_kernels && mixer.is_fused(tokens))
            .collect();
        match (fused.contains(&true), fused.contains(&false)) {
            (true, true) => Some("kernels and tensors"),
            (true, false) => Some("kernels"),
            (false, true) => Some("tensors"),
            (false, false) => None,
        }
    }

    /// Tokens of the shortest chunk, if in all memories tokens read what was there at the start of
    /// their chunk.
    fn stale_chunk(&self) -> Option<usize> {
        let mut memories = self.model.memories();
        memories
            .all(|(_, choice)| choice.rule.settings.read() == Read::Stale)
            .then(|| self.shortest_chunk())?
    }

    fn chunk_note(&self) -> Option<String> {
        let chunks = self.model.memories();
        let chunk = chunks.map(|(_, choice)| choice.rule.settings.chunk).max()?;
        let seq_len = self.data.seq_len();
        if self.train.state == StateRule::Carry {
            return None;
        }
        if let Some(unread) = self.unread_at(seq_len) {
            return Some(format!(
                "{unread}; lower algorithm.chunk, or raise data.seq_len"
            ));
        }
        if self.train.memory == Memory::Reset && chunk >= seq_len {
            return Some(format!(
                "a row of data.seq_len = {seq_len} tokens is no longer than algorithm.chunk = {chunk}, so that train.memory = \"reset\" resets nothing: it is \"live\""
            ));
        }
        (chunk > seq_len).then(|| {
            format!(
                "algorithm.chunk = {chunk} is more than data.seq_len = {seq_len}: each sequence is one chunk"
            )
        })
    }

    /// Noise that anybody can subtract.
    fn noise_note(&self) -> Option<String> {
        let mut memories = self.model.memories();
        let noise = memories.find_map(|(_, choice)| choice.rule.retention.noise())?;
        (noise.multiplier > 0.0 && noise.seed == 0).then(|| {
            "noise under the default retention.noise_seed = 0 protects nothing, for everybody can subtract it: draw a seed at random, and keep it secret".to_owned()
        })
    }

    /// Questions that are asked before the memory that is read knows their pair.
    pub fn recall_note(&self) -> Option<String> {
        let DataConfig::Mqar(data) = &self.data else {
            return None;
        };
        let chunk = self.stale_chunk().filter(|&chunk| chunk < data.seq_len)?;
        let missed = data.asked_within(chunk);
        if missed <= 0.0 {
            return None;
        }
        let pair = match data.showings {
            1 => "their pair",
            _ => "the first right showing of their pair",
        };
        let gap = data.gap_beyond(chunk);
        let gap = gap.map_or_else(String::new, |gap| {
            format!(", or set data.gap to {gap} or more")
        });
        Some(format!(
            "with algorithm.read = \"stale\" {missed:.1} of the {} questions of a row are asked, on average, in the chunk of {chunk} tokens that holds {pair}: the memory cannot answer these; lower algorithm.chunk{gap}",
            data.pairs
        ))
    }

    /// A start from which recall was not learned.
    fn start_note(&self) -> Option<String> {
        let kind = match &self.data {
            DataConfig::Mqar(_) => "mqar",
            DataConfig::Needle(_) => "needle",
            _ => return None,
        };
        (self.model.config.init == InitKind::Standard && self.train.init_from.is_none()).then(|| {
            format!(
                "data.kind = {kind:?} with model.init = \"standard\": recall was not learned from this \
                 start in 400 steps; model.init = \"recall\" is the start for it"
            )
        })
    }

    /// Evaluations of training that read the part which nothing is to be chosen by.
    fn part_note(&self) -> Option<String> {
        let DataConfig::Series(data) = &self.data else {
            return None;
        };
        (data.part == EvalPart::Test).then(|| {
            "data.part = \"test\": evaluations during training, by which checkpoint.keep_best and sweeps \
             choose, read the test part; leave it out, and measure with `eval --part test`"
                .to_owned()
        })
    }

    fn batches_note(&self) -> Option<String> {
        let batches = self.eval.batches?;
        Some(format!(
            "eval.batches = {batches} is taken as eval.tokens = {} (times train.batch = {} and data.seq_len = {}), which no longer depends on train.batch: write that",
            self.eval.tokens,
            self.train.batch,
            self.data.seq_len()
        ))
    }

    fn schedule_note(&self) -> Option<String> {
        let (optim, steps) = (&self.optim, self.train.steps);
        let (warmup, decay_steps) = (optim.warmup, optim.decay_steps);
        let share = 100.0 * learning_rate(optim, steps.saturating_sub(1)) / optim.lr;
        if steps < warmup {
            return Some(format!(
                "the warm-up takes optim.warmup = {warmup} steps; with train.steps = {steps} the learning rate gets to {share:.0} % of optim.lr"
            ));
        }
        if decay_steps == steps || optim.min_lr >= 1.0 {
            return None;
        }
        let when = if decay_steps < steps {
            "stays at its end from there on".to_owned()
        } else {
            format!("is still falling at the end, at {share:.0} % of optim.lr")
        };
        Some(format!(
            "the learning rate falls until optim.decay_steps = {decay_steps}; with train.steps = {steps} it {when}"
        ))
    }
}
