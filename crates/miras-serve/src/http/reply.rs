//! Replies to completions.

use serde_json::{Map, Value, json};

use super::app::{App, now};
use crate::error::ApiError;
use crate::job::{Event, Finish, Told};

/// What all parts of a reply begin with.
pub(super) struct Reply {
    id: String,
    model: String,
    created: u64,
    /// Keys of the request that changed nothing.
    ignored: Vec<String>,
}

/// One completion, as far as it has come.
pub(super) struct Choice {
    index: usize,
    prompt: usize,
    text: String,
    tokens: Tokens,
    has_likelihoods: bool,
    written: usize,
    finish: Option<Finish>,
    /// What a stream has already told: bytes of the text, and tokens.
    told: [usize; 2],
    told_end: bool,
}

/// Tokens side by side, as clients of the completions expect them.
#[derive(Default)]
struct Tokens {
    texts: Vec<String>,
    logs: Vec<Option<f32>>,
    likeliest: Vec<Option<Map<String, Value>>>,
    offsets: Vec<usize>,
    /// Characters so far.
    chars: usize,
}

impl Tokens {
    fn push(&mut self, app: &App, told: &Told) {
        let text = app.text_of(told.id);
        // A character begins at the first of its bytes.
        let is_start = |byte: &u8| byte & 0xc0 != 0x80;
        let bytes = app.0.text.tokenizer.decode(&[told.id]);
        let is_inside = bytes.first().is_some_and(|byte| !is_start(byte));
        self.offsets
            .push(self.chars.saturating_sub(usize::from(is_inside)));
        self.chars += bytes.iter().filter(|byte| is_start(byte)).count();
        self.texts.push(text);
        self.logs.push(told.log);
        let likeliest = told.likeliest.iter();
        let likeliest: Map<_, _> = likeliest
            .map(|(id, log)| (app.text_of(*id), json!(log)))
            .collect();
        self.likeliest.push(told.log.map(|_| likeliest));
    }

    fn json(&self, from: usize) -> Value {
        json!({
            "tokens": self.texts[from..],
            "token_logprobs": self.logs[from..],
            "top_logprobs": self.likeliest[from..],
            "text_offset": self.offsets[from..],
        })
    }
}

impl Choice {
    pub(super) fn new(
        app: &App,
        index: usize,
        prompt: &[i32],
        echo: bool,
        has_likelihoods: bool,
    ) -> Self {
        let text = if echo {
            String::from_utf8_lossy(&app.0.text.tokenizer.decode(prompt)).into_owned()
        } else {
            String::new()
        };
        Self {
            index,
            prompt: prompt.len(),
            text,
            tokens: Tokens::default(),
            has_likelihoods,
            written: 0,
            finish: None,
            told: [0; 2],
            told_end: false,
        }
    }

    /// Adds what has come.
    pub(super) fn take(&mut self, app: &App, event: Event) -> Result<(), ApiError> {
        match event {
            Event::Prompt(told) => {
                for one in &told {
                    self.tokens.push(app, one);
                }
            }
            Event::Written(told, text) => {
                self.written += 1;
                self.text += &text;
                if self.has_likelihoods {
                    self.tokens.push(app, &told);
                }
            }
            Event::Done(text, finish) => {
                self.text += &text;
                self.finish = Some(finish);
            }
            Event::Failed(error) => return Err(error),
        }
        Ok(())
    }

    pub(super) fn is_done(&self) -> bool {
        self.finish.is_some()
    }

    fn finish(&self) -> Value {
        match self.finish {
            None => Value::Null,
            Some(Finish::Stop) => "stop".into(),
            Some(Finish::Length) => "length".into(),
        }
    }

    fn json(&self, [text, tokens]: [usize; 2]) -> Value {
        let likelihoods = (self.has_likelihoods).then(|| self.tokens.json(tokens));
        json!({
            "index": self.index,
            "text": self.text[text..],
            "logprobs": likelihoods,
            "finish_reason": self.finish(),
        })
    }

    /// What has come since the last piece; none if nothing has.
    pub(super) fn piece(&mut self) -> Option<Value> {
        let now = [self.text.len(), self.tokens.texts.len()];
        let is_new = now[0] > self.told[0]
            || (self.has_likelihoods && now[1] > self.told[1])
            || (self.is_done() && !self.told_end);
        let piece = is_new.then(|| self.json(self.told));
        if is_new {
            self.told = now;
            self.told_end = self.is_done();
        }
        piece
    }
}

impl Reply {
    pub(super) fn of(id: String, model: String, ignored: Vec<String>) -> Self {
        Self {
            id,
            model,
            created: now(),
            ignored,
        }
    }

    fn with(&self, choices: Vec<Value>, usage: Option<Value>) -> Value {
        let mut reply = json!({
            "id": self.id,
            "object": "text_completion",
            "created": self.created,
            "model": self.model,
            "choices": choices,
        });
        if let Some(usage) = usage {
            reply["usage"] = usage;
        }
        if !self.ignored.is_empty() {
            reply["ignored"] = json!(self.ignored);
        }
        reply
    }

    fn counted(choices: &[Choice], copies: usize) -> Value {
        // A prompt with several completions is one prompt.
        let read: usize = choices
            .iter()
            .step_by(copies)
            .map(|choice| choice.prompt)
            .sum();
        let written: usize = choices.iter().map(|choice| choice.written).sum();
        json!({
            "prompt_tokens": read,
            "completion_tokens": written,
            "total_tokens": read + written,
        })
    }

    /// All of it.
    pub(super) fn whole(&self, choices: &[Choice], copies: usize) -> Value {
        let all = choices.iter().map(|choice| choice.json([0; 2])).collect();
        self.with(all, Some(Self::counted(choices, copies)))
    }

    /// A piece of a choice.
    pub(super) fn piece(&self, choice: Value) -> Value {
        self.with(vec![choice], None)
    }

    /// The last piece, which counts tokens.
    pub(super) fn usage(&self, choices: &[Choice], copies: usize) -> Value {
        self.with(Vec::new(), Some(Self::counted(choices, copies)))
    }
}
