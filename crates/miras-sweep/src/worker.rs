//! A process that trains and evaluates trials.

use std::{
    collections::BTreeSet,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use crate::{
    error::SweepError,
    folder::SweepFolder,
    ledger::{Claim, Event, EventKind},
    plan::Trial,
    schedule::{MAX_KILLS, State, Task, identical_failures, schedule, states},
    trial_process::{End, Launch, Work},
};

/// The first and the longest pause while other workers hold all remaining tasks.
const MIN_PAUSE: Duration = Duration::from_millis(100);
const MAX_PAUSE: Duration = Duration::from_secs(2);

/// Receives what happens; `job` is a number below [`Options::jobs`].
pub trait Watch: Sync {
    /// Work on a trial starts.
    fn started(&self, job: usize, trial: &Trial, task: Task);
    /// A trial has done `steps` steps.
    fn progressed(&self, job: usize, trial: &Trial, steps: u64);
    /// Other processes hold all remaining trials; called once.
    fn waiting(&self, trials: usize);
    /// Work on a trial ended with this event.
    fn ended(&self, job: usize, trial: &Trial, event: &Event, tally: Tally);
}

/// Options of a worker.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// The number of trials in parallel.
    pub jobs: usize,
    /// Whether the first failure ends the work.
    pub fail_fast: bool,
}

/// The number of trials in each state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Trials that completed a rung and have not failed.
    pub done: usize,
    /// Trials that cannot be trained.
    pub failed: usize,
    /// All.
    pub all: usize,
}

/// Why the work ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WorkEnd {
    /// Nothing is left to do.
    Complete(Tally),
    /// It was asked to stop; the trials in progress were saved.
    Interrupted(Tally),
    /// Failures ended it, for this reason; the trials in progress were saved.
    Stopped(Tally, String),
    /// Nothing can be written, for this reason, which does not count as a failure of a trial.
    NoRoom(Tally, String),
}

/// Carries out the rest of a sweep, in parallel with any number of other workers.
pub struct Worker<'a> {
    /// The sweep.
    pub folder: &'a SweepFolder,
    /// The commands.
    pub launch: &'a dyn Launch,
    /// Receives what happens.
    pub watch: &'a dyn Watch,
    /// Set from outside when it should stop.
    pub stop: &'a AtomicBool,
    /// The options.
    pub options: Options,
}

/// How the work ends before all is done: stopped, or without room.
type Early = fn(Tally, String) -> WorkEnd;

/// What the jobs of one worker share.
struct Shared {
    /// The number of events before this worker started.
    begun: usize,
    /// Its trials in progress.
    own: Mutex<BTreeSet<usize>>,
    /// Whether it reported that it waits.
    has_waited: AtomicBool,
    /// Set when the work ends before all is done; the other jobs save their trials.
    why: Mutex<Option<(Early, String)>>,
}

impl Worker<'_> {
    /// Works until nothing is left, or something stops it.
    pub fn work(&self) -> Result<WorkEnd, SweepError> {
        let shared = Shared {
            begun: self.folder.ledger().events()?.len(),
            own: Mutex::default(),
            has_waited: AtomicBool::new(false),
            why: Mutex::new(None),
        };
        let most = self.folder.plan().trials.len().max(1);
        let results: Vec<Result<(), SweepError>> = thread::scope(|scope| {
            let shared = &shared;
            let jobs: Vec<_> = (0..self.options.jobs.clamp(1, most))
                .map(|job| {
                    scope.spawn(move || {
                        let result = self.run_job(job, shared);
                        result.inspect_err(|error| shared.halt(WorkEnd::Stopped, error.to_string()))
                    })
                })
                .collect();
            let join = |job: thread::ScopedJoinHandle<'_, _>| match job.join() {
                Ok(result) => result,
                Err(panic) => std::panic::resume_unwind(panic),
            };
            jobs.into_iter().map(join).collect()
        });
        results.into_iter().collect::<Result<(), _>>()?;
        let tally = self.tally()?;
        Ok(match locked(&shared.why).take() {
            Some((end, why)) => end(tally, why),
            None if self.stop.load(Ordering::SeqCst) => WorkEnd::Interrupted(tally),
            None => WorkEnd::Complete(tally),
        })
    }

    /// Runs one task after the other.
    fn run_job(&self, job: usize, shared: &Shared) -> Result<(), SweepError> {
        let ledger = self.folder.ledger();
        let should_stop = || self.stop.load(Ordering::SeqCst) || locked(&shared.why).is_some();
        let mut pause = MIN_PAUSE;
        while !should_stop() {
            let events = ledger.events()?;
            if let Some(why) = self.why_stop(events.get(shared.begun..).unwrap_or_default()) {
                shared.halt(WorkEnd::Stopped, why);
                break;
            }
            let tasks = schedule(self.folder.plan(), &states(&events));
            if tasks.is_empty() {
                break;
            }
            if let Some((task, claim)) = self.claim_task(&tasks)? {
                locked(&shared.own).insert(task.trial);
                let result = self.run_task(job, task, &claim, &should_stop);
                locked(&shared.own).remove(&task.trial);
                if let Some(why) = result? {
                    shared.halt(WorkEnd::NoRoom, why);
                }
                pause = MIN_PAUSE;
            } else {
                self.report_waiting(&tasks, shared);
                thread::sleep(pause);
                pause = (pause * 2).min(MAX_PAUSE);
            }
        }
        Ok(())
    }

    /// Reports that others hold the remaining tasks, if this worker has none itself.
    fn report_waiting(&self, tasks: &[Task], shared: &Shared) {
        let is_idle = locked(&shared.own).is_empty();
        if is_idle && !shared.has_waited.swap(true, Ordering::SeqCst) {
            self.watch.waiting(tasks.len());
        }
    }

    /// The first task that no other worker holds, with its lock.
    fn claim_task(&self, tasks: &[Task]) -> Result<Option<(Task, Claim)>, SweepError> {
        let ledger = self.folder.ledger();
        for &task in tasks {
            let Some(claim) = ledger.claim(&self.folder.plan().trials[task.trial].id)? else {
                continue;
            };
            // The worker that held it may have finished it.
            if schedule(self.folder.plan(), &states(&ledger.events()?)).contains(&task) {
                return Ok(Some((task, claim)));
            }
        }
        Ok(None)
    }

    /// Carries out a task. Returns the reason if nothing more can be written.
    fn run_task(
        &self,
        job: usize,
        task: Task,
        claim: &Claim,
        stop: &dyn Fn() -> bool,
    ) -> Result<Option<String>, SweepError> {
        let trial = &self.folder.plan().trials[task.trial];
        let record = |what, steps| Event::now(trial, task.rung, what, steps);
        self.folder.verify(trial)?;
        let ledger = self.folder.ledger();
        let known = states(&ledger.events()?);
        let known = known.get(&trial.id).map_or(0, |state| state.steps);
        ledger.append(&record(EventKind::Running, known))?;
        self.watch.started(job, trial, task);
        let work = Work {
            folder: self.folder,
            trial,
            rung: task.rung,
            claim,
            launch: self.launch,
            stop,
            progress: &|steps| self.watch.progressed(job, trial, steps),
        };
        let (steps, end) = work.run_trial()?;
        let (what, metric, reason) = match &end {
            End::Done { metric } => (EventKind::Done, Some(*metric), None),
            End::Failed(reason) => (EventKind::Failed, None, Some(reason.clone())),
            End::Interrupted => (EventKind::Interrupted, None, None),
            End::NoRoom(reason) => (EventKind::Interrupted, None, Some(reason.clone())),
            End::Killed(reason) => (EventKind::Killed, None, Some(reason.clone())),
        };
        let event = Event {
            metric,
            reason,
            ..record(what, steps)
        };
        if let End::NoRoom(reason) = end {
            // There may be no room for this either; the trial is continued without it too.
            let _ = ledger.append(&event);
            self.watch.ended(job, trial, &event, self.tally()?);
            return Ok(Some(reason));
        }
        ledger.append(&event)?;
        let event = self.give_up(event)?;
        self.watch.ended(job, trial, &event, self.tally()?);
        Ok(None)
    }

    /// Turns repeated kills into a failure.
    fn give_up(&self, event: Event) -> Result<Event, SweepError> {
        let ledger = self.folder.ledger();
        let states = states(&ledger.events()?);
        let kills = states.get(&event.trial).map_or(0, |state| state.kills);
        if event.event != EventKind::Killed || kills < MAX_KILLS {
            return Ok(event);
        }
        let reason = event.reason.clone().unwrap_or_default();
        let failed = Event {
            event: EventKind::Failed,
            reason: Some(format!("{reason}, {kills} times")),
            ..event
        };
        ledger.append(&failed)?;
        Ok(failed)
    }

    /// The reason if failures end the work.
    fn why_stop(&self, events: &[Event]) -> Option<String> {
        let failed = |event: &&Event| event.event == EventKind::Failed;
        if self.options.fail_fast
            && let Some(event) = events.iter().find(failed)
        {
            let reason = event.reason.clone().unwrap_or_default();
            return Some(format!("a trial failed: {reason}"));
        }
        let count = self.folder.plan().alike;
        let reason = identical_failures(events, count)?;
        Some(format!(
            "{count} trials in a row failed alike: {reason} (sweep.alike = {count})"
        ))
    }

    fn tally(&self) -> Result<Tally, SweepError> {
        let states = states(&self.folder.ledger().events()?);
        let count = |is: &dyn Fn(&State) -> bool| states.values().filter(|state| is(state)).count();
        Ok(Tally {
            done: count(&|state| state.failed.is_none() && !state.done.is_empty()),
            failed: count(&|state| state.failed.is_some()),
            all: self.folder.plan().trials.len(),
        })
    }
}

impl Shared {
    /// Ends the work. The first reason is kept.
    fn halt(&self, end: Early, why: String) {
        locked(&self.why).get_or_insert((end, why));
    }
}

fn locked<T>(value: &Mutex<T>) -> MutexGuard<'_, T> {
    value.lock().unwrap_or_else(PoisonError::into_inner)
}
