//! Requests that are wrong get one message, and the server goes on.

use miras_serve::Limits;
use serde_json::{Value, json};

use crate::support::Server;

#[test]
fn what_is_wrong_is_said_with_its_key() {
    let server = Server::with(Limits {
        body: 4096,
        prompt: 100,
        completion: 50,
        ..Limits::default()
    });
    let with = |key: &str, value: Value| {
        let mut body = json!({ "prompt": "A", "max_tokens": 1 });
        body[key] = value;
        body
    };
    let wrong = [
        (json!({}), "`prompt` is missing"),
        (with("prompt", json!(3)), "`prompt` must be a text"),
        (with("prompt", json!([])), "`prompt` must be a text"),
        (
            with("prompt", json!([1, 256])),
            "whole numbers from 0 to 255",
        ),
        (with("prompt", json!([1, "a"])), "`prompt` must be a text"),
        (with("prompt", json!("")), "`prompt` is empty"),
        (
            with("prompt", json!("a".repeat(101))),
            "101 tokens, and this server reads 100",
        ),
        (
            with("max_tokens", json!(51)),
            "`max_tokens` must be a whole number from 0 to 50",
        ),
        (with("max_tokens", json!(-1)), "`max_tokens` must be"),
        (
            with("temperature", json!("hot")),
            "`temperature` must be a number",
        ),
        (
            with("temperature", json!(-1)),
            "`temperature` must be 0 or more",
        ),
        (with("top_p", json!(0)), "`top_p` must be above 0"),
        (with("n", json!(0)), "`n` must be"),
        (
            json!({ "prompt": "a".repeat(60), "n": 2, "max_tokens": 1 }),
            "the request is of 122 tokens",
        ),
        (
            with("stream_options", json!("x")),
            "`stream_options` must be an object",
        ),
        (with("best_of", json!(3)), "`best_of` must be `n`"),
        (with("suffix", json!("x")), "`suffix` is not supported"),
        (
            with("logit_bias", json!({ "1": 2 })),
            "`logit_bias` is not supported",
        ),
        (with("logprobs", json!(true)), "`logprobs` must be"),
        (
            with("stop", json!([1])),
            "`stop` must be a text or a list of texts",
        ),
        (with("seed", json!(1.5)), "`seed` must be a whole number"),
        (
            with("model", json!("gpt")),
            "there is no model `gpt`: this server has `run`",
        ),
        (with("max_token", json!(1)), "did you mean `max_tokens`?"),
    ];
    for (body, expected) in wrong {
        let (status, reply) = server.ask("POST", "/v1/completions", &body.to_string());
        let reply: Value = serde_json::from_str(&reply).unwrap();
        let message = reply["error"]["message"].as_str().unwrap();
        assert!(
            status == 400 && message.contains(expected),
            "{body}: {status} {message}"
        );
        assert_eq!(reply["error"]["type"], "invalid_request_error");
    }
}

#[test]
fn what_is_no_request_is_refused() {
    let server = Server::with(Limits {
        body: 4096,
        ..Limits::default()
    });
    let with = |key: &str, value: Value| {
        let mut body = json!({ "prompt": "A", "max_tokens": 1 });
        body[key] = value;
        body
    };
    for (method, path, body, status, expected) in [
        ("POST", "/v1/completions", "{\"prompt\": ", 400, "not JSON"),
        (
            "POST",
            "/v1/completions",
            "[]",
            400,
            "must be a JSON object",
        ),
        ("POST", "/v1/completions", "\u{0}", 400, "not JSON"),
        ("GET", "/v1/completions", "", 405, "does not take GET"),
        (
            "GET",
            "/v1/completion",
            "",
            404,
            "did you mean /v1/completions?",
        ),
        ("GET", "/v1/models/gpt", "", 404, "there is no model `gpt`"),
        (
            "POST",
            "/detokenize",
            "{\"tokens\": [999]}",
            400,
            "from 0 to 255",
        ),
        ("POST", "/tokenize", "{}", 400, "`prompt` is missing"),
    ] {
        let (found, reply) = server.ask(method, path, body);
        assert!(
            found == status && reply.contains(expected),
            "{path}: {found} {reply}"
        );
    }
    let (status, reply) = server.ask(
        "POST",
        "/v1/completions",
        &with("prompt", json!("a".repeat(5000))).to_string(),
    );
    assert!(
        status == 413 && reply.contains("more than 4096 bytes"),
        "{status} {reply}"
    );
    for path in ["/v1/sessions/%ff", "/v1/models/%ff"] {
        let (status, reply) = server.ask("GET", path, "");
        assert!(
            status == 400 && reply.contains("\"error\""),
            "{status} {reply}"
        );
    }
    // Keys that change nothing are named.
    let reply = server.complete(&with("do_sample", json!(false)));
    assert_eq!(reply["ignored"], json!(["do_sample"]));
}
