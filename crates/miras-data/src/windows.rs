use std::{ops::Range, sync::Arc};

use miras_random::Stream;

use crate::{Batch, DataError, Dataset, Description, Metric};

/// Bytes that can be read at any position.
pub(crate) trait Bytes: Send + Sync {
    fn len(&self) -> u64;
    /// Fills the buffer from `offset` on; the caller stays inside the length.
    fn read(&self, offset: u64, buffer: &mut [u8]) -> Result<(), DataError>;
}

impl Bytes for Vec<u8> {
    fn len(&self) -> u64 {
        self.as_slice().len() as u64
    }

    fn read(&self, offset: u64, buffer: &mut [u8]) -> Result<(), DataError> {
        let start = offset as usize;
        buffer.copy_from_slice(&self[start..start + buffer.len()]);
        Ok(())
    }
}

/// A stretch of a corpus.
pub(crate) struct Span {
    bytes: Arc<dyn Bytes>,
    start: u64,
    len: u64,
}

impl Span {
    pub(crate) fn whole(bytes: Arc<dyn Bytes>) -> Self {
        let len = bytes.len();
        Self {
            bytes,
            start: 0,
            len,
        }
    }

    /// Cuts a corpus into its training part and, at its end, its validation part.
    pub(crate) fn split(bytes: Arc<dyn Bytes>, valid_fraction: f64) -> (Self, Self) {
        let total = bytes.len();
        let cut = train_bytes(total, valid_fraction);
        let train = Self {
            bytes: Arc::clone(&bytes),
            start: 0,
            len: cut,
        };
        let valid = Self {
            bytes,
            start: cut,
            len: total - cut,
        };
        (train, valid)
    }

    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    fn read(&self, offset: u64, buffer: &mut [u8]) -> Result<(), DataError> {
        self.bytes.read(self.start + offset, buffer)
    }

    fn fills_a_row(&self, part: &'static str, seq_len: usize) -> Result<(), DataError> {
        if self.len > seq_len as u64 {
            return Ok(());
        }
        Err(DataError::TooShort {
            part,
            bytes: self.len,
            seq_len,
            hint: remedy(part, self.len),
        })
    }
}

/// Size of the training part of a corpus of `total` bytes.
pub(crate) fn train_bytes(total: u64, valid_fraction: f64) -> u64 {
    ((total as f64 * (1.0 - valid_fraction)) as u64).min(total)
}

/// Byte-level language modelling: the target of each byte is the next one.
///
/// Training rows start at random places, or follow a stretch each. Evaluation rows follow one another from the start
/// of the validation part and score each of its bytes once, except the first, which
/// nothing precedes.
pub(crate) struct Windows {
    train: Span,
    valid: Span,
    seq_len: usize,
    seed: u64,
    description: Description,
}

impl Windows {
    pub(crate) fn new(
        (train, valid): (Span, Span),
        seq_len: usize,
        seed: u64,
        description: Description,
    ) -> Result<Self, DataError> {
        train.fills_a_row("training", seq_len)?;
        valid.fills_a_row("validation", seq_len)?;
        Ok(Self {
            train,
            valid,
            seq_len,
            seed,
            description,
        })
    }

    /// Text for evaluation: all of it is the validation part, and also what training would read.
    pub(crate) fn held_out(
        text: Arc<dyn Bytes>,
        seq_len: usize,
        description: Description,
    ) -> Result<Self, DataError> {
        let valid = Span::whole(Arc::clone(&text));
        valid.fills_a_row("evaluation", seq_len)?;
        Ok(Self {
            train: Span::whole(text),
            valid,
            seq_len,
            seed: 0,
            description,
        })
    }

    /// Bytes that each row of a stream follows.
    fn stretch(&self, rows: usize) -> u64 {
        self.train.len / rows.max(1) as u64
    }

    /// Scored bytes of the validation part.
    fn scored(&self) -> u64 {
        self.valid.len - 1
    }
}

impl Dataset for Windows {
    fn vocab(&self) -> usize {
        256
    }

    fn metric(&self) -> Metric {
        Metric::BitsPerByte
    }

    fn train_batch(&self, index: u64, rows: usize) -> Result<Batch, DataError> {
        let mut batch = Batch::blank(rows, self.seq_len)?;
        let starts = self.train.len - self.seq_len as u64;
        for row in 0..rows {
            let offset = Stream::new(self.seed, "train", &[index, row as u64]).below(starts);
            fill(&mut batch, row, &self.train, (offset, self.seq_len))?;
        }
        Ok(batch)
    }

    fn stream_steps(&self, rows: usize) -> Result<u64, DataError> {
        // The last target of a stretch is still its own.
        let steps = self.stretch(rows).saturating_sub(1) / self.seq_len as u64;
        if steps < 2 {
            return Err(DataError::ShortStretch {
                bytes: self.train.len,
                rows,
                seq_len: self.seq_len,
            });
        }
        Ok(steps)
    }

    fn stream_batch(&self, step: u64, rows: Range<usize>, of: usize) -> Result<Batch, DataError> {
        let mut batch = Batch::blank(rows.len(), self.seq_len)?;
        let inside = step % self.stream_steps(of)? * self.seq_len as u64;
        for (row, stretch) in rows.enumerate() {
            let offset = stretch as u64 * self.stretch(of) + inside;
            fill(&mut batch, row, &self.train, (offset, self.seq_len))?;
        }
        Ok(batch)
    }

    fn eval_batches(&self, rows: usize) -> Option<u64> {
        let windows = self.scored().div_ceil(self.seq_len as u64);
        Some(windows.div_ceil(rows.max(1) as u64))
    }

    fn eval_batch(&self, index: u64, rows: usize) -> Result<Batch, DataError> {
        let mut batch = Batch::blank(rows, self.seq_len)?;
        let batches = self.eval_batches(rows).unwrap_or_default();
        if index >= batches {
            return Err(DataError::EvalIndex { index, batches });
        }
        let len = self.seq_len as u64;
        for row in 0..rows {
            let offset = (index * rows as u64 + row as u64) * len;
            let count = self.scored().saturating_sub(offset).min(len) as usize;
            if count > 0 {
                fill(&mut batch, row, &self.valid, (offset, count))?;
            }
        }
        Ok(batch)
    }

    fn describe(&self) -> Description {
        self.description.clone()
    }
}

/// Writes one row that begins at `offset` and scores `count` targets.
fn fill(
    batch: &mut Batch,
    row: usize,
    span: &Span,
    (offset, count): (u64, usize),
) -> Result<(), DataError> {
    let mut window = vec![0; count + 1];
    span.read(offset, &mut window)?;
    let first = row * batch.len;
    for (at, pair) in window.windows(2).enumerate() {
        batch.inputs[first + at] = i32::from(pair[0]);
        batch.targets[first + at] = i32::from(pair[1]);
        batch.weights[first + at] = 1.0;
    }
    Ok(())
}

fn remedy(part: &str, bytes: u64) -> String {
    let more = match part {
        "training" => "give more text",
        _ => "give more text or a larger validation part",
    };
    match bytes.saturating_sub(1) {
        0 => more.to_owned(),
        most => format!("use seq_len = {most} or less, or {more}"),
    }
}
