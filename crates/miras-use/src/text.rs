//! Between text and tokens.

use miras_data::{DataConfig, DataError, Dataset, LANGUAGE, Tokenizer};
use miras_model::HeadSpec;
use miras_spec::with_stored_tokenizer;

use crate::{Trained, UseError};

impl Trained {
    /// The tokenizer that it was trained with; an error for data that is no text, and if the
    /// tokenizer changed since.
    ///
    /// # Errors
    /// As said, and for another task than language modelling, in which there is no text to go on with.
    pub fn tokenizer(&self) -> Result<Tokenizer, UseError> {
        self.check_language("text to go on with or to score")?;
        self.tokenizer_of(&self.config.data)
    }

    /// Refuses `what`, which is about a text and the tokens that come next, for another task than
    /// language modelling.
    pub(crate) fn check_language(&self, what: &str) -> Result<(), UseError> {
        let task = self.config.task.kind();
        if task == LANGUAGE {
            return Ok(());
        }
        let (run, what) = (self.origin.run.clone(), what.to_owned());
        Err(UseError::NoLanguage { run, task, what })
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

    /// Refuses data whose classes are not, or not in that order, those of the model: they are the
    /// labels of its training data, which have to be the same.
    pub(crate) fn check_labels(&self, set: &dyn Dataset) -> Result<(), UseError> {
        let HeadSpec::Classes(needed) = self.ends.head else {
            return Ok(());
        };
        let found = set.labels().len();
        let is_same = |known: String| known.contains(&set.describe().fingerprint);
        if found == needed && self.data()?.is_none_or(is_same) {
            return Ok(());
        }
        let run = &self.origin.run;
        let message = format!(
            "data.path: the {needed} classes of run `{run}` are the labels of the sequences that it was trained on, and these are others, of {found} classes: say where those are with `--set data.path=PATH`, and name others to measure on with `--data PATH`"
        );
        Err(UseError::Usage(message))
    }

    /// Refuses data of another number of token values.
    pub(crate) fn check_vocab(&self, found: usize) -> Result<(), UseError> {
        let needed = self.ends.vocab();
        if found == needed {
            return Ok(());
        }
        let message = format!("the data have {found} token values, and the model has {needed}");
        Err(UseError::Usage(message))
    }
}
