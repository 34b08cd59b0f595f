//! What handlers share.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::body::Bytes;
use axum::extract::Path;
use axum::extract::rejection::{BytesRejection, PathRejection};
use axum::http::StatusCode;
use miras_data::Tokenizer;
use serde_json::{Map, Value};
use tokio::sync::watch;
use tokio::task::block_in_place;

use crate::error::ApiError;
use crate::job::Job;
use crate::metrics::Metrics;
use crate::options::{Limits, Options};

/// What handlers share.
#[derive(Clone)]
pub(crate) struct App(pub(super) Arc<Shared>);

pub(super) struct Shared {
    pub(super) model: String,
    pub(super) limits: Limits,
    pub(super) text: Text,
    pub(super) metrics: Arc<Metrics>,
    pub(super) jobs: Mutex<mpsc::Sender<Job>>,
    /// Raised when what is under way is given up.
    pub(super) gives_up: watch::Receiver<bool>,
    /// Requests for the model under way.
    pub(super) busy: AtomicUsize,
    /// Requests so far, for their ids.
    pub(super) count: AtomicU64,
    pub(super) created: u64,
}

/// What is between text and tokens.
pub(crate) struct Text {
    pub(crate) tokenizer: Arc<Tokenizer>,
    /// What stands between two texts of the run's data.
    pub(crate) separator: Option<String>,
    /// The token before a text of which nothing was read.
    pub(crate) beginning: i32,
}

/// A request for the model that is under way.
pub(super) struct Place(App);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.0.busy.fetch_sub(1, Ordering::SeqCst);
    }
}

impl App {
    pub(crate) fn new(
        options: Options,
        text: Text,
        metrics: Arc<Metrics>,
        jobs: mpsc::Sender<Job>,
        gives_up: watch::Receiver<bool>,
    ) -> Self {
        Self(Arc::new(Shared {
            model: options.model,
            limits: options.limits,
            text,
            metrics,
            jobs: Mutex::new(jobs),
            gives_up,
            busy: AtomicUsize::new(0),
            count: AtomicU64::new(0),
            created: now(),
        }))
    }

    pub(super) fn send(&self, job: Job) -> Result<(), ApiError> {
        let jobs = self.0.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        jobs.send(job).map_err(|_| ApiError::stopping())
    }

    /// A place among the requests for the model, until it is dropped.
    pub(super) fn place(&self) -> Result<Place, ApiError> {
        let most = self.0.limits.requests;
        let before = self.0.busy.fetch_add(1, Ordering::SeqCst);
        let place = Place(self.clone());
        if before < most {
            return Ok(place);
        }
        let message =
            format!("{most} requests are under way, which is all this server takes: try again");
        Err(ApiError::busy(message))
    }

    /// Waits until what is under way is given up.
    pub(super) async fn gives_up(&self) {
        let mut told = self.0.gives_up.clone();
        // Without a sender the server has ended.
        let _ = told.wait_for(|gives_up| *gives_up).await;
    }

    /// The tokens of a text. Other requests are answered meanwhile.
    pub(super) fn encode(&self, key: &str, text: &str) -> Result<Vec<i32>, ApiError> {
        let tokens = block_in_place(|| self.0.text.tokenizer.encode(text.as_bytes()));
        tokens.map_err(|error| ApiError::key(key, error.to_string()))
    }

    /// The text of a token on its own.
    pub(super) fn text_of(&self, id: i32) -> String {
        let bytes = self.0.text.tokenizer.decode(&[id]);
        String::from_utf8(bytes).unwrap_or_else(|error| {
            let bytes = error.into_bytes().into_iter();
            let hex: Vec<String> = bytes.map(|byte| format!("\\x{byte:02x}")).collect();
            format!("bytes:{}", hex.concat())
        })
    }
}

/// Seconds since 1970.
pub(super) fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}

pub(super) fn late(limit: Duration) -> ApiError {
    let seconds = limit.as_secs();
    ApiError::late(format!("the request took more than {seconds} seconds"))
}

/// The object in the body of a request.
pub(super) fn object(
    app: &App,
    body: Result<Bytes, BytesRejection>,
) -> Result<Map<String, Value>, ApiError> {
    let body = body.map_err(|error| {
        if error.status() == StatusCode::PAYLOAD_TOO_LARGE {
            let most = app.0.limits.body;
            ApiError::large(format!("the request has more than {most} bytes"))
        } else {
            ApiError::request(error.body_text())
        }
    })?;
    match block_in_place(|| serde_json::from_slice(&body)) {
        Ok(Value::Object(fields)) => Ok(fields),
        Ok(_) => Err(ApiError::request("the request must be a JSON object")),
        Err(error) => Err(ApiError::request(format!(
            "the request is not JSON: {error}"
        ))),
    }
}

/// A name in an address.
pub(super) fn name(path: Result<Path<String>, PathRejection>) -> Result<String, ApiError> {
    match path {
        Ok(Path(name)) => Ok(name),
        Err(error) => Err(ApiError::request(error.body_text())),
    }
}
