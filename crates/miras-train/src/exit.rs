//! Every end of the program becomes a message and an exit code.

use std::{
    any::Any,
    backtrace::{Backtrace, BacktraceStatus},
    env, io, panic,
    process::ExitCode,
    sync::{Arc, Mutex, PoisonError},
};

use console::Term;
use miras_compare::CompareError;
use miras_config::ConfigError;
use miras_data::DataError;
use miras_device::DeviceError;
use miras_run::RunError;
use miras_spec::SpecError;
use miras_sweep::SweepError;
use miras_trainer::TrainError;
use miras_use::UseError;

use crate::{
    dress,
    out::{Closed, columns_of, eprint_line},
    slips,
    status::ExitStatus,
    usage::Usage,
};

/// Prints help, the version or what is wrong with the arguments.
pub(crate) fn of_arguments(error: &clap::Error) -> ExitCode {
    let words: Vec<String> = env::args_os()
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    if let Some(usage) = slips::explain(error, &words) {
        eprint_line(format_args!("error: {usage}"));
        return ExitStatus::Usage.code();
    }
    print_arguments(error);
    if error.use_stderr() {
        ExitStatus::Usage.code()
    } else {
        ExitStatus::Done.code()
    }
}

/// Prints what the parser says, with lines that fit the terminal.
fn print_arguments(error: &clap::Error) {
    let is_error = error.use_stderr();
    let stream = if is_error {
        Term::stderr()
    } else {
        Term::stdout()
    };
    // Nobody is left to be told that this could not be printed.
    let _ = match columns_of(&stream) {
        None => error.print(),
        Some(columns) => {
            let has_colours = if is_error {
                console::colors_enabled_stderr()
            } else {
                console::colors_enabled()
            };
            let text = if has_colours {
                error.render().ansi().to_string()
            } else {
                error.render().to_string()
            };
            let lines = text.lines().flat_map(|line| dress::broken(line, columns));
            stream.write_line(&lines.collect::<Vec<_>>().join("\n"))
        }
    };
}

/// Prints an error and says which end it is.
pub(crate) fn of_error(error: &anyhow::Error) -> ExitCode {
    if let Some(Closed(cause)) = error.downcast_ref()
        && cause.kind() == io::ErrorKind::BrokenPipe
    {
        // `miras-train parts | head -1` got what it wanted.
        return ExitStatus::Done.code();
    }
    let config = match error.downcast_ref() {
        Some(UseError::Config(error)) => Some(error),
        _ => error.downcast_ref::<ConfigError>(),
    };
    if let Some(error) = config {
        eprint_line(error);
        return status_of_config(error).code();
    }
    eprint_line(format_args!("error: {error:#}"));
    status_of(error).code()
}

/// How the program ends where a configuration, or what it names, cannot be read.
pub(crate) fn status_of_config(error: &ConfigError) -> ExitStatus {
    if error.is_outside() {
        ExitStatus::Failed
    } else {
        ExitStatus::Usage
    }
}

fn status_of(error: &anyhow::Error) -> ExitStatus {
    if let Some(UseError::NonFinite(_)) = error.downcast_ref() {
        return ExitStatus::NonFinite;
    }
    let is_usage = error.is::<Usage>()
        || (error.downcast_ref())
            .is_some_and(|error: &DataError| matches!(error, DataError::Letter { .. }))
        || error.downcast_ref().is_some_and(is_run_usage)
        || error.downcast_ref().is_some_and(is_device_usage)
        || error.downcast_ref().is_some_and(is_spec_usage)
        || error.downcast_ref().is_some_and(is_train_usage)
        || error.downcast_ref().is_some_and(is_use_usage)
        || (error.downcast_ref())
            .is_some_and(|error: &CompareError| matches!(error, CompareError::Usage(_)))
        || (error.downcast_ref()).is_some_and(|error: &SweepError| match error {
            SweepError::Run(error) => is_run_usage(error),
            error => matches!(error, SweepError::Usage(_)),
        });
    if is_usage {
        ExitStatus::Usage
    } else {
        ExitStatus::Failed
    }
}

/// Whether another command line or configuration is what helps.
fn is_train_usage(error: &TrainError) -> bool {
    match error {
        TrainError::Spec(error) => is_spec_usage(error),
        TrainError::Changed { .. }
        | TrainError::Beyond { .. }
        | TrainError::OtherData { .. }
        | TrainError::OtherTokenizer { .. } => true,
        _ => false,
    }
}

fn is_spec_usage(error: &SpecError) -> bool {
    match error {
        SpecError::Run(error) => is_run_usage(error),
        SpecError::Device(error) => is_device_usage(error),
        SpecError::Stored(_)
        | SpecError::Precision { .. }
        | SpecError::NoFusion
        | SpecError::TooLarge { .. }
        | SpecError::VerifiesItself { .. } => true,
        _ => false,
    }
}

fn is_use_usage(error: &UseError) -> bool {
    match error {
        UseError::Run(error) => is_run_usage(error),
        UseError::Spec(error) => is_spec_usage(error),
        UseError::Device(error) => is_device_usage(error),
        error => error.is_usage(),
    }
}

fn is_device_usage(error: &DeviceError) -> bool {
    !matches!(error, DeviceError::Absent { .. })
}

fn is_run_usage(error: &RunError) -> bool {
    matches!(
        error,
        RunError::BadName { .. }
            | RunError::Exists { .. }
            | RunError::NoRun { .. }
            | RunError::NoConfig { .. }
            | RunError::NoCheckpoint { .. }
            | RunError::NoStep { .. }
            | RunError::ConfigChanged { .. }
            | RunError::ExportChanged { .. }
    )
}

/// Does the work; a panic, in whatever library, becomes an error like any other.
pub(crate) fn catch_panics(work: impl FnOnce() -> ExitCode) -> ExitCode {
    // Libraries catch some of their panics, so nothing is printed before all is lost.
    let last = Arc::new(Mutex::new(String::new()));
    let noted = Arc::clone(&last);
    panic::set_hook(Box::new(move |info| {
        let place = info
            .location()
            .map_or(String::new(), |at| format!(" ({at})"));
        let trace = Backtrace::capture();
        let trace = match trace.status() {
            BacktraceStatus::Captured => format!("\n{trace}"),
            _ => String::new(),
        };
        let report = format!("{}{place}{trace}", panic_message(info.payload()));
        *noted.lock().unwrap_or_else(PoisonError::into_inner) = report;
    }));
    panic::catch_unwind(panic::AssertUnwindSafe(work)).unwrap_or_else(|_| {
        let report = last.lock().unwrap_or_else(PoisonError::into_inner);
        eprint_line(format_args!(
            "error: this should not happen: {report}\n  = help: please report it, with the \
             command and what `miras-train doctor` prints"
        ));
        ExitStatus::Failed.code()
    })
}

fn panic_message(payload: &(dyn Any + Send)) -> &str {
    let text = payload.downcast_ref::<&str>().copied();
    text.or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("a panic without words")
}
