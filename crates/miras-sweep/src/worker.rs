//! A process that carries trials out.

use std::{
    collections::BTreeSet,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, SystemTime},
};

use miras_run::rfc3339;

use crate::{
    error::SweepError,
    folder::SweepFolder,
    ledger::{Claim, Event, What, this_process},
    plan::Trial,
    schedule::{MOST_KILLS, Next, Task, alike, schedule, states},
    trial_process::{End, Launch, Work},
};

/// How long to wait where others are at all that is left, at first and at most.
const WAIT: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(2);

/// Who is told what happens; `job` is a number below [`Options::jobs`].
pub trait Watch: Sync {
    /// A trial is taken up.
    fn started(&self, job: usize, trial: &Trial, task: Task);
    /// It has done so many steps.
    fn progressed(&self, job: usize, trial: &Trial, steps: u64);
    /// All that is left is with so many other processes; told once.
    fn waiting(&self, trials: usize);
    /// What came of it.
    fn ended(&self, job: usize, trial: &Trial, event: &Event, tally: Tally);
}

/// How to work.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Trials at a time.
    pub jobs: usize,
    /// Whether the first failure ends it.
    pub fail_fast: bool,
}

/// How many trials are in which state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Trials that got to the end of a rung and are not wanted on another, or not yet.
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
    /// It was told to stop; what was being trained is saved.
    Interrupted(Tally),
    /// Failures ended it, for this reason; what was being trained is saved.
    Stopped(Tally, String),
    /// Nothing can be written any more, for this reason; no trial has failed by it.
    NoRoom(Tally, String),
}

/// Carries out what is left of a sweep, beside any number of others.
pub struct Worker<'a> {
    /// The sweep.
    pub folder: &'a SweepFolder,
    /// The commands.
    pub launch: &'a dyn Launch,
    /// Who is told.
    pub watch: &'a dyn Watch,
    /// Raised from outside when it should stop.
    pub stop: &'a AtomicBool,
    /// How.
    pub options: Options,
}

/// What the jobs of one worker share.
struct Shared {
    /// Events that there were before this worker began.
    begun: usize,
    /// Raised when failures end the work, with the reason.
    halt: AtomicBool,
    /// Trials that it is at.
    own: Mutex<BTreeSet<usize>>,
    /// Whether it has said that it waits.
    has_waited: AtomicBool,
    why: Mutex<Option<Why>>,
}

/// Why the work ends before all is done.
enum Why {
    /// Trials failed.
    Failures(String),
    /// The disk is full, or read-only.
    NoRoom(String),
}

impl Worker<'_> {
    /// Works until nothing is left, or something stops it.
    pub fn work(&self) -> Result<WorkEnd, SweepError> {
        let shared = Shared {
            begun: self.folder.ledger().events()?.len(),
            halt: AtomicBool::new(false),
            own: Mutex::default(),
            has_waited: AtomicBool::new(false),
            why: Mutex::new(None),
        };
        let results: Vec<Result<(), SweepError>> = thread::scope(|scope| {
            let shared = &shared;
            let jobs: Vec<_> = (0..self
                .options
                .jobs
                .clamp(1, self.folder.plan().trials.len().max(1)))
                .map(|job| {
                    scope.spawn(move || {
                        let result = self.jobs(job, shared);
                        if result.is_err() {
                            // The others save what they are at.
                            shared.halt.store(true, Ordering::SeqCst);
                        }
                        result
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
        let why = shared
            .why
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner);
        Ok(match why {
            Some(Why::Failures(why)) => WorkEnd::Stopped(tally, why),
            Some(Why::NoRoom(why)) => WorkEnd::NoRoom(tally, why),
            None if self.stop.load(Ordering::SeqCst) => WorkEnd::Interrupted(tally),
            None => WorkEnd::Complete(tally),
        })
    }

    /// One trial after the other.
    fn jobs(&self, job: usize, shared: &Shared) -> Result<(), SweepError> {
        let ledger = self.folder.ledger();
        let should_stop = || self.stop.load(Ordering::SeqCst) || shared.halt.load(Ordering::SeqCst);
        let mut wait = WAIT;
        while !should_stop() {
            let events = ledger.events()?;
            if let Some(why) = self.why_stop(events.get(shared.begun..).unwrap_or_default()) {
                shared.halt(Why::Failures(why));
                break;
            }
            let Next::Tasks(tasks) = schedule(self.folder.plan(), &states(&events)) else {
                break;
            };
            if let Some((task, claim)) = self.take_one(&tasks)? {
                locked(&shared.own).insert(task.trial);
                let result = self.carry_out(job, task, &claim, &should_stop);
                locked(&shared.own).remove(&task.trial);
                if let Some(why) = result? {
                    shared.halt(Why::NoRoom(why));
                }
                wait = WAIT;
            } else {
                self.say_waiting(&tasks, shared);
                thread::sleep(wait);
                wait = (wait * 2).min(LONGEST);
            }
        }
        Ok(())
    }

    /// Says that others are at what is left, if this worker has nothing to do itself.
    fn say_waiting(&self, tasks: &[Task], shared: &Shared) {
        let is_idle = locked(&shared.own).is_empty();
        if is_idle && !shared.has_waited.swap(true, Ordering::SeqCst) {
            self.watch.waiting(tasks.len());
        }
    }

    /// The first task that nobody is at, with its lock.
    fn take_one(&self, tasks: &[Task]) -> Result<Option<(Task, Claim)>, SweepError> {
        let ledger = self.folder.ledger();
        for &task in tasks {
            let Some(claim) = ledger.claim(&self.folder.plan().trials[task.trial].id)? else {
                continue;
            };
            // Whoever was at it may have finished it since.
            let now = schedule(self.folder.plan(), &states(&ledger.events()?));
            match now {
                Next::Tasks(now) if now.contains(&task) => return Ok(Some((task, claim))),
                _ => {}
            }
        }
        Ok(None)
    }

    /// Carries out a task; why nothing more can be written, if it ended by that.
    fn carry_out(
        &self,
        job: usize,
        task: Task,
        claim: &Claim,
        stop: &dyn Fn() -> bool,
    ) -> Result<Option<String>, SweepError> {
        let trial = &self.folder.plan().trials[task.trial];
        let record = |what, steps, metric, reason| Event {
            time: rfc3339(SystemTime::now()),
            trial: trial.id.clone(),
            event: what,
            rung: task.rung,
            steps,
            metric,
            reason,
            worker: this_process(),
        };
        let ledger = self.folder.ledger();
        let known = states(&ledger.events()?);
        let known = known.get(&trial.id).map_or(0, |state| state.steps);
        ledger.append(&record(What::Running, known, None, None))?;
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
        let (steps, end) = work.carry_out()?;
        let event = match end {
            End::Done { metric } => record(What::Done, steps, Some(metric), None),
            End::Failed(reason) => record(What::Failed, steps, None, Some(reason)),
            End::Interrupted => record(What::Interrupted, steps, None, None),
            End::NoRoom(reason) => {
                let event = record(What::Interrupted, steps, None, Some(reason.clone()));
                // There may be no room for this either, and without it the trial goes on as well.
                let _ = ledger.append(&event);
                self.watch.ended(job, trial, &event, self.tally()?);
                return Ok(Some(reason));
            }
            End::Killed(reason) => record(What::Killed, steps, None, Some(reason)),
        };
        ledger.append(&event)?;
        let event = self.give_up(event)?;
        self.watch.ended(job, trial, &event, self.tally()?);
        Ok(None)
    }

    /// A trial that is killed again and again has failed.
    fn give_up(&self, event: Event) -> Result<Event, SweepError> {
        let ledger = self.folder.ledger();
        let states = states(&ledger.events()?);
        let kills = states.get(&event.trial).map_or(0, |state| state.kills);
        if event.event != What::Killed || kills < MOST_KILLS {
            return Ok(event);
        }
        let reason = event.reason.clone().unwrap_or_default();
        let failed = Event {
            event: What::Failed,
            reason: Some(format!("{reason}, {kills} times")),
            ..event
        };
        ledger.append(&failed)?;
        Ok(failed)
    }

    /// Why failures end the work, if they do.
    fn why_stop(&self, events: &[Event]) -> Option<String> {
        let failed = |event: &&Event| event.event == What::Failed;
        if self.options.fail_fast
            && let Some(event) = events.iter().find(failed)
        {
            let reason = event.reason.clone().unwrap_or_default();
            return Some(format!("a trial failed: {reason}"));
        }
        let count = self.folder.plan().alike;
        let reason = alike(events, count)?;
        Some(format!(
            "{count} trials in a row failed alike: {reason} (sweep.alike = {count})"
        ))
    }

    fn tally(&self) -> Result<Tally, SweepError> {
        let states = states(&self.folder.ledger().events()?);
        Ok(Tally {
            done: (states.values())
                .filter(|state| state.failed.is_none() && !state.done.is_empty())
                .count(),
            failed: states
                .values()
                .filter(|state| state.failed.is_some())
                .count(),
            all: self.folder.plan().trials.len(),
        })
    }
}

impl Shared {
    /// Ends the work; what the other jobs are at is saved. The first reason stays.
    fn halt(&self, why: Why) {
        locked(&self.why).get_or_insert(why);
        self.halt.store(true, Ordering::SeqCst);
    }
}

fn locked<T>(value: &Mutex<T>) -> MutexGuard<'_, T> {
    value.lock().unwrap_or_else(PoisonError::into_inner)
}
