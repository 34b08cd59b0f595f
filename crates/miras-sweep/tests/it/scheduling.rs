use miras_sweep::{Event, EventKind, identical_failures, schedule, states};

use crate::support::plan;

const STAGED: &str = "
    [sweep]
    seeds = [1, 2]
    [sweep.axes]
    'train.lr' = [0.1, 0.2, 0.3]
    [[sweep.rungs]]
    tokens = 100
    [[sweep.rungs]]
    tokens = 200
    best = 2
    [[sweep.rungs]]
    tokens = 300
    best = 1";

fn event(trial: &str, what: EventKind, rung: usize, metric: Option<f64>) -> Event {
    Event {
        time: String::new(),
        trial: trial.to_owned(),
        event: what,
        rung,
        steps: 1,
        metric,
        reason: (what == EventKind::Failed).then(|| "step 3: the loss is NaN".to_owned()),
        worker: String::new(),
    }
}

#[test]
fn the_best_points_go_on_when_a_rung_is_complete() {
    let (plan, _) = plan(STAGED);
    let id = |trial: usize| plan.trials[trial].id.clone();
    let mut events: Vec<Event> = Vec::new();
    let next = |events: &[Event]| -> Vec<(usize, usize)> {
        let tasks = schedule(&plan, &states(events)).into_iter();
        tasks.map(|task| (task.trial, task.rung)).collect()
    };
    assert_eq!(
        next(&events),
        [(0, 0), (1, 0), (2, 0), (3, 0), (4, 0), (5, 0)]
    );
    // Seed 1 of each point, then seed 2: points 0 and 2 are the best by their mean.
    for (trial, metric) in [(0, 1.0), (1, 0.5), (2, 0.9), (3, 1.0), (4, 9.0)] {
        events.push(event(&id(trial), EventKind::Done, 0, Some(metric)));
    }
    assert_eq!(next(&events), [(5, 0)], "the rung is not complete");
    events.push(event(&id(5), EventKind::Done, 0, Some(0.9)));
    assert_eq!(next(&events), [(0, 1), (2, 1), (3, 1), (5, 1)]);
    for (trial, metric) in [(0, 0.8), (3, 0.8), (5, 0.7)] {
        events.push(event(&id(trial), EventKind::Done, 1, Some(metric)));
    }
    // A point of which a seed failed goes behind those that are whole.
    events.push(event(&id(2), EventKind::Failed, 1, None));
    assert_eq!(next(&events), [(0, 2), (3, 2)]);
    for trial in [0, 3] {
        events.push(event(&id(trial), EventKind::Done, 2, Some(0.5)));
    }
    assert_eq!(next(&events), []);
}

#[test]
fn a_retry_forgets_a_failure_and_what_was_done_on_its_rung() {
    let (plan, _) = plan("[sweep.axes]\n'train.lr' = [0.1]");
    let id = &plan.trials[0].id;
    let mut events = vec![event(id, EventKind::Failed, 0, None)];
    assert_eq!(schedule(&plan, &states(&events)), []);
    events.push(event(id, EventKind::Retry, 0, None));
    assert_ne!(schedule(&plan, &states(&events)), []);
    events.push(event(id, EventKind::Done, 0, Some(1.0)));
    assert_eq!(schedule(&plan, &states(&events)), []);
    events.push(event(id, EventKind::Retry, 0, None));
    assert_ne!(schedule(&plan, &states(&events)), []);
}

#[test]
fn failures_are_alike_whatever_their_numbers_and_files() {
    let failed = |reason: &str| Event {
        reason: Some(reason.to_owned()),
        ..event("a", EventKind::Failed, 0, None)
    };
    let done = event("b", EventKind::Done, 0, Some(1.0));
    let run = event("b", EventKind::Running, 0, None);
    let (one, two) = (
        failed("step 3 of runs/a: NaN"),
        failed("step 14 of runs/b: NaN"),
    );
    let other = failed("no space left");
    let is_alike = |events: &[&Event], count: usize| {
        let events: Vec<Event> = events.iter().map(|&event| event.clone()).collect();
        identical_failures(&events, count).is_some()
    };
    assert!(is_alike(&[&one, &run, &two, &one], 3));
    assert!(!is_alike(&[&one, &two], 3), "too few");
    assert!(!is_alike(&[&one, &other, &one], 3), "of another kind");
    assert!(!is_alike(&[&one, &two, &done, &one], 3), "not in a row");
    assert!(!is_alike(&[&one, &two, &one], 0), "0 is never");
}
