//! `serve`: a trained run behind HTTP.

use std::fs;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context;
use miras_registry::Registry;
use miras_run::Memory;
use miras_serve::{Limits, Options, ServeError};

use crate::{
    out::{Out, eprint_line},
    signals, trained,
    usage::Usage,
    use_args::ServeArgs,
};

pub(crate) fn serve(args: ServeArgs, registry: &Registry, out: &mut Out) -> anyhow::Result<()> {
    let trained = trained::open(&args.which, registry)?;
    let memory = trained.memory(None);
    if memory != Memory::Live {
        let message = format!(
            "a server's memories learn, and {} was trained with train.memory = \"{memory}\"",
            trained.origin.run
        );
        let help = "use `generate` or `score`, which do what it was trained with";
        return Err(Usage::new(message).help(help.to_owned()).into());
    }
    if let Some(folder) = &args.sessions {
        fs::create_dir_all(folder)
            .with_context(|| format!("cannot create the folder {}", folder.display()))?;
    }
    let limits = Limits {
        prompt: args.max_prompt,
        completion: args.max_tokens,
        requests: args.max_requests,
        sessions: args.max_sessions,
        session_age: Duration::from_secs(args.session_age),
        request: Duration::from_secs(args.timeout),
        grace: Duration::from_secs(args.grace),
        ..Limits::default()
    };
    let options = Options {
        address: SocketAddr::new(args.host, args.port),
        model: args.name.unwrap_or_else(|| trained.origin.run.clone()),
        folder: args.sessions,
        limits,
    };
    if !args.host.is_loopback() {
        let host = args.host;
        eprint_line(format!(
            "warning: everybody who reaches {host} may use this server, as there is no authentication"
        ));
    }
    let stop = signals::stop_flag([
        "stopping: requests under way are finished (again to exit at once)",
        "stopped at once",
    ])?;
    let model = options.model.clone();
    let mut told = Ok(());
    let served = miras_serve::serve(trained, options, stop, |address| {
        told = out.text(&format!("serving {model} at http://{address}/v1"));
    });
    match served {
        Err(ServeError::Use(error)) => Err(error.into()),
        Err(error) => Err(error.into()),
        Ok(()) => told,
    }
}
