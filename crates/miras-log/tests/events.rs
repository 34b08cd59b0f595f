//! Event files, read back by the reader of this crate.

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::named;
use miras_log::events;
use miras_log::{HParam, LogError, Status, TensorBoard, Tracker};
use tempfile::tempdir;
use tensorboard_proto::event::{Event_oneof_what as What, SessionLog_SessionStatus};

fn write_run(folder: &Path) -> PathBuf {
    let mut board = TensorBoard::create(folder).expect("create");
    let hparams = [
        ("memory.kind", HParam::String("mlp".into())),
        ("optim.lr", HParam::Number(3e-4)),
        ("model.tied", HParam::Bool(true)),
        ("clip", HParam::Number(f64::INFINITY)),
    ];
    board
        .hparams("moneta", &named(&hparams), &["train/loss", "eval/loss"])
        .expect("hparams");
    for step in [10, 20, 30] {
        let values = named(&[("train/loss", 1.0 / step as f64), ("train/lr", 0.5)]);
        board.scalars(step, step * 64, &values).expect("scalars");
    }
    board
        .histogram(20, "memory/norm", &[1.0, 2.0, 4.0])
        .expect("histogram");
    board.text(30, "sample", "**so** be it").expect("text");
    board.finish(Status::Success).expect("finish");
    board.path().to_path_buf()
}

#[test]
fn everything_written_is_read_back() {
    let folder = tempdir().unwrap();
    let path = write_run(folder.path());
    let summary = events::summary(folder.path()).unwrap();
    let loss = [(10, 0.1), (20, 0.05), (30, 1.0_f32 / 30.0)];
    assert_eq!(summary.scalars["train/loss"], loss);
    assert_eq!(summary.scalars["train/lr"].len(), 3);
    assert_eq!(summary.texts["sample"], [(30, "**so** be it".to_owned())]);
    let (step, histogram) = &summary.histograms["memory/norm"][0];
    assert_eq!((*step, histogram.sum, histogram.max), (20, 7.0, 4.0));
    assert_eq!(summary.group.as_deref(), Some("moneta"));
    assert_eq!(summary.hparams["memory.kind"], HParam::String("mlp".into()));
    assert_eq!(summary.hparams["optim.lr"], HParam::Number(3e-4));
    assert_eq!(summary.hparams["model.tied"], HParam::Bool(true));
    assert_eq!(summary.hparams["clip"], HParam::String("inf".into()));
    assert_eq!(summary.metric_tags, ["train/loss", "eval/loss"]);
    assert_eq!(summary.status, Some(Status::Success));
    assert!(summary.truncated.is_empty());

    let (events, is_torn) = events::read(&path).unwrap();
    assert!(!is_torn);
    let version = What::file_version("brain.Event:2".to_owned());
    assert_eq!(events[0].what, Some(version));
    assert!(events.iter().all(|event| event.wall_time > 1.6e9));
    assert!(events.iter().all(|event| event.what.is_some()));
}

#[test]
fn status_is_what_finish_said() {
    let cases = [
        (Status::Success, Some(Status::Success)),
        (Status::Failure, Some(Status::Failure)),
        (Status::Interrupted, None),
    ];
    for (said, read) in cases {
        let folder = tempdir().unwrap();
        let mut board = TensorBoard::create(folder.path()).unwrap();
        board.hparams("g", &[], &[]).unwrap();
        board.finish(said).unwrap();
        assert_eq!(events::summary(folder.path()).unwrap().status, read);
    }
}

#[test]
fn every_changed_byte_is_noticed() {
    let folder = tempdir().unwrap();
    let mut board = TensorBoard::create(folder.path()).unwrap();
    board.scalars(1, 1, &named(&[("a", 1.0)])).unwrap();
    let path = board.path().to_path_buf();
    let good = fs::read(&path).unwrap();
    for at in 0..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 0x10;
        fs::write(&path, &bad).unwrap();
        let error = events::read(&path).unwrap_err();
        assert!(matches!(error, LogError::Corrupt { .. }), "byte {at}");
        assert!(error.to_string().contains("damaged at byte"), "{error}");
        events::summary(folder.path()).unwrap_err();
    }
}

#[test]
fn a_file_cut_anywhere_keeps_its_whole_records() {
    let folder = tempdir().unwrap();
    let path = write_run(folder.path());
    let (whole, _) = events::read(&path).unwrap();
    let bytes = fs::read(&path).unwrap();
    let mut ends = 0;
    for len in 0..bytes.len() {
        fs::write(&path, &bytes[..len]).unwrap();
        let (events, is_torn) = events::read(&path).unwrap();
        assert_eq!(events, whole[..events.len()], "cut at {len}");
        let torn: &[&Path] = if is_torn { &[&path] } else { &[] };
        assert_eq!(events::summary(folder.path()).unwrap().truncated, torn);
        ends += usize::from(!is_torn);
    }
    // Version, two of hyperparameters, three of scalars, histogram, text, end:
    // nine records have nine boundaries before the end of the file.
    assert_eq!(ends, 9);
}

#[test]
fn resume_drops_later_points_and_the_end_of_the_session() {
    let folder = tempdir().unwrap();
    let first = write_run(folder.path());
    let torn = [fs::read(&first).unwrap(), vec![1, 2, 3]].concat();
    fs::write(&first, torn).unwrap();

    let mut board = TensorBoard::resume(folder.path(), 20, &|_, _| true).unwrap();
    let second = board.path().to_path_buf();
    let (begin, _) = events::read(&second).unwrap();
    assert!(matches!(begin[0].what, Some(What::file_version(_))));
    for start in &begin[1..] {
        let status = start.get_session_log().status;
        assert_eq!((start.step, status), (21, SessionLog_SessionStatus::START));
    }
    assert_eq!(begin.len(), 3);
    board
        .scalars(30, 1, &named(&[("train/loss", 9.0)]))
        .unwrap();

    let summary = events::summary(folder.path()).unwrap();
    let loss = [(10, 0.1), (20, 0.05), (30, 9.0)];
    assert_eq!(summary.scalars["train/loss"], loss);
    assert_eq!(summary.scalars["train/lr"].len(), 2);
    assert_eq!(summary.histograms.len(), 1);
    assert!(summary.texts.is_empty());
    assert_eq!(summary.group.as_deref(), Some("moneta"));
    assert_eq!(summary.status, None);
    assert!(summary.truncated.is_empty());

    board.finish(Status::Failure).unwrap();
    let summary = events::summary(folder.path()).unwrap();
    assert_eq!(summary.status, Some(Status::Failure));
    let files = fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(files, 2, "a temporary file is left");
}

#[test]
fn resume_drops_unwanted_values_and_takes_new_hyperparameters() {
    let folder = tempdir().unwrap();
    write_run(folder.path());
    let keeps = |step: u64, tag: &str| step < 20 || tag == "train/lr";
    let mut board = TensorBoard::resume(folder.path(), 20, &keeps).unwrap();
    // A record of two values loses one of them.
    let summary = events::summary(folder.path()).unwrap();
    assert_eq!(summary.scalars["train/loss"], [(10, 0.1)]);
    assert_eq!(summary.scalars["train/lr"], [(10, 0.5), (20, 0.5)]);
    assert!(summary.histograms.is_empty());
    assert_eq!(summary.group.as_deref(), Some("moneta"));

    board
        .hparams(
            "longer",
            &named(&[("optim.lr", HParam::Number(0.5))]),
            &["b"],
        )
        .unwrap();
    let summary = events::summary(folder.path()).unwrap();
    assert_eq!(summary.group.as_deref(), Some("longer"));
    assert_eq!(summary.hparams.len(), 1);
    assert_eq!(summary.metric_tags, ["b"]);
    assert_eq!(summary.scalars["train/lr"], [(10, 0.5), (20, 0.5)]);
}

#[test]
fn the_session_start_alone_drops_later_points() {
    let folder = tempdir().unwrap();
    let first = write_run(folder.path());
    let untrimmed = fs::read(&first).unwrap();
    TensorBoard::resume(folder.path(), 10, &|_, _| true).unwrap();
    fs::write(&first, untrimmed).unwrap();
    let summary = events::summary(folder.path()).unwrap();
    assert_eq!(summary.scalars["train/loss"], [(10, 0.1)]);
    assert_eq!(summary.group.as_deref(), Some("moneta"));
}

#[test]
fn resume_leaves_whole_and_damaged_files_alone() {
    let folder = tempdir().unwrap();
    let first = write_run(folder.path());
    let mut damaged = fs::read(&first).unwrap();
    damaged[40] ^= 1;
    fs::write(&first, &damaged).unwrap();
    TensorBoard::resume(folder.path(), 10, &|_, _| true).unwrap();
    assert_eq!(fs::read(&first).unwrap(), damaged);
}

#[test]
fn many_writers_in_one_folder_and_second_do_not_collide() {
    let folder = tempdir().unwrap();
    let write = |index: u64| {
        let mut board = TensorBoard::create(folder.path()).expect("create");
        let tag = format!("writer/{index}");
        board.scalars(1, 1, &[(tag, 1.0)]).expect("scalars");
    };
    std::thread::scope(|scope| {
        for index in 0..8 {
            scope.spawn(move || write(index));
        }
    });
    assert_eq!(events::event_files(folder.path()).unwrap().len(), 8);
    assert_eq!(events::summary(folder.path()).unwrap().scalars.len(), 8);
}

#[test]
fn a_later_writer_sorts_after_an_earlier_one() {
    let folder = tempdir().unwrap();
    let mut paths = Vec::new();
    for _ in 0..12 {
        let board = TensorBoard::resume(folder.path(), 1, &|_, _| true).unwrap();
        paths.push(board.path().to_path_buf());
    }
    assert_eq!(events::event_files(folder.path()).unwrap(), paths);
}
