//! Data and tokenizers, through the public interface.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

mod builtin;
mod corrupt;
mod exported;
mod fasta;
mod files;
mod formats;
mod hub_files;
mod kinds;
mod labelled;
mod long;
mod mixtures;
mod mqar;
mod page;
mod parquet_files;
mod planted;
mod records;
mod saved;
mod series;
mod streams;
mod support;
mod text;
mod text_errors;
mod tokenizer;
mod tokenizer_errors;
mod tokens;
