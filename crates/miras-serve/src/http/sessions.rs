//! Texts whose memories are kept.

use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, PathRejection};
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde_json::{Value, json};
use tokio::sync::oneshot;

use super::app::{App, name, object};
use super::request::Keys;
use crate::error::ApiError;
use crate::job::{Job, SessionFacts, SessionJob};
use crate::json::Json;

async fn ask(app: &App, job: SessionJob) -> Result<Vec<SessionFacts>, ApiError> {
    let (reply, told) = oneshot::channel();
    app.send(Job::Session(job, reply))?;
    told.await.map_err(|_| ApiError::stopping())?
}

async fn ask_of_one(app: &App, job: SessionJob) -> Result<Json, ApiError> {
    let facts = ask(app, job).await?;
    Ok(Json(facts.first().map_or(Value::Null, told)))
}

fn told(facts: &SessionFacts) -> Value {
    json!({
        "id": facts.id,
        "object": "session",
        "tokens": facts.tokens,
        "state_size": facts.size,
        "busy": facts.is_busy,
        "idle_seconds": facts.idle,
    })
}

pub(super) async fn list(State(app): State<App>) -> Result<Json, ApiError> {
    let all = ask(&app, SessionJob::List(None)).await?;
    let data: Vec<Value> = all.iter().map(told).collect();
    Ok(Json(json!({ "object": "list", "data": data })))
}

pub(super) async fn one(
    State(app): State<App>,
    id: Result<Path<String>, PathRejection>,
) -> Result<Json, ApiError> {
    ask_of_one(&app, SessionJob::List(Some(name(id)?))).await
}

pub(super) async fn create(
    State(app): State<App>,
    body: Result<Bytes, BytesRejection>,
) -> Result<(StatusCode, Json), ApiError> {
    let mut keys = Keys::new(object(&app, body)?);
    let (id, load) = (keys.needed_text("id")?, keys.text("load")?);
    keys.rest()?;
    let told = ask_of_one(&app, SessionJob::Create { id, load }).await?;
    Ok((StatusCode::CREATED, told))
}

pub(super) async fn fork(
    State(app): State<App>,
    id: Result<Path<String>, PathRejection>,
    body: Result<Bytes, BytesRejection>,
) -> Result<(StatusCode, Json), ApiError> {
    let mut keys = Keys::new(object(&app, body)?);
    let into = keys.needed_text("id")?;
    keys.rest()?;
    let told = ask_of_one(
        &app,
        SessionJob::Fork {
            id: name(id)?,
            into,
        },
    )
    .await?;
    Ok((StatusCode::CREATED, told))
}

pub(super) async fn save(
    State(app): State<App>,
    id: Result<Path<String>, PathRejection>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json, ApiError> {
    let mut keys = Keys::new(object(&app, body)?);
    let file = keys.needed_text("file")?;
    keys.rest()?;
    ask_of_one(
        &app,
        SessionJob::Save {
            id: name(id)?,
            file,
        },
    )
    .await
}

pub(super) async fn delete(
    State(app): State<App>,
    id: Result<Path<String>, PathRejection>,
) -> Result<Json, ApiError> {
    ask_of_one(&app, SessionJob::Delete(name(id)?)).await
}
