//! From start to stop.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;
use std::{io, thread};

use miras_use::{Trained, UseError};
use tokio::net::TcpListener;
use tokio::runtime;
use tokio::sync::watch;

use crate::connections::answer;
use crate::http::{App, Text, router};
use crate::metrics::Metrics;
use crate::options::Options;
use crate::worker::Worker;

/// How often it is looked whether the server should stop.
const LOOK: Duration = Duration::from_millis(50);

/// Why a server does not start, or ends.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// The run cannot be served.
    #[error(transparent)]
    Use(#[from] UseError),
    /// The address is taken, or not of this machine.
    #[error("cannot listen on {address}: {cause}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why. It is part of the message, therefore no `source`.
        cause: io::Error,
    },
    /// The system does not give what the server needs.
    #[error("the server cannot run: {0}")]
    System(io::Error),
}

/// Serves a run until `stop` is raised; `ready` is told the address once requests are answered.
///
/// Then nothing new is accepted, and what is under way has [`Limits::grace`](crate::Limits::grace)
/// to end.
///
/// # Errors
/// If the data of the run are no text, and if the address cannot be listened on.
pub fn serve(
    trained: Trained,
    options: Options,
    stop: Arc<AtomicBool>,
    ready: impl FnOnce(SocketAddr),
) -> Result<(), ServeError> {
    let tokenizer = Arc::new(trained.tokenizer()?);
    let separator = trained.separator().map(str::to_owned);
    let beginning = trained.beginning(&tokenizer)?;
    let metrics = Arc::new(Metrics::new());
    let (jobs, inbox) = mpsc::channel();
    let gives_up = Arc::new(AtomicBool::new(false));
    let (told, is_told) = watch::channel(false);
    let runtime = runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(ServeError::System)?;
    let listener = runtime.block_on(TcpListener::bind(options.address));
    let listener = listener.map_err(|cause| ServeError::Listen {
        address: options.address,
        cause,
    })?;
    let address = listener.local_addr().map_err(ServeError::System)?;
    let (head, grace) = (options.limits.head, options.limits.grace);
    let worker = {
        let (metrics, tokenizer) = (metrics.clone(), tokenizer.clone());
        let (options, gives_up) = (options.clone(), gives_up.clone());
        let work =
            move || Worker::new(trained, tokenizer, &options, metrics).run(&inbox, &gives_up);
        let thread = thread::Builder::new().name("model".to_owned());
        thread.spawn(work).map_err(ServeError::System)?
    };
    let text = Text {
        tokenizer,
        separator,
        beginning,
    };
    let app = App::new(options, text, metrics, jobs, is_told);
    runtime.block_on(async {
        let stopped = {
            let stop = stop.clone();
            async move {
                while !stop.load(Ordering::SeqCst) {
                    tokio::time::sleep(LOOK).await;
                }
            }
        };
        let server = answer(listener, router(app), head, stopped);
        ready(address);
        let late = async {
            while !stop.load(Ordering::SeqCst) {
                tokio::time::sleep(LOOK).await;
            }
            tokio::time::sleep(grace).await;
            gives_up.store(true, Ordering::SeqCst);
            // Who waits is told so, whatever the model is at.
            let _ = told.send(true);
            // Long enough for the errors to reach their clients.
            tokio::time::sleep(Duration::from_secs(1)).await;
        };
        tokio::select! {
            () = server => {}
            () = late => {}
        }
    });
    gives_up.store(true, Ordering::SeqCst);
    runtime.shutdown_background();
    // The worker catches what goes wrong in a job, and ends when nobody can ask any more.
    let _ = worker.join();
    Ok(())
}
