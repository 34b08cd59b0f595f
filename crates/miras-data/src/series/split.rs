//! Which rows of a table are for training, validation and test.

use std::{fmt, ops::Range};

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{Error, SeqAccess, Visitor},
};

/// A part of a series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The first rows.
    Train,
    /// The rows after them.
    Valid,
    /// The last of the three.
    Test,
}

impl Part {
    /// All of them, in the order of their rows.
    pub const ALL: [Self; 3] = [Self::Train, Self::Valid, Self::Test];

    /// Its name in a sentence.
    pub fn name(self) -> &'static str {
        match self {
            Self::Train => "training",
            Self::Valid => "validation",
            Self::Test => "test",
        }
    }
}

/// How the rows are divided, in the order of time: training, validation, test.
///
/// Written as a list of three: counts of rows, `[8640, 2880, 2880]`, or shares of all rows that
/// add up to 1, `[0.7, 0.1, 0.2]`. Of shares, training and test are rounded down and validation
/// has the rest. Rows after the counts are not read.
///
/// # Reference
/// Counts for ETT and shares elsewhere: Zhou et al. 2021, Informer, <https://arxiv.org/abs/2012.07436>;
/// Wu et al. 2021, Autoformer, <https://arxiv.org/abs/2106.13008>.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Split {
    /// Rows of each part.
    Rows([u64; 3]),
    /// The share of each part.
    Shares([f64; 3]),
}

/// The shares that are used elsewhere but for ETT.
impl Default for Split {
    fn default() -> Self {
        Self::Shares([0.7, 0.1, 0.2])
    }
}

/// What rounding may add to the sum of shares.
const SLACK: f64 = 1e-6;

impl Split {
    /// What is wrong with it, whatever the table.
    pub(super) fn problem(&self) -> Option<String> {
        match self {
            Self::Rows(rows) if rows.contains(&0) => {
                Some(format!("every part must have a row, got {self}"))
            }
            Self::Shares(shares) => {
                let sum: f64 = shares.iter().sum();
                let each = shares.iter().all(|&share| share > 0.0 && share < 1.0);
                if each && (sum - 1.0).abs() < SLACK {
                    return None;
                }
                Some(format!(
                    "must be three counts of rows, or three shares between 0 and 1 that add up to 1, got {self}"
                ))
            }
            Self::Rows(_) => None,
        }
    }

    /// The rows of each part in a table of `all` rows; `None` if there are fewer than it says.
    pub(super) fn rows(&self, all: usize) -> Option<[Range<usize>; 3]> {
        let [train, valid, test] = match self {
            Self::Rows(rows) => rows.map(|rows| usize::try_from(rows).unwrap_or(usize::MAX)),
            Self::Shares([train, _, test]) => {
                let of = |share: f64| (all as f64 * share) as usize;
                let (train, test) = (of(*train), of(*test));
                [train, all.saturating_sub(train + test), test]
            }
        };
        let valid_end = train.checked_add(valid)?;
        let end = valid_end.checked_add(test)?;
        (end <= all).then_some([0..train, train..valid_end, valid_end..end])
    }
}

impl fmt::Display for Split {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rows(rows) => write!(f, "{rows:?}"),
            Self::Shares(shares) => write!(f, "{shares:?}"),
        }
    }
}

impl Serialize for Split {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // As lists and not as tuples, which a table of text has no room for.
        match self {
            Self::Rows(rows) => rows.as_slice().serialize(serializer),
            Self::Shares(shares) => shares.as_slice().serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Split {
    // The error of a derived untagged enum does not say what was expected.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(SplitVisitor)
    }
}

struct SplitVisitor;

impl<'de> Visitor<'de> for SplitVisitor {
    type Value = Split;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("three counts of rows, or three shares that add up to 1")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Split, A::Error> {
        let mut numbers: Vec<f64> = Vec::new();
        while let Some(number) = list.next_element()? {
            numbers.push(number);
        }
        let numbers: [f64; 3] = (numbers.try_into())
            .map_err(|given: Vec<f64>| A::Error::invalid_length(given.len(), &self))?;
        // Whole numbers up to 2^53 are exact.
        let is_count = |number: &f64| *number >= 0.0 && number.fract() == 0.0 && *number < 9e15;
        Ok(if numbers.iter().all(is_count) {
            Split::Rows(numbers.map(|number| number as u64))
        } else {
            Split::Shares(numbers)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Table {
        split: Split,
    }

    #[test]
    fn counts_and_shares_are_read_written_and_divide_as_the_papers_do() {
        for (text, all, expected) in [
            // ETTh1: 12, 4 and 4 months of 30 days of 24 hours.
            (
                "split = [8640, 2880, 2880]\n",
                17_420,
                Some([0..8640, 8640..11_520, 11_520..14_400]),
            ),
            // ILI: int(966 · 0.7) = 676, int(966 · 0.2) = 193.
            (
                "split = [0.7, 0.1, 0.2]\n",
                966,
                Some([0..676, 676..773, 773..966]),
            ),
            ("split = [8, 1, 1]\n", 9, None),
        ] {
            let table: Table = toml::from_str(text).unwrap();
            assert_eq!(toml::to_string(&table).unwrap(), text);
            assert_eq!(table.split.problem(), None);
            assert_eq!(table.split.rows(all), expected);
        }
    }

    #[test]
    fn what_is_no_split_is_said() {
        for text in ["[0.7, 0.1, 0.1]", "[0.5, 0.5, 8]", "[1.5, -0.7, 0.2]"] {
            let table: Table = toml::from_str(&format!("split = {text}")).unwrap();
            assert!(table.split.problem().unwrap().contains("add up to 1, got"));
        }
        let table: Table = toml::from_str("split = [8, 0, 2]").unwrap();
        assert!(table.split.problem().unwrap().contains("must have a row"));
        for text in ["[0.7, 0.3]", "0.7", "[\"a\", 1, 1]"] {
            assert!(toml::from_str::<Table>(&format!("split = {text}")).is_err());
        }
    }
}
