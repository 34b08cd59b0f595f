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
            "showings",
            "how often each pair is shown there, all of them in random order; 1: each once",
        ),
        (
            "outliers",
            "showings of each pair that have a wrong value, each drawn anew from all other values, at random places among the showings; less than half of them",
        ),
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
    /// How often each pair is shown there (1 or more); more than once in random order.
    pub showings: usize,
    /// Showings of each pair that have another value (less than half of them).
    pub outliers: usize,
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
            showings: 1,
            outliers: 0,
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
            "mqar: vocab {}, pairs {}, gap {}, filler {filler}{}",
            self.vocab,
            self.pairs,
            self.gap,
            self.more(", showings ", ", outliers ")
        ))
    }

    fn validate(&self) -> Vec<Problem> {
        let mut problems = Vec::from_iter(check_seq_len(self.seq_len));
        for (field, value) in [
            ("pairs", self.pairs),
            ("showings", self.showings),
            ("queries", self.queries),
        ] {
            if value == 0 {
                problems.push((field, "must be 1 or more, got 0".to_owned()));
            }
        }
        problems.extend(self.check_majority());
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

    /// The answer of a question is the value that most showings of its pair have.
    fn check_majority(&self) -> Option<Problem> {
        let (showings, outliers) = (self.showings, self.outliers);
        let twice = outliers.saturating_mul(2);
        if showings == 0 || twice < showings {
            return None;
        }
        let message = format!(
            "of {showings} showings of a pair {outliers} are wrong, and most must be right: the largest number that fits is {}, or showings = {} or more",
            (showings - 1) / 2,
            twice.saturating_add(1),
        );
        Some(("outliers", message))
    }

    /// Showings and outliers behind these words, if they are not the default.
    fn more(&self, showings: &str, outliers: &str) -> String {
        let mut more = String::new();
        if self.showings != 1 {
            more = format!("{showings}{}", self.showings);
        }
        if self.outliers != 0 {
            more = format!("{more}{outliers}{}", self.outliers);
        }
        more
    }

    /// Tokens in which one pair is shown.
    fn of_pair(&self) -> usize {
        self.showings.saturating_mul(2)
    }

    /// Tokens in which all pairs are shown.
    fn shown(&self) -> usize {
        self.pairs.saturating_mul(self.of_pair())
    }

    /// Tokens of the shortest row that holds pairs, gap and queries.
    fn needed(&self) -> usize {
        (self.queries.saturating_add(self.of_pair()))
            .saturating_mul(self.pairs)
            .saturating_add(self.gap)
    }

    fn check_room(&self) -> Option<Problem> {
        let (pairs, gap, queries) = (self.pairs, self.gap, self.queries);
        let needed = self.needed();
        if needed <= self.seq_len {
            return None;
        }
        let behind = self.seq_len.saturating_sub(gap);
        let most_pairs = behind / queries.saturating_add(self.of_pair());
        let before_queries = behind.saturating_sub(pairs.saturating_mul(queries));
        let most_showings = before_queries / pairs.saturating_mul(2);
        let after_pairs = self.seq_len.saturating_sub(self.shown());
        let most_queries = after_pairs.saturating_sub(gap) / pairs;
        let most_gap = after_pairs.checked_sub(pairs.saturating_mul(queries));
        let mut fits = Vec::new();
        if most_pairs > 0 {
            fits.push(("pairs", most_pairs));
        }
        if most_showings > self.outliers.saturating_mul(2) {
            fits.push(("showings", most_showings));
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
            .map(|(field, most)| match most {
                0 => format!("{field} = 0"),
                most => format!("{field} = {most} or less"),
            })
            .collect();
        ways.push(format!("seq_len = {needed} or more"));
        let shown = match self.showings {
            1 => String::new(),
            showings => format!(" x {showings} showings"),
        };
        let message = format!(
            "2 x {pairs} pair tokens{shown} + gap {gap} + {pairs} x {queries} queries make {needed} tokens, more than seq_len = {}; what fits: {}",
            self.seq_len,
            ways.join(", or "),
        );
        Some((field, message))
    }

    /// The mean number of queries of a row that lie in the same chunk of `chunk` tokens as the
    /// first right value of their pair, with each key asked once. The configuration must be valid.
    ///
    /// # Formula
    /// Of `n` places at which pairs are shown, a pair has `r` with its right value, and the first of
    /// these is place `j` with probability `p_j`: `p_0 = r/n`, `p_{j+1} = p_j (n − j − r)/(n − 1 − j)`.
    pub fn asked_within(&self, chunk: usize) -> f64 {
        let first = self.shown() + self.gap;
        let places = self.seq_len - first;
        let (n, right) = (self.pairs * self.showings, self.showings - self.outliers);
        let mut probability = right as f64 / n as f64;
        let mut mean = 0.0;
        for place in 0..=n - right {
            let end = (chunk_of(place, chunk) + 1) * chunk;
            let inside = end.min(self.seq_len).saturating_sub(first);
            mean += probability * inside as f64;
            let left = (n - 1 - place).max(1);
            probability *= (n - right - place) as f64 / left as f64;
        }
        self.pairs as f64 * mean / places as f64
    }

    /// The smallest gap with which no query lies in the same chunk as the first right value of its
    /// pair; `None` if the row is too short for it.
    pub fn gap_beyond(&self, chunk: usize) -> Option<usize> {
        let right = self.showings.checked_sub(self.outliers)?;
        let last = (self.pairs.checked_mul(self.showings)?).checked_sub(right)?;
        let end = (chunk_of(last, chunk) + 1) * chunk;
        let gap = end.saturating_sub(self.shown());
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

    /// Values there are.
    fn values(&self) -> usize {
        self.vocab - self.first_value()
    }

    fn keys(&self) -> usize {
        self.first_value().saturating_sub(self.first_key())
    }
}

/// The chunk in which the value at a place of the pairs stands, both counted from 0.
fn chunk_of(place: usize, chunk: usize) -> usize {
    (2 * place + 1) / chunk
}

/// Rows that state key-value pairs and later ask for the values.
///
/// A row is `k1 v1 ... kn vn`, then at least `gap` filler tokens, then queries at random
/// places among filler. A query is a key as input with its value as target; the value does
/// not follow in the input, so the next position holds filler or another query. Only
/// queries have weight 1. The keys of a row are all different; its values are drawn
/// independently and may repeat, so no value can be ruled out because another key has it.
///
/// With `showings` the row begins with as many of each pair, all in random order, and `outliers` of
/// these have another value than the pair, each drawn from all others: noise that a robust
/// loss does not follow. The target is the pair's value, which most of its showings have. Rows
/// that differ in `outliers` alone differ in the wrong values alone.
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
        let (shown, rest) = inputs.split_at_mut(config.shown());
        for place in &mut *rest {
            *place = match config.filler {
                Filler::Blank => BLANK,
                Filler::Random => token(1 + stream.index(config.fillers())),
            };
        }
        let keys = stream.distinct(config.keys() as u64, config.pairs);
        let pairs: Vec<[usize; 2]> = (keys.into_iter())
            .map(|key| {
                [
                    config.first_key() + key as usize,
                    stream.index(config.values()),
                ]
            })
            .collect();
        let room = rest.len() - config.gap;
        let places = stream.distinct(room as u64, config.pairs * queries);
        for (place, [key, value]) in places.into_iter().zip(pairs.iter().cycle()) {
            let at = config.gap + place as usize;
            rest[at] = token(*key);
            let at = first + shown.len() + at;
            batch.targets[at] = token(config.first_value() + value);
            batch.weights[at] = 1.0;
        }
        // Each pair's first showings are the wrong ones, until they are in their order.
        let mut order: Vec<(usize, usize)> = (0..config.showings)
            .flat_map(|showing| (0..config.pairs).map(move |pair| (showing, pair)))
            .collect();
        if config.showings > 1 {
            stream.shuffle(&mut order);
        }
        for (place, (showing, pair)) in shown.chunks_exact_mut(2).zip(order) {
            let [key, mut value] = pairs[pair];
            if showing < config.outliers {
                // Any other: so many further on, around the end.
                value = (value + 1 + stream.index(config.values() - 1)) % config.values();
            }
            place[0] = token(key);
            place[1] = token(config.first_value() + value);
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
        showings: _,
        outliers: _,
        gap,
        queries,
        filler,
    } = config;
    let more = config.more(" showings ", " outliers ");
    let settings = format!("{vocab} {pairs} {gap} {queries} {filler:?}{more}");
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
        let shown = match (config.showings, config.outliers) {
            (1, _) => String::new(),
            (showings, 0) => format!(", each shown {showings} times,"),
            (showings, outliers) => {
                format!(", each shown {showings} times and {outliers} of these wrong,")
            }
        };
        Description {
            kind: "mqar",
            name: format!(
                "recall of {} pairs{shown} over a gap of {} tokens, {} tokens a row, vocabulary {}",
                config.pairs, config.gap, config.seq_len, config.vocab
            ),
            fingerprint: self.fingerprint.clone(),
            ..Description::default()
        }
    }
}
