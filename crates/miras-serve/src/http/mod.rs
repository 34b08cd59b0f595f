//! Addresses, and what all of them have in common.

mod app;
mod completions;
mod facts;
mod reply;
mod request;
mod sessions;
mod tokens;

use std::time::Instant;

use axum::Router;
use axum::extract::{DefaultBodyLimit, MatchedPath, Request, State};
use axum::http::{Method, StatusCode, Uri};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use miras_config::did_you_mean;

use crate::error::ApiError;
use app::late;
pub(crate) use app::{App, Text};

/// All addresses.
pub(crate) fn router(app: App) -> Router {
    let limit = DefaultBodyLimit::max(app.0.limits.body);
    Router::new()
        .route("/health", get(facts::health))
        .route("/metrics", get(facts::metrics))
        .route("/v1/models", get(facts::models))
        .route("/v1/models/{*id}", get(facts::model))
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
    let reply = tokio::select! {
        reply = tokio::time::timeout(limit, next.run(request)) => {
            reply.unwrap_or_else(|_| late(limit).into_response())
        }
        () = app.gives_up() => ApiError::stopping().into_response(),
    };
    let status: StatusCode = reply.status();
    app.0
        .metrics
        .answered(&endpoint, status.as_u16(), began.elapsed());
    reply
}
