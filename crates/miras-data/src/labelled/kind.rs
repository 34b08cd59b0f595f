//! Labelled sequences as a kind of data.

use std::io;

use super::{
    config::LabelledConfig,
    open::{labels, open},
};
use crate::{
    CLASSIFY, DataError, DataKind, Dataset, Kind, Paths, Problem, Targets, Tokenizer,
    shared_keys::{check_held_out, check_seq_len},
    tokenizer,
};

pub(crate) const KIND: Kind<LabelledConfig> = Kind {
    name: "csv",
    task: CLASSIFY,
    summary: "sequences with a label each, rows of CSV files with a header, folders, patterns, .gz and .zst",
    keys: &[
        (
            "path",
            "CSV files (.tsv: with tabs), folders and patterns, with .gz or .zst or without, one string or a list; relative to the working directory, `~/` to the home directory",
        ),
        (
            "sequence",
            "the column of sequences, by its name in the first line",
        ),
        ("label", "the column of labels"),
        (
            "tokenizer",
            "what a token of a sequence is: \"bytes\", \"bases\" (the codes of IUPAC for nucleotides), or the path of a byte-level BPE, as of text",
        ),
        (
            "seq_len",
            "tokens of the longest sequence, from 1 to 16777216; shorter ones are padded, and longer ones are refused",
        ),
        (
            "valid_fraction",
            "share of the sequences of each class kept for validation, by a hash of the sequence, between 0 and 1",
        ),
        (
            "valid_path",
            "files for validation, in place of valid_fraction; all of path is then for training",
        ),
    ],
    default: || LabelledConfig::default().settled(),
    take: |section| Ok(section.part::<LabelledConfig>()?.settled()),
};

impl DataKind for LabelledConfig {
    fn seq_len(&self) -> usize {
        self.seq_len
    }

    fn tokenizer(&self) -> Option<&str> {
        Some(&self.tokenizer)
    }

    fn with_tokenizer(&self, setting: &str) -> Self {
        Self {
            tokenizer: setting.to_owned(),
            ..self.clone()
        }
    }

    fn targets(&self) -> Targets {
        Targets::Classes
    }

    fn vocab(&self) -> Result<usize, DataError> {
        Ok(Tokenizer::open(&self.tokenizer)?.vocab())
    }

    fn classes(&self) -> Result<usize, DataError> {
        Ok(labels(self)?.len())
    }

    fn open(&self, seed: u64) -> Result<Box<dyn Dataset>, DataError> {
        Ok(Box::new(open(self, seed)?))
    }

    fn absolute(&self) -> io::Result<Self> {
        Ok(Self {
            path: self.path.absolute()?,
            valid_path: self.valid_path.as_ref().map(Paths::absolute).transpose()?,
            tokenizer: tokenizer::absolute(&self.tokenizer)?,
            ..self.clone()
        })
    }

    fn validate(&self) -> Vec<Problem> {
        let missing = "must name a CSV file, a folder or a pattern such as `reads/*.csv.gz`";
        let mut problems = Vec::new();
        if self.path.is_blank() {
            problems.push(("path", missing.to_owned()));
        }
        if self.valid_path.as_ref().is_some_and(Paths::is_blank) {
            problems.push(("valid_path", missing.to_owned()));
        }
        for (field, column) in [("sequence", &self.sequence), ("label", &self.label)] {
            if column.trim().is_empty() {
                problems.push((field, "must name a column".to_owned()));
            }
        }
        if self.label == self.sequence {
            let message = format!(
                "must be another column than that of sequences, {:?}",
                self.sequence
            );
            problems.push(("label", message));
        }
        if self.tokenizer.trim().is_empty() {
            let message = "must be \"bytes\", \"bases\" or the path of a tokenizer".to_owned();
            problems.push((tokenizer::FIELD, message));
        }
        problems.extend(check_seq_len(self.seq_len));
        problems.extend(check_held_out(
            self.valid_path.is_some(),
            self.valid_fraction,
        ));
        problems
    }
}
