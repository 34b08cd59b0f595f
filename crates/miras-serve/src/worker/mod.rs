//! The thread that holds the model.

mod model;
mod prompts;
mod sequence;
mod sessions;

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError};
use std::time::Duration;

use miras_data::Tokenizer;
use miras_use::Trained;

use crate::error::ApiError;
use crate::job::{Completion, Event, Job};
use crate::metrics::Metrics;
use crate::options::Options;
use model::{Model, ROWS, TOKENS};
use prompts::Prompts;
use sequence::Sequence;
use sessions::Sessions;

/// Texts that are under way at once; others wait for their turn.
const SEQUENCES: usize = 256;

/// How long it waits for a job before it looks at the age of sessions.
const IDLE: Duration = Duration::from_millis(200);

/// The model, and what it is asked for.
pub(crate) struct Worker {
    model: Model,
    tokenizer: Arc<Tokenizer>,
    sessions: Sessions,
    metrics: Arc<Metrics>,
    /// What is only scored, and waits.
    prompts: Prompts,
    /// What is under way.
    sequences: Vec<Sequence>,
    /// What waits until there is room.
    waiting: VecDeque<Completion>,
}

impl Worker {
    pub(crate) fn new(
        trained: Trained,
        tokenizer: Arc<Tokenizer>,
        options: &Options,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self {
            sessions: Sessions::new(options, metrics.clone()),
            model: Model::new(trained, metrics.clone()),
            tokenizer,
            metrics,
            prompts: Prompts::default(),
            sequences: Vec::new(),
            waiting: VecDeque::new(),
        }
    }

    /// Works until nobody can ask any more, or it is told to give up.
    pub(crate) fn run(mut self, inbox: &Receiver<Job>, gives_up: &AtomicBool) {
        while !gives_up.load(Ordering::SeqCst) {
            if !self.take(inbox) {
                return;
            }
            self.sessions.forget_old();
            self.work();
        }
        let waiting = self
            .prompts
            .drain()
            .into_iter()
            .chain(self.waiting.drain(..));
        let under_way = self.sequences.drain(..).map(|sequence| sequence.job);
        for job in under_way.chain(waiting) {
            job.send(Event::Failed(ApiError::stopping()));
        }
    }

    /// Takes the jobs that are there, and waits for one if there is nothing to do. Says whether
    /// there may be more.
    fn take(&mut self, inbox: &Receiver<Job>) -> bool {
        if self.sequences.is_empty() && self.prompts.is_empty() {
            match inbox.recv_timeout(IDLE) {
                Ok(job) => self.begin(job),
                Err(RecvTimeoutError::Timeout) => return true,
                Err(RecvTimeoutError::Disconnected) => return false,
            }
        }
        loop {
            match inbox.try_recv() {
                Ok(job) => self.begin(job),
                Err(TryRecvError::Empty) => return true,
                Err(TryRecvError::Disconnected) => {
                    return !(self.sequences.is_empty() && self.prompts.is_empty());
                }
            }
        }
    }

    fn begin(&mut self, job: Job) {
        match job {
            Job::Session(job, reply) => {
                let (sessions, trained) = (&mut self.sessions, self.model.trained());
                let done = caught(|| sessions.carry_out(job, trained));
                // Who asked may have left.
                let _ = reply.send(done);
            }
            Job::Complete(job) => self.begin_completion(job),
        }
    }

    fn begin_completion(&mut self, job: Completion) {
        if Prompts::takes(&job) {
            self.prompts.push(job);
            return;
        }
        // One with a session is refused or begun at once, so that nothing comes in between.
        if job.session.is_none() && self.sequences.len() >= SEQUENCES {
            self.waiting.push_back(job);
            return;
        }
        let earlier = match &job.session {
            None => None,
            Some(id) => match self.sessions.lend(id) {
                Ok(earlier) => Some(earlier),
                Err(error) => {
                    job.send(Event::Failed(error));
                    return;
                }
            },
        };
        self.sequences.push(Sequence::new(job, earlier));
    }

    /// One pass for the prompts that wait, and one for every sequence.
    fn work(&mut self) {
        self.count();
        let (model, tokenizer) = (&self.model, &*self.tokenizer);
        let (batch, left) = self.prompts.next();
        self.metrics.left.fetch_add(left, Ordering::Relaxed);
        if let Err(error) = caught(|| prompts::score(&batch, model, tokenizer)) {
            fail(batch.iter(), &error);
        }
        // As much as a pass holds, of those first that have least to read, so that a long prompt stops
        // no other.
        let mut reading: Vec<_> = (self.sequences.iter_mut())
            .filter(|one| one.is_reading())
            .collect();
        reading.sort_by_key(|one| one.to_read());
        let mut room = TOKENS;
        for sequence in reading {
            if room == 0 {
                break;
            }
            let piece = sequence.to_read().min(room);
            room -= piece;
            if let Err(error) = caught(|| sequence.read(piece, model)) {
                sequence.fail(error);
            }
        }
        self.write();
        self.end();
    }

    /// A token for each sequence that is past its prompt.
    fn write(&mut self) {
        let (model, tokenizer) = (&self.model, &*self.tokenizer);
        let mut writing: Vec<_> = (self.sequences.iter_mut())
            .filter(|sequence| !sequence.is_reading() && sequence.is_open())
            .collect();
        for sequence in &mut writing {
            if let Err(error) = caught(|| sequence.choose(model, tokenizer)) {
                sequence.fail(error);
            }
        }
        // Sequences of one length are read in one pass.
        let mut open: Vec<_> = writing.into_iter().filter(|one| one.has_token()).collect();
        open.sort_by_key(|sequence| sequence.position());
        for alike in open.chunk_by_mut(|a, b| a.position() == b.position()) {
            for group in alike.chunks_mut(ROWS) {
                if let Err(error) = caught(|| sequence::read_tokens(group, model)) {
                    for sequence in group {
                        sequence.fail(error.clone());
                    }
                }
            }
        }
    }

    /// Takes out what has ended, and gives sessions their states.
    fn end(&mut self) {
        let (ended, open): (Vec<_>, Vec<_>) = std::mem::take(&mut self.sequences)
            .into_iter()
            .partition(Sequence::is_over);
        self.sequences = open;
        for sequence in ended {
            if sequence.job.is_left() {
                self.metrics.left.fetch_add(1, Ordering::Relaxed);
            }
            if let Some(id) = sequence.job.session.clone() {
                self.sessions.give_back(&id, sequence.into_earlier());
            }
        }
        while self.sequences.len() < SEQUENCES
            && let Some(job) = self.waiting.pop_front()
        {
            self.begin_completion(job);
        }
        self.count();
    }

    fn count(&self) {
        let active = self.sequences.len() + self.prompts.len() + self.waiting.len();
        self.metrics.active.store(active as u64, Ordering::Relaxed);
    }
}

/// A failure of one job is no failure of the server.
fn caught<T>(work: impl FnOnce() -> Result<T, ApiError>) -> Result<T, ApiError> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|payload| {
        let text = payload.downcast_ref::<&str>().copied();
        let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
        let said = text.unwrap_or("a panic without words");
        Err(ApiError::failed(format!(
            "the server failed at this request: {said}"
        )))
    })
}

fn fail<'a>(jobs: impl Iterator<Item = &'a Completion>, error: &ApiError) {
    for job in jobs {
        job.send(Event::Failed(error.clone()));
    }
}
