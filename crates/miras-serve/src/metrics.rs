//! Counters, in the text format of Prometheus.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// What a server counts.
pub(crate) struct Metrics {
    started: Instant,
    /// Requests by endpoint and status, and the time that they took.
    requests: Mutex<BTreeMap<(String, u16), (u64, Duration)>>,
    /// Tokens read.
    pub(crate) read: AtomicU64,
    /// Tokens written.
    pub(crate) written: AtomicU64,
    /// Completions that were given up because their client had left.
    pub(crate) left: AtomicU64,
    /// Completions under way.
    pub(crate) active: AtomicU64,
    /// Sessions held.
    pub(crate) sessions: AtomicU64,
}

impl Metrics {
    pub(crate) fn new() -> Self {
        Self {
            started: Instant::now(),
            requests: Mutex::default(),
            read: AtomicU64::new(0),
            written: AtomicU64::new(0),
            left: AtomicU64::new(0),
            active: AtomicU64::new(0),
            sessions: AtomicU64::new(0),
        }
    }

    /// A request has been answered.
    pub(crate) fn answered(&self, endpoint: &str, status: u16, took: Duration) {
        let mut requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        let of = requests.entry((endpoint.to_owned(), status)).or_default();
        of.0 += 1;
        of.1 += took;
    }

    /// All of them.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        let numbers = [
            ("tokens_read_total", "counter", "Tokens read", &self.read),
            (
                "tokens_written_total",
                "counter",
                "Tokens written",
                &self.written,
            ),
            (
                "completions_left_total",
                "counter",
                "Completions whose client left",
                &self.left,
            ),
            (
                "completions_active",
                "gauge",
                "Completions under way",
                &self.active,
            ),
            ("sessions", "gauge", "Sessions held", &self.sessions),
        ];
        // Writing to a string cannot fail.
        for (name, kind, help, number) in numbers {
            let value = number.load(Ordering::Relaxed);
            let _ = writeln!(
                text,
                "# HELP miras_{name} {help}.\n# TYPE miras_{name} {kind}\nmiras_{name} {value}"
            );
        }
        let uptime = self.started.elapsed().as_secs_f64();
        let _ = writeln!(
            text,
            "# HELP miras_uptime_seconds Seconds since the start.\n# TYPE miras_uptime_seconds gauge\nmiras_uptime_seconds {uptime:.3}"
        );
        let _ = writeln!(
            text,
            "# HELP miras_request_seconds Requests and the seconds they took.\n# TYPE miras_request_seconds summary"
        );
        let requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        for ((endpoint, status), (count, took)) in &*requests {
            let labels = format!("{{endpoint=\"{endpoint}\",status=\"{status}\"}}");
            let took = took.as_secs_f64();
            let _ = writeln!(
                text,
                "miras_request_seconds_sum{labels} {took:.6}\nmiras_request_seconds_count{labels} {count}"
            );
        }
        text
    }
}
