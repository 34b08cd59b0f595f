//! Addresses, and what all of them have in common.

mod completions;
mod facts;
mod reply;
mod request;
mod sessions;
mod tokens;

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, MatchedPath, Request, State};
use axum::http::{Method, StatusCode, Uri};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use miras_config::did_you_mean;
use miras_data::Tokenizer;
use serde_json::{Map, Value};

use crate::error::ApiError;
use crate::job::Job;
use crate::metrics::Metrics;
use crate::options::{Limits, Options};

/// What handlers share.
#[derive(Clone)]
pub(crate) struct App(Arc<Shared>);

struct Shared {
    model: String,
    limits: Limits,
    text: Text,
    metrics: Arc<Metrics>,
    jobs: Mutex<mpsc::Sender<Job>>,
    /// Requests for the model under way.
    busy: AtomicUsize,
    /// Requests so far, for their ids.
    count: AtomicU64,
    created: u64,
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
struct Place(App);

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
    ) -> Self {
        Self(Arc::new(Shared {
            model: options.model,
            limits: options.limits,
            text,
            metrics,
            jobs: Mutex::new(jobs),
            busy: AtomicUsize::new(0),
            count: AtomicU64::new(0),
            created: now(),
        }))
    }

    fn send(&self, job: Job) -> Result<(), ApiError> {
        let jobs = self.0.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        jobs.send(job).map_err(|_| ApiError::stopping())
    }

    /// A place among the requests for the model, until it is dropped.
    fn place(&self) -> Result<Place, ApiError> {
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

    /// The tokens of a text, within the limit of prompts.
    fn encode(&self, key: &str, text: &str) -> Result<Vec<i32>, ApiError> {
        let tokens = self.0.text.tokenizer.encode(text.as_bytes());
        tokens.map_err(|error| ApiError::key(key, error.to_string()))
    }

    /// The text of a token on its own.
    fn text_of(&self, id: i32) -> String {
        let bytes = self.0.text.tokenizer.decode(&[id]);
        String::from_utf8(bytes).unwrap_or_else(|error| {
            let bytes = error.into_bytes().into_iter();
            let hex: Vec<String> = bytes.map(|byte| format!("\\x{byte:02x}")).collect();
            format!("bytes:{}", hex.concat())
        })
    }
}

/// Seconds since 1970.
fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}

/// All addresses.
pub(crate) fn router(app: App) -> Router {
    let limit = DefaultBodyLimit::max(app.0.limits.body);
    Router::new()
        .route("/health", get(facts::health))
        .route("/metrics", get(facts::metrics))
        .route("/v1/models", get(facts::models))
        .route("/v1/models/{id}", get(facts::model))
        .route("/v1/completions", post(completions::create))
        .route("/tokenize", post(tokens::tokenize))
        .route("/detokenize", post(tokens::detokenize))
        .route("/tokenizer_info", get(tokens::info))
        .route("/v1/sessions", get(sessions::list).post(sessions::create))
        .route(
            "/v1/sessions/{id}",
            get(sessions::one).delete(sessions::delete),
        )
        .route("/v1/sessions/{id}/fork", post(sessions::fork))
        .route("/v1/sessions/{id}/save", post(sessions::save))
        .fallback(unknown)
        .method_not_allowed_fallback(other_method)
        .layer(middleware::from_fn_with_state(app.clone(), watched))
        .layer(limit)
        .with_state(app)
}

async fn unknown(uri: Uri) -> ApiError {
    let known = [
        "/v1/completions",
        "/v1/models",
        "/v1/sessions",
        "/tokenize",
        "/detokenize",
        "/tokenizer_info",
        "/health",
        "/metrics",
    ];
    let path = uri.path();
    let hint = did_you_mean(path, known);
    let hint = hint.map_or_else(String::new, |hint| format!(": did you mean {hint}?"));
    ApiError::missing(format!("there is nothing at {path}{hint}"))
}

async fn other_method(method: Method, uri: Uri) -> ApiError {
    ApiError::method(format!("{} does not take {method}", uri.path()))
}

/// Counts requests, and ends those that take too long.
async fn watched(State(app): State<App>, request: Request, next: Next) -> Response {
    let endpoint = request
        .extensions()
        .get::<MatchedPath>()
        .map_or_else(|| "other".to_owned(), |path| path.as_str().to_owned());
    let (began, limit) = (Instant::now(), app.0.limits.request);
    let reply = tokio::time::timeout(limit, next.run(request)).await;
    let reply = reply.unwrap_or_else(|_| late(limit).into_response());
    let status: StatusCode = reply.status();
    app.0
        .metrics
        .answered(&endpoint, status.as_u16(), began.elapsed());
    reply
}

fn late(limit: Duration) -> ApiError {
    let seconds = limit.as_secs();
    ApiError::late(format!("the request took more than {seconds} seconds"))
}

/// The object in the body of a request.
fn object(app: &App, body: Result<Bytes, BytesRejection>) -> Result<Map<String, Value>, ApiError> {
    let body = body.map_err(|error| {
        if error.status() == StatusCode::PAYLOAD_TOO_LARGE {
            let most = app.0.limits.body;
            ApiError::large(format!("the request has more than {most} bytes"))
        } else {
            ApiError::request(error.body_text())
        }
    })?;
    match serde_json::from_slice(&body) {
        Ok(Value::Object(fields)) => Ok(fields),
        Ok(_) => Err(ApiError::request("the request must be a JSON object")),
        Err(error) => Err(ApiError::request(format!(
            "the request is not JSON: {error}"
        ))),
    }
}
