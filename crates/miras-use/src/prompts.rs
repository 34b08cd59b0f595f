//! Prompts that are made: read in pieces with the state carried, and answered.

use std::collections::BTreeMap;

use burn::tensor::{Int, Tensor, TensorData};
use miras_data::{Row, Tokenizer};
use miras_model::ModelState;
use miras_spec::memory_pass;
use miras_spec::read::read;
use miras_tasks::{Ask, Cell, Difference, Measure, Prompt, Prompts, Step};
use serde::{Deserialize, Serialize};

use crate::{Memory, Trained, UseError};

/// Tokens of all rows that are copied to the device at once, and the fewest of a row.
const TOKENS: usize = 1 << 13;
const FEWEST: usize = 1 << 10;

/// What the prompts of a cell say.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CellReport {
    /// What tells it from the others.
    #[serde(flatten)]
    pub cell: Cell,
    /// Prompts.
    pub samples: u64,
    /// The metrics by name, and their standard errors, as of the whole.
    #[serde(flatten)]
    pub measures: BTreeMap<String, f64>,
}

/// What was measured of a prompt, by name, in the order of the steps.
pub(crate) type Values = Vec<(&'static str, f64)>;

/// Answers all prompts, cell by cell, and says after each piece how many tokens were read and how many
/// there are.
pub(crate) fn values(
    trained: &Trained,
    memory: Memory,
    tokenizer: &Tokenizer,
    prompts: &dyn Prompts,
    watch: &dyn Fn(u64, u64),
) -> Result<Vec<Vec<Values>>, UseError> {
    let samples = prompts.samples();
    // Prompts of a cell are of one length, but for those without a haystack.
    let (mut lens, mut all) = (Vec::new(), 0);
    for cell in 0..prompts.cells().len() {
        let mut longest = 0;
        for sample in 0..samples {
            let len = tokens(&prompts.prompt(cell, sample)?);
            longest = longest.max(len);
            all += len as u64;
        }
        lens.push(longest);
    }
    let mut done = 0;
    let mut found = Vec::new();
    for (cell, len) in lens.iter().enumerate() {
        let together = trained.rows_of(*len) as u64;
        let mut own = Vec::new();
        for from in (0..samples).step_by(together as usize) {
            let group = (from..samples.min(from + together))
                .map(|sample| prompts.prompt(cell, sample))
                .collect::<Result<Vec<_>, _>>()?;
            // What is read together is of one shape.
            for alike in group.chunk_by(|a, b| shape(a) == shape(b)) {
                let mut answering = Answering {
                    trained,
                    memory,
                    tokenizer,
                    state: None,
                    last: vec![None; alike.len()],
                };
                own.extend(answering.all(alike, &mut |tokens| {
                    done += tokens;
                    watch(done, all);
                })?);
            }
        }
        if let Some(difference) = prompts.difference() {
            for values in &mut own {
                values.extend(taken(&difference, values));
            }
        }
        found.push(own);
    }
    Ok(found)
}

/// A difference, of a prompt that has both measures.
fn taken(difference: &Difference, values: &Values) -> Option<(&'static str, f64)> {
    let Difference { name, of, less } = *difference;
    let value = |of: &str| values.iter().find(|(own, _)| *own == of);
    Some((name, value(of)?.1 - value(less)?.1))
}

/// The means of what was measured, in the order in which it was.
pub(crate) fn means<'a>(values: impl Iterator<Item = &'a Values>) -> Vec<Measure> {
    let mut names: Vec<&'static str> = Vec::new();
    let mut all: BTreeMap<&'static str, Vec<f64>> = BTreeMap::new();
    for (name, value) in values.flatten() {
        if !names.contains(name) {
            names.push(name);
        }
        all.entry(name).or_default().push(*value);
    }
    let mean = |name: &&'static str| Measure::mean(name, all[name].iter().copied());
    names.iter().map(mean).collect()
}

/// Tokens that are read before the answer.
fn tokens(prompt: &Prompt) -> usize {
    prompt.steps.iter().map(len).sum()
}

fn len(step: &Step) -> usize {
    match step {
        Step::Read(row) => row.len(),
        Step::Score(_, tokens) => tokens.len(),
    }
}

fn shape(prompt: &Prompt) -> Vec<usize> {
    prompt.steps.iter().map(len).collect()
}

/// Prompts of one shape that are read together.
struct Answering<'a> {
    trained: &'a Trained,
    memory: Memory,
    tokenizer: &'a Tokenizer,
    /// Before the last token of each row; none before the first.
    state: Option<ModelState>,
    /// None before the first.
    last: Vec<Option<i32>>,
}

impl Answering<'_> {
    fn all(
        &mut self,
        prompts: &[Prompt],
        watch: &mut dyn FnMut(u64),
    ) -> Result<Vec<Values>, UseError> {
        let mut found = vec![Values::new(); prompts.len()];
        for at in 0..prompts[0].steps.len() {
            let steps: Vec<&Step> = prompts.iter().map(|prompt| &prompt.steps[at]).collect();
            match steps[0] {
                Step::Read(_) => {
                    let rows: Vec<&Row> = steps
                        .iter()
                        .filter_map(|step| match step {
                            Step::Read(row) => Some(row),
                            Step::Score(..) => None,
                        })
                        .collect();
                    self.read(&rows, watch);
                }
                Step::Score(name, _) => {
                    let tokens: Vec<&[i32]> = steps
                        .iter()
                        .filter_map(|step| match step {
                            Step::Score(_, tokens) => Some(&tokens[..]),
                            Step::Read(_) => None,
                        })
                        .collect();
                    let losses = self.score(&tokens)?;
                    watch((tokens.len() * tokens[0].len()) as u64);
                    for (found, losses) in found.iter_mut().zip(losses) {
                        let count = losses.len() as f64;
                        found.push((name, losses.iter().sum::<f64>() / count));
                    }
                }
            }
        }
        for (row, (prompt, found)) in prompts.iter().zip(&mut found).enumerate() {
            if let Some(ask) = &prompt.ask {
                found.extend(self.choose(row, ask)?);
            }
        }
        let asks: Option<Vec<&Ask>> = prompts.iter().map(|prompt| prompt.ask.as_ref()).collect();
        if let Some(asks) = asks {
            for (found, graded) in found.iter_mut().zip(self.write(&asks)?) {
                // What was written is named first.
                found.splice(0..0, graded);
            }
        }
        Ok(found)
    }

    /// Reads rows of one length, some tokens of each at once.
    fn read(&mut self, rows: &[&Row], watch: &mut dyn FnMut(u64)) {
        let (len, step) = (rows[0].len(), (TOKENS / rows.len()).max(FEWEST));
        for from in (0..len).step_by(step) {
            let to = len.min(from + step);
            let pieces: Vec<_> = rows.iter().map(|row| row.tokens(from..to)).collect();
            self.take(&pieces);
            watch((pieces.len() * (to - from)) as u64);
        }
    }

    /// Reads tokens, but for the last one of each row, from which something is to be predicted.
    fn take(&mut self, rows: &[Vec<i32>]) {
        let inputs: Vec<Vec<i32>> = (rows.iter().zip(&mut self.last))
            .map(|(tokens, last)| {
                let mut inputs: Vec<i32> = last.iter().copied().collect();
                inputs.extend(tokens);
                *last = inputs.pop();
                inputs
            })
            .collect();
        if inputs[0].is_empty() {
            return;
        }
        let (inputs, pass) = (self.tensor(&inputs), memory_pass(self.memory, None));
        let state = self.state.take();
        self.state = Some(self.trained.model.read(inputs, state, pass));
    }

    /// Reads tokens and gives their losses.
    fn score(&mut self, rows: &[&[i32]]) -> Result<Vec<Vec<f64>>, UseError> {
        let beginning = self.trained.beginning(self.tokenizer)?;
        let inputs: Vec<Vec<i32>> = (rows.iter().zip(&mut self.last))
            .map(|(tokens, last)| {
                let mut inputs = vec![last.unwrap_or(beginning)];
                inputs.extend(&tokens[..tokens.len() - 1]);
                *last = tokens.last().copied();
                inputs
            })
            .collect();
        let targets: Vec<Vec<i32>> = rows.iter().map(|tokens| tokens.to_vec()).collect();
        let (state, pass) = (self.state.take(), memory_pass(self.memory, None));
        let (inputs, targets) = (self.tensor(&inputs), self.tensor(&targets));
        let scores = (self.trained.model).score(inputs, targets, state, pass);
        self.state = Some(scores.state);
        let losses = read(scores.losses)?;
        if losses.iter().any(|loss| !loss.is_finite()) {
            return Err(self.not_finite());
        }
        let rows = losses.chunks(rows[0].len());
        Ok(rows
            .map(|row| row.iter().copied().map(f64::from).collect())
            .collect())
    }

    /// What the likelihoods of the choices of a row say. The state of the rows stays.
    fn choose(&self, row: usize, ask: &Ask) -> Result<Values, UseError> {
        let count = ask.choices.len();
        let longest = ask.choices.iter().map(Vec::len).max().unwrap_or(0);
        let own = self
            .state
            .clone()
            .map(|state| state.select_rows(row..row + 1));
        let mut one = Answering {
            state: own,
            last: vec![self.last[row]],
            ..*self
        };
        if !ask.lead.is_empty() {
            one.take(std::slice::from_ref(&ask.lead));
        }
        let mut each = Answering {
            state: one.state.map(|state| ModelState::cat(&vec![state; count])),
            last: vec![one.last[0]; count],
            ..*self
        };
        let filled = ask.choices.iter().map(|choice| {
            let mut tokens = choice.clone();
            // What stands behind a choice changes nothing before.
            tokens.resize(longest, 0);
            tokens
        });
        let filled: Vec<_> = filled.collect();
        let losses = each.score(&filled.iter().map(Vec::as_slice).collect::<Vec<_>>())?;
        let sums: Vec<f64> = (losses.iter().zip(&ask.choices))
            .map(|(losses, choice)| losses[..choice.len()].iter().sum())
            .collect();
        let is_right = sums[1..].iter().all(|other| sums[0] < *other);
        let loss = sums[0] / ask.choices[0].len() as f64;
        Ok(vec![
            ("accuracy_choice", f64::from(u8::from(is_right))),
            ("loss", loss),
        ])
    }

    /// Lets all rows write, and grades what they wrote.
    fn write(&mut self, asks: &[&Ask]) -> Result<Vec<Values>, UseError> {
        let most = asks.iter().map(|ask| ask.write).max().unwrap_or(0);
        if most == 0 {
            return Ok(vec![Values::new(); asks.len()]);
        }
        let mut written: Vec<Vec<i32>> = vec![Vec::new(); asks.len()];
        let text =
            |tokens: &[i32]| String::from_utf8_lossy(&self.tokenizer.decode(tokens)).into_owned();
        let pass = memory_pass(self.memory, None);
        let mut state = self.state.take();
        let mut last: Vec<Vec<i32>> = self.last.iter().map(|last| Vec::from_iter(*last)).collect();
        for _ in 0..most {
            let inputs = self.tensor(&last);
            let (x, next) = self.trained.model.hidden_states(inputs, state, pass);
            state = Some(next);
            let logits = read(self.trained.model.logits(x))?;
            if logits.iter().any(|logit| !logit.is_finite()) {
                return Err(self.not_finite());
            }
            let rows = logits.chunks(logits.len() / asks.len());
            for ((row, written), last) in rows.zip(&mut written).zip(&mut last) {
                let token = first_of_the_largest(row);
                written.push(token);
                *last = vec![token];
            }
            let is_known = |(ask, tokens): (&&Ask, &Vec<i32>)| {
                let text = text(tokens);
                ask.grades.iter().all(|(_, grade)| grade.is_known(&text))
            };
            if asks.iter().zip(&written).all(is_known) {
                break;
            }
        }
        let graded = asks.iter().zip(&written).map(|(ask, tokens)| {
            let text = text(tokens);
            let grades = ask.grades.iter();
            grades
                .map(|(name, grade)| (*name, f64::from(u8::from(grade.is_right(&text)))))
                .collect()
        });
        Ok(graded.collect())
    }

    fn not_finite(&self) -> UseError {
        let position = self.state.as_ref().map_or(0, |state| state.position);
        let message = format!("what comes after {position} tokens of a prompt is not finite");
        UseError::NonFinite(message)
    }

    fn tensor(&self, rows: &[Vec<i32>]) -> Tensor<2, Int> {
        let dims = [rows.len(), rows[0].len()];
        Tensor::from_data(TensorData::new(rows.concat(), dims), &self.trained.device)
    }
}

/// Of equally likely tokens the lower one.
fn first_of_the_largest(logits: &[f32]) -> i32 {
    let mut best = 0;
    for (at, logit) in logits.iter().enumerate() {
        if *logit > logits[best] {
            best = at;
        }
    }
    i32::try_from(best).unwrap_or(i32::MAX)
}
