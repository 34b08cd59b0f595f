//! Text from files as a kind of data.

use std::io;

use super::{
    cache,
    config::{MIX, MixSource, TextConfig},
    open::open,
    records,
};
use crate::{
    DataError, DataKind, Dataset, Kind, LANGUAGE, Paths, Problem, Tokenizer,
    shared_keys::{
        CORRUPT, NEEDLES, SEQ_LEN, VALID_FRACTION, check_corrupt, check_held_out, check_needles,
        check_seq_len,
    },
    tokenizer,
};

pub(crate) const KIND: Kind<TextConfig> = Kind {
    name: "text",
    task: LANGUAGE,
    summary: "text files and records (JSON lines, Parquet), folders, patterns, .gz and .zst, as bytes or as tokens of a byte-level BPE",
    keys: &[
        (
            "path",
            "files of text, JSON lines or Parquet, folders and patterns, with .gz or .zst or without, one string or a list; relative to the working directory, `~/` to the home directory",
        ),
        (
            records::KEY,
            "the field of JSON lines, or the column of Parquet, with the texts, each of which is a document",
        ),
        (
            MIX,
            "in place of path: sources with a path, a weight above 0 and, if it is another one, a field each, from which training rows are drawn by the weights; the held-out end of each is for validation",
        ),
        (
            "tokenizer",
            "what a token is: \"bytes\", or the path of a byte-level BPE: tokenizer.json, vocab.json with merges.txt beside it, or a folder with either",
        ),
        SEQ_LEN,
        VALID_FRACTION,
        (
            "valid_path",
            "files for validation, in place of valid_fraction; all of path is then for training",
        ),
        (
            "separator",
            "text between two documents, files and records, such as \"<|endoftext|>\"; `generate` ends there; none by default",
        ),
        CORRUPT,
        NEEDLES,
        (
            "allow_binary",
            "true: take the bytes of all files as they are, also of those that are not UTF-8 text, JSON and Parquet included",
        ),
    ],
    default: || TextConfig::default().settled(),
    take: |section| {
        let is_mixture = section.is_written(MIX);
        let mix = section.value::<Vec<MixSource>>(MIX)?;
        let mut config = section.part::<TextConfig>()?;
        if is_mixture && mix.is_none() && config.path.is_blank() {
            // A mistake in a source was noted: the path is not to seem missing too.
            config.path = MIX.into();
        }
        let mix = mix.unwrap_or_default();
        Ok(TextConfig { mix, ..config }.settled())
    },
};

impl TextConfig {
    fn mix_problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        if let [one] = self.mix.as_slice() {
            let message = format!(
                "has one source, and a mixture has two or more: name its files with path = {:?}",
                one.path.to_string()
            );
            problems.push((MIX, message));
        }
        for (number, source) in self.mix.iter().enumerate() {
            let number = number + 1;
            let weight = source.weight;
            if source.path.is_blank() {
                let message = format!("source {number} must name a file, a folder or a pattern");
                problems.push((MIX, message));
            }
            if !(weight > 0.0 && weight <= MAX_WEIGHT) {
                let message = format!(
                    "source {number}, {}, must have a weight above 0 and up to {MAX_WEIGHT:e}, got \
                     {weight}; leave a source out to train without it",
                    source.path
                );
                problems.push((MIX, message));
            }
            if source.field.as_ref().is_some_and(String::is_empty) {
                let message = format!("the field of source {number} must have a name");
                problems.push((MIX, message));
            }
        }
        problems
    }
}

/// With larger ones the sum might be infinite.
const MAX_WEIGHT: f64 = 1e12;

impl DataKind for TextConfig {
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

    fn vocab(&self) -> Result<usize, DataError> {
        Ok(Tokenizer::open(&self.tokenizer)?.of_text()?.vocab())
    }

    fn open(&self, seed: u64) -> Result<Box<dyn Dataset>, DataError> {
        open(self, seed, &cache::folders())
    }

    fn corrupt(&self) -> f64 {
        self.corrupt
    }

    fn needles(&self) -> f64 {
        self.needles
    }

    fn separator(&self) -> Option<&str> {
        Some(&*self.separator).filter(|separator| !separator.is_empty())
    }

    fn absolute(&self) -> io::Result<Self> {
        Ok(Self {
            path: self.path.absolute()?,
            tokenizer: tokenizer::absolute(&self.tokenizer)?,
            mix: (self.mix.iter())
                .map(|source| {
                    let path = source.path.absolute()?;
                    let source = source.clone();
                    Ok(MixSource { path, ..source })
                })
                .collect::<io::Result<_>>()?,
            valid_path: self.valid_path.as_ref().map(Paths::absolute).transpose()?,
            ..self.clone()
        })
    }

    fn validate(&self) -> Vec<Problem> {
        let missing = "must name a file, a folder or a pattern such as `books/*.txt`";
        let mut problems = Vec::new();
        if self.mix.is_empty() && self.path.is_blank() {
            problems.push(("path", missing.to_owned()));
        }
        if !self.mix.is_empty() && self.path != Paths::default() {
            let message = "has no effect beside mix, whose sources name the files: leave one of \
                           them out";
            problems.push(("path", message.to_owned()));
        }
        problems.extend(self.mix_problems());
        if self.valid_path.as_ref().is_some_and(Paths::is_blank) {
            problems.push(("valid_path", missing.to_owned()));
        }
        if self.field.is_empty() {
            let message = "must name the field with the text of a record, such as \"text\"";
            problems.push((records::KEY, message.to_owned()));
        }
        if self.tokenizer.trim().is_empty() {
            let message = "must be \"bytes\" or the path of a tokenizer";
            problems.push((tokenizer::FIELD, message.to_owned()));
        }
        problems.extend(check_seq_len(self.seq_len));
        problems.extend(check_corrupt(self.corrupt));
        problems.extend(check_needles(self.needles));
        problems.extend(check_held_out(
            self.valid_path.is_some(),
            self.valid_fraction,
        ));
        problems
    }
}
