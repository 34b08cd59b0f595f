//! A small run, a server for it, and a client.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;

use miras_config::Layers;
use miras_log::{Console, ProgressMode};
use miras_registry::Registry;
use miras_serve::{Limits, Options, serve};
use miras_spec::RunConfig;
use miras_trainer::RunRequest;
use miras_use::{At, Trained};
use serde_json::Value;
use tempfile::TempDir;

const CONFIG: &str = "
[model]
dim = 16
layers = 2
ffn_dim = 16
[mixer]
heads = 2
[algorithm]
chunk = 8
[data]
seq_len = 40
[train]
steps = 3
batch = 3
[optim]
warmup = 1
[eval]
every = 0
tokens = 240
[log]
histograms = 0
";

/// A run named `run` in a folder.
pub(crate) fn train(folder: &Path) {
    let mut layers = Layers::new();
    layers.text("test.toml", CONFIG).unwrap();
    let (config, _) = RunConfig::load(layers, &Registry::builtin()).unwrap();
    let request = RunRequest {
        runs: folder.to_owned(),
        name: Some("run".to_owned()),
        stem: "run".to_owned(),
        resume: None,
        device: None,
        progress: ProgressMode::Quiet,
        console: Console::writer(io::sink()),
        stop: Arc::default(),
        resume_command: String::new(),
        built_from: None,
    };
    miras_trainer::run(config, request).unwrap();
}

pub(crate) fn open(folder: &Path) -> Trained {
    Trained::open(&Registry::builtin(), folder, "run", At::Latest, None).unwrap()
}

/// A server, stopped when it is dropped.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) folder: TempDir,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    pub(crate) fn new() -> Self {
        Self::with(Limits::default())
    }

    pub(crate) fn with(limits: Limits) -> Self {
        let folder = tempfile::tempdir().unwrap();
        train(folder.path());
        let trained = open(folder.path());
        let options = Options {
            address: "127.0.0.1:0".parse().unwrap(),
            model: "run".to_owned(),
            folder: Some(folder.path().to_owned()),
            limits,
        };
        let stop = Arc::<AtomicBool>::default();
        let (ready, address) = mpsc::channel();
        let told = stop.clone();
        let thread = std::thread::spawn(move || {
            serve(trained, options, told, |at| ready.send(at).unwrap()).unwrap();
        });
        Self {
            address: address.recv().unwrap(),
            folder,
            stop,
            thread: Some(thread),
        }
    }

    pub(crate) fn stop(&self) {
        self.stop.store(true, Ordering::SeqCst);
    }

    /// Waits until it has ended.
    pub(crate) fn join(&mut self) {
        self.stop();
        self.thread.take().unwrap().join().unwrap();
    }

    /// Sends a request and reads the whole reply.
    pub(crate) fn ask(&self, method: &str, path: &str, body: &str) -> (u16, String) {
        let mut stream = self.begin(method, path, body);
        let mut reply = Vec::new();
        stream.read_to_end(&mut reply).unwrap();
        let reply = String::from_utf8(reply).unwrap();
        let (head, body) = reply.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let is_chunked = head.to_lowercase().contains("transfer-encoding: chunked");
        let body = if is_chunked {
            joined(body)
        } else {
            body.to_owned()
        };
        (status, body)
    }

    /// Sends a request.
    pub(crate) fn begin(&self, method: &str, path: &str, body: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).unwrap();
        let len = body.len();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: here\r\nConnection: close\r\nContent-Length: {len}\r\n\r\n{body}"
        );
        stream.write_all(request.as_bytes()).unwrap();
        stream
    }

    /// The reply to a request that has to succeed.
    pub(crate) fn get(&self, method: &str, path: &str, body: &Value) -> Value {
        let (status, reply) = self.ask(method, path, &body.to_string());
        assert!((200..300).contains(&status), "{status}: {reply}");
        serde_json::from_str(&reply).unwrap()
    }

    pub(crate) fn complete(&self, body: &Value) -> Value {
        self.get("POST", "/v1/completions", body)
    }

    /// The text of the first choice.
    pub(crate) fn text(&self, body: &Value) -> String {
        let reply = self.complete(body);
        reply["choices"][0]["text"].as_str().unwrap().to_owned()
    }

    /// A number of `/metrics`.
    pub(crate) fn metric(&self, name: &str) -> f64 {
        let (_, text) = self.ask("GET", "/metrics", "");
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix(&format!("{name} ")));
        line.unwrap_or_else(|| panic!("{name}: {text}"))
            .parse()
            .unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            assert!(std::thread::panicking() || ended.is_ok());
        }
    }
}

/// A body that came in chunks.
fn joined(mut chunks: &str) -> String {
    let mut all = String::new();
    loop {
        let (size, rest) = chunks.split_once("\r\n").unwrap();
        let size = usize::from_str_radix(size, 16).unwrap();
        if size == 0 {
            return all;
        }
        all += &rest[..size];
        chunks = &rest[size + 2..];
    }
}
