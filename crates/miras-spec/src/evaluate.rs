//! Measuring a model on held-out rows. Training and `eval` both use this evaluator.

use std::collections::HashSet;
use std::ops::Range;

use burn::tensor::{Device, Tensor};
use miras_data::{Batch, Dataset, Selection};
use miras_model::{LanguageModel, ModelState, Pass, WriteRate, add_write_rates};
use miras_run::metrics::Means;

use crate::SpecError;
use crate::read::read;
use crate::task::{Count, Details, Task};

/// An evaluation: what is read, and how.
#[derive(Clone, Copy)]
pub struct Evaluate<'a> {
    /// What makes losses of the model's outputs.
    pub task: &'a dyn Task,
    /// A model without gradients.
    pub model: &'a LanguageModel,
    /// Whose held-out rows are read.
    pub data: &'a dyn Dataset,
    /// Which of them.
    pub selection: &'a Selection,
    /// Rows, or stretches where memories are carried, that are computed at once. It changes the
    /// speed and no result.
    pub batch: usize,
    /// What memories do.
    pub pass: Pass,
    /// What memories start from.
    pub start: StartFrom<'a>,
    /// Tokens of the n-grams by which targets that come again in their row are told from new ones;
    /// none are with none.
    pub ngram: Option<usize>,
    /// Where to compute.
    pub device: &'a Device,
}

/// What the memories of a row start from.
#[derive(Debug, Clone, Copy)]
pub enum StartFrom<'a> {
    /// The learned initial one.
    Initial,
    /// A state of one row.
    State(&'a ModelState),
    /// What the row before it in its stretch left; the learned initial one at the beginning of a
    /// stretch.
    Carried,
}

/// Sums over targets, at one position or over all.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Sum {
    /// Losses.
    pub loss: f64,
    /// Squares of the loss of each target.
    pub squares: f64,
    /// Targets that are right: of tokens, ranked first.
    pub hits: f64,
    /// Scored targets.
    pub weight: f64,
    /// Bytes of the scored targets.
    pub bytes: f64,
}

impl Sum {
    /// Adds the targets of another.
    pub fn add(&mut self, other: &Self) {
        self.loss += other.loss;
        self.squares += other.squares;
        self.hits += other.hits;
        self.weight += other.weight;
        self.bytes += other.bytes;
    }

    /// The sum of several.
    pub fn total(sums: &[Self]) -> Self {
        let mut total = Self::default();
        for sum in sums {
            total.add(sum);
        }
        total
    }

    /// The mean loss, in nats where targets are tokens or classes.
    pub fn mean_loss(&self) -> f64 {
        self.loss / self.weight
    }

    /// Share of targets ranked first.
    pub fn accuracy(&self) -> f64 {
        self.hits / self.weight
    }

    /// Means over the scored targets.
    pub fn means(&self) -> Means {
        Means {
            loss: self.mean_loss(),
            accuracy: Some(self.accuracy()),
            bytes: self.bytes / self.weight,
            mcc: None,
            mae: None,
        }
    }

    /// All bits over all bytes; none where targets are no text.
    pub fn bits_per_byte(&self) -> Option<f64> {
        (self.bytes > 0.0).then(|| self.loss / self.bytes / std::f64::consts::LN_2)
    }
}

/// What an evaluation found.
#[derive(Debug)]
pub struct Evaluated {
    /// Sums by position, counted from where memories started: from the beginning of the row, or of
    /// the stretch where memories are carried.
    pub positions: Vec<Sum>,
    /// Sums over targets that come for the first time in their row, and over those that come again:
    /// that end an n-gram which is in the row before. No sums without n-grams.
    pub occurrences: [Sum; 2],
    /// What the gates of each memory layer left of steps, in a pass with probes; none of a layer without
    /// a gate.
    pub write_rates: Vec<Option<WriteRate>>,
    /// The first rows with a loss that is NaN or infinite.
    pub nonfinite: Option<Nonfinite>,
    /// Means over all targets, with what the task counts.
    pub means: Means,
    /// What the task says beside them.
    pub details: Details,
}

/// Rows with a loss that is NaN or infinite.
#[derive(Debug)]
pub struct Nonfinite {
    /// The token of the held-out part at which the first of the rows begins.
    pub start: u64,
    /// The rows.
    pub batch: Batch,
    /// What memories started from before them; none for the initial one.
    pub state: Option<ModelState>,
}

/// An evaluation under way.
struct Found {
    evaluated: Evaluated,
    count: Box<dyn Count>,
}

/// Rows that go through the model together.
struct Together<'a> {
    starts: &'a [u64],
    /// The position of their first token.
    offset: usize,
    state: Option<ModelState>,
}

impl Evaluate<'_> {
    /// Reads all rows, and says after each pass through the model how many rows are done.
    ///
    /// # Errors
    /// If the data cannot be read, if the device fails, and if no token is scored.
    pub fn run(&self, watch: &dyn Fn(u64)) -> Result<Evaluated, SpecError> {
        let mut found = Found {
            evaluated: Evaluated {
                positions: Vec::new(),
                occurrences: [Sum::default(); 2],
                write_rates: Vec::new(),
                nonfinite: None,
                means: Means::default(),
                details: Details::default(),
            },
            count: self.task.count(self.data.labels()),
        };
        let mut done = 0;
        match self.start {
            StartFrom::Carried => self.stretches(&mut found, &mut done, watch)?,
            StartFrom::Initial | StartFrom::State(_) => self.rows(&mut found, &mut done, watch)?,
        }
        let Found {
            mut evaluated,
            count,
        } = found;
        let all = Sum::total(&evaluated.positions);
        if all.weight > 0.0 {
            evaluated.means = all.means();
            count.finish(&mut evaluated.means, &mut evaluated.details);
            return Ok(evaluated);
        }
        let rows = self.selection.rows();
        let name = self.data.describe().name;
        Err(SpecError::Unscored { rows, name })
    }

    fn rows(
        &self,
        found: &mut Found,
        done: &mut u64,
        watch: &dyn Fn(u64),
    ) -> Result<(), SpecError> {
        let starts: Vec<u64> = self.selection.starts().collect();
        for starts in starts.chunks(self.batch.max(1)) {
            let state = match self.start {
                StartFrom::State(state) => {
                    let each = vec![state.clone(); starts.len()];
                    Some(ModelState::cat(&each))
                }
                StartFrom::Initial | StartFrom::Carried => None,
            };
            let together = Together {
                starts,
                offset: 0,
                state,
            };
            self.pass(together, found)?;
            *done += starts.len() as u64;
            watch(*done);
        }
        Ok(())
    }

    fn stretches(
        &self,
        found: &mut Found,
        done: &mut u64,
        watch: &dyn Fn(u64),
    ) -> Result<(), SpecError> {
        let (all, batch) = (self.selection.stretches(), self.batch.max(1) as u64);
        for first in (0..all).step_by(self.batch.max(1)) {
            let group = first..all.min(first + batch);
            let mut state: Option<ModelState> = None;
            // The first stretch of a group is one of its longest.
            for row in 0..self.selection.rows_of(first) {
                let starts = self.row_of_each(group.clone(), row);
                let offset = row as usize * self.selection.row_len();
                let rows = 0..starts.len();
                let together = Together {
                    starts: &starts,
                    offset,
                    state: state.take().map(|state| state.select_rows(rows)),
                };
                state = Some(self.pass(together, found)?);
                *done += starts.len() as u64;
                watch(*done);
            }
        }
        Ok(())
    }

    /// Where row `row` of each of these stretches begins. Stretches without such a row are the last
    /// of the group.
    fn row_of_each(&self, stretches: Range<u64>, row: u64) -> Vec<u64> {
        stretches
            .filter(|&stretch| row < self.selection.rows_of(stretch))
            .map(|stretch| self.selection.start(stretch, row))
            .collect()
    }

    /// Makes one pass through the model and gives the state after it.
    fn pass(&self, rows: Together, found: &mut Found) -> Result<ModelState, SpecError> {
        let batch = self.data.eval_rows(rows.starts)?;
        let earlier = rows.state.clone();
        let scores = (self.task).score(self.model, &batch, self.device, rows.state, self.pass);
        let tensors = [Some(scores.losses), scores.hits, scores.marks];
        let has = [&tensors[1], &tensors[2]].map(Option::is_some);
        let numbers = read(Tensor::cat(tensors.into_iter().flatten().collect(), 0))?;
        let targets = batch.weights.len();
        let (losses, rest) = numbers.split_at(targets);
        let (hits, marks) = rest.split_at(if has[0] { targets } else { 0 });
        let Found {
            evaluated: found,
            count,
        } = found;
        if has[1] {
            count.add(&batch, marks);
        }
        add_write_rates(&mut found.write_rates, scores.write_rates);
        let width = targets / batch.rows;
        let end = rows.offset + width;
        if found.positions.len() < end {
            found.positions.resize(end, Sum::default());
        }
        let again = self.ngram.map(|ngram| repeats(&batch, ngram));
        let mut is_finite = true;
        for (at, &weight) in batch.weights.iter().enumerate() {
            let (loss, weight) = (f64::from(losses[at]), f64::from(weight));
            if weight == 0.0 {
                continue;
            }
            is_finite &= loss.is_finite();
            let sum = Sum {
                loss: loss * weight,
                squares: loss * loss * weight,
                hits: hits.get(at).map_or(0.0, |&hit| f64::from(hit) * weight),
                weight,
                bytes: self.data.bytes_of(batch.targets[at]) as f64 * weight,
            };
            found.positions[rows.offset + at % width].add(&sum);
            if let Some(again) = &again {
                found.occurrences[usize::from(again[at])].add(&sum);
            }
        }
        if !is_finite && found.nonfinite.is_none() {
            found.nonfinite = Some(Nonfinite {
                start: rows.starts.first().copied().unwrap_or_default(),
                batch,
                state: earlier,
            });
        }
        Ok(scores.state)
    }
}

/// Whether each target ends `ngram` tokens that are in its row before, in their order.
fn repeats(batch: &Batch, ngram: usize) -> Vec<bool> {
    let rows = batch
        .inputs
        .chunks(batch.len)
        .zip(batch.targets.chunks(batch.len));
    let of_row = |(inputs, targets): (&[i32], &[i32])| {
        // Of text, a target is the token that follows, whatever is read in its place.
        let row = [&inputs[..1], targets].concat();
        let mut seen = HashSet::new();
        let is_again = (1..=row.len()).map(|end| {
            let own = end.checked_sub(ngram).map(|start| &row[start..end]);
            own.is_some_and(|own| !seen.insert(own))
        });
        // The first token is no target.
        is_again.skip(1).collect::<Vec<_>>()
    };
    rows.flat_map(of_row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_comes_again_with_the_tokens_before_it() {
        let rows = [[1, 2, 3, 1, 2, 3, 2, 3], [7, 7, 7, 7, 1, 2, 3, 1]];
        let batch = |rows: &[[i32; 8]]| Batch {
            inputs: rows.iter().flat_map(|row| &row[..7]).copied().collect(),
            targets: rows.iter().flat_map(|row| &row[1..]).copied().collect(),
            weights: vec![1.0; 7 * rows.len()],
            bytes: 0,
            rows: rows.len(),
            len: 7,
            series: None,
        };
        let said = |ngram| {
            let found = repeats(&batch(&rows), ngram);
            let marks = found.iter().map(|again| if *again { 'x' } else { '.' });
            marks.collect::<String>()
        };
        // One row says nothing of the other.
        assert_eq!(said(2), "...xx.x.xx....");
        assert_eq!(said(3), "....x....x....");
        assert_eq!(said(1), "..xxxxxxxx...x");
        assert_eq!(said(9), "..............");
        // Whatever is read in the place of the text behind the first token, and where the text ends before
        // the row.
        let noisy = Batch {
            inputs: [1, 9, 9, 9, 9, 9, 9].to_vec(),
            targets: [2, 3, 1, 2, 3, 0, 0].to_vec(),
            ..batch(&rows[..1])
        };
        assert_eq!(repeats(&noisy, 2)[..5], [false, false, false, true, true]);
    }
}
