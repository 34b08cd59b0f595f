//! A text under way, token by token.

use miras_data::Tokenizer;
use miras_model::ModelState;
use miras_use::{Stops, Utf8Stream};

use super::model::{Model, Rows, check_finite, log_probabilities};
use crate::error::ApiError;
use crate::job::{Completion, Event, Finish, Told};

/// What was read before a text: the state, and the logits of what comes next. None at the beginning.
pub(super) type Earlier = Option<(ModelState, Vec<f32>)>;

/// A text under way.
pub(super) struct Sequence {
    pub(super) job: Completion,
    state: Earlier,
    /// The state before the job, for a session whose text goes wrong.
    before: Earlier,
    /// Tokens of the prompt that were read.
    read: usize,
    writer: Writer,
    /// A token that was chosen and not read.
    token: Option<i32>,
    is_over: bool,
    has_failed: bool,
}

impl Sequence {
    /// `earlier` is what its session has read, if it has one.
    pub(super) fn new(job: Completion, earlier: Option<Earlier>) -> Self {
        let before = earlier.flatten();
        Self {
            writer: Writer::new(&job),
            state: before.clone(),
            before,
            job,
            read: 0,
            token: None,
            is_over: false,
            has_failed: false,
        }
    }

    /// Whether some of its prompt is to be read.
    pub(super) fn is_reading(&self) -> bool {
        self.is_open() && self.to_read() > 0
    }

    /// Tokens of its prompt that are to be read.
    pub(super) fn to_read(&self) -> usize {
        self.job.prompt.len() - self.read
    }

    pub(super) fn is_open(&self) -> bool {
        !self.is_over()
    }

    /// Whether there is nothing more to do, or nobody to do it for.
    pub(super) fn is_over(&self) -> bool {
        self.is_over || self.job.is_left()
    }

    pub(super) fn has_token(&self) -> bool {
        self.token.is_some()
    }

    pub(super) fn position(&self) -> usize {
        self.state.as_ref().map_or(0, |(state, _)| state.position)
    }

    /// It went wrong.
    pub(super) fn fail(&mut self, error: ApiError) {
        self.job.send(Event::Failed(error));
        (self.is_over, self.has_failed) = (true, true);
    }

    /// What its session goes on from: what it had before, if this went wrong or was left.
    pub(super) fn into_earlier(self) -> Earlier {
        if self.has_failed || self.job.is_left() {
            self.before
        } else {
            self.state
        }
    }

    /// Reads a piece of the prompt, so many tokens.
    pub(super) fn read(&mut self, piece: usize, model: &Model) -> Result<(), ApiError> {
        let (from, all) = (self.read, self.job.prompt.len());
        let to = from + piece;
        let (earlier, logits) = match self.state.take() {
            Some((state, logits)) => (Some(state), Some(logits)),
            None => (None, None),
        };
        let likeliest = self.job.likeliest.unwrap_or(0);
        let targets = &self.job.prompt[from + 1..all.min(to + 1)];
        let rows = Rows {
            tokens: vec![&self.job.prompt[from..to]],
            targets: (self.job.scores_prompt).then(|| (vec![targets], likeliest)),
        };
        let mut passed = model.pass(&rows, earlier)?;
        check_finite(&passed.logits[0], passed.state.position)?;
        if self.job.scores_prompt {
            let mut told = passed.told.swap_remove(0);
            if from == 0 {
                let id = self.job.prompt[0];
                told.insert(0, told_of(id, logits.as_deref(), likeliest));
            }
            self.job.send(Event::Prompt(told));
        }
        self.state = Some((passed.state, passed.logits.swap_remove(0)));
        self.read = to;
        Ok(())
    }

    /// Chooses the next token, if one is to come.
    pub(super) fn choose(&mut self, model: &Model, tokenizer: &Tokenizer) -> Result<(), ApiError> {
        let Some((state, logits)) = &self.state else {
            let message = "there is nothing to go on with: give a `prompt` with a token or more";
            return Err(ApiError::key("prompt", message));
        };
        if self.job.tokens == 0 {
            self.writer.finish(&self.job);
            self.is_over = true;
            return Ok(());
        }
        let at = state.position;
        self.token = Some((self.writer).choose(&self.job, logits, at, tokenizer, model));
        // A session has read all that was written.
        if self.writer.is_over(&self.job) && self.job.session.is_none() {
            self.finish();
        }
        Ok(())
    }

    fn finish(&mut self) {
        self.token = None;
        self.writer.finish(&self.job);
        self.is_over = true;
    }
}

/// Reads the token that each has chosen; all have read equally many.
pub(super) fn read_tokens(group: &mut [&mut Sequence], model: &Model) -> Result<(), ApiError> {
    let tokens: Vec<[i32; 1]> = group
        .iter()
        .filter_map(|one| one.token.map(|id| [id]))
        .collect();
    let states: Vec<ModelState> = (group.iter_mut())
        .filter_map(|one| one.state.take().map(|(state, _)| state))
        .collect();
    let rows = Rows {
        tokens: tokens.iter().map(|token| &token[..]).collect(),
        targets: None,
    };
    let state = if let [_] = &states[..] {
        states.into_iter().next()
    } else {
        Some(ModelState::cat(&states))
    };
    let passed = model.pass(&rows, state)?;
    let is_one = group.len() == 1;
    for ((row, sequence), logits) in group.iter_mut().enumerate().zip(passed.logits) {
        let state = passed.state.clone();
        let own = if is_one {
            state
        } else {
            state.select_rows(row..row + 1)
        };
        let finite = check_finite(&logits, own.position);
        sequence.state = Some((own, logits));
        sequence.token = None;
        if let Err(error) = finite {
            sequence.fail(error);
            continue;
        }
        if sequence.writer.is_over(&sequence.job) {
            sequence.finish();
        }
    }
    Ok(())
}

/// What is written, as text, up to what ends it.
pub(super) struct Writer {
    stops: Stops,
    text: Utf8Stream,
    written: usize,
    has_stopped: bool,
}

impl Writer {
    pub(super) fn new(job: &Completion) -> Self {
        Self {
            stops: Stops::new(job.stops.iter().map(String::as_str)),
            text: Utf8Stream::default(),
            written: 0,
            has_stopped: false,
        }
    }

    /// Whether nothing more is written.
    pub(super) fn is_over(&self, job: &Completion) -> bool {
        self.has_stopped || self.written >= job.tokens
    }

    /// Chooses a token at a position and tells of it.
    pub(super) fn choose(
        &mut self,
        job: &Completion,
        logits: &[f32],
        at: usize,
        tokenizer: &Tokenizer,
        model: &Model,
    ) -> i32 {
        let id = job.sampler.pick(logits, at as u64);
        let told = match job.likeliest {
            None => Told {
                id,
                log: None,
                likeliest: Vec::new(),
            },
            Some(likeliest) => told_of(id, Some(logits), likeliest),
        };
        let (bytes, has_stopped) = self.stops.push(&tokenizer.decode(&[id]));
        self.has_stopped = has_stopped;
        self.written += 1;
        model.wrote();
        job.send(Event::Written(told, self.text.push(&bytes)));
        id
    }

    /// Tells the rest of the text and why it ended.
    pub(super) fn finish(&mut self, job: &Completion) {
        let rest = if self.has_stopped {
            Vec::new()
        } else {
            self.stops.finish()
        };
        let rest = self.text.push(&rest) + &self.text.finish();
        let why = if self.has_stopped {
            Finish::Stop
        } else {
            Finish::Length
        };
        job.send(Event::Done(rest, why));
    }
}

/// How likely a token is, by the logits of its place.
fn told_of(id: i32, logits: Option<&[f32]>, likeliest: usize) -> Told {
    let Some(logits) = logits else {
        return Told {
            id,
            log: None,
            likeliest: Vec::new(),
        };
    };
    let logs = log_probabilities(logits);
    let mut ids: Vec<usize> = (0..logs.len()).collect();
    let by_log = |a: &usize, b: &usize| logs[*b].total_cmp(&logs[*a]).then(a.cmp(b));
    let count = likeliest.min(ids.len());
    if count > 0 {
        ids.select_nth_unstable_by(count - 1, by_log);
        ids.truncate(count);
        ids.sort_by(by_log);
    } else {
        ids.clear();
    }
    Told {
        id,
        log: Some(logs[id as usize]),
        likeliest: ids.into_iter().map(|at| (at as i32, logs[at])).collect(),
    }
}
