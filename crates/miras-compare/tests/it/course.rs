//! Runs that did not go as planned: unfinished, cut off, skipped.

use std::fs;

use miras_compare::{CompareAt as At, Comparison, Verdict};
use miras_run::{RunFolder, Status};

use crate::fixture::{Draft, Place, compare};

/// A run that was measured at the first of the five places of a fixture, as many as asked for.
fn partial(place: &Place, draft: &Draft, measured: usize) -> std::path::PathBuf {
    let path = place.run(draft);
    let file = path.join("metrics.jsonl");
    let text = fs::read_to_string(&file).unwrap();
    let lines: Vec<&str> = text.lines().take(2 * measured).collect();
    fs::write(&file, lines.join("\n") + "\n").unwrap();
    path
}

fn unfinished(name: &str, loss: f64) -> Draft {
    let mut draft = Draft::new(name, 1, loss).set("memory.depth", "3");
    draft.status = None;
    draft
}

#[test]
fn unfinished_runs_are_compared_at_the_tokens_that_all_have() {
    for status in [None, Some(Status::Interrupted)] {
        let place = Place::new();
        let whole = place.run(&Draft::new("whole", 1, 2.0));
        let mut draft = unfinished("half", 1.0);
        draft.status = status;
        let half = partial(&place, &draft, 3);
        let comparison = compare(&[whole.clone(), half.clone()]);
        // The fixture's loss is 0.5 above its end for every fifth that is to come.
        assert_eq!(comparison.at, Some(60_000));
        let means: Vec<f64> = comparison
            .variants
            .iter()
            .map(|one| one.sample.unwrap().mean)
            .collect();
        assert_eq!(means, [2.0, 3.0]);
        assert_eq!(comparison.variants[1].tokens(), Some(60_000.0));
        let state = status.map_or("unfinished".to_owned(), |status| status.to_string());
        assert!(
            comparison.warnings[0].starts_with("compared after 60000 tokens of training")
                && comparison.warnings[0].contains(&format!("half is {state}")),
            "{:?}",
            comparison.warnings
        );
        assert!(comparison.text().contains("after 60000 tokens"));
        let end = Comparison::read_at(&[whole.clone(), half.clone()], None, None, At::End, &[]);
        let end = end.unwrap();
        assert_eq!((end.at, end.excluded().count()), (None, 1));
        assert_eq!(end.variants[1].verdict, Verdict::Unmeasured);
        let at =
            |at| Comparison::read_at(&[whole.clone(), half.clone()], None, None, at, &[]).unwrap();
        assert_eq!(at(At::Common).at, Some(60_000));
        let early = at(At::Tokens(45_000));
        assert_eq!(early.variants[0].runs[0].compared_tokens(), Some(40_000));
        assert!((early.variants[0].sample.unwrap().mean - 2.5).abs() < 1e-12);
    }
}

#[test]
fn a_sweep_waits_for_its_unfinished_trials() {
    let place = Place::new();
    let trial = |depth: &str, status: Option<Status>| {
        let mut draft = Draft::new(&format!("d{depth}-s1"), 1, 2.0).set("memory.depth", depth);
        draft.status = status;
        draft
    };
    let trials = [
        (trial("1", Some(Status::Finished)), "done"),
        (trial("2", None), "running"),
    ];
    let comparison = compare(&[place.sweep("some", &trials)]);
    assert_eq!((comparison.at, comparison.excluded().count()), (None, 1));
    // Before the first is done, they are compared with each other.
    let trials = [(trial("1", None), "running"), (trial("2", None), "running")];
    let comparison = compare(&[place.sweep("other", &trials)]);
    assert_eq!(comparison.at, Some(100_000));
    assert!(comparison.variants.iter().all(|one| one.sample.is_some()));
}

#[test]
fn the_summary_has_the_last_values_of_a_cut_off_file() {
    let place = Place::new();
    let mut draft = Draft::new("cut", 1, 2.0);
    draft.metrics = vec![("eval/loss".to_owned(), 2.0)];
    let path = place.run(&draft);
    assert_eq!(
        compare(std::slice::from_ref(&path)).warnings,
        [] as [String; 0]
    );
    let file = path.join("metrics.jsonl");
    let whole = fs::read(&file).unwrap();
    for cut in [5, 100] {
        fs::write(&file, &whole[..whole.len() - cut]).unwrap();
        let comparison = compare(std::slice::from_ref(&path));
        assert!((comparison.variants[0].sample.unwrap().mean - 2.0).abs() < 1e-12);
        let warned = comparison.warnings.join("\n");
        assert!(
            warned.contains("incomplete: metrics.jsonl of cut lacks what was logged after step"),
            "{warned}"
        );
        let json = comparison.json();
        assert!(json.contains("\"value\": 2.0"), "{json}");
    }
}

#[test]
fn a_torn_line_is_said_where_no_summary_has_the_last_values() {
    let place = Place::new();
    let mut draft = Draft::new("killed", 1, 2.0);
    draft.status = None;
    let path = place.run(&draft);
    let warned = || compare(std::slice::from_ref(&path)).warnings.join("\n");
    assert!(!warned().contains("torn"), "{}", warned());
    let file = path.join("metrics.jsonl");
    let whole = fs::read(&file).unwrap();
    fs::write(&file, &whole[..whole.len() - 5]).unwrap();
    let line = "incomplete: metrics.jsonl of killed ends in a torn line after step 100, and there is no summary.json: what it logged last and how it ended are not known";
    assert!(warned().contains(line), "{}", warned());
    // A process may be writing it.
    let training = RunFolder::open(place.path(), "killed").unwrap();
    assert!(!warned().contains("torn"), "{}", warned());
    drop(training);
    assert!(warned().contains(line), "{}", warned());
}

#[test]
fn a_run_that_skipped_most_of_its_steps_is_not_best() {
    let place = Place::new();
    let mut lucky = Draft::new("lucky", 1, 1.0).set("memory.depth", "1");
    lucky.metrics = vec![("train/skipped".to_owned(), 95.0)];
    let mut some = Draft::new("some", 1, 2.0).set("memory.depth", "3");
    some.metrics = vec![("train/skipped".to_owned(), 3.0)];
    let comparison = compare(&[place.run(&lucky), place.run(&some)]);
    assert_eq!(comparison.variants[0].label, "depth=3");
    let (_, run) = comparison.excluded().next().unwrap();
    assert_eq!(
        run.excluded.as_deref(),
        Some("skipped 95 of its 100 steps, because something in them was not finite")
    );
    let warned = comparison.warnings.join("\n");
    assert!(
        warned.contains("skipped: 3 of the 100 steps of some"),
        "{warned}"
    );
}
