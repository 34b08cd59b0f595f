//! `metrics.jsonl`, as text.

mod common;

use std::fs;

use common::named;
use miras_log::{JsonLines, Tracker};
use tempfile::tempdir;

#[test]
fn a_line_holds_step_tokens_and_tags_in_order() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("metrics.jsonl");
    let mut json = JsonLines::create(&path).unwrap();
    json.scalars(20, 40960, &named(&[("train/loss", 2.5), ("a/lr", 3e-4)]))
        .unwrap();
    // No flush: a line is in the file as soon as the call returns.
    let text = fs::read_to_string(&path).unwrap();
    assert_eq!(
        text,
        "{\"step\":20,\"tokens\":40960,\"train/loss\":2.5,\"a/lr\":0.0003}\n"
    );
}

#[test]
fn odd_values_and_tags_stay_valid_json() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("metrics.jsonl");
    let mut json = JsonLines::create(&path).unwrap();
    let odd = [
        ("nan", f64::NAN),
        ("up", f64::INFINITY),
        ("down", f64::NEG_INFINITY),
        ("a \"b\"\n", 1.0),
        ("precise", 0.1 + 0.2),
    ];
    json.scalars(1, 2, &named(&odd)).unwrap();
    let text = fs::read_to_string(&path).unwrap();
    assert_eq!(text.lines().count(), 1);
    let line: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(line["nan"], "NaN");
    assert_eq!(line["up"], "inf");
    assert_eq!(line["down"], "-inf");
    assert_eq!(line["a \"b\"\n"], 1.0);
    assert_eq!(line["precise"].as_f64(), Some(0.1 + 0.2));
}

#[test]
fn resume_keeps_earlier_lines_byte_for_byte() {
    let kept = "{\"step\":10, \"tokens\":1}\n{ \"step\" : 20 }\n";
    let cases = [
        (format!("{kept}{{\"step\":30}}\n"), "a later line"),
        (format!("{kept}{{\"step\":20,\"tok"), "a torn line"),
        (
            format!("{kept}{{\"step\":30}}\n{{\"step\":40}}\n{{\"ste"),
            "both",
        ),
        (format!("{{\"step\":21}}\n{kept}"), "a later line before"),
        (kept.to_owned(), "nothing to drop"),
        (kept.trim_end().to_owned(), "only the end of a line missing"),
        (format!("{kept}\0\0\0\0"), "zeros, as after a power cut"),
    ];
    for (before, name) in cases {
        let folder = tempdir().unwrap();
        let path = folder.path().join("metrics.jsonl");
        fs::write(&path, &before).unwrap();
        let mut json = JsonLines::resume(&path, 20, &|_, _| true).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), kept, "{name}");
        json.scalars(30, 3, &named(&[("a", 1.0)])).unwrap();
        let expected = format!("{kept}{{\"step\":30,\"tokens\":3,\"a\":1.0}}\n");
        assert_eq!(fs::read_to_string(&path).unwrap(), expected, "{name}");
        let files = fs::read_dir(folder.path()).unwrap().count();
        assert_eq!(files, 1, "{name}: a temporary file is left");
    }
}

#[test]
fn create_begins_anew_and_resume_may_begin() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("metrics.jsonl");
    fs::write(&path, "old\n").unwrap();
    JsonLines::create(&path).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "");
    fs::remove_file(&path).unwrap();
    JsonLines::resume(&path, 7, &|_, _| true).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "");
}

#[test]
fn resume_drops_unwanted_points_and_the_lines_that_had_no_others() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("metrics.jsonl");
    let whole = "{\"step\":10,\"tokens\":1,\"b\":1.0,\"a\":0.1}\n";
    let text = format!(
        "{whole}{{\"step\":20,\"tokens\":2,\"c\":\"NaN\",\"b\":2.0,\"a\":0.30000000000000004}}\n\
         {{\"step\":20,\"tokens\":2,\"b\":3.0}}\n"
    );
    fs::write(&path, text).unwrap();
    JsonLines::resume(&path, 20, &|step, tag| step < 20 || tag != "b").unwrap();
    assert_eq!(
        fs::read_to_string(&path).unwrap(),
        format!("{whole}{{\"step\":20,\"a\":0.30000000000000004,\"c\":\"NaN\",\"tokens\":2}}\n")
    );
}

#[test]
fn a_damaged_line_is_an_error_with_its_number_and_the_file_stays() {
    let whole = "{\"step\":10,\"a\":1.0}\n\n{\"step\":20}\n{\"step\":30}\n";
    let damaged = [
        (whole.replace("{\"step\":10", "{\"st"), 1),
        (whole.replace("20}", "20"), 3),
        (whole.replace("{\"step\":20}", "\0\0\0"), 3),
        (whole.replace("{\"step\":20}", "[20]"), 3),
        (whole.replace("{\"step\":20}", "{\"stop\":20}"), 3),
        // Whole, for it has its end: no kill leaves it.
        (whole.replace("30}", "30"), 4),
    ];
    for (text, number) in damaged {
        let folder = tempdir().unwrap();
        let path = folder.path().join("metrics.jsonl");
        fs::write(&path, &text).unwrap();
        let errors = [
            JsonLines::resume(&path, 20, &|_, _| true).err(),
            JsonLines::read(&path).err(),
        ];
        for error in errors {
            let error = error.unwrap_or_else(|| panic!("{text}")).to_string();
            let start = format!("line {number} of `{}` is damaged: ", path.display());
            assert!(error.starts_with(&start), "{error}");
        }
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
    }
    let folder = tempdir().unwrap();
    let path = folder.path().join("metrics.jsonl");
    fs::write(&path, format!("{whole}{{\"step\":40,\"a")).unwrap();
    let steps: Vec<u64> = (JsonLines::read(&path).unwrap().0.iter())
        .map(|line| line.step)
        .collect();
    assert_eq!(steps, [10, 20, 30]);
}
