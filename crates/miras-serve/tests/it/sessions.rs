//! Memories that are kept from request to request.

use std::time::Duration;

use miras_serve::Limits;
use serde_json::{Value, json};

use crate::support::Server;

fn new(server: &Server, id: &str) {
    server.get("POST", "/v1/sessions", &json!({ "id": id }));
}

fn tokens(server: &Server, id: &str) -> Value {
    server.get("GET", &format!("/v1/sessions/{id}"), &Value::Null)["tokens"].clone()
}

fn say(server: &Server, id: &str, prompt: &str, count: usize) -> String {
    server.text(&json!({ "prompt": prompt, "session": id, "max_tokens": count, "temperature": 0 }))
}

#[test]
fn a_session_goes_on_as_if_it_were_one_text() {
    let server = Server::new();
    new(&server, "a");
    let first = say(&server, "a", "Mara has a red kite. ", 5);
    let second = say(&server, "a", " Tom keeps", 7);
    // What is no UTF-8 cannot be sent again as text.
    if !first.contains('\u{fffd}') {
        let whole = format!("Mara has a red kite. {first} Tom keeps");
        let expected = server.text(&json!({ "prompt": whole, "max_tokens": 7, "temperature": 0 }));
        assert_eq!(second, expected);
    }
    assert_eq!(tokens(&server, "a"), 21 + 5 + 10 + 7);
    // An empty prompt goes on from where it stands.
    say(&server, "a", "", 2);
    assert_eq!(tokens(&server, "a"), 45);
    let error = server.ask(
        "POST",
        "/v1/completions",
        &json!({ "prompt": "", "max_tokens": 2 }).to_string(),
    );
    assert_eq!(error.0, 400);
}

#[test]
fn forks_and_files_have_read_the_same_and_go_their_own_way() {
    let server = Server::new();
    new(&server, "a");
    say(&server, "a", "Mara has a red kite and nine stones.", 0);
    server.get("POST", "/v1/sessions/a/fork", &json!({ "id": "b" }));
    server.get("POST", "/v1/sessions/a/save", &json!({ "file": "kept" }));
    let expected = say(&server, "a", " Tom", 12);
    assert_eq!(say(&server, "b", " Tom", 12), expected);
    server.get("DELETE", "/v1/sessions/a", &Value::Null);
    assert_eq!(server.ask("GET", "/v1/sessions/a", "").0, 404);
    server.get(
        "POST",
        "/v1/sessions",
        &json!({ "id": "a", "load": "kept" }),
    );
    assert_eq!(tokens(&server, "a"), 36);
    assert_eq!(say(&server, "a", " Tom", 12), expected);
    let all = server.get("GET", "/v1/sessions", &Value::Null);
    let ids: Vec<_> = all["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["id"].clone())
        .collect();
    assert_eq!(ids, ["a", "b"]);
    assert!((server.metric("miras_sessions") - 2.0).abs() < 0.1);
}

#[test]
fn a_session_that_nobody_uses_is_forgotten() {
    let server = Server::with(Limits {
        session_age: Duration::from_millis(300),
        ..Limits::default()
    });
    new(&server, "a");
    say(&server, "a", "Mara", 1);
    std::thread::sleep(Duration::from_millis(1200));
    let (status, error) = server.ask("GET", "/v1/sessions/a", "");
    assert!(status == 404 && error.contains("expired"), "{error}");
}

#[test]
fn what_cannot_be_done_with_a_session_is_refused() {
    let server = Server::with(Limits {
        sessions: 2,
        ..Limits::default()
    });
    new(&server, "a");
    let cases = [
        (
            "POST",
            "/v1/sessions",
            json!({ "id": "a" }),
            409,
            "there is a session `a` already",
        ),
        (
            "POST",
            "/v1/sessions",
            json!({ "id": "../a" }),
            400,
            "letters, digits",
        ),
        ("POST", "/v1/sessions", json!({}), 400, "`id` is missing"),
        (
            "POST",
            "/v1/sessions",
            json!({ "id": "c", "load": "none" }),
            404,
            "no session was saved as `none`",
        ),
        (
            "POST",
            "/v1/sessions/none/fork",
            json!({ "id": "c" }),
            404,
            "there is no session `none`",
        ),
        (
            "POST",
            "/v1/sessions/a/save",
            json!({ "file": "/x" }),
            400,
            "letters, digits",
        ),
        (
            "POST",
            "/v1/sessions/a/save",
            json!({ "file": "x" }),
            400,
            "nothing to save",
        ),
        (
            "DELETE",
            "/v1/sessions/none",
            json!(null),
            404,
            "no session `none`",
        ),
        (
            "POST",
            "/v1/completions",
            json!({ "prompt": "A", "session": "none" }),
            404,
            "no session `none`",
        ),
        (
            "POST",
            "/v1/completions",
            json!({ "prompt": ["A", "B"], "session": "a" }),
            400,
            "one prompt",
        ),
    ];
    for (method, path, body, status, expected) in cases {
        let (found, error) = server.ask(method, path, &body.to_string());
        assert!(
            found == status && error.contains(expected),
            "{path} {body}: {found} {error}"
        );
    }
    new(&server, "b");
    let (status, error) = server.ask("POST", "/v1/sessions", &json!({ "id": "c" }).to_string());
    assert!(
        status == 429 && error.contains("2 sessions are held"),
        "{error}"
    );
}
