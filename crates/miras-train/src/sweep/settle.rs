//! Reads the configurations of trials.

use std::{cell::RefCell, collections::HashMap};

use miras_config::{ConfigError, Layers};
use miras_registry::Registry;
use miras_sweep::{Settle, Settled};
use miras_trainer::{RunConfig, estimate};

/// Settles configurations as `run` would, and opens their data, each once.
pub(crate) struct Settler<'a> {
    registry: &'a Registry,
    /// The number of token values by `[data]`, which is slow to open.
    vocab: RefCell<HashMap<String, usize>>,
}

impl<'a> Settler<'a> {
    pub(crate) fn new(registry: &'a Registry) -> Self {
        Self {
            registry,
            vocab: RefCell::default(),
        }
    }

    fn open(&self, layers: Layers) -> Result<(RunConfig, usize), ConfigError> {
        let (config, _) = RunConfig::load(layers.clone(), self.registry)?;
        let key = format!("{:?} {:?}", config.data, config.train.init_from);
        if let Some(&vocab) = self.vocab.borrow().get(&key) {
            return Ok((config, vocab));
        }
        let (config, _, data) = RunConfig::load_and_open(layers, self.registry)?;
        self.vocab.borrow_mut().insert(key, data.vocab());
        Ok((config, data.vocab()))
    }
}

impl Settle for Settler<'_> {
    fn settle(&self, layers: Layers) -> Result<Settled, ConfigError> {
        let (config, vocab) = self.open(layers)?;
        let train = &config.train;
        let sequences = (train.batch * train.accumulate) as u64;
        Ok(Settled {
            table: config.to_table(),
            // Without a working directory, which the data were just opened in, nothing runs.
            stored: config
                .absolute()
                .unwrap_or_else(|_| config.clone())
                .to_table(),
            cost: estimate(&config, vocab).cost(),
            step_tokens: sequences * config.data.seq_len() as u64,
            steps: train.steps,
            seed: train.seed,
            metrics: config.metrics(),
        })
    }
}
