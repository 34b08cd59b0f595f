//! How a run ends.

use std::collections::BTreeMap;

use miras_log::Status as Logged;
use miras_run::metrics::SKIPPED;
use miras_run::{Status, Summary, shell_word};
use miras_spec::OnNonfinite;

use crate::evaluation::evaluate;
use crate::saver::Occasion;
use crate::session::{End, Session};
use crate::{Outcome, TrainError, advice};

/// Trains to the end, and writes how it ended whatever happens.
pub(crate) fn run(mut session: Session) -> Result<Outcome, TrainError> {
    let ended = session.steps();
    let result = ended.and_then(|end| finish(&mut session, end));
    if let Err(error) = &result {
        // The error that ended the run is the one to report.
        let _ = summarize(&session, Status::Failed, Some(error.to_string()));
        let _ = session.log.finish(Logged::Failure);
    }
    session.progress.finish();
    result
}

fn finish(session: &mut Session, end: End) -> Result<Outcome, TrainError> {
    let end = complete(session, end)?;
    let (status, logged, message) = match end {
        End::Finished => (Status::Finished, Logged::Success, None),
        End::Time => {
            let message = resume_hint(session, "the time is up");
            (Status::Time, Logged::Interrupted, Some(message))
        }
        End::Interrupted => {
            let message = resume_hint(session, "interrupted");
            (Status::Interrupted, Logged::Interrupted, Some(message))
        }
        End::Nonfinite(place) => {
            let message = format!("{place}; {}", last_finite(session));
            (Status::Nonfinite, Logged::Failure, Some(message))
        }
    };
    let help = (status == Status::Nonfinite).then(|| {
        let command = session.saver.newest.map(|_| resume_command(session));
        advice::after_nonfinite(&session.config, command.as_deref())
    });
    summarize(session, status, message.clone())?;
    session.log.finish(logged)?;
    let at = session.state.step;
    let line = match &message {
        Some(message) => format!("stopped after step {at}: {message}"),
        None => format!("{status} at step {at}{}", skipped(session)),
    };
    session.progress.line(&line);
    if let Some(help) = &help {
        session.progress.line(&format!("  = help: {help}"));
    }
    Ok(Outcome {
        status,
        name: session.folder.name().to_owned(),
        folder: session.folder.path().to_owned(),
        step: at,
        tokens: session.state.tokens,
        checkpoint: session.saver.newest,
        eval_loss: session.evaluated.map(|(_, loss)| loss),
        message,
        help,
    })
}

/// What is left to do after the last step.
fn complete(session: &mut Session, end: End) -> Result<End, TrainError> {
    if matches!(end, End::Nonfinite(_)) {
        return Ok(end);
    }
    let is_over = matches!(end, End::Finished | End::Time);
    let step = session.state.step;
    let mut is_saved = session.saver.newest == Some(step);
    if is_over && session.evaluated.is_none_or(|(at, _)| at != step) {
        if let Some(place) = session.evaluate()? {
            return Ok(End::Nonfinite(place));
        }
        // A checkpoint of this step does not know of this evaluation yet.
        is_saved = false;
    }
    if !is_saved && let Some(place) = session.save(Occasion::Step)? {
        return Ok(End::Nonfinite(place));
    }
    if is_over {
        controls(session)?;
    }
    Ok(end)
}

/// The evaluations of `eval.controls` that this step does not have yet.
fn controls(session: &mut Session) -> Result<(), TrainError> {
    let step = session.state.step;
    for control in session.config.eval.controls.clone() {
        let prefix = format!("control/{}", control.name());
        if session.log.has_at(step, &format!("{prefix}/loss")) {
            continue;
        }
        let (data, learner) = (session.data.as_ref(), &session.learner.on_device);
        let found = evaluate(&session.config, data, learner, &prefix, control.ablation())?;
        session.log_scalars(step, &found.values)?;
        let line = format!("{prefix}/loss {:.4}", found.loss);
        session.progress.line(&line);
    }
    Ok(())
}

fn summarize(session: &Session, status: Status, message: Option<String>) -> Result<(), TrainError> {
    session.folder.write_summary(&Summary {
        status,
        message,
        steps: session.state.step,
        tokens: session.state.tokens,
        seconds: session.seconds(),
        best: session.state.best.clone(),
        metrics: last_values(session),
    })?;
    Ok(())
}

/// The last value of each metric; of skipped steps the number up to now, also where the last
/// steps were not logged.
fn last_values(session: &Session) -> BTreeMap<String, f64> {
    let mut values = session.log.last().clone();
    if session.config.train.on_nonfinite == OnNonfinite::Skip {
        values.insert(SKIPPED.name.to_owned(), session.state.skipped as f64);
    }
    values
}

fn resume_hint(session: &Session, what: &str) -> String {
    format!("{what}; go on with: {}", resume_command(session))
}

/// The command that continues this run.
fn resume_command(session: &Session) -> String {
    let name = shell_word(session.folder.name());
    format!("{} --name {name} --resume", session.resume_command)
}

/// That steps changed nothing, because something in them was not finite.
fn skipped(session: &Session) -> String {
    match session.state.skipped {
        0 => String::new(),
        skipped => format!(
            "; {skipped} of its steps were skipped, because something in them was not finite"
        ),
    }
}

fn last_finite(session: &Session) -> String {
    match session.saver.newest {
        Some(step) => format!("the checkpoint of step {step} is finite"),
        None => "no checkpoint was saved before".to_owned(),
    }
}
