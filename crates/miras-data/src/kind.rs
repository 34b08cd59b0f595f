//! A kind of data: what is known of it by name, and what its settings answer.

use std::io;

use miras_config::{ConfigError, Section};

use crate::{DataError, Dataset, Problem};

/// The task that most kinds of data are for: language modelling.
pub const LANGUAGE: &str = "language";
/// The task of telling classes apart.
pub const CLASSIFY: &str = "classify";
/// The task of foretelling the values of a series.
pub const FORECAST: &str = "forecast";

/// What is known of a kind of data by name; `C` are settings.
#[derive(Debug)]
pub struct Kind<C> {
    /// The name in TOML (`data.kind = "…"`), which no other kind for its task has.
    pub name: &'static str,
    /// The task that it is for, by its name (`task.kind = "…"`).
    pub task: &'static str,
    /// One line for lists.
    pub summary: &'static str,
    /// Its keys and their meanings.
    pub keys: &'static [(&'static str, &'static str)],
    /// The kind with all fields at their defaults.
    pub default: fn() -> C,
    /// Reads the fields from the table of a configuration, wherever that stands.
    pub take: fn(&mut Section<'_>) -> Result<C, ConfigError>,
}

impl<C> Kind<C> {
    /// The names of its keys.
    pub fn key_names(&self) -> impl Iterator<Item = &'static str> {
        self.keys.iter().map(|(key, _)| *key)
    }
}

/// What the scored targets of data are, by which a loss is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Targets {
    /// Tokens of text, each of some bytes: bits a byte.
    Text,
    /// Nucleotides, each one of the four bases: bits a base.
    Bases,
    /// Answers, which are right or wrong: the share of right ones.
    Answers,
    /// Classes of whole rows: the share of right ones, and their correlation.
    Classes,
    /// Values of a series: the squares of what a forecast misses them by.
    Values,
}

impl Targets {
    /// Whether they are tokens in an order that can be followed and gone on with.
    pub fn are_text(self) -> bool {
        matches!(self, Self::Text | Self::Bases)
    }
}

/// The settings of a kind of data.
pub trait DataKind {
    /// Tokens in a row.
    fn seq_len(&self) -> usize;

    /// All problems that can be found without opening a file.
    fn validate(&self) -> Vec<Problem>;

    /// Number of token values, as [`Dataset::vocab`] of the opened data.
    ///
    /// Only the tokenizer is opened, not the text.
    ///
    /// # Errors
    /// If the tokenizer cannot be opened.
    fn vocab(&self) -> Result<usize, DataError>;

    /// Number of classes, as there are [labels](Dataset::labels) of the opened data; 0 where
    /// targets are no classes.
    ///
    /// # Errors
    /// If it follows from files that cannot be read.
    fn classes(&self) -> Result<usize, DataError> {
        Ok(0)
    }

    /// Opens data whose settings have no problem; [`open`](crate::open) asks for them first.
    ///
    /// # Errors
    /// If files cannot be read, or do not fit the settings.
    fn open(&self, seed: u64) -> Result<Box<dyn Dataset>, DataError>;

    /// The setting of [`Tokenizer::open`](crate::Tokenizer::open); `None` for data that are not
    /// made of text.
    fn tokenizer(&self) -> Option<&str> {
        None
    }

    /// What its scored targets are.
    fn targets(&self) -> Targets {
        match self.tokenizer() {
            Some(_) => Targets::Text,
            None => Targets::Answers,
        }
    }

    /// What stands between two texts or sequences; `None` if nothing does.
    fn separator(&self) -> Option<&str> {
        None
    }

    /// The same data with another tokenizer; unchanged where there is no choice of one.
    #[must_use]
    fn with_tokenizer(&self, _setting: &str) -> Self
    where
        Self: Sized + Clone,
    {
        self.clone()
    }

    /// The same data with absolute paths; unchanged where no path is named.
    ///
    /// # Errors
    /// If there is no working directory.
    fn absolute(&self) -> io::Result<Self>
    where
        Self: Sized + Clone,
    {
        Ok(self.clone())
    }

    /// The probability with which a token is read as another one; 0 for data that are read as they
    /// are.
    fn corrupt(&self) -> f64 {
        0.0
    }

    /// The share of the training rows that have a needle planted; 0 for data that have none.
    fn needles(&self) -> f64 {
        0.0
    }

    /// What generated data are, whatever their seed and the length of their rows; `None` for text.
    fn generator(&self) -> Option<String> {
        None
    }
}
