//! What comes back is what the model says.

use std::time::{Duration, Instant};

use miras_serve::Limits;
use miras_tasks::Choice;
use miras_use::{Generator, Memory, Sampler, Scorer, Utf8Stream};
use serde_json::{Value, json};

use crate::support::{Server, open};

const PROMPT: &str = "Mara has a red kite. Tom keeps";

/// What the run writes after a prompt, as `generate` does.
fn generated(server: &Server, prompt: &str, tokens: usize, sampler: &Sampler) -> String {
    let trained = open(server.folder.path());
    let mut generator = Generator::new(&trained, Memory::Live).unwrap();
    let tokenizer = trained.tokenizer().unwrap();
    generator
        .read(&tokenizer.encode(prompt.as_bytes()).unwrap())
        .unwrap();
    let mut text = Utf8Stream::default();
    let pieces = (0..tokens).map(|_| {
        let id = generator.next(sampler).unwrap().unwrap();
        text.push(&tokenizer.decode(&[id]))
    });
    let pieces: String = pieces.collect();
    pieces + &text.finish()
}

#[test]
fn a_completion_is_what_generate_writes_streamed_or_not() {
    let server = Server::new();
    let sampler = Sampler {
        temperature: 0.7,
        top_k: 0,
        top_p: 0.9,
        seed: 5,
    };
    for (fields, sampler) in [
        (json!({ "temperature": 0 }), Sampler::GREEDY),
        (
            json!({ "temperature": 0.7, "top_p": 0.9, "seed": 5 }),
            sampler,
        ),
    ] {
        let mut body = json!({ "model": "run", "prompt": PROMPT, "max_tokens": 40 });
        body.as_object_mut()
            .unwrap()
            .extend(fields.as_object().unwrap().clone());
        let expected = generated(&server, PROMPT, 40, &sampler);
        let reply = server.complete(&body);
        assert_eq!(reply["choices"][0]["text"], expected.as_str());
        assert_eq!(reply["choices"][0]["finish_reason"], "length");
        assert_eq!(reply["usage"]["prompt_tokens"], PROMPT.len());
        assert_eq!(reply["usage"]["completion_tokens"], 40);

        body["stream"] = true.into();
        body["stream_options"] = json!({ "include_usage": true });
        let (status, events) = server.ask("POST", "/v1/completions", &body.to_string());
        assert_eq!(status, 200);
        let events: Vec<&str> = events
            .split("\n\n")
            .filter_map(|event| event.strip_prefix("data: "))
            .collect();
        let (last, events) = events.split_last().unwrap();
        assert_eq!(*last, "[DONE]");
        let events: Vec<Value> = events
            .iter()
            .map(|event| serde_json::from_str(event).unwrap())
            .collect();
        let (usage, pieces) = events.split_last().unwrap();
        assert_eq!(usage["usage"]["completion_tokens"], 40);
        assert!(pieces.len() > 2, "it came at once");
        let text = pieces
            .iter()
            .map(|piece| piece["choices"][0]["text"].as_str().unwrap());
        assert_eq!(text.collect::<String>(), expected);
        assert_eq!(
            pieces.last().unwrap()["choices"][0]["finish_reason"],
            "length"
        );
    }
}

#[test]
fn several_prompts_and_copies_come_in_their_order() {
    let server = Server::new();
    let prompts = [PROMPT, "Once upon a time", "A"];
    let reply = server.complete(&json!({
        "prompt": prompts, "n": 2, "seed": 7, "temperature": 1.0, "max_tokens": 8,
    }));
    let texts: Vec<&str> = (reply["choices"].as_array().unwrap().iter())
        .map(|choice| choice["text"].as_str().unwrap())
        .collect();
    assert_eq!(texts.len(), 6);
    for (at, text) in texts.iter().enumerate() {
        let alone = json!({ "prompt": prompts[at / 2], "seed": 7 + at % 2, "max_tokens": 8 });
        assert_eq!(server.text(&alone), *text, "{at}");
        assert_eq!(reply["choices"][at]["index"], at);
    }
    let read: usize = prompts.iter().map(|prompt| prompt.len()).sum();
    assert_eq!(reply["usage"]["prompt_tokens"], read);
    // Tokens in the place of text.
    let ids: Vec<u8> = PROMPT.bytes().collect();
    let greedy = |prompt: Value| server.text(&json!({ "prompt": prompt, "temperature": 0 }));
    assert_eq!(greedy(json!(ids)), greedy(json!(PROMPT)));
    assert_eq!(greedy(json!([ids])), greedy(json!(PROMPT)));
}

#[test]
fn a_text_ends_in_front_of_a_stop() {
    let server = Server::new();
    let whole = server.text(&json!({ "prompt": PROMPT, "seed": 3, "max_tokens": 60 }));
    let from = (5..40)
        .find(|at| whole.is_char_boundary(*at) && whole.is_char_boundary(at + 2))
        .unwrap();
    let stop = &whole[from..from + 2];
    let end = whole.find(stop).unwrap();
    let reply =
        server.complete(&json!({ "prompt": PROMPT, "seed": 3, "max_tokens": 60, "stop": stop }));
    assert_eq!(reply["choices"][0]["text"], &whole[..end]);
    assert_eq!(reply["choices"][0]["finish_reason"], "stop");
}

#[test]
fn echoed_likelihoods_are_those_of_score() {
    let server = Server::new();
    let trained = open(server.folder.path());
    let scorer = Scorer::new(&trained, Memory::Live).unwrap();
    let prompts = [PROMPT, "Once upon a time", "Ab"];
    for (tokens, likeliest) in [(1, 1), (0, 3), (4, 2)] {
        let body = json!({
            "prompt": prompts, "echo": true, "logprobs": likeliest, "max_tokens": tokens, "temperature": 0,
        });
        let reply = server.complete(&body);
        for (prompt, choice) in prompts.iter().zip(reply["choices"].as_array().unwrap()) {
            let told = &choice["logprobs"];
            let list = |key: &str| told[key].as_array().unwrap().clone();
            let (logs, tops) = (list("token_logprobs"), list("top_logprobs"));
            for key in ["tokens", "token_logprobs", "top_logprobs", "text_offset"] {
                assert_eq!(list(key).len(), prompt.len() + tokens, "{key}");
            }
            assert!(logs[0].is_null() && tops[0].is_null());
            let sum: f64 = logs[1..prompt.len()]
                .iter()
                .map(|log| log.as_f64().unwrap())
                .sum();
            let question = Choice {
                context: prompt[..1].to_owned(),
                continuation: prompt[1..].to_owned(),
            };
            let expected = scorer.score(&[&question], &|_| {}).unwrap()[0].likelihood;
            assert!(
                (sum - expected.log).abs() < 1e-4 * sum.abs(),
                "{sum} {expected:?}"
            );
            let is_greedy = (1..prompt.len()).all(|at| {
                let best = tops[at]
                    .as_object()
                    .unwrap()
                    .values()
                    .map(|log| log.as_f64().unwrap());
                logs[at].as_f64().unwrap() >= best.fold(f64::MIN, f64::max)
            });
            assert_eq!(is_greedy, expected.greedy);
            for (log, top) in logs.iter().zip(&tops).skip(1) {
                assert_eq!(top.as_object().unwrap().len(), likeliest);
                assert!(log.as_f64().unwrap() <= 0.0);
            }
            // What is written greedily is the likeliest, to the last bit.
            for at in prompt.len()..prompt.len() + tokens {
                let best = tops[at]
                    .as_object()
                    .unwrap()
                    .values()
                    .map(|log| log.as_f64().unwrap());
                assert!(logs[at].as_f64().unwrap() >= best.fold(f64::MIN, f64::max));
            }
            let text = choice["text"].as_str().unwrap();
            assert!(text.starts_with(prompt), "{text}");
        }
    }
    // Without an echo, of what is written alone.
    let reply = server.complete(&json!({ "prompt": "A", "logprobs": 0, "max_tokens": 3 }));
    let logs = reply["choices"][0]["logprobs"]["token_logprobs"]
        .as_array()
        .unwrap();
    assert_eq!(logs.len(), 3);
    let reply = server.complete(&json!({ "prompt": "A", "max_tokens": 3 }));
    assert!(reply["choices"][0]["logprobs"].is_null());
}

#[test]
fn a_prompt_longer_than_a_pass_is_read_in_pieces() {
    let server = Server::new();
    let prompt = PROMPT.repeat(300);
    let body = |tokens: usize| json!({ "prompt": prompt, "echo": true, "logprobs": 1, "max_tokens": tokens, "temperature": 0 });
    let reply = server.complete(&body(1));
    let logs = reply["choices"][0]["logprobs"]["token_logprobs"]
        .as_array()
        .unwrap();
    assert_eq!(logs.len(), prompt.len() + 1);
    assert!(logs[1..].iter().all(Value::is_number));
    let trained = open(server.folder.path());
    let scorer = Scorer::new(&trained, Memory::Live).unwrap();
    let question = Choice {
        context: prompt[..1].to_owned(),
        continuation: prompt[1..].to_owned(),
    };
    let expected = scorer.score(&[&question], &|_| {}).unwrap()[0]
        .likelihood
        .log;
    let sum: f64 = logs[1..prompt.len()]
        .iter()
        .map(|log| log.as_f64().unwrap())
        .sum();
    assert!(
        (sum - expected).abs() < 1e-4 * sum.abs(),
        "{sum} {expected}"
    );
}

#[test]
fn tokens_and_facts_are_told() {
    let server = Server::new();
    let tokens = server.get(
        "POST",
        "/tokenize",
        &json!({ "prompt": "Aä", "add_special_tokens": false }),
    );
    assert_eq!(tokens["tokens"], json!([65, 195, 164]));
    let text = server.get("POST", "/detokenize", &json!({ "tokens": [65, 195, 164] }));
    assert_eq!(text["prompt"], "Aä");
    assert_eq!(
        server.get("GET", "/tokenizer_info", &Value::Null)["vocab_size"],
        256
    );
    assert_eq!(
        server.get("GET", "/v1/models", &Value::Null)["data"][0]["id"],
        "run"
    );
    assert_eq!(
        server.get("GET", "/v1/models/run", &Value::Null)["id"],
        "run"
    );
    assert_eq!(server.get("GET", "/health", &Value::Null)["status"], "ok");
    server.text(&json!({ "prompt": "A", "max_tokens": 3 }));
    assert!(server.metric("miras_tokens_written_total") >= 3.0);
    // It is counted down once the reply is on its way.
    let began = Instant::now();
    while server.metric("miras_completions_active") > 0.5 {
        assert!(began.elapsed() < Duration::from_secs(20), "it stays");
    }
    // Half a character is no text.
    let reply = server
        .complete(&json!({ "prompt": [65, 195], "echo": true, "logprobs": 0, "max_tokens": 0 }));
    assert_eq!(
        reply["choices"][0]["logprobs"]["tokens"],
        json!(["A", "bytes:\\xc3"])
    );
}

#[test]
fn offsets_count_characters_of_the_text() {
    let server = Server::new();
    let body =
        json!({ "prompt": "h\u{e9}\u{1f600}o", "echo": true, "logprobs": 0, "max_tokens": 0 });
    let reply = server.complete(&body);
    let offsets = &reply["choices"][0]["logprobs"]["text_offset"];
    assert_eq!(*offsets, json!([0, 1, 1, 2, 2, 2, 2, 3]));
}

#[test]
fn the_default_length_is_within_the_limit() {
    let server = Server::with(Limits {
        completion: 5,
        ..Limits::default()
    });
    let reply = server.complete(&json!({ "prompt": "A" }));
    assert_eq!(reply["usage"]["completion_tokens"], 5);
}
