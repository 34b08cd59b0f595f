//! Connections, each of which has a time in which a request has to begin.

use std::future::Future;
use std::io;
use std::pin::pin;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// How long nothing is accepted after the system had nothing for another connection.
const PAUSE: Duration = Duration::from_secs(1);

/// Answers requests until `stopped`, and then those that are under way.
///
/// A connection on which the head of a request does not arrive within `head`, counted from its
/// beginning or from the end of the last reply, is closed.
pub(crate) async fn answer(
    listener: TcpListener,
    router: Router,
    head: Duration,
    stopped: impl Future<Output = ()>,
) {
    let mut stopped = pin!(stopped);
    let mut connections = JoinSet::new();
    let (stop, is_stopped) = watch::channel(false);
    loop {
        tokio::select! {
            () = &mut stopped => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(connection(stream, router.clone(), head, is_stopped.clone()));
                }
                Err(error) if is_of_one(&error) => {}
                Err(_) => tokio::time::sleep(PAUSE).await,
            },
            // Those that have ended are forgotten.
            Some(_) = connections.join_next() => {}
        }
    }
    drop(listener);
    // Without a receiver there is no connection.
    let _ = stop.send(true);
    while connections.join_next().await.is_some() {}
}

/// Whether the next connection may be accepted at once.
fn is_of_one(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
    )
}

/// The requests of one connection. A client that leaves, or that does not speak HTTP, ends it.
async fn connection(
    stream: TcpStream,
    router: Router,
    head: Duration,
    mut is_stopped: watch::Receiver<bool>,
) {
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(head)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    let mut connection = pin!(connection);
    tokio::select! {
        _ = &mut connection => {}
        _ = is_stopped.changed() => {
            connection.as_mut().graceful_shutdown();
            let _ = connection.await;
        }
    }
}
