use std::{ops::Range, sync::Arc};

use crate::{
    Batch, DataError, Dataset, Description, Tokenizer,
    corrupt::{Corruption, Place},
    long::planted::Planted,
    mixture::{Mixture, Source},
    source::Tokens,
};

/// A row without a target that counts, such as one inside of a gap of a genome, is drawn again, up to
/// so many times in all.
const DRAWS: u64 = 1000;

/// Language modelling: the target of each token is the next one.
///
/// Training rows start at random places, of a source that is drawn by its weight where there are
/// several, or follow a stretch each. Evaluation rows start where
/// they are asked for; together they can score each token of the validation part, except the
/// first, which nothing precedes. Where there is noise, it is on what is read; targets are those of the
/// text.
pub(crate) struct Windows {
    train: Mixture,
    valid: Arc<dyn Tokens>,
    tokenizer: Arc<Tokenizer>,
    seq_len: usize,
    seed: u64,
    planted: Option<Planted>,
    corruption: Option<Corruption>,
    description: Description,
}

impl Windows {
    pub(crate) fn new(
        (train, valid): (Vec<Source>, Arc<dyn Tokens>),
        tokenizer: Arc<Tokenizer>,
        seq_len: usize,
        seed: u64,
        description: Description,
    ) -> Result<Self, DataError> {
        for source in &train {
            let part = match train.len() {
                1 => "training part".to_owned(),
                _ => format!("training part of {}", source.name),
            };
            fills_a_row(&part, source.tokens.as_ref(), &tokenizer, seq_len)?;
        }
        fills_a_row("validation part", valid.as_ref(), &tokenizer, seq_len)?;
        Ok(Self {
            train: Mixture::new(train),
            valid,
            tokenizer,
            seq_len,
            seed,
            planted: None,
            corruption: None,
            description,
        })
    }

    /// Text for evaluation: all of it is the validation part, and also what training would read.
    pub(crate) fn held_out(
        text: Arc<dyn Tokens>,
        tokenizer: Arc<Tokenizer>,
        seq_len: usize,
        description: Description,
    ) -> Result<Self, DataError> {
        fills_a_row("evaluation part", text.as_ref(), &tokenizer, seq_len)?;
        Ok(Self {
            train: Mixture::new(vec![Source::alone(Arc::clone(&text))]),
            valid: text,
            tokenizer,
            seq_len,
            seed: 0,
            planted: None,
            corruption: None,
            description,
        })
    }

    /// The same, with needles in a share of the rows of training.
    pub(crate) fn planted(self, share: f64) -> Result<Self, DataError> {
        Ok(Self {
            planted: Planted::new(share, &self.tokenizer, self.seq_len)?,
            description: self.description.planted(share),
            ..self
        })
    }

    /// The same, of which a share of the tokens is read as others.
    pub(crate) fn corrupted(self, share: f64) -> Self {
        let vocab = self.tokenizer.vocab();
        Self {
            corruption: Corruption::new(share, vocab),
            description: self.description.corrupted(share, vocab),
            ..self
        }
    }

    /// What a stream reads, and how many tokens each row of it follows.
    fn stretch(&self, rows: usize) -> Result<(&dyn Tokens, u64), DataError> {
        let tokens = self.train.only().ok_or(DataError::NoOrderOfMixture)?;
        Ok((tokens, tokens.len() / rows.max(1) as u64))
    }

    /// Scored tokens of the validation part.
    fn scored(&self) -> u64 {
        self.valid.len() - 1
    }

    /// Whether a row of training that begins there has a target that counts.
    fn scores(&self, (tokens, offset): (&dyn Tokens, u64)) -> Result<bool, DataError> {
        let mut weights = vec![0.0; self.seq_len];
        tokens.weigh(offset + 1, &mut weights)?;
        Ok(weights.iter().any(|&weight| weight > 0.0))
    }

    fn train_place(&self, step: u64, row: usize) -> Place {
        let (seed, row) = (self.seed, row as u64);
        Place::Train { seed, step, row }
    }

    /// Writes one row that begins at `offset` and scores `count` targets.
    fn fill(
        &self,
        batch: &mut Batch,
        row: usize,
        tokens: &dyn Tokens,
        (offset, count): (u64, usize),
        place: Place,
    ) -> Result<(), DataError> {
        let mut window = vec![0; count + 1];
        tokens.read(offset, &mut window)?;
        if let (Some(planted), Place::Train { seed, step, row }) = (&self.planted, place) {
            planted.plant(&mut window, seed, [step, row])?;
        }
        let first = row * batch.len;
        tokens.weigh(offset + 1, &mut batch.weights[first..first + count])?;
        for (at, pair) in window.windows(2).enumerate() {
            batch.inputs[first + at] = pair[0];
            batch.targets[first + at] = pair[1];
            batch.bytes += self.bytes_of(pair[1]);
        }
        if let Some(corruption) = self.corruption {
            corruption.replace(&mut batch.inputs[first..first + count], place);
        }
        Ok(())
    }
}

impl Dataset for Windows {
    fn vocab(&self) -> usize {
        self.tokenizer.vocab()
    }

    fn train_batch(&self, step: u64, rows: Range<usize>) -> Result<Batch, DataError> {
        let mut batch = Batch::blank(rows.len(), self.seq_len)?;
        for (row, of_step) in rows.enumerate() {
            let place = [step, of_step as u64];
            let mut drawn = self.train.draw(self.seed, &place, self.seq_len);
            for again in 1..DRAWS {
                if self.scores(drawn)? {
                    break;
                }
                let place = [place[0], place[1], again];
                drawn = self.train.draw(self.seed, &place, self.seq_len);
            }
            let (tokens, offset) = drawn;
            let place = self.train_place(step, of_step);
            self.fill(&mut batch, row, tokens, (offset, self.seq_len), place)?;
        }
        Ok(batch)
    }

    fn stream_steps(&self, rows: usize) -> Result<u64, DataError> {
        // The last target of a stretch also lies inside the stretch.
        let (tokens, stretch) = self.stretch(rows)?;
        let steps = stretch.saturating_sub(1) / self.seq_len as u64;
        if steps < 2 {
            return Err(DataError::ShortStretch {
                tokens: tokens.len(),
                unit: self.tokenizer.unit(),
                rows,
                seq_len: self.seq_len,
            });
        }
        Ok(steps)
    }

    fn stream_batch(&self, step: u64, rows: Range<usize>, of: usize) -> Result<Batch, DataError> {
        let mut batch = Batch::blank(rows.len(), self.seq_len)?;
        let inside = step % self.stream_steps(of)? * self.seq_len as u64;
        let (tokens, stretch) = self.stretch(of)?;
        for (row, number) in rows.enumerate() {
            let offset = number as u64 * stretch + inside;
            let place = self.train_place(step, number);
            self.fill(&mut batch, row, tokens, (offset, self.seq_len), place)?;
        }
        Ok(batch)
    }

    fn eval_tokens(&self) -> Option<u64> {
        Some(self.scored())
    }

    fn eval_rows(&self, starts: &[u64]) -> Result<Batch, DataError> {
        let mut batch = Batch::blank(starts.len(), self.seq_len)?;
        for (row, &start) in starts.iter().enumerate() {
            let count = self.scored().saturating_sub(start).min(self.seq_len as u64) as usize;
            if count == 0 {
                let tokens = self.scored();
                return Err(DataError::EvalStart { start, tokens });
            }
            let place = Place::Valid { start };
            self.fill(&mut batch, row, self.valid.as_ref(), (start, count), place)?;
        }
        Ok(batch)
    }

    fn bytes_of(&self, target: i32) -> u64 {
        self.tokenizer.len_of(target)
    }

    fn describe(&self) -> Description {
        self.description.clone()
    }
}

fn fills_a_row(
    part: &str,
    tokens: &dyn Tokens,
    tokenizer: &Tokenizer,
    seq_len: usize,
) -> Result<(), DataError> {
    let tokens = tokens.len();
    if tokens > seq_len as u64 {
        return Ok(());
    }
    Err(DataError::TooShort {
        part: part.to_owned(),
        tokens,
        unit: tokenizer.unit(),
        seq_len,
        hint: remedy(part, tokens),
    })
}

fn remedy(part: &str, tokens: u64) -> String {
    let more = if part.starts_with("training") {
        "give more text"
    } else {
        "give more text or a larger validation part"
    };
    match tokens.saturating_sub(1) {
        0 => more.to_owned(),
        most => format!("use seq_len = {most} or less, or {more}"),
    }
}
