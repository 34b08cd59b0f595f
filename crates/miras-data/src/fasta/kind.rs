//! Nucleotides of FASTA files as a kind of data.

use std::io;

use super::{config::FastaConfig, open::open};
use crate::{
    DataError, DataKind, Dataset, Kind, LANGUAGE, Paths, Problem, Targets, Tokenizer,
    shared_keys::{SEQ_LEN, VALID_FRACTION, check_held_out, check_seq_len},
    tokenizer::bases::BASES,
};

pub(crate) const KIND: Kind<FastaConfig> = Kind {
    name: "fasta",
    task: LANGUAGE,
    summary: "DNA or RNA of FASTA files, folders, patterns, .gz and .zst, a token a nucleotide",
    keys: &[
        (
            "path",
            "FASTA files, folders and patterns, with .gz or .zst or without, one string or a list; relative to the working directory, `~/` to the home directory",
        ),
        SEQ_LEN,
        VALID_FRACTION,
        (
            "valid_path",
            "files for validation, in place of valid_fraction; all of path is then for training",
        ),
        (
            "soft_masked",
            "bases in lower case, that is repeats: \"scored\" as all others, or \"unscored\", read and not predicted",
        ),
    ],
    default: || FastaConfig::default().settled(),
    take: |section| Ok(section.part::<FastaConfig>()?.settled()),
};

impl DataKind for FastaConfig {
    fn seq_len(&self) -> usize {
        self.seq_len
    }

    fn tokenizer(&self) -> Option<&str> {
        Some(BASES)
    }

    fn targets(&self) -> Targets {
        Targets::Bases
    }

    fn separator(&self) -> Option<&str> {
        Some("\n")
    }

    fn vocab(&self) -> Result<usize, DataError> {
        Ok(Tokenizer::bases().vocab())
    }

    fn open(&self, seed: u64) -> Result<Box<dyn Dataset>, DataError> {
        Ok(Box::new(open(self, seed)?))
    }

    fn absolute(&self) -> io::Result<Self> {
        Ok(Self {
            path: self.path.absolute()?,
            valid_path: self.valid_path.as_ref().map(Paths::absolute).transpose()?,
            ..self.clone()
        })
    }

    fn validate(&self) -> Vec<Problem> {
        let missing = "must name a FASTA file, a folder or a pattern such as `genomes/*.fa.gz`";
        let mut problems = Vec::new();
        if self.path.is_blank() {
            problems.push(("path", missing.to_owned()));
        }
        if self.valid_path.as_ref().is_some_and(Paths::is_blank) {
            problems.push(("valid_path", missing.to_owned()));
        }
        problems.extend(check_seq_len(self.seq_len));
        problems.extend(check_held_out(
            self.valid_path.is_some(),
            self.valid_fraction,
        ));
        problems
    }
}
