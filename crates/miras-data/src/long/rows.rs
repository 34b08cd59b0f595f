//! Rows with a needle, as data to train on.

use std::{
    io::{self, Read},
    ops::Range,
    sync::Arc,
};

use miras_random::Stream;
use miras_run::sha256_hex;
use serde::{Deserialize, Serialize};

use super::{Haystack, Hidden, NeedleKind, Needles};
use crate::{
    Batch, DataError, DataFile, DataKind, Dataset, Description, Kind, LANGUAGE, Paths, Problem,
    Targets, Tokenized, Tokenizer, Unpacked, describe,
    paths::find::Finder,
    shared_keys::{SEQ_LEN, check_seq_len},
    tokenizer,
};

pub(crate) const KIND: Kind<NeedleConfig> = Kind {
    name: "needle",
    task: LANGUAGE,
    summary: "RULER's single needles, generated: a value in a haystack, asked for at the end of the row",
    keys: &[
        (
            "needle",
            "what is hidden: a number in \"noise\", a number in \"text\", or a \"uuid\" in text",
        ),
        (
            HAYSTACK,
            "text files, folders and patterns to hide it in, .gz and .zst too, one string or a list; of \"text\" and \"uuid\" alone",
        ),
        (
            "tokenizer",
            "what a token is: \"bytes\", or the path of a byte-level BPE: tokenizer.json, vocab.json with merges.txt beside it, or a folder with either",
        ),
        SEQ_LEN,
    ],
    default: NeedleConfig::default,
    take: |section| section.part(),
};

const HAYSTACK: &str = "haystack";

/// A row that does not fit is drawn again, up to so many times in all.
const DRAWS: u64 = 1000;

/// Needles in haystacks.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct NeedleConfig {
    /// What is hidden, and where.
    pub needle: NeedleKind,
    /// The texts that it is hidden in; none for noise.
    #[serde(skip_serializing_if = "Paths::is_none")]
    pub haystack: Paths,
    /// What a token is: `"bytes"`, or the path of a byte-level BPE.
    pub tokenizer: String,
    /// Tokens in a row (1 to 16777216), the answer among them.
    pub seq_len: usize,
}

impl Default for NeedleConfig {
    fn default() -> Self {
        Self {
            needle: NeedleKind::Noise,
            haystack: Paths::default(),
            tokenizer: tokenizer::BYTES.to_owned(),
            seq_len: 512,
        }
    }
}

impl DataKind for NeedleConfig {
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
        Targets::Answers
    }

    fn vocab(&self) -> Result<usize, DataError> {
        Ok(Tokenizer::open(&self.tokenizer)?.of_text()?.vocab())
    }

    fn open(&self, seed: u64) -> Result<Box<dyn Dataset>, DataError> {
        Ok(Box::new(NeedleRows::open(self, seed)?))
    }

    fn absolute(&self) -> io::Result<Self> {
        Ok(Self {
            haystack: self.haystack.absolute()?,
            tokenizer: tokenizer::absolute(&self.tokenizer)?,
            ..self.clone()
        })
    }

    fn generator(&self) -> Option<String> {
        let kind = self.needle.name();
        Some(if self.haystack.is_none() {
            format!("needle: {kind}")
        } else {
            format!("needle: {kind} in {}", self.haystack)
        })
    }

    fn validate(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        let has_text = !self.haystack.is_none();
        let kind = self.needle.name();
        if self.needle.needs_text() && self.haystack.is_blank() {
            let message = format!(
                "must name a text to hide it in, a file, a folder or a pattern such as \
                 `books/*.txt`, for needle = {kind:?}"
            );
            problems.push((HAYSTACK, message));
        }
        if !self.needle.needs_text() && has_text {
            let message = format!(
                "has no effect with needle = {kind:?}: leave it out, or set needle = \"text\""
            );
            problems.push((HAYSTACK, message));
        }
        if self.tokenizer.trim().is_empty() {
            let message = "must be \"bytes\" or the path of a tokenizer";
            problems.push((tokenizer::FIELD, message.to_owned()));
        }
        problems.extend(check_seq_len(self.seq_len));
        problems
    }
}

/// Rows of [`Needles`] with their answers.
///
/// A row is the prompt and the tokens of the value; those of the value are the targets that count. The
/// depth is drawn from 0 to 100 percent, and with it key, value and place in the haystack, anew for
/// every row. Rows of evaluations have draws of their own.
struct NeedleRows {
    needles: Needles,
    vocab: usize,
    seq_len: usize,
    seed: u64,
    description: Description,
}

impl NeedleRows {
    /// Opens a haystack whose settings have no problem.
    fn open(config: &NeedleConfig, seed: u64) -> Result<Self, DataError> {
        let tokenizer = Tokenizer::open(&config.tokenizer)?.of_text()?;
        let mut description = Description {
            kind: KIND.name,
            ..Description::default()
        };
        let mut settings = config.needle.name().to_owned();
        let haystack = if config.needle.needs_text() {
            let mut finder = Finder::default();
            let mut text = String::new();
            for file in finder.files(HAYSTACK, &config.haystack)? {
                let start = text.len();
                let mut opened = Unpacked::open(&file.path)?;
                if let Err(cause) = opened.read_to_string(&mut text) {
                    return Err(opened.failed(cause));
                }
                description.files.push(DataFile {
                    path: file.path,
                    bytes: (text.len() - start) as u64,
                });
                text.push('\n');
            }
            description.notes = finder.left_out();
            settings.push_str(&sha256_hex(text.as_bytes()));
            Haystack::text(&text, &tokenizer)?
        } else {
            Haystack::noise(&tokenizer)?
        };
        description.file_count = description.files.len();
        description.files.truncate(100);
        description.tokenizer = tokenizer.fingerprint().map(|fingerprint| Tokenized {
            fingerprint: fingerprint.to_owned(),
            vocab: tokenizer.vocab(),
            train_tokens: 0,
            valid_tokens: 0,
        });
        let vocab = tokenizer.vocab();
        let mut rows = Self {
            needles: Needles::new(config.needle, Arc::new(haystack), Arc::new(tokenizer)),
            vocab,
            seq_len: config.seq_len,
            seed,
            description,
        };
        rows.check()?;
        rows.description.name = match config.needle {
            NeedleKind::Noise => format!("a number in noise, {} tokens a row", config.seq_len),
            kind => format!(
                "a {} in {}, {} tokens a row",
                kind.value_name(),
                config.haystack,
                config.seq_len
            ),
        };
        rows.description.fingerprint = rows.fingerprint(&settings)?;
        Ok(rows)
    }

    /// Refuses a length that some of the first rows do not fit in.
    fn check(&self) -> Result<(), DataError> {
        let needed = (0..64).map(|row| {
            let (_, shortest) = self.draw(&[TRAIN, 0, row, 0])?;
            Ok(shortest)
        });
        let needed = needed.collect::<Result<Vec<_>, DataError>>()?;
        let needed = needed.into_iter().max().unwrap_or(0);
        if needed <= self.seq_len {
            return Ok(());
        }
        let problem = format!(
            "a row has a prompt and an answer, up to {needed} tokens with one of haystack, and \
             seq_len = {}: use seq_len = {needed} or more",
            self.seq_len
        );
        Err(DataError::Config {
            problems: vec![("seq_len", problem)],
        })
    }

    /// The depth of a row, and the fewest tokens that it takes with its answer.
    fn draw(&self, place: &[u64]) -> Result<(f64, usize), DataError> {
        let depth = Stream::new(self.seed, "needle depth", place).below(101) as f64;
        let shortest = self.needles.shortest(depth, place, self.seed)?;
        let answer = self.needles.answer(depth, place, self.seed)?;
        Ok((depth, shortest + answer.len() - 1))
    }

    /// Fills a row of a batch.
    fn fill(&self, batch: &mut Batch, row: usize, place: [u64; 3]) -> Result<(), DataError> {
        for draw in 0..DRAWS {
            let [part, step, number] = place;
            let place = [part, step, number, draw];
            let (depth, needed) = self.draw(&place)?;
            if needed > self.seq_len {
                continue;
            }
            let answer = self.needles.answer(depth, &place, self.seed)?;
            let length = self.seq_len + 1 - answer.len();
            let Hidden { row: prompt, .. } =
                (self.needles).row(length, depth, &place, self.seed, 0, true)?;
            let whole = [prompt.tokens(0..length), answer].concat();
            let own = row * batch.len..(row + 1) * batch.len;
            batch.inputs[own.clone()].copy_from_slice(&whole[..batch.len]);
            batch.targets[own.clone()].copy_from_slice(&whole[1..]);
            batch.weights[own][length - 1..].fill(1.0);
            return Ok(());
        }
        let problem = format!("of {DRAWS} rows none fits in {} tokens", self.seq_len);
        Err(DataError::Config {
            problems: vec![("seq_len", problem)],
        })
    }

    /// The hash of what is hidden where, and of rows of seed 0 of one length, so that it depends on
    /// neither seed nor length.
    fn fingerprint(&self, settings: &str) -> Result<String, DataError> {
        let mut shortest = 0;
        for part in [TRAIN, EVAL] {
            shortest = shortest.max(self.of(0, self.seq_len).draw(&[part, 0, 0, 0])?.1);
        }
        let rows = self.of(0, shortest);
        let batches = [rows.train_batch(0, 0..1)?, rows.eval_rows(&[0])?];
        Ok(describe::of_generator(settings, &batches))
    }

    /// The same of another seed and length.
    fn of(&self, seed: u64, seq_len: usize) -> Self {
        Self {
            needles: self.needles.clone(),
            vocab: self.vocab,
            seq_len,
            seed,
            description: Description::default(),
        }
    }
}

/// The first number of the place of a training row.
const TRAIN: u64 = 0;
/// That of an evaluation row.
const EVAL: u64 = 1;

impl Dataset for NeedleRows {
    fn vocab(&self) -> usize {
        self.vocab
    }

    fn train_batch(&self, step: u64, rows: Range<usize>) -> Result<Batch, DataError> {
        let mut batch = Batch::blank(rows.len(), self.seq_len)?;
        for (row, number) in rows.enumerate() {
            self.fill(&mut batch, row, [TRAIN, step, number as u64])?;
        }
        Ok(batch)
    }

    fn eval_tokens(&self) -> Option<u64> {
        None
    }

    fn eval_rows(&self, starts: &[u64]) -> Result<Batch, DataError> {
        let mut batch = Batch::blank(starts.len(), self.seq_len)?;
        for (row, start) in starts.iter().enumerate() {
            self.fill(&mut batch, row, [EVAL, 0, start / self.seq_len as u64])?;
        }
        Ok(batch)
    }

    fn describe(&self) -> Description {
        self.description.clone()
    }
}
