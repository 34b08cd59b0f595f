//! Text to tokens and back.

use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use serde_json::{Value, json};

use super::app::{App, object};
use super::request::Keys;
use crate::error::ApiError;
use crate::json::Json;

pub(super) async fn tokenize(
    State(app): State<App>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json, ApiError> {
    let mut keys = Keys::new(object(&app, body)?);
    let prompt = keys.needed_text("prompt")?;
    // There is no token that belongs in front of every text.
    keys.take("add_special_tokens");
    keys.take("model");
    keys.rest()?;
    let tokens = app.encode("prompt", &prompt)?;
    let count = tokens.len();
    Ok(Json(
        json!({ "tokens": tokens, "count": count, "max_model_len": app.0.limits.prompt }),
    ))
}

pub(super) async fn detokenize(
    State(app): State<App>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json, ApiError> {
    let mut keys = Keys::new(object(&app, body)?);
    let tokens = keys.take("tokens");
    keys.take("model");
    keys.rest()?;
    let tokens = match &tokens {
        Some(value) => ids(value, app.0.text.tokenizer.vocab()),
        None => None,
    };
    let Some(tokens) = tokens else {
        let last = app.0.text.tokenizer.vocab() - 1;
        let message = format!("`tokens` must be a list of whole numbers from 0 to {last}");
        return Err(ApiError::key("tokens", message));
    };
    let text = app.0.text.tokenizer.decode(&tokens);
    Ok(Json(json!({ "prompt": String::from_utf8_lossy(&text) })))
}

pub(super) async fn info(State(app): State<App>) -> Json {
    Json(json!({
        "tokenizer_class": "ByteLevel",
        "vocab_size": app.0.text.tokenizer.vocab(),
        "eos_token": app.0.text.separator,
        "bos_token": app.text_of(app.0.text.beginning),
        "pad_token": null,
        "chat_template": null,
    }))
}

/// Tokens, if all of a list are.
pub(super) fn ids(value: &Value, vocab: usize) -> Option<Vec<i32>> {
    let id = |value: &Value| {
        let id = value.as_u64().filter(|id| (*id as usize) < vocab)?;
        i32::try_from(id).ok()
    };
    value.as_array()?.iter().map(id).collect()
}
