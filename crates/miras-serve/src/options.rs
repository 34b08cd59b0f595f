//! What a server is told when it starts.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// What a server is told when it starts.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where it listens.
    pub address: SocketAddr,
    /// The name of the model in replies.
    pub model: String,
    /// Where sessions are saved; none refuses to save and to load.
    pub folder: Option<PathBuf>,
    /// What it refuses.
    pub limits: Limits,
}

/// What a server refuses, and when it gives up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a request.
    pub body: usize,
    /// Tokens of a prompt.
    pub prompt: usize,
    /// Tokens of a completion.
    pub completion: usize,
    /// Requests that are worked on or wait at once.
    pub requests: usize,
    /// Sessions that are held at once.
    pub sessions: usize,
    /// How long a session is kept that nobody uses.
    pub session_age: Duration,
    /// How long a connection may be without the whole head of a request.
    pub head: Duration,
    /// How long a request may take, from its head on.
    pub request: Duration,
    /// How long requests may still take when the server is told to stop.
    pub grace: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body: 16 << 20,
            prompt: 1 << 21,
            completion: 1 << 16,
            requests: 256,
            sessions: 256,
            session_age: Duration::from_hours(1),
            head: Duration::from_secs(30),
            request: Duration::from_mins(10),
            grace: Duration::from_secs(30),
        }
    }
}
