//! How likely given texts are after given texts.

use std::collections::BTreeMap;

use burn::tensor::{Int, Tensor, TensorData};
use miras_data::Tokenizer;
use miras_model::ModelState;
use miras_spec::memory_pass;
use miras_spec::read::read;
use miras_tasks::{Choice, Likelihood};

use crate::{Memory, Trained, UseError};

/// Computes likelihoods, each context read once.
pub struct Scorer<'a> {
    trained: &'a Trained,
    tokenizer: Tokenizer,
    memory: Memory,
    beginning: i32,
}

/// A continuation that was scored.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scored {
    /// How likely it is.
    pub likelihood: Likelihood,
    /// Its tokens.
    pub tokens: usize,
    /// Their bytes, blanks that belong to it in the place of the context included.
    pub bytes: usize,
}

/// Tokens to score after tokens that are read; neither is empty.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Asked {
    context: Vec<i32>,
    continuation: Vec<i32>,
    /// Of the continuation.
    bytes: usize,
}

/// A continuation, and which of the contexts that were read together is its own.
struct Row<'a> {
    at: usize,
    context: usize,
    asked: &'a Asked,
}

impl<'a> Scorer<'a> {
    /// A scorer for a run on text.
    ///
    /// # Errors
    /// If its data are no text, and for memories that are reset, which have no state to go on from.
    pub fn new(trained: &'a Trained, memory: Memory) -> Result<Self, UseError> {
        trained.check_carried(memory)?;
        let tokenizer = trained.tokenizer()?;
        Ok(Self {
            trained,
            beginning: trained.beginning(&tokenizer)?,
            tokenizer,
            memory,
        })
    }

    /// The likelihood of each continuation after its context, in their order; says after each pass how
    /// many are done.
    ///
    /// Spaces at the end of a context belong to the continuation, and tokens are those of the whole
    /// text, as in the lm-evaluation-harness. An empty context is the token between two texts of the
    /// run's data, or the end of a line.
    ///
    /// # Errors
    /// If a continuation has no token of its own, and where the model gives a number that is not
    /// finite.
    pub fn score(&self, choices: &[&Choice], watch: &dyn Fn(u64)) -> Result<Vec<Scored>, UseError> {
        let asked: Vec<Asked> = (choices.iter())
            .map(|choice| self.encode(choice))
            .collect::<Result<_, _>>()?;
        let likelihoods = self.likelihoods(&asked, watch)?;
        let all = asked.iter().zip(likelihoods);
        let scored = all.map(|(asked, likelihood)| Scored {
            likelihood,
            tokens: asked.continuation.len(),
            bytes: asked.bytes,
        });
        Ok(scored.collect())
    }

    /// The likelihood of all tokens of texts, the first one after what stands between two texts.
    ///
    /// A text is read in windows of `window` tokens that end every `stride` tokens, and at its end: each
    /// predicts those that none before it did, from the tokens before them in the window, one at least.
    /// With `stride = window` the windows follow one another, but that the last one is a whole one
    /// too, as in the lm-evaluation-harness.
    ///
    /// # Errors
    /// Where the model gives a number that is not finite.
    pub fn score_texts(
        &self,
        texts: &[&str],
        [window, stride]: [usize; 2],
        watch: &dyn Fn(u64, u64),
    ) -> Result<Scored, UseError> {
        let (mut asked, mut bytes) = (Vec::new(), 0);
        for text in texts {
            let mut tokens = vec![self.beginning];
            tokens.extend(self.tokenizer.encode(text.as_bytes())?);
            bytes += text.len();
            let mut from = 1;
            while from < tokens.len() {
                let count = if from == 1 { window } else { stride };
                let to = from.saturating_add(count).min(tokens.len());
                let start = to.saturating_sub(window.saturating_add(1)).min(from - 1);
                asked.push(Asked {
                    bytes: 0,
                    context: tokens[start..from].to_vec(),
                    continuation: tokens[from..to].to_vec(),
                });
                from = to;
            }
        }
        let all = asked.len() as u64;
        let found = self.likelihoods(&asked, &|done| watch(done, all))?;
        Ok(Scored {
            likelihood: Likelihood {
                log: found.iter().map(|one| one.log).sum(),
                greedy: found.iter().all(|one| one.greedy),
            },
            tokens: asked.iter().map(|one| one.continuation.len()).sum(),
            bytes,
        })
    }

    fn encode(&self, choice: &Choice) -> Result<Asked, UseError> {
        let Choice {
            context,
            continuation,
        } = choice;
        let read = context.trim_end();
        let whole = self
            .tokenizer
            .encode(format!("{context}{continuation}").as_bytes())?;
        let read = self.tokenizer.encode(read.as_bytes())?;
        let own = whole.get(read.len()..).unwrap_or_default();
        if own.is_empty() {
            let message = format!("the continuation {continuation:?} has no token of its own");
            return Err(UseError::Usage(message));
        }
        Ok(Asked {
            bytes: self.tokenizer.decode(own).len(),
            continuation: own.to_vec(),
            context: if read.is_empty() {
                vec![self.beginning]
            } else {
                read
            },
        })
    }

    /// Contexts of one length are read together, and then all that follows them.
    fn likelihoods(
        &self,
        asked: &[Asked],
        watch: &dyn Fn(u64),
    ) -> Result<Vec<Likelihood>, UseError> {
        let mut contexts: BTreeMap<(usize, &[i32]), Vec<usize>> = BTreeMap::new();
        for (at, one) in asked.iter().enumerate() {
            let key = (one.context.len(), &*one.context);
            contexts.entry(key).or_default().push(at);
        }
        let contexts: Vec<_> = contexts.into_iter().collect();
        let nothing = Likelihood {
            log: f64::NAN,
            greedy: false,
        };
        let mut found = vec![nothing; asked.len()];
        let mut done = 0;
        for alike in contexts.chunk_by(|a, b| a.0.0 == b.0.0) {
            for group in alike.chunks(self.trained.rows_of(alike[0].0.0)) {
                let read = group.iter().map(|((_, context), _)| *context);
                let state = self.read(&read.collect::<Vec<_>>());
                let rows = group
                    .iter()
                    .enumerate()
                    .flat_map(|(context, (_, followed))| {
                        followed.iter().map(move |&at| Row {
                            at,
                            context,
                            asked: &asked[at],
                        })
                    });
                let mut rows: Vec<_> = rows.collect();
                self.follow(&mut rows, state.as_ref(), &mut found)?;
                done += rows.len() as u64;
                watch(done);
            }
        }
        Ok(found)
    }

    /// The state before the last token of each context, all of one length; none before the first.
    fn read(&self, contexts: &[&[i32]]) -> Option<ModelState> {
        let len = contexts[0].len() - 1;
        let tokens: Vec<i32> = contexts
            .iter()
            .flat_map(|context| &context[..len])
            .copied()
            .collect();
        (len > 0).then(|| {
            let tokens = self.tensor(tokens, [contexts.len(), len]);
            self.trained
                .model
                .read(tokens, None, memory_pass(self.memory, None))
        })
    }

    /// Scores what follows; shorter rows are filled up, which changes nothing before.
    fn follow(
        &self,
        rows: &mut [Row],
        state: Option<&ModelState>,
        found: &mut [Likelihood],
    ) -> Result<(), UseError> {
        rows.sort_by_key(|row| (row.asked.continuation.len(), row.at));
        let longest = rows.last().map_or(1, |row| row.asked.continuation.len());
        for rows in rows.chunks(self.trained.rows_of(longest)) {
            let len = rows
                .iter()
                .map(|row| row.asked.continuation.len())
                .max()
                .unwrap_or(1);
            let filled = |tokens: &[i32]| {
                let mut tokens = tokens.to_vec();
                tokens.resize(len, 0);
                tokens
            };
            let targets = rows.iter().flat_map(|row| filled(&row.asked.continuation));
            let inputs = rows.iter().flat_map(|row| {
                let Asked {
                    context,
                    continuation,
                    ..
                } = row.asked;
                let read = [
                    &context[context.len() - 1..],
                    &continuation[..continuation.len() - 1],
                ];
                filled(&read.concat())
            });
            let [inputs, targets] =
                [inputs.collect(), targets.collect()].map(|x| self.tensor(x, [rows.len(), len]));
            let states = state.map(|state| {
                let own = |row: &Row| state.clone().select_rows(row.context..row.context + 1);
                ModelState::cat(&rows.iter().map(own).collect::<Vec<_>>())
            });
            let scores =
                (self.trained.model).score(inputs, targets, states, memory_pass(self.memory, None));
            let (losses, hits) = (read(scores.losses)?, read(scores.hits)?);
            for (row, (losses, hits)) in rows.iter().zip(losses.chunks(len).zip(hits.chunks(len))) {
                let count = row.asked.continuation.len();
                let loss: f64 = losses[..count].iter().map(|loss| f64::from(*loss)).sum();
                if !loss.is_finite() {
                    let tokens = row.asked.context.len();
                    let message =
                        format!("what comes after a context of {tokens} tokens is not finite");
                    return Err(UseError::NonFinite(message));
                }
                found[row.at] = Likelihood {
                    log: -loss,
                    greedy: hits[..count].iter().all(|hit| *hit > 0.5),
                };
            }
        }
        Ok(())
    }

    fn tensor(&self, tokens: Vec<i32>, dims: [usize; 2]) -> Tensor<2, Int> {
        Tensor::from_data(TensorData::new(tokens, dims), &self.trained.device)
    }
}
