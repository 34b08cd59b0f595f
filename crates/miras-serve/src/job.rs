//! What handlers ask of the worker.

use std::sync::Arc;

use miras_use::Sampler;
use tokio::sync::{mpsc, oneshot};

use crate::error::ApiError;

/// What a handler asks for.
pub(crate) enum Job {
    /// A text to go on with, or to score.
    Complete(Completion),
    /// Something about sessions.
    Session(
        SessionJob,
        oneshot::Sender<Result<Vec<SessionFacts>, ApiError>>,
    ),
}

/// A text to go on with.
pub(crate) struct Completion {
    /// What is read.
    pub(crate) prompt: Arc<[i32]>,
    /// Whether the likelihoods of the prompt's tokens are asked for.
    pub(crate) scores_prompt: bool,
    /// The number of likeliest tokens that are told for each token; none without likelihoods.
    pub(crate) likeliest: Option<usize>,
    /// The most tokens that are written.
    pub(crate) tokens: usize,
    /// How they are chosen.
    pub(crate) sampler: Sampler,
    /// Texts that end it.
    pub(crate) stops: Vec<String>,
    /// The session that it goes on with.
    pub(crate) session: Option<String>,
    /// Where it goes, and its number among those of a request. Nobody listens any more when the
    /// request is over.
    pub(crate) events: mpsc::UnboundedSender<(usize, Event)>,
    pub(crate) index: usize,
}

impl Completion {
    /// Whether it is to be told something, and anybody listens.
    pub(crate) fn send(&self, event: Event) {
        // A client that has left is found by `is_left`.
        let _ = self.events.send((self.index, event));
    }

    pub(crate) fn is_left(&self) -> bool {
        self.events.is_closed()
    }
}

/// A token and how likely it was.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Told {
    pub(crate) id: i32,
    /// In nats; none of a token that nothing was read before.
    pub(crate) log: Option<f32>,
    /// The likeliest tokens.
    pub(crate) likeliest: Vec<(i32, f32)>,
}

/// What becomes of a completion, in this order: its prompt in some pieces, if it was asked for, then
/// what is written, then the end.
#[derive(Debug)]
pub(crate) enum Event {
    /// Tokens of the prompt.
    Prompt(Vec<Told>),
    /// A token that was written, and the text that is complete with it.
    Written(Told, String),
    /// The end of the text, and why.
    Done(String, Finish),
    /// It went wrong.
    Failed(ApiError),
}

/// Why a completion ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Finish {
    /// One of the texts that end it came.
    Stop,
    /// All tokens that were asked for are there.
    Length,
}

/// What is done with sessions.
#[derive(Debug, Clone)]
pub(crate) enum SessionJob {
    /// An empty one, or what a file holds.
    Create { id: String, load: Option<String> },
    /// The facts of all, or of one.
    List(Option<String>),
    /// Another one that has read the same.
    Fork { id: String, into: String },
    /// Into a file.
    Save { id: String, file: String },
    /// It is forgotten.
    Delete(String),
}

/// What is told of a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SessionFacts {
    pub(crate) id: String,
    /// Tokens that it has read and written.
    pub(crate) tokens: usize,
    /// Numbers that its state holds.
    pub(crate) size: usize,
    /// Whether a completion goes on with it.
    pub(crate) is_busy: bool,
    /// Seconds since it was used.
    pub(crate) idle: u64,
}
