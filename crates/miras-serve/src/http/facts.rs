//! What the server says of itself.

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::header;
use axum::response::IntoResponse;
use serde_json::{Value, json};

use super::app::{App, name};
use crate::error::ApiError;
use crate::json::Json;

pub(super) async fn health() -> Json {
    Json(json!({ "status": "ok" }))
}

pub(super) async fn metrics(State(app): State<App>) -> impl IntoResponse {
    let kind = "text/plain; version=0.0.4; charset=utf-8";
    ([(header::CONTENT_TYPE, kind)], app.0.metrics.text())
}

pub(super) async fn models(State(app): State<App>) -> Json {
    Json(json!({ "object": "list", "data": [of_model(&app)] }))
}

pub(super) async fn model(
    State(app): State<App>,
    id: Result<Path<String>, PathRejection>,
) -> Result<Json, ApiError> {
    let id = name(id)?;
    if id == app.0.model {
        return Ok(Json(of_model(&app)));
    }
    let ours = &app.0.model;
    Err(ApiError::missing(format!(
        "there is no model `{id}`: this server has `{ours}`"
    )))
}

fn of_model(app: &App) -> Value {
    json!({
        "id": app.0.model,
        "object": "model",
        "created": app.0.created,
        "owned_by": "miras",
        "max_model_len": app.0.limits.prompt,
    })
}
