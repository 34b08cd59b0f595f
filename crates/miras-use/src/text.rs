//! Between text and tokens.

use miras_data::{DataConfig, Tokenizer};

use crate::{Trained, UseError};

impl Trained {
    /// The tokenizer that it was trained with; an error for data that is no text, and if the
    /// tokenizer changed since.
    pub fn tokenizer(&self) -> Result<Tokenizer, UseError> {
        self.tokenizer_of(&self.config.data)
    }

    /// The tokenizer of data; an error for data that is no text, and for another tokenizer than
    /// the one that it was trained with.
    pub(crate) fn tokenizer_of(&self, data: &DataConfig) -> Result<Tokenizer, UseError> {
        let tokenizer = match data {
            DataConfig::Builtin(_) => Tokenizer::bytes(),
            DataConfig::Text(config) => Tokenizer::open(&config.tokenizer)?,
            DataConfig::Mqar(_) => return Err(UseError::NoText { kind: data.kind() }),
        };
        if tokenizer.fingerprint() != self.tokenizer.as_deref() {
            return Err(UseError::OtherTokenizer {
                run: self.origin.run.clone(),
                stored: self.tokenizer.clone(),
                now: tokenizer.fingerprint().map(str::to_owned),
            });
        }
        self.check_vocab(tokenizer.vocab())?;
        Ok(tokenizer)
    }

    /// What stands between two files of its training text; none if nothing does.
    pub fn separator(&self) -> Option<&str> {
        match &self.config.data {
            DataConfig::Text(config) => {
                Some(&*config.separator).filter(|separator| !separator.is_empty())
            }
            DataConfig::Builtin(_) | DataConfig::Mqar(_) => None,
        }
    }

    /// Refuses data of another number of token values.
    pub(crate) fn check_vocab(&self, found: usize) -> Result<(), UseError> {
        let needed = self.vocab;
        if found == needed {
            return Ok(());
        }
        let message = format!("the data have {found} token values, and the model has {needed}");
        Err(UseError::Usage(message))
    }
}
