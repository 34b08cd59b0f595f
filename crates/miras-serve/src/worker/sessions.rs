//! Texts whose memories are kept under an id.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use miras_model::ModelState;
use miras_use::{Stored, Trained};

use super::sequence::Earlier;
use crate::error::ApiError;
use crate::job::{SessionFacts, SessionJob};
use crate::metrics::Metrics;
use crate::options::Options;

/// The end of the names of saved sessions.
const ENDING: &str = "safetensors";

/// All sessions.
pub(super) struct Sessions {
    held: BTreeMap<String, Session>,
    most: usize,
    age: Duration,
    folder: Option<PathBuf>,
    metrics: Arc<Metrics>,
}

struct Session {
    earlier: Earlier,
    /// Whether a completion goes on with it.
    is_lent: bool,
    /// Tokens that it has read and written, and numbers that its state holds, also while it is lent.
    tokens: usize,
    size: usize,
    used: Instant,
}

impl Session {
    fn new(earlier: Earlier) -> Self {
        // A row of a batch would keep the whole batch.
        let earlier = earlier.map(|(state, logits)| (state.in_own_storage(), logits));
        let state = earlier.as_ref().map(|(state, _)| state);
        Self {
            tokens: state.map_or(0, |state| state.position),
            size: state.map_or(0, ModelState::size),
            earlier,
            is_lent: false,
            used: Instant::now(),
        }
    }
}

impl Sessions {
    pub(super) fn new(options: &Options, metrics: Arc<Metrics>) -> Self {
        Self {
            held: BTreeMap::new(),
            most: options.limits.sessions,
            age: options.limits.session_age,
            folder: options.folder.clone(),
            metrics,
        }
    }

    /// Takes what a session has read, until it is given back.
    pub(super) fn lend(&mut self, id: &str) -> Result<Earlier, ApiError> {
        let session = self.free(id)?;
        session.is_lent = true;
        Ok(session.earlier.take())
    }

    pub(super) fn give_back(&mut self, id: &str, earlier: Earlier) {
        if let Some(session) = self.held.get_mut(id) {
            *session = Session::new(earlier);
        }
    }

    /// Forgets those that nobody has used for long.
    pub(super) fn forget_old(&mut self) {
        let age = self.age;
        (self.held).retain(|_, session| session.is_lent || session.used.elapsed() < age);
        self.count();
    }

    pub(super) fn carry_out(
        &mut self,
        job: SessionJob,
        trained: &Trained,
    ) -> Result<Vec<SessionFacts>, ApiError> {
        let id = match job {
            SessionJob::List(None) => {
                return Ok(self.held.keys().map(|id| self.facts(id)).collect());
            }
            SessionJob::List(Some(id)) => {
                self.known(&id)?;
                id
            }
            SessionJob::Create { id, load } => {
                self.check_new(&id)?;
                let earlier = load.map(|file| self.load(&file, trained)).transpose()?;
                self.held.insert(id.clone(), Session::new(earlier));
                id
            }
            SessionJob::Fork { id, into } => {
                self.check_new(&into)?;
                let earlier = self.free(&id)?.earlier.clone();
                self.held.insert(into.clone(), Session::new(earlier));
                into
            }
            SessionJob::Save { id, file } => {
                self.save(&id, &file, trained)?;
                id
            }
            SessionJob::Delete(id) => {
                self.free(&id)?;
                let facts = self.facts(&id);
                self.held.remove(&id);
                self.count();
                return Ok(vec![facts]);
            }
        };
        self.count();
        Ok(vec![self.facts(&id)])
    }

    fn count(&self) {
        let count = self.held.len() as u64;
        self.metrics.sessions.store(count, Ordering::Relaxed);
    }

    fn facts(&self, id: &str) -> SessionFacts {
        let session = self.held.get(id);
        SessionFacts {
            id: id.to_owned(),
            tokens: session.map_or(0, |session| session.tokens),
            size: session.map_or(0, |session| session.size),
            is_busy: session.is_some_and(|session| session.is_lent),
            idle: session.map_or(0, |session| session.used.elapsed().as_secs()),
        }
    }

    fn known(&mut self, id: &str) -> Result<&mut Session, ApiError> {
        (self.held.get_mut(id)).ok_or_else(|| {
            ApiError::missing(format!(
                "there is no session `{id}`; it may have expired: create it with POST /v1/sessions"
            ))
        })
    }

    fn free(&mut self, id: &str) -> Result<&mut Session, ApiError> {
        let session = self.known(id)?;
        if session.is_lent {
            let message = format!("session `{id}` is in the middle of another request");
            return Err(ApiError::conflict(message));
        }
        Ok(session)
    }

    fn check_new(&self, id: &str) -> Result<(), ApiError> {
        check_name("id", id)?;
        if self.held.contains_key(id) {
            let message =
                format!("there is a session `{id}` already: delete it, or choose another id");
            return Err(ApiError::conflict(message));
        }
        if self.held.len() >= self.most {
            let most = self.most;
            return Err(ApiError::busy(format!(
                "{most} sessions are held, which is all this server holds: delete one, or wait for \
                 one to expire"
            )));
        }
        Ok(())
    }

    fn path(&self, file: &str) -> Result<PathBuf, ApiError> {
        check_name("file", file)?;
        let Some(folder) = &self.folder else {
            let message = "this server saves no sessions: start it with --sessions DIR";
            return Err(ApiError::request(message));
        };
        Ok(folder.join(format!("{file}.{ENDING}")))
    }

    fn load(&self, file: &str, trained: &Trained) -> Result<(ModelState, Vec<f32>), ApiError> {
        let path = self.path(file)?;
        if !path.is_file() {
            return Err(ApiError::missing(format!(
                "no session was saved as `{file}`"
            )));
        }
        let stored = Stored::read(&path).and_then(|stored| stored.into_state(trained));
        stored.map_err(|error| ApiError::key("load", error.to_string()))
    }

    fn save(&mut self, id: &str, file: &str, trained: &Trained) -> Result<(), ApiError> {
        let path = self.path(file)?;
        let Some((state, logits)) = self.free(id)?.earlier.clone() else {
            let message =
                format!("session `{id}` has read nothing, so that there is nothing to save");
            return Err(ApiError::request(message));
        };
        let stored = Stored::of(state, logits, trained);
        let written = stored.and_then(|stored| stored.write(&path));
        written
            .map(drop)
            .map_err(|error| ApiError::failed(error.to_string()))
    }
}

/// Names become names of files, and parts of addresses.
fn check_name(key: &str, name: &str) -> Result<(), ApiError> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if !name.is_empty() && name.len() <= 64 && name.chars().all(is_plain) && !name.starts_with('.')
    {
        return Ok(());
    }
    let message = format!(
        "`{key}` must be 1 to 64 letters, digits, `-`, `_` and `.`, and not begin with `.`, not {name:?}"
    );
    Err(ApiError::key(key, message))
}
