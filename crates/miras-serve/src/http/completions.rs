//! Texts that go on, or are scored.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{SystemTime, UNIX_EPOCH};

use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::response::sse::{self, Sse};
use axum::response::{IntoResponse, Response};
use miras_use::Sampler;
use serde_json::Value;
use tokio::sync::mpsc;
use tokio_stream::StreamExt as _;
use tokio_stream::wrappers::UnboundedReceiverStream;

use super::app::{App, Place, late, object};
use super::reply::{Choice, Reply};
use super::request::Keys;
use super::tokens::ids;
use crate::error::ApiError;
use crate::job::{Completion, Event, Job};
use crate::json::Json;
use crate::options::Limits;

/// Completions of one request, prompts times `n`.
const MOST: usize = 2048;
/// Texts that end a completion.
const STOPS: usize = 16;
/// Log-probabilities in a reply.
const TOLD: usize = 1 << 20;
/// Likeliest tokens that are told.
const LIKELIEST: usize = 20;

/// What a request asks for.
struct Asked {
    prompts: Vec<Arc<[i32]>>,
    copies: usize,
    echo: bool,
    likeliest: Option<usize>,
    tokens: usize,
    sampler: Sampler,
    stops: Vec<String>,
    session: Option<String>,
    streams: bool,
    tells_usage: bool,
    ignored: Vec<String>,
}

pub(super) async fn create(
    State(app): State<App>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, ApiError> {
    let asked = asked(&app, object(&app, body)?)?;
    let place = app.place()?;
    let (events, told) = mpsc::unbounded_channel();
    let prompts = asked.prompts.iter();
    let jobs = prompts.flat_map(|prompt| (0..asked.copies).map(move |copy| (prompt, copy)));
    for (index, (prompt, copy)) in jobs.enumerate() {
        app.send(Job::Complete(Completion {
            prompt: prompt.clone(),
            scores_prompt: asked.echo && asked.likeliest.is_some(),
            likeliest: asked.likeliest,
            tokens: asked.tokens,
            sampler: Sampler {
                seed: asked.sampler.seed.wrapping_add(copy as u64),
                ..asked.sampler
            },
            stops: asked.stops.clone(),
            session: asked.session.clone(),
            events: events.clone(),
            index,
        }))?;
    }
    drop(events);
    let reply = Reply::new(&app, asked.ignored.clone());
    if asked.streams {
        return Ok(stream(app, &asked, reply, place, told).into_response());
    }
    Ok(Json(whole(&app, &asked, &reply, told).await?).into_response())
}

/// The choices, of which nothing has come yet.
fn choices(app: &App, asked: &Asked) -> Vec<Choice> {
    let choice = |at: usize| {
        let prompt = &asked.prompts[at / asked.copies];
        Choice::new(app, at, prompt, asked.echo, asked.likeliest.is_some())
    };
    (0..asked.prompts.len() * asked.copies)
        .map(choice)
        .collect()
}

async fn whole(
    app: &App,
    asked: &Asked,
    reply: &Reply,
    mut told: mpsc::UnboundedReceiver<(usize, Event)>,
) -> Result<Value, ApiError> {
    let mut choices = choices(app, asked);
    while let Some((index, event)) = told.recv().await {
        choices[index].take(app, event)?;
    }
    if choices.iter().any(|choice| !choice.is_done()) {
        return Err(ApiError::stopping());
    }
    Ok(reply.whole(&choices, asked.copies))
}

/// Pieces of the choices as they come, ended by `[DONE]`.
fn stream(
    app: App,
    asked: &Asked,
    reply: Reply,
    place: Place,
    told: mpsc::UnboundedReceiver<(usize, Event)>,
) -> impl IntoResponse + use<> {
    let mut choices = choices(&app, asked);
    let (tells_usage, copies) = (asked.tells_usage, asked.copies);
    let limit = app.0.limits.request;
    let end = tokio::time::Instant::now() + limit;
    let mut events = UnboundedReceiverStream::new(told);
    let (pieces, out) = mpsc::channel(16);
    tokio::spawn(async move {
        // Its place is free when the last piece has been sent.
        let _place = place;
        loop {
            // What is not read in time is given up with the channel of the events.
            let event = tokio::select! {
                event = tokio::time::timeout_at(end, events.next()) => match event {
                    Ok(Some(event)) => Ok(event),
                    Ok(None) => break,
                    Err(_) => Err(late(limit)),
                },
                () = app.gives_up() => Err(ApiError::stopping()),
            };
            let piece = event.and_then(|(index, event)| {
                choices[index].take(&app, event)?;
                Ok(choices[index].piece().map(|piece| reply.piece(piece)))
            });
            let (data, is_end) = match piece {
                Ok(None) => continue,
                Ok(Some(piece)) => (piece, false),
                Err(error) => (error.body(), true),
            };
            // A client that has left, or does not read, ends the job with the channel.
            let sent = tokio::time::timeout_at(end, pieces.send(data.to_string())).await;
            if is_end || !matches!(sent, Ok(Ok(()))) {
                return;
            }
        }
        if tells_usage {
            let _ = pieces.send(reply.usage(&choices, copies).to_string()).await;
        }
        let _ = pieces.send("[DONE]".to_owned()).await;
    });
    let out = tokio_stream::wrappers::ReceiverStream::new(out);
    Sse::new(out.map(|data| Ok::<_, std::convert::Infallible>(sse::Event::default().data(data))))
}

fn asked(app: &App, fields: serde_json::Map<String, Value>) -> Result<Asked, ApiError> {
    let mut keys = Keys::new(fields);
    let limits = &app.0.limits;
    if let Some(model) = keys.text("model")?
        && model != app.0.model
    {
        let ours = &app.0.model;
        let message = format!("there is no model `{model}`: this server has `{ours}`");
        return Err(ApiError::key("model", message));
    }
    let prompts = prompts(app, keys.take("prompt"))?;
    let copies = keys.count("n", [1, MOST])?.unwrap_or(1);
    let best_of = keys.count("best_of", [1, MOST])?;
    if best_of.is_some_and(|count| count != copies) {
        return Err(ApiError::key(
            "best_of",
            "`best_of` must be `n`: leave it out",
        ));
    }
    if prompts.len() * copies > MOST {
        let message =
            format!("a request may ask for {MOST} completions at most, prompts times `n`");
        return Err(ApiError::key("prompt", message));
    }
    for key in ["presence_penalty", "frequency_penalty"] {
        keys.refuse(key, &[Value::from(0), Value::from(0.0)])?;
    }
    keys.refuse("logit_bias", &[Value::Object(serde_json::Map::new())])?;
    keys.refuse("suffix", &[Value::from("")])?;
    keys.take("user");
    let stops = keys.texts("stop")?;
    if stops.len() > STOPS {
        let message = format!("`stop` may hold {STOPS} texts at most");
        return Err(ApiError::key("stop", message));
    }
    let sampler = sampler(&mut keys)?;
    let session = keys.text("session")?;
    if session.is_some() && prompts.len() * copies > 1 {
        let message = "a session goes on with one prompt: ask for others in requests of their own";
        return Err(ApiError::key("session", message));
    }
    if session.is_none() && prompts.iter().any(|prompt| prompt.is_empty()) {
        return Err(ApiError::key(
            "prompt",
            "`prompt` is empty, so that there is nothing to go on with",
        ));
    }
    let options = keys.take("stream_options");
    if options.as_ref().is_some_and(|options| !options.is_object()) {
        let message = "`stream_options` must be an object, as {\"include_usage\": true}";
        return Err(ApiError::key("stream_options", message));
    }
    let tells_usage = options.is_some_and(|options| options["include_usage"] == true);
    let echo = keys.flag("echo")?;
    let likeliest = keys.count("logprobs", [0, LIKELIEST])?;
    let tokens = keys
        .count("max_tokens", [0, limits.completion])?
        .unwrap_or(16.min(limits.completion));
    check_size(
        limits,
        &prompts,
        copies * prompts.len() * tokens,
        copies,
        likeliest,
    )?;
    Ok(Asked {
        copies,
        echo,
        likeliest,
        tokens,
        sampler,
        stops: stops
            .into_iter()
            .chain(app.0.text.separator.clone())
            .collect(),
        session,
        streams: keys.flag("stream")?,
        tells_usage,
        ignored: keys.rest()?,
        prompts,
    })
}

/// How tokens are chosen.
fn sampler(keys: &mut Keys) -> Result<Sampler, ApiError> {
    let sampler = Sampler {
        temperature: keys.number("temperature")?.unwrap_or(1.0),
        top_k: keys.count("top_k", [0, usize::MAX])?.unwrap_or(0),
        top_p: keys.number("top_p")?.unwrap_or(1.0),
        seed: seed(keys.take("seed"))?,
    };
    if let Some(problem) = sampler.problem() {
        // Named as on the command line.
        let message = problem
            .replace("--temperature", "`temperature`")
            .replace("--top-p", "`top_p`");
        return Err(ApiError::request(message));
    }
    Ok(sampler)
}

/// Refuses what would take all memory, or all time.
fn check_size(
    limits: &Limits,
    prompts: &[Arc<[i32]>],
    written: usize,
    copies: usize,
    likeliest: Option<usize>,
) -> Result<(), ApiError> {
    let read: usize = prompts.iter().map(|prompt| prompt.len()).sum();
    let (all, most) = (
        read * copies + written,
        limits.prompt.max(limits.completion),
    );
    if all > most {
        let message = format!(
            "the request is of {all} tokens, prompts and completions times `n`, and this server takes \
             {most} at once"
        );
        return Err(ApiError::key("prompt", message));
    }
    match likeliest {
        Some(likeliest) if all * (1 + likeliest) > TOLD => {
            let message = format!(
                "log-probabilities of {all} tokens and of {likeliest} others for each are more than the \
                 {TOLD} that a reply holds: ask for less at once"
            );
            Err(ApiError::key("logprobs", message))
        }
        _ => Ok(()),
    }
}

/// Tokens of the prompts: of a text, of a list of texts, tokens, or lists of tokens.
fn prompts(app: &App, value: Option<Value>) -> Result<Vec<Arc<[i32]>>, ApiError> {
    let vocab = app.0.text.tokenizer.vocab();
    let wrong = || {
        let last = vocab - 1;
        let message = format!(
            "`prompt` must be a text, a list of texts, tokens (whole numbers from 0 to {last}), or a \
             list of lists of tokens"
        );
        ApiError::key("prompt", message)
    };
    let one = |value: &Value| match value {
        Value::String(text) => app.encode("prompt", text),
        tokens => ids(tokens, vocab).ok_or_else(wrong),
    };
    let Some(value) = value else {
        return Err(ApiError::key("prompt", "`prompt` is missing"));
    };
    let prompts: Vec<Vec<i32>> = match &value {
        Value::Array(list) if list.first().is_some_and(|first| !first.is_number()) => {
            list.iter().map(one).collect::<Result<_, _>>()?
        }
        Value::Array(list) if list.is_empty() => return Err(wrong()),
        value => vec![one(value)?],
    };
    let most = app.0.limits.prompt;
    match prompts.iter().map(Vec::len).max() {
        Some(longest) if longest > most => Err(ApiError::key(
            "prompt",
            format!("a prompt has {longest} tokens, and this server reads {most} at most"),
        )),
        _ => Ok(prompts.into_iter().map(Arc::from).collect()),
    }
}

/// The seed that was asked for, else one of the clock.
fn seed(value: Option<Value>) -> Result<u64, ApiError> {
    let Some(value) = value else {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        return Ok(since.map_or(0, |since| since.as_nanos() as u64));
    };
    let seed = value
        .as_u64()
        .or_else(|| value.as_i64().map(i64::cast_unsigned));
    seed.ok_or_else(|| {
        ApiError::key(
            "seed",
            format!("`seed` must be a whole number, not {value}"),
        )
    })
}

impl Reply {
    fn new(app: &App, ignored: Vec<String>) -> Self {
        let number = app.0.count.fetch_add(1, Ordering::Relaxed);
        let id = format!("cmpl-{}-{number}", app.0.created);
        Self::of(id, app.0.model.clone(), ignored)
    }
}
