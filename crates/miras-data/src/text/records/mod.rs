//! Files of records, each of which holds a text: JSON lines and Parquet.

mod field;
mod json_lines;
#[cfg(feature = "parquet")]
mod parquet;

use std::path::Path;

use super::format;
use crate::{DataError, packing::Packing};
pub(super) use field::KEY;
use field::Take;

/// A format of records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Records {
    JsonLines,
    Parquet,
}

impl Records {
    /// By the name of a file, compressed or not; a Parquet file is read by position, so it is not
    /// compressed as a whole.
    pub(super) fn of(path: &Path) -> Option<Self> {
        match &*format::ending(path) {
            "jsonl" | "ndjson" => Some(Self::JsonLines),
            "parquet" if Packing::of(path).is_none() => Some(Self::Parquet),
            _ => None,
        }
    }

    /// Its name among the formats.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::JsonLines => "json lines",
            Self::Parquet => "parquet",
        }
    }

    /// Gives the text of each record, in their order; `key` is that of the configuration which
    /// names the file.
    pub(super) fn each(
        self,
        (key, path): (&'static str, &Path),
        field: &str,
        take: &mut Take<'_>,
    ) -> Result<(), DataError> {
        match self {
            Self::JsonLines => json_lines::each((key, path), field, take),
            #[cfg(feature = "parquet")]
            Self::Parquet => parquet::each((key, path), field, take),
            #[cfg(not(feature = "parquet"))]
            Self::Parquet => Err(DataError::Record {
                field: key,
                path: path.to_owned(),
                place: String::new(),
                why: "is a Parquet file, which this build does not read: build with \
                      `--features parquet`"
                    .to_owned(),
            }),
        }
    }
}
