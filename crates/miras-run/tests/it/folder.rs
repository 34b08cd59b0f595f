//! Making, opening, naming and locking run folders.

use std::fs;
use std::time::{Duration, SystemTime};

use miras_run::{CheckpointInfo, Checkpoints, Policy, RunError, RunFolder, Status, Summary};

use crate::{keep_all, new_run, record, save, start, try_new_run, write_files};

#[test]
fn create_makes_the_folder_and_refuses_it_the_second_time() {
    let top = tempfile::tempdir().unwrap();
    let runs = top.path().join("not").join("yet");
    let folder = new_run(&runs, "a");
    assert_eq!(
        (folder.name(), folder.path()),
        ("a", runs.join("a").as_path())
    );
    drop(folder);
    assert!(matches!(
        try_new_run(&runs, "a"),
        Err(RunError::Exists { .. })
    ));
    fs::write(runs.join("file"), "").unwrap();
    assert!(matches!(
        try_new_run(&runs, "file"),
        Err(RunError::Exists { .. })
    ));
    fs::create_dir(runs.join("empty")).unwrap();
    assert!(matches!(
        try_new_run(&runs, "empty"),
        Err(RunError::Exists { .. })
    ));
    let names = fs::read_dir(&runs).unwrap();
    assert_eq!(names.count(), 3, "nothing unfinished is left");
}

#[test]
fn a_new_run_is_whole_from_the_first_instant() {
    let runs = tempfile::tempdir().unwrap();
    // As processes of the same number that were killed leave it.
    for count in 0..2 {
        let name = format!(".new-{}-{count}.tmp", std::process::id());
        fs::create_dir(runs.path().join(&name)).unwrap();
        fs::write(runs.path().join(&name).join("config.toml"), "").unwrap();
    }
    // It says when it was made.
    let made = record();
    let folder = RunFolder::create(runs.path(), "a", "steps = 20\n", &made, &[]).unwrap();
    assert_eq!(folder.read_config().unwrap(), "steps = 20\n");
    assert_eq!(folder.read_record().unwrap(), made);
    assert_eq!(RunFolder::names(runs.path()).unwrap(), ["a"]);
}

#[test]
fn open_wants_a_folder_with_a_configuration() {
    let runs = tempfile::tempdir().unwrap();
    assert!(matches!(
        RunFolder::open(runs.path(), "a"),
        Err(RunError::NoRun { nearest: None, .. })
    ));
    fs::create_dir(runs.path().join("bare")).unwrap();
    assert!(matches!(
        RunFolder::open(runs.path(), "bare"),
        Err(RunError::NoConfig { .. })
    ));
    drop(new_run(runs.path(), "moneta"));
    let Err(RunError::NoRun { nearest, .. }) = RunFolder::open(runs.path(), "monetta") else {
        panic!("there is no such run");
    };
    assert_eq!(nearest.as_deref(), Some("moneta"));
    let folder = RunFolder::open(runs.path(), "moneta").unwrap();
    assert_eq!(folder.read_config().unwrap(), "steps = 20\n");
    // A run that lost it is not one to be removed.
    drop(new_run(runs.path(), "lost"));
    fs::remove_file(runs.path().join("lost/config.toml")).unwrap();
    let error = RunFolder::open(runs.path(), "lost").unwrap_err();
    let said = error.to_string();
    assert!(
        said.ends_with(
            "lost/config.toml is missing: restore it; what is beside it cannot be used without"
        ),
        "{said}"
    );
}

#[test]
fn every_way_in_checks_the_name() {
    let runs = tempfile::tempdir().unwrap();
    for name in ["", ".", "..", "-a", "a/b", "../a"] {
        for result in [
            try_new_run(runs.path(), name).map(drop),
            RunFolder::open(runs.path(), name).map(drop),
            RunFolder::open_to_read(runs.path(), name).map(drop),
            RunFolder::unused_name(runs.path(), name).map(drop),
        ] {
            assert!(matches!(result, Err(RunError::BadName { .. })), "{name:?}");
        }
    }
}

#[test]
fn unused_name_counts_up_past_whatever_is_there() {
    let runs = tempfile::tempdir().unwrap();
    let next = || RunFolder::unused_name(runs.path(), "moneta").unwrap();
    assert_eq!(next(), "moneta");
    drop(new_run(runs.path(), "moneta"));
    assert_eq!(next(), "moneta-2");
    fs::write(runs.path().join("moneta-2"), "a file").unwrap();
    assert_eq!(next(), "moneta-3");
    let nowhere = runs.path().join("nowhere");
    assert_eq!(RunFolder::unused_name(&nowhere, "x").unwrap(), "x");
}

#[test]
fn names_are_the_folders_with_a_configuration_in_order() {
    let runs = tempfile::tempdir().unwrap();
    for name in ["b", "a"] {
        drop(new_run(runs.path(), name));
    }
    fs::create_dir(runs.path().join("bare")).unwrap();
    fs::write(runs.path().join("file"), "").unwrap();
    assert_eq!(RunFolder::names(runs.path()).unwrap(), ["a", "b"]);
    assert!(
        RunFolder::names(&runs.path().join("nowhere"))
            .unwrap()
            .is_empty()
    );
}

#[test]
fn a_second_trainer_is_locked_out_and_a_reader_is_not() {
    let runs = tempfile::tempdir().unwrap();
    let folder = new_run(runs.path(), "a");
    let Err(RunError::Locked { pid, .. }) = RunFolder::open(runs.path(), "a") else {
        panic!("the lock does not hold");
    };
    assert_eq!(pid, Some(std::process::id()));
    RunFolder::open_to_read(runs.path(), "a").unwrap();
    drop(folder);
    RunFolder::open(runs.path(), "a").unwrap();
}

#[test]
fn checkpoints_keep_the_lock_of_their_folder() {
    let runs = tempfile::tempdir().unwrap();
    let folder = new_run(runs.path(), "a");
    let checkpoints = Checkpoints::new(&folder, Policy::default());
    drop(folder);
    assert!(matches!(
        RunFolder::open(runs.path(), "a"),
        Err(RunError::Locked { .. })
    ));
    drop(checkpoints);
    RunFolder::open(runs.path(), "a").unwrap();
}

#[test]
fn a_reader_cannot_write() {
    let runs = tempfile::tempdir().unwrap();
    drop(new_run(runs.path(), "a"));
    let reader = RunFolder::open_to_read(runs.path(), "a").unwrap();
    for result in [
        reader.rewrite("", &record()),
        reader.write_tokenizer(&[]),
        reader.write_summary(&summary()),
        reader.remove_summary(),
    ] {
        assert!(matches!(result, Err(RunError::ReadOnly { .. })));
    }
}

#[test]
fn a_resume_adds_a_start_to_the_record() {
    let runs = tempfile::tempdir().unwrap();
    drop(new_run(runs.path(), "a"));

    let folder = RunFolder::open(runs.path(), "a").unwrap();
    let mut known = folder.read_record().unwrap();
    known.starts.push(start(20));
    folder.rewrite("steps = 30\n", &known).unwrap();
    assert_eq!(folder.read_config().unwrap(), "steps = 30\n");
    assert_eq!(folder.read_record().unwrap(), known);
    let steps: Vec<_> = known.starts.iter().map(|start| start.step).collect();
    assert_eq!(steps, [0, 20]);
}

#[test]
fn a_summary_is_there_once_written_and_gone_once_removed() {
    let runs = tempfile::tempdir().unwrap();
    let folder = new_run(runs.path(), "a");
    assert_eq!(folder.read_summary().unwrap(), None);
    folder.remove_summary().unwrap();
    folder.write_summary(&summary()).unwrap();
    assert_eq!(folder.read_summary().unwrap(), Some(summary()));
    folder.remove_summary().unwrap();
    assert_eq!(folder.read_summary().unwrap(), None);
}

#[test]
fn opening_clears_what_a_killed_writer_left() {
    let runs = tempfile::tempdir().unwrap();
    drop(new_run(runs.path(), "a"));
    let at = |name: &str| runs.path().join("a").join(name);
    let halves = [
        "summary.json.1-0.tmp",
        "config.toml.7-1.tmp",
        "metrics.jsonl.7-2.tmp",
        "events.out.events.1.miras.7.0.7-3.tmp",
        ".rewrite-7.tmp",
    ];
    // Another process may be writing a report at this moment.
    let others = ["eval-64-live.json.7-0.tmp", "notes.tmp"];
    for name in halves.iter().chain(&others) {
        fs::write(at(name), "{\"sta").unwrap();
    }
    let folder = RunFolder::open(runs.path(), "a").unwrap();
    assert!(halves.iter().all(|name| !at(name).exists()));
    assert!(others.iter().all(|name| at(name).exists()));
    assert_eq!(folder.read_summary().unwrap(), None);
}

#[test]
fn a_run_without_a_checkpoint_opens_but_has_nothing_to_resume_from() {
    let runs = tempfile::tempdir().unwrap();
    let folder = new_run(runs.path(), "a");
    let mut checkpoints = Checkpoints::new(&folder, keep_all());
    let latest = checkpoints.latest_valid().unwrap();
    assert!(matches!(
        latest.require(),
        Err(RunError::NoCheckpoint { .. })
    ));
    save(&mut checkpoints, 1);
    assert_eq!(
        checkpoints.latest_valid().unwrap().require().unwrap().step,
        1
    );
}

#[test]
fn a_folder_opened_to_be_read_finds_but_never_saves() {
    let runs = tempfile::tempdir().unwrap();
    let folder = new_run(runs.path(), "a");
    save(&mut Checkpoints::new(&folder, keep_all()), 10);
    let reader = RunFolder::open_to_read(runs.path(), "a").unwrap();
    let mut checkpoints = Checkpoints::new(&reader, keep_all());
    assert_eq!(
        checkpoints.latest_valid().unwrap().require().unwrap().step,
        10
    );
    let error = checkpoints
        .save(
            20,
            |folder| write_files(folder, 20),
            &CheckpointInfo::new(0),
        )
        .unwrap_err();
    assert!(matches!(error, RunError::ReadOnly { .. }), "{error}");
    assert!(matches!(
        checkpoints.remove_after(0),
        Err(RunError::ReadOnly { .. })
    ));
    assert_eq!(checkpoints.list().unwrap(), [10]);
}

pub(crate) fn summary() -> Summary {
    Summary {
        status: Status::Time,
        message: None,
        steps: 1,
        tokens: 2,
        seconds: 3.0,
        best: None,
        metrics: [("train/loss".to_owned(), 0.25)].into(),
    }
}

#[test]
fn a_resume_removes_what_a_kill_left_of_new_runs_and_nothing_else() {
    let runs = tempfile::tempdir().unwrap();
    drop(new_run(runs.path(), "a"));
    let make = |name: &str, files: &[&str], hours: u64| {
        let folder = runs.path().join(name);
        fs::create_dir(&folder).unwrap();
        for file in files {
            fs::write(folder.join(file), "x").unwrap();
        }
        let then = SystemTime::now() - Duration::from_hours(hours);
        fs::File::open(&folder).unwrap().set_modified(then).unwrap();
    };
    make(".new-1-0.tmp", &[], 2);
    make(".new-1-1.tmp", &["config.toml", "run.json.1-0.tmp"], 2);
    make(".new-1-2.tmp", &["model.safetensors", "export.json"], 2);
    make(".new-2-0.tmp", &["config.toml"], 0);
    make(".new-3-0.tmp", &["config.toml", "mine.txt"], 2);
    make(".new-mine.tmp", &["config.toml"], 2);
    fs::write(runs.path().join(".new-4-0.tmp"), "a file").unwrap();

    let left = || {
        let entries = fs::read_dir(runs.path()).unwrap();
        let mut names: Vec<_> = (entries)
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    };
    let before = left();
    RunFolder::open_to_read(runs.path(), "a").unwrap();
    assert_eq!(left(), before, "a reader removes nothing");
    RunFolder::open(runs.path(), "a").unwrap();
    assert_eq!(
        left(),
        [
            ".new-2-0.tmp",
            ".new-3-0.tmp",
            ".new-4-0.tmp",
            ".new-mine.tmp",
            "a"
        ]
    );
    assert!(runs.path().join(".new-3-0.tmp/config.toml").is_file());
}
