//! What every tracker keeps to.

mod common;

use std::cell::RefCell;
use std::path::Path;
use std::rc::Rc;

use common::named;
use miras_log::{JsonLines, LogError, Status, TensorBoard, Tracker, Trackers};
use miras_run::RunError;
use tempfile::tempdir;

type Make = fn(&Path) -> Box<dyn Tracker>;

const ALL: &[(&str, Make)] = &[
    ("json lines", |folder| {
        Box::new(JsonLines::create(folder.join("metrics.jsonl")).expect("open"))
    }),
    ("json lines, resumed", |folder| {
        Box::new(JsonLines::resume(folder.join("metrics.jsonl"), 3, &|_, _| true).expect("open"))
    }),
    ("tensorboard", |folder| {
        Box::new(TensorBoard::create(folder).expect("open"))
    }),
    ("tensorboard, resumed", |folder| {
        Box::new(TensorBoard::resume(folder, 3, &|_, _| true).expect("open"))
    }),
    ("several", |folder| {
        let json = JsonLines::create(folder.join("metrics.jsonl")).expect("open");
        let board = TensorBoard::create(folder).expect("open");
        Box::new(Trackers(vec![Box::new(json), Box::new(board)]))
    }),
    ("none", |_| Box::new(Trackers::default())),
];

#[test]
fn every_tracker_takes_everything() {
    for (name, make) in ALL {
        let folder = tempdir().unwrap();
        // Missing folders are made.
        let mut tracker = make(&folder.path().join("runs/a"));
        let odd = named(&[
            ("train/loss", f64::NAN),
            ("a \"quoted\"\n\u{1f980} tag", f64::INFINITY),
            ("tiny", f64::NEG_INFINITY),
            ("wide", f64::MAX),
        ]);
        let mut all = || -> Result<(), LogError> {
            tracker.scalars(4, 0, &odd)?;
            tracker.scalars(u64::MAX, u64::MAX, &[])?;
            tracker.histogram(4, "empty", &[])?;
            tracker.histogram(4, "constant", &[1.0; 5])?;
            tracker.histogram(4, "odd", &[f32::NAN, f32::INFINITY, 1.0, 2.0])?;
            tracker.text(4, "sample", "")?;
            tracker.text(4, "sample", "# *two*\nlines")?;
            tracker.flush()?;
            tracker.finish(Status::Interrupted)?;
            tracker.finish(Status::Success)
        };
        all().unwrap_or_else(|error| panic!("{name}: {error}"));
    }
}

#[test]
fn an_unusable_path_is_an_error_that_names_it() {
    let folder = tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    let inside = file.join("inside");
    let errors = [
        JsonLines::create(&inside).err(),
        JsonLines::resume(&inside, 0, &|_, _| true).err(),
        JsonLines::create(folder.path()).err(),
        TensorBoard::create(&file).err(),
        TensorBoard::resume(&file, 0, &|_, _| true).err(),
    ];
    for error in errors {
        let message = error.expect("no error").to_string();
        let shown = folder.path().display().to_string();
        assert!(message.contains(&shown), "{message}");
        assert!(message.starts_with("cannot "), "{message}");
    }
}

#[test]
fn several_forward_everything_and_return_the_first_error() {
    let calls = Rc::new(RefCell::new(Vec::new()));
    let fails = |name| Box::new(Fails(name, Rc::clone(&calls)));
    let mut several = Trackers(vec![fails("one"), fails("two")]);
    let error = several.scalars(1, 2, &[]).unwrap_err();
    assert!(error.to_string().contains("one"), "{error}");
    several.finish(Status::Failure).unwrap_err();
    assert_eq!(
        *calls.borrow(),
        ["one scalars", "two scalars", "one finish", "two finish"]
    );
}

struct Fails(&'static str, Rc<RefCell<Vec<String>>>);

impl Fails {
    fn call(&self, call: &str) -> Result<(), LogError> {
        self.1.borrow_mut().push(format!("{} {call}", self.0));
        let refused = std::io::Error::other("refused");
        Err(RunError::io("write", Path::new(self.0))(refused).into())
    }
}

impl Tracker for Fails {
    fn scalars(&mut self, _: u64, _: u64, _: &[(String, f64)]) -> Result<(), LogError> {
        self.call("scalars")
    }

    fn finish(&mut self, _: Status) -> Result<(), LogError> {
        self.call("finish")
    }
}
