use std::ops::Range;

use serde::{Deserialize, Serialize};

use miras_random::Stream;

use crate::{
    Batch, DataError, DataKind, Dataset, Description, Kind, LANGUAGE, Problem, describe,
    shared_keys::{SEQ_LEN, check_seq_len},
};

pub(crate) const KIND: Kind<MqarConfig> = Kind {
    name: "mqar",
    task: LANGUAGE,
    summary: "multi-query associative recall: key-value pairs first, keys asked after a gap",
    keys: &[
        (
            "vocab",
            "number of token values; keys come from the lower half, values from the upper",
        ),
        SEQ_LEN,
        ("pairs", "key-value pairs at the start of a sequence"),
        (
            "gap",
            "filler tokens, at least, between the last pair and the first query",
        ),
        (
            "queries",
            "how often each key is asked in a training sequence; once in an evaluation",
        ),
        (
            "filler",
            "what stands between the queries: \"blank\" (token 0) or \"random\"",
        ),
    ],
    default: MqarConfig::default,
    take: |section| section.part(),
};

/// The filler token of `filler = "blank"`.
const BLANK: i32 = 0;

/// The largest vocabulary that is accepted.
const MAX_VOCAB: usize = 1 << 24;

/// Multi-query associative recall.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct MqarConfig {
    /// Number of token values (16 to 16777216). Keys come from the lower half, values from the
    /// upper half.
    pub vocab: usize,
    /// Tokens in a row (1 to 16777216).
    pub seq_len: usize,
    /// Key-value pairs at the start of a row (1 or more).
    pub pairs: usize,
    /// Filler tokens, at least, between the last pair and the first query (0 or more).
    pub gap: usize,
    /// How often each key is asked in a training row (1 or more); once in an evaluation row.
    pub queries: usize,
    /// What stands between the queries.
    pub filler: Filler,
}

/// Tokens where there is neither a pair nor a query.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Filler {
    /// Token 0 everywhere.
    Blank,
    /// Random tokens of a range kept for them: the first eighth of the vocabulary after token 0.
    Random,
}

impl Default for MqarConfig {
    fn default() -> Self {
        Self {
            vocab: 256,
            seq_len: 128,
            pairs: 8,
            gap: 33,
            queries: 2,
            filler: Filler::Blank,
        }
    }
}

impl DataKind for MqarConfig {
    fn seq_len(&self) -> usize {
        self.seq_len
    }

    fn vocab(&self) -> Result<usize, DataError> {
        Ok(self.vocab)
    }

    fn open(&self, seed: u64) -> Result<Box<dyn Dataset>, DataError> {
        Ok(Box::new(Mqar::new(self, seed)?))
    }

    fn generator(&self) -> Option<String> {
        let filler = match self.filler {
            Filler::Blank => "blank",
            Filler::Random => "random",
        };
        Some(format!(
            "mqar: vocab {}, pairs {}, gap {}, filler {filler}",
            self.vocab, self.pairs, self.gap
        ))
    }

    fn validate(&self) -> Vec<Problem> {
        let mut problems = Vec::from_iter(check_seq_len(self.seq_len));
        for (field, value) in [("pairs", self.pairs), ("queries", self.queries)] {
            if value == 0 {
                problems.push((field, "must be 1 or more, got 0".to_owned()));
            }
        }
        if !(16..=MAX_VOCAB).contains(&self.vocab) {
            let message = format!("must be from 16 to {MAX_VOCAB} tokens, got {}", self.vocab);
            problems.push(("vocab", message));
        } else if self.pairs > self.keys() {
            problems.push(("pairs", self.too_few_keys()));
        }
        // The check of the length assumes that each number is valid by itself.
        if problems.is_empty() {
            problems.extend(self.check_room());
        }
        problems
    }
}

impl MqarConfig {
    fn too_few_keys(&self) -> String {
        format!(
            "vocab = {} has {keys} keys, and the keys of a row are all different: the largest value that fits is {keys}, got {}",
            self.vocab,
            self.pairs,
            keys = self.keys(),
        )
    }

    /// Tokens of the shortest row that holds pairs, gap and queries.
    fn needed(&self) -> usize {
        (self.queries.saturating_add(2))
            .saturating_mul(self.pairs)
            .saturating_add(self.gap)
    }

    fn check_room(&self) -> Option<Problem> {
        let (pairs, gap, queries) = (self.pairs, self.gap, self.queries);
        let needed = self.needed();
        if needed <= self.seq_len {
            return None;
        }
        let most_pairs = self.seq_len.saturating_sub(gap) / queries.saturating_add(2);
        let after_pairs = self.seq_len.saturating_sub(pairs.saturating_mul(2));
        let most_queries = after_pairs.saturating_sub(gap) / pairs;
        let most_gap = after_pairs.checked_sub(pairs.saturating_mul(queries));
        let mut fits = Vec::new();
        if most_pairs > 0 {
            fits.push(("pairs", most_pairs));
        }
        if most_queries > 0 {
            fits.push(("queries", most_queries));
        }
        if let Some(gap) = most_gap {
            fits.push(("gap", gap));
        }
        // If no single change of these is enough, only a longer row helps.
        let field = fits.first().map_or("seq_len", |(field, _)| *field);
        let mut ways: Vec<_> = fits
            .iter()
            .map(|(field, most)| format!("{field} = {most} or less"))
            .collect();
        ways.push(format!("seq_len = {needed} or more"));
        let message = format!(
            "2 x {pairs} pair tokens + gap {gap} + {pairs} x {queries} queries make {needed} tokens, more than seq_len = {}; what fits: {}",
            self.seq_len,
            ways.join(", or "),
        );
        Some((field, message))
    }

    /// The mean number of queries of a row that lie in the same chunk of `chunk` tokens as the
    /// value of their pair, with each key asked once. The configuration must be valid.
    pub fn asked_within(&self, chunk: usize) -> f64 {
        let first = 2 * self.pairs + self.gap;
        let places = self.seq_len - first;
        let inside = (0..self.pairs).map(|pair| {
            let end = (chunk_of(pair, chunk) + 1) * chunk;
            end.min(self.seq_len).saturating_sub(first)
        });
        inside.sum::<usize>() as f64 / places as f64
    }

    /// The smallest gap with which no query lies in the same chunk as its pair; `None` if the row
    /// is too short for it.
    pub fn gap_beyond(&self, chunk: usize) -> Option<usize> {
        let last = self.pairs.checked_sub(1)?;
        let gap = (chunk_of(last, chunk) + 1) * chunk - 2 * self.pairs;
        let with = Self {
            gap,
            ..self.clone()
        };
        with.validate().is_empty().then_some(gap)
    }

    /// Tokens kept for random filler; they follow the blank.
    fn fillers(&self) -> usize {
        match self.filler {
            Filler::Blank => 0,
            Filler::Random => self.vocab / 8,
        }
    }

    /// The lowest key; the keys end where the values begin.
    fn first_key(&self) -> usize {
        1 + self.fillers()
    }

    fn first_value(&self) -> usize {
        self.vocab / 2
    }

    fn keys(&self) -> usize {
        self.first_value().saturating_sub(self.first_key())
    }
}

/// The chunk in which the value of a pair stands, both counted from 0.
fn chunk_of(pair: usize, chunk: usize) -> usize {
    (2 * pair + 1) / chunk
}

/// Rows that state key-value pairs and later ask for the values.
///
/// A row is `k1 v1 ... kn vn`, then at least `gap` filler tokens, then queries at random
/// places among filler. A query is a key as input with its value as target; the value does
/// not follow in the input, so the next position holds filler or another query. Only
/// queries have weight 1. The keys of a row are all different; its values are drawn
/// independently and may repeat, so no value can be ruled out because another key has it.
///
/// # Reference
/// Arora et al. 2023, Zoology, <https://arxiv.org/abs/2312.04927>.
///
/// # Notes
/// The paper places queries by a power law and asks each key once; here places are
/// uniform and training may ask a key several times.
pub(crate) struct Mqar {
    config: MqarConfig,
    seed: u64,
    fingerprint: String,
}

impl Mqar {
    /// The configuration must be valid.
    pub(crate) fn new(config: &MqarConfig, seed: u64) -> Result<Self, DataError> {
        Ok(Self {
            config: config.clone(),
            seed,
            fingerprint: fingerprint(config)?,
        })
    }

    fn batch(&self, step: u64, rows: Range<usize>) -> Result<Batch, DataError> {
        let mut batch = Batch::blank(rows.len(), self.config.seq_len)?;
        for (row, number) in rows.enumerate() {
            let mut stream = Stream::new(self.seed, TRAIN, &[step, number as u64]);
            self.fill(&mut batch, row, self.config.queries, &mut stream);
        }
        Ok(batch)
    }

    fn fill(&self, batch: &mut Batch, row: usize, queries: usize, stream: &mut Stream) {
        let config = &self.config;
        let first = row * batch.len;
        let inputs = &mut batch.inputs[first..first + batch.len];
        let (pairs, rest) = inputs.split_at_mut(2 * config.pairs);
        for place in &mut *rest {
            *place = match config.filler {
                Filler::Blank => BLANK,
                Filler::Random => token(1 + stream.index(config.fillers())),
            };
        }
        let keys = stream.distinct(config.keys() as u64, config.pairs);
        for (pair, key) in pairs.chunks_exact_mut(2).zip(keys) {
            let value = config.first_value() + stream.index(config.vocab - config.first_value());
            pair[0] = token(config.first_key() + key as usize);
            pair[1] = token(value);
        }
        let room = rest.len() - config.gap;
        let places = stream.distinct(room as u64, config.pairs * queries);
        let asked = pairs.chunks_exact(2).cycle();
        for (place, pair) in places.into_iter().zip(asked) {
            let at = config.gap + place as usize;
            rest[at] = pair[0];
            let at = first + pairs.len() + at;
            batch.targets[at] = pair[1];
            batch.weights[at] = 1.0;
        }
    }
}

/// The hash of the settings except the row length, and of the shortest possible rows of seed 0: it
/// changes when a later version of the generator makes other rows from the same settings.
fn fingerprint(config: &MqarConfig) -> Result<String, DataError> {
    let shortest = Mqar {
        config: MqarConfig {
            seq_len: config.needed(),
            ..config.clone()
        },
        seed: 0,
        fingerprint: String::new(),
    };
    let MqarConfig {
        vocab,
        seq_len: _,
        pairs,
        gap,
        queries,
        filler,
    } = config;
    let settings = format!("{vocab} {pairs} {gap} {queries} {filler:?}");
    let rows = [shortest.train_batch(0, 0..1)?, shortest.eval_rows(&[0])?];
    Ok(describe::of_generator(&settings, &rows))
}

/// A token id; the largest vocabulary is far below the limit.
fn token(id: usize) -> i32 {
    i32::try_from(id).unwrap_or(i32::MAX)
}

/// Purpose of the streams that make training rows.
const TRAIN: &str = "mqar train";
/// Purpose of the streams that make evaluation rows.
const EVAL: &str = "mqar eval";

impl Dataset for Mqar {
    fn vocab(&self) -> usize {
        self.config.vocab
    }

    fn train_batch(&self, step: u64, rows: Range<usize>) -> Result<Batch, DataError> {
        self.batch(step, rows)
    }

    fn eval_tokens(&self) -> Option<u64> {
        None
    }

    fn eval_rows(&self, starts: &[u64]) -> Result<Batch, DataError> {
        let mut batch = Batch::blank(starts.len(), self.config.seq_len)?;
        for (row, start) in starts.iter().enumerate() {
            let index = start / self.config.seq_len as u64;
            let mut stream = Stream::new(self.seed, EVAL, &[0, index]);
            self.fill(&mut batch, row, 1, &mut stream);
        }
        Ok(batch)
    }

    fn describe(&self) -> Description {
        let config = &self.config;
        Description {
            kind: "mqar",
            name: format!(
                "recall of {} pairs over a gap of {} tokens, {} tokens a row, vocabulary {}",
                config.pairs, config.gap, config.seq_len, config.vocab
            ),
            fingerprint: self.fingerprint.clone(),
            ..Description::default()
        }
    }
}
