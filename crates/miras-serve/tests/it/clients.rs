//! Many clients, clients that leave, and the end.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use miras_serve::Limits;
use serde_json::{Value, json};

use crate::support::Server;

#[test]
fn sixty_four_clients_with_sessions_do_not_mix() {
    let server = Server::new();
    let name = |client: usize| format!("client-{client}");
    let ask = |server: &Server, client: usize, turn: usize| {
        let prompt = format!("Client {client} says {}. ", "no".repeat(client % 5 + turn));
        server.text(&json!({
            "prompt": prompt, "session": name(client), "max_tokens": 6, "seed": client, "temperature": 1.0,
        }))
    };
    let open = |client: usize| {
        server.get("POST", "/v1/sessions", &json!({ "id": name(client) }));
    };
    // One after the other, then all at once.
    let mut alone = Vec::new();
    for client in 0..64 {
        open(client);
        alone.push([ask(&server, client, 1), ask(&server, client, 2)]);
        server.get(
            "DELETE",
            &format!("/v1/sessions/{}", name(client)),
            &Value::Null,
        );
    }
    (0..64).for_each(open);
    let together: Vec<[String; 2]> = std::thread::scope(|scope| {
        let clients = (0..64).map(|client| {
            let server = &server;
            scope.spawn(move || [ask(server, client, 1), ask(server, client, 2)])
        });
        let clients: Vec<_> = clients.collect();
        clients
            .into_iter()
            .map(|client| client.join().unwrap())
            .collect()
    });
    // Rows that are computed together are rounded as they are alone here: no choice falls apart.
    assert_eq!(together, alone);
    assert!((server.metric("miras_sessions") - 64.0).abs() < 0.1);
}

#[test]
fn a_client_that_leaves_ends_its_work_and_no_other() {
    let server = Server::new();
    server.get("POST", "/v1/sessions", &json!({ "id": "a" }));
    let body = json!({ "prompt": "Mara", "session": "a", "max_tokens": 60000, "stream": true });
    let mut stream = server.begin("POST", "/v1/completions", &body.to_string());
    let mut some = [0; 400];
    stream.read_exact(&mut some).unwrap();
    // The session is in use, and says so.
    let facts = server.get("GET", "/v1/sessions/a", &Value::Null);
    assert_eq!(facts["busy"], true);
    let busy = json!({ "prompt": "B", "session": "a" }).to_string();
    let (status, error) = server.ask("POST", "/v1/completions", &busy);
    assert!(
        status == 409 && error.contains("in the middle of another request"),
        "{error}"
    );
    drop(stream);
    let began = Instant::now();
    while server.metric("miras_completions_left_total") < 1.0 {
        assert!(began.elapsed() < Duration::from_secs(20), "it still writes");
        std::thread::sleep(Duration::from_millis(20));
    }
    // What was left has not been read by the session.
    let facts = server.get("GET", "/v1/sessions/a", &Value::Null);
    assert_eq!(facts["tokens"], 0);
    let body = json!({ "prompt": "B", "session": "a", "max_tokens": 2, "temperature": 0 });
    assert!(!server.text(&body).is_empty());
}

#[test]
fn too_much_and_too_long_are_refused() {
    let server = Server::with(Limits {
        requests: 1,
        request: Duration::from_secs(2),
        ..Limits::default()
    });
    let long = json!({ "prompt": "Mara", "max_tokens": 60000 }).to_string();
    std::thread::scope(|scope| {
        let first = scope.spawn(|| server.ask("POST", "/v1/completions", &long));
        std::thread::sleep(Duration::from_millis(500));
        let (status, error) = server.ask("POST", "/v1/completions", &long);
        assert!(
            status == 429 && error.contains("1 requests are under way"),
            "{error}"
        );
        let (status, error) = first.join().unwrap();
        assert!(
            status == 504 && error.contains("more than 2 seconds"),
            "{error}"
        );
    });
    assert_eq!(
        server.complete(&json!({ "prompt": "A", "max_tokens": 1 }))["usage"]["completion_tokens"],
        1
    );
}

#[test]
fn what_is_under_way_is_finished_before_it_stops() {
    let mut server = Server::new();
    let body = json!({ "prompt": "Mara", "max_tokens": 400, "stream": true }).to_string();
    let mut stream = server.begin("POST", "/v1/completions", &body);
    let mut some = [0; 200];
    stream.read_exact(&mut some).unwrap();
    server.join();
    let mut rest = String::new();
    stream.read_to_string(&mut rest).unwrap();
    assert!(
        rest.contains("\"finish_reason\":\"length\"") && rest.contains("[DONE]"),
        "{rest}"
    );

    let mut server = Server::with(Limits {
        grace: Duration::from_millis(300),
        ..Limits::default()
    });
    let body = json!({ "prompt": "Mara", "max_tokens": 60000, "stream": true }).to_string();
    let mut stream = server.begin("POST", "/v1/completions", &body);
    stream.read_exact(&mut some).unwrap();
    server.join();
    let mut rest = String::new();
    stream.read_to_string(&mut rest).unwrap();
    assert!(rest.contains("the server is stopping"), "{rest}");
}

#[test]
fn a_client_that_does_not_read_is_given_up_in_time() {
    let server = Server::with(Limits {
        requests: 1,
        request: Duration::from_secs(3),
        ..Limits::default()
    });
    let body = json!({ "prompt": "Mara", "max_tokens": 60000, "stream": true }).to_string();
    let stream = server.begin("POST", "/v1/completions", &body);
    let began = Instant::now();
    loop {
        let (status, _) = server.ask(
            "POST",
            "/v1/completions",
            &json!({ "prompt": "A" }).to_string(),
        );
        if status == 200 {
            break;
        }
        assert!(
            began.elapsed() < Duration::from_secs(20),
            "its place is not free"
        );
        std::thread::sleep(Duration::from_millis(100));
    }
    drop(stream);
}

#[test]
fn a_connection_without_the_head_of_a_request_is_closed_and_one_in_use_is_not() {
    let head = Duration::from_millis(400);
    let server = Server::with(Limits {
        head,
        ..Limits::default()
    });
    let began = Instant::now();
    let connect = || TcpStream::connect(server.address).unwrap();
    // One that says nothing, and one that sends a byte now and then.
    let (mut silent, mut slow) = (connect(), connect());
    let slow_one = std::thread::spawn(move || {
        for byte in b"GET /health HTTP/1.1\r\nHost: here and there\r\n"
            .iter()
            .cycle()
        {
            if slow.write_all(&[*byte]).is_err() {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    });
    let mut nothing = Vec::new();
    let _ = silent.read_to_end(&mut nothing);
    assert!(began.elapsed() >= head);
    slow_one.join().unwrap();
    assert!(nothing.is_empty(), "{}", String::from_utf8_lossy(&nothing));
    // A connection that asks again in time is kept longer than that.
    let mut used = connect();
    let began = Instant::now();
    while began.elapsed() < 2 * head {
        used.write_all(b"GET /health HTTP/1.1\r\nHost: here\r\n\r\n")
            .unwrap();
        let mut reply = [0; 15];
        used.read_exact(&mut reply).unwrap();
        assert_eq!(&reply, b"HTTP/1.1 200 OK");
        used.set_read_timeout(Some(Duration::from_millis(50)))
            .unwrap();
        while used.read(&mut reply).is_ok_and(|read| read > 0) {}
        used.set_read_timeout(None).unwrap();
    }
}
