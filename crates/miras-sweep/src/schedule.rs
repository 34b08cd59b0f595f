//! Chooses the next tasks from the plan and the ledger.

use std::collections::{BTreeMap, BTreeSet};

use miras_run::Goal;

use crate::{
    ledger::{Event, EventKind},
    plan::Plan,
};

/// Consecutive kills of a trial without progress after which it has failed.
pub(crate) const MAX_KILLS: usize = 3;

/// The state of a trial, from its events.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct State {
    /// The metric at the end of each rung that it reached.
    pub done: BTreeMap<usize, Option<f64>>,
    /// Why it failed.
    pub failed: Option<String>,
    /// Whether its last event is that a worker took it. Whether that worker still runs is known by
    /// the lock.
    pub is_taken: bool,
    /// Steps done, as far as the ledger knows.
    pub steps: u64,
    /// Consecutive kills.
    pub(crate) kills: usize,
}

/// A trial and the rung to be completed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Task {
    /// Index in the plan.
    pub trial: usize,
    /// From 0.
    pub rung: usize,
}

/// The state of every trial, by its id.
pub fn states(events: &[Event]) -> BTreeMap<String, State> {
    let mut states: BTreeMap<String, State> = BTreeMap::new();
    for event in events {
        let state = states.entry(event.trial.clone()).or_default();
        state.is_taken = event.event == EventKind::Running;
        if event.steps > state.steps {
            state.kills = 0;
        }
        state.steps = state.steps.max(event.steps);
        match event.event {
            EventKind::Running | EventKind::Interrupted => {}
            EventKind::Done => {
                state.done.insert(event.rung, event.metric);
            }
            EventKind::Failed => state.failed = Some(event.reason.clone().unwrap_or_default()),
            EventKind::Killed => state.kills += 1,
            EventKind::Retry => {
                state.done.remove(&event.rung);
                (state.failed, state.kills) = (None, 0);
            }
        }
    }
    states
}

/// The next tasks in their order, given the states of the trials; another worker may hold some of
/// them. Without any, every trial is done, has failed, or was not selected for the next rung.
///
/// All points of a rung are finished before the best of them continue on the next one.
pub fn schedule(plan: &Plan, states: &BTreeMap<String, State>) -> Vec<Task> {
    let none = State::default();
    let state = |trial: usize| states.get(&plan.trials[trial].id).unwrap_or(&none);
    let mut here: Vec<usize> = (0..plan.trials.len()).collect();
    for (rung, budget) in plan.rungs.iter().enumerate() {
        // The first rung selects no points; a plan with `best` there was edited.
        if let (Some(best), Some(before)) = (budget.best, rung.checked_sub(1)) {
            here = best_of(plan, &here, before, best, &state);
        }
        let open: Vec<Task> = (here.iter())
            .filter(|&&trial| {
                state(trial).failed.is_none() && !state(trial).done.contains_key(&rung)
            })
            .map(|&trial| Task { trial, rung })
            .collect();
        if !open.is_empty() {
            return open;
        }
    }
    Vec::new()
}

/// The trials of the best points, by the mean over seeds. Points with a failed seed come last.
fn best_of<'a>(
    plan: &Plan,
    here: &[usize],
    rung: usize,
    best: usize,
    state: &impl Fn(usize) -> &'a State,
) -> Vec<usize> {
    let mut points: BTreeMap<usize, (Vec<f64>, bool)> = BTreeMap::new();
    for &trial in here {
        let (values, is_whole) = (points.entry(plan.trials[trial].point)).or_insert((vec![], true));
        match state(trial).done.get(&rung) {
            Some(Some(value)) if value.is_finite() => values.push(*value),
            _ => *is_whole = false,
        }
    }
    let mut ranked: Vec<(bool, f64, usize)> = (points.into_iter())
        .filter(|(_, (values, _))| !values.is_empty())
        .map(|(point, (values, is_whole))| {
            let mean = values.iter().sum::<f64>() / values.len() as f64;
            let cost = match plan.goal {
                Goal::Lower => mean,
                Goal::Higher => -mean,
            };
            (!is_whole, cost, point)
        })
        .collect();
    ranked.sort_by(|a, b| {
        (a.0.cmp(&b.0))
            .then(a.1.total_cmp(&b.1))
            .then(a.2.cmp(&b.2))
    });
    let chosen: BTreeSet<usize> = ranked.iter().take(best).map(|point| point.2).collect();
    (here.iter().copied())
        .filter(|&trial| chosen.contains(&plan.trials[trial].point))
        .collect()
}

/// The common reason of the last `count` trials that ended, if all of them failed for the same one.
pub fn identical_failures(events: &[Event], count: usize) -> Option<String> {
    let ends: Vec<&Event> = (events.iter().rev())
        .filter(|event| matches!(event.event, EventKind::Done | EventKind::Failed))
        .take(count)
        .collect();
    if count == 0 || ends.len() < count {
        return None;
    }
    let reason = |event: &Event| event.reason.clone().unwrap_or_default();
    let first = reason(ends[0]);
    let is_same = |event: &&Event| {
        event.event == EventKind::Failed && comparable(&reason(event)) == comparable(&first)
    };
    ends.iter().all(is_same).then_some(first)
}

/// A reason without numbers and paths, to compare it with others.
fn comparable(reason: &str) -> String {
    let words = reason.split_whitespace().filter(|word| !word.contains('/'));
    let words: Vec<String> = words
        .map(|word| word.chars().filter(|c| !c.is_ascii_digit()).collect())
        .collect();
    words.join(" ")
}
