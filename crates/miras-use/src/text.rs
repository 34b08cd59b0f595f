//! Between text and tokens.

use miras_data::{DataConfig, DataError, Tokenizer};
use miras_spec::with_stored_tokenizer;

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
        let (data, _) = with_stored_tokenizer(&self.folder, &self.config.data, data);
        let Some(setting) = data.tokenizer() else {
            return Err(UseError::NoText { kind: data.kind() });
        };
        let tokenizer = Tokenizer::open(setting).map_err(|cause| self.without_tokenizer(cause))?;
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

    /// Says where to put a tokenizer that cannot be opened.
    pub(crate) fn without_tokenizer(&self, cause: DataError) -> UseError {
        UseError::NoTokenizer {
            folder: self.folder.join("tokenizer"),
            cause,
        }
    }

    /// What stands between two documents of its training text, or two sequences; none if nothing does.
    pub fn separator(&self) -> Option<&str> {
        self.config.data.separator()
    }

    /// The token that stands before a text of which nothing was read: the last one of what stands
    /// between two files of its training text, or the end of a line if nothing does.
    ///
    /// # Errors
    /// If the tokenizer cannot spell it.
    pub fn beginning(&self, tokenizer: &Tokenizer) -> Result<i32, UseError> {
        let text = self.separator().unwrap_or("\n");
        let tokens = tokenizer.encode(text.as_bytes())?;
        Ok(tokens.last().copied().unwrap_or_default())
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
