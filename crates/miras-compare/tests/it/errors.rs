//! Bad input: what is said of it.

use std::fs;
use std::path::PathBuf;

use miras_compare::Comparison;

use crate::fixture::{Draft, Place, compare, full};

fn error(paths: &[PathBuf], metric: Option<&str>) -> String {
    Comparison::read(paths, metric, None)
        .unwrap_err()
        .to_string()
}

#[test]
fn a_path_that_is_no_run_and_no_sweep() {
    let place = Place::new();
    place.run(&Draft::new("yaad-s1", 1, 2.0));
    let near = error(&[place.path().join("yad-s1")], None);
    assert!(
        near.contains("neither a run") && near.contains("did you mean"),
        "{near}"
    );
    assert!(near.contains("yaad-s1?"), "{near}");
    place.run(&Draft::new("yaad-s2", 2, 2.0));
    let above = error(&[place.path().to_owned()], None);
    assert!(above.contains("it holds 2 runs"), "{above}");
    assert!(error(&[], None).contains("nothing to compare"));
}

#[test]
fn a_metric_that_no_run_has() {
    let place = Place::new();
    let run = place.run(&Draft::new("a", 1, 2.0));
    let near = error(std::slice::from_ref(&run), Some("eval/los"));
    assert!(near.contains("did you mean `eval/loss`?"), "{near}");
    let list = error(&[run], Some("xyz"));
    assert!(
        list.contains("there are eval/loss, perf/tokens_per_s, train/loss"),
        "{list}"
    );
}

#[test]
fn damaged_files_are_named() {
    let place = Place::new();
    let run = place.run(&Draft::new("a", 1, 2.0));
    for (name, text) in [
        ("metrics.jsonl", "{\"step\":1}\n{\"st\n{\"step\":2}\n"),
        ("summary.json", "[]"),
        ("run.json", "nothing"),
        ("config.toml", "memory = ["),
    ] {
        let file = run.join(name);
        let before = fs::read(&file).ok();
        fs::write(&file, text).unwrap();
        let message = error(std::slice::from_ref(&run), None);
        assert!(message.contains(name), "{message}");
        if name == "metrics.jsonl" {
            assert!(message.contains("line 2"), "{message}");
        }
        match before {
            Some(bytes) => fs::write(&file, bytes).unwrap(),
            None => fs::remove_file(&file).unwrap(),
        }
    }
    let sweep = full(&place);
    let text = fs::read_to_string(sweep.join("sweep.json")).unwrap();
    fs::write(
        sweep.join("sweep.json"),
        text.replace("\"version\":1", "\"version\":2"),
    )
    .unwrap();
    let message = error(&[sweep], None);
    assert!(
        message.contains("sweep.json") && message.contains("version 2"),
        "{message}"
    );
}

#[test]
fn a_torn_last_line_is_left_out() {
    let place = Place::new();
    let mut draft = Draft::new("a", 1, 2.0);
    draft.tail = "{\"step\":120,\"tokens\":120000,\"eval/lo".into();
    let comparison = compare(&[place.run(&draft)]);
    assert!((comparison.variants[0].sample.unwrap().mean - 2.0).abs() < 1e-12);
}

#[test]
fn older_runs_without_costs_are_compared() {
    let place = Place::new();
    let mut draft = Draft::new("a", 1, 2.0);
    draft.parameters = None;
    let comparison = compare(&[place.run(&draft)]);
    assert_eq!(comparison.variants[0].cost(), None);
    assert!(
        !comparison
            .plots()
            .iter()
            .any(|plot| plot.name() == "metric-by-flops")
    );
}
