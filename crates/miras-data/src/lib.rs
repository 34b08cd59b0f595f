//! Token batches for training and evaluation.
//!
//! A [`Dataset`] is a pure function of its configuration, a seed and a batch number:
//! nothing has to be saved to resume a run, and two runs with one seed see the same data.
//!
//! | kind | what it gives | file |
//! |---|---|---|
//! | `builtin` | a fixed corpus of short stories, needs no files | `builtin.rs` |
//! | `text` | bytes of files of text and of records, or their tokens | `text/`, `tokenizer/` |
//! | `fasta` | nucleotides of FASTA files | `fasta/` |
//! | `mqar` | multi-query associative recall, generated | `mqar.rs` |
//! | `needle` | RULER's single needles, generated | `long/rows.rs` |
//! | `csv` | sequences with a label each | `labelled/` |
//! | `csv` | time series, to be forecast | `series/` |
//!
//! A new kind is one file and one line of the list in `kinds.rs`.
//! The crate does not depend on the tensor library and prints nothing.

mod batch;
mod builtin;
mod corrupt;
mod dataset;
mod describe;
mod error;
mod fasta;
mod kind;
mod kinds;
mod labelled;
mod long;
mod mixture;
mod mqar;
mod packing;
mod paths;
mod selection;
mod series;
mod shared_keys;
mod source;
mod text;
mod tokenizer;
mod windows;

pub use batch::{Batch, SeriesRows};
pub use builtin::BuiltinConfig;
pub use dataset::Dataset;
pub use describe::{DataFile, Description, Tokenized};
pub use error::{DataError, Problem};
pub use fasta::{FastaConfig, SoftMasked, open_held_out as open_held_out_fasta};
pub use kind::{CLASSIFY, DataKind, FORECAST, Kind, LANGUAGE, Targets};
pub use kinds::{DataConfig, KINDS, kinds_for, open};
pub use labelled::{LabelledConfig, open_held_out as open_held_out_labelled};
pub use long::{Background, Haystack, Hidden, NeedleConfig, NeedleKind, Needles, Row};
pub use mqar::{Filler, MqarConfig};
pub use packing::{Unpacked, unpacked_name};
pub use paths::Paths;
pub use selection::{Amount, Selection};
pub use series::{
    Baseline, Channel, EvalPart, ForecastErrors, Linear, Part, Series, SeriesConfig, Split,
    open_series,
};
pub use text::{MixSource, TextConfig, open as open_text, open_held_out};
pub use tokenizer::{Tokenizer, TokenizerFiles, byte_tokenizer_files};
