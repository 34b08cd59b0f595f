//! Workers whose trials are shell scripts.

use std::{
    fs,
    path::Path,
    process::Command,
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use miras_run::{CheckpointInfo, Checkpoints, Policy, RunFolder, RunRecord, Start, provenance};
use miras_sweep::{
    Evaluations, Event, EventKind, Launch, Options, SweepError, SweepFolder, Tally, Task, Trial,
    Watch, What, WorkEnd, Worker,
};

use crate::support::{Toy, plan, text_of};

const TEN: &str = "[sweep]\nseeds = [1, 2, 3, 4, 5]\n[sweep.axes]\n'train.lr' = [0.1, 0.2]";

/// A run that ends at once, and adds a line to `begun`.
const GOOD: &str = r#"
    mkdir -p "$RUN" && touch "$RUN/config.toml" && echo "$NAME" >> "$SWEEP/begun"
    echo '{"status":"finished","steps":'$STEPS',"tokens":1,"seconds":1.0,"metrics":{"eval/loss":2.5}}' > "$RUN/summary.json"
"#;

struct Script(&'static str);

impl Script {
    fn command(&self, folder: &SweepFolder, trial: &Trial, steps: u64) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", self.0]);
        command.env("RUN", folder.path().join(&trial.name));
        command.env("NAME", &trial.name);
        command.env("SWEEP", folder.path());
        command.env("STEPS", steps.to_string());
        command
    }
}

impl Launch for Script {
    fn start(&self, folder: &SweepFolder, trial: &Trial, steps: u64) -> Command {
        self.command(folder, trial, steps)
    }

    fn resume(&self, folder: &SweepFolder, trial: &Trial, steps: u64) -> Command {
        self.command(folder, trial, steps)
    }

    fn evaluate(
        &self,
        folder: &SweepFolder,
        trial: &Trial,
        (what, memory, evaluations): (What<'_>, &str, &Evaluations),
        report: &Path,
    ) -> Command {
        let run = RunFolder::open_to_read(folder.path(), &trial.name).unwrap();
        let step = run.read_summary().unwrap().unwrap().steps;
        let newest = run.newest().unwrap();
        let weights = newest.and_then(|newest| newest.weights);
        let mut command = Command::new("sh");
        command.args(["-c", "echo \"$0\" > \"$1\"; echo x >> \"$2/measured\""]);
        let (tokens, stretches) = (evaluations.tokens, evaluations.stretches());
        let What::Rows(length) = what else {
            panic!("no task is measured here");
        };
        command.arg(
            serde_json::json!({
                "length": length, "memory": memory, "size": tokens.to_string(),
                "stretches": stretches, "step": step, "weights": weights,
            })
            .to_string(),
        );
        command.arg(report).arg(folder.path());
        command
    }
}

/// Raises a flag after so many trials have begun.
#[derive(Default)]
struct Watcher {
    begun: Mutex<usize>,
    waited: Mutex<usize>,
    stop_after: Option<usize>,
    stop: AtomicBool,
}

impl Watch for Watcher {
    fn started(&self, _: usize, _: &Trial, _: Task) {
        let mut begun = self.begun.lock().unwrap();
        *begun += 1;
        if Some(*begun) == self.stop_after {
            self.stop.store(true, Ordering::SeqCst);
        }
    }

    fn progressed(&self, _: usize, _: &Trial, _: u64) {}

    fn waiting(&self, trials: usize) {
        *self.waited.lock().unwrap() += trials;
    }

    fn ended(&self, _: usize, _: &Trial, _: &Event, _: Tally) {}
}

struct Bench {
    folder: SweepFolder,
    dir: tempfile::TempDir,
}

impl Bench {
    fn new(text: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (plan, configs) = plan(text);
        let folder = SweepFolder::create(&dir.path().join("toy"), plan, &configs).unwrap();
        Self { folder, dir }
    }

    fn work(&self, script: &'static str, jobs: usize, fail_fast: bool) -> WorkEnd {
        self.watched(script, jobs, fail_fast, &Watcher::default())
    }

    fn watched(
        &self,
        script: &'static str,
        jobs: usize,
        fail_fast: bool,
        watch: &Watcher,
    ) -> WorkEnd {
        let worker = Worker {
            folder: &self.folder,
            launch: &Script(script),
            watch,
            stop: &watch.stop,
            options: Options { jobs, fail_fast },
        };
        worker.work().unwrap()
    }

    fn count(&self, what: EventKind) -> usize {
        let events = self.folder.ledger().events().unwrap();
        events.iter().filter(|event| event.event == what).count()
    }

    fn begun(&self) -> usize {
        text_of(&self.folder.path().join("begun")).lines().count()
    }
}

fn tally(done: usize, failed: usize, all: usize) -> Tally {
    Tally { done, failed, all }
}

#[test]
fn many_workers_do_each_trial_once() {
    let bench = Bench::new(TEN);
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                let end = bench.work(GOOD, 2, false);
                assert_eq!(end, WorkEnd::Complete(tally(10, 0, 10)));
            });
        }
    });
    assert_eq!((bench.begun(), bench.count(EventKind::Done)), (10, 10));
    // Nothing is left.
    let end = bench.work("exit 9", 1, false);
    assert_eq!(end, WorkEnd::Complete(tally(10, 0, 10)));
}

#[test]
fn a_failure_stops_nothing_unless_it_should() {
    let odd = r#"case $NAME in *0.1-s1) echo "error: no luck" >&2; exit 1;; esac
        mkdir -p "$RUN" && touch "$RUN/config.toml"
        echo '{"status":"finished","steps":'$STEPS',"tokens":1,"seconds":1.0,"metrics":{"eval/loss":2.5}}' > "$RUN/summary.json""#;
    let bench = Bench::new(TEN);
    assert_eq!(
        bench.work(odd, 1, false),
        WorkEnd::Complete(tally(9, 1, 10))
    );
    let events = bench.folder.ledger().events().unwrap();
    let failed = events.iter().find(|event| event.event == EventKind::Failed);
    assert_eq!(failed.unwrap().reason.as_deref(), Some("no luck"));
    assert_eq!(bench.folder.retry().unwrap(), 1);
    assert_eq!(
        bench.work(GOOD, 1, false),
        WorkEnd::Complete(tally(10, 0, 10))
    );

    let bench = Bench::new(TEN);
    let end = bench.work(odd, 1, true);
    assert_eq!(
        end,
        WorkEnd::Stopped(tally(0, 1, 10), "a trial failed: no luck".to_owned())
    );
}

#[test]
fn three_failures_alike_end_it() {
    let bench = Bench::new(TEN);
    let end = bench.work("echo 'error: disk 7 is full' >&2; exit 1", 1, false);
    let WorkEnd::Stopped(tally, why) = end else {
        panic!("{end:?}");
    };
    assert_eq!((tally.done, tally.failed), (0, 3));
    assert!(
        why.contains("3 trials in a row failed alike: disk 7 is full"),
        "{why}"
    );
}

#[test]
fn a_stop_is_passed_on_and_what_is_left_goes_on_later() {
    let bench = Bench::new(TEN);
    let watch = Watcher {
        stop_after: Some(2),
        ..Watcher::default()
    };
    let patient = "trap 'sleep 0.2; exit 130' INT; while true; do sleep 0.05; done";
    let end = bench.watched(patient, 2, false, &watch);
    assert_eq!(end, WorkEnd::Interrupted(tally(0, 0, 10)));
    assert_eq!(bench.count(EventKind::Interrupted), 2);
    assert_eq!(
        bench.work(GOOD, 2, false),
        WorkEnd::Complete(tally(10, 0, 10))
    );
}

#[test]
fn what_a_dead_worker_left_running_is_waited_for() {
    let bench = Bench::new("[sweep.axes]\n'train.lr' = [0.1]");
    // The process of a worker that is gone has the lock as its input.
    let id = &bench.folder.plan().trials[0].id;
    let lock = bench.folder.path().join(format!("trials/{id}.lock"));
    let file = fs::File::create(&lock).unwrap();
    file.lock().unwrap();
    let script = format!("sleep 0.7; {GOOD}");
    let command = Script("").command(&bench.folder, &bench.folder.plan().trials[0], 10);
    let mut orphan = Command::new("sh");
    orphan.args(["-c", &script]).stdin(file);
    orphan.envs(
        command
            .get_envs()
            .filter_map(|(name, value)| Some((name, value?))),
    );
    let mut child = orphan.spawn().unwrap();
    // It has a copy of the file.
    drop(orphan);
    thread::sleep(Duration::from_millis(50));
    let watch = Watcher::default();
    let end = bench.watched("exit 9", 1, false, &watch);
    assert_eq!(end, WorkEnd::Complete(tally(1, 0, 1)));
    assert_eq!(*watch.waited.lock().unwrap(), 1, "it says so, once");
    assert_eq!(bench.begun(), 1, "it was not done again");
    child.wait().unwrap();
}

#[test]
fn trained_trials_are_measured_at_every_length() {
    let text = format!(
        "{TEN}\n[sweep.evaluate]\nlengths = [8, 16]\ntokens = 4096\nmemory = ['live', 'reset']"
    );
    let bench = Bench::new(&text);
    bench.work(GOOD, 2, false);
    let measured = || {
        text_of(&bench.folder.path().join("measured"))
            .lines()
            .count()
    };
    assert_eq!(measured(), 10 * 4);
    for trial in &bench.folder.plan().trials {
        let report = bench
            .folder
            .path()
            .join(&trial.name)
            .join("eval-16-reset.json");
        assert!(report.is_file(), "{}", report.display());
    }
    let go_on = |bench: Bench, lengths: &str| {
        let (more, configs) = plan(&text.replace("[8, 16]", lengths));
        let folder = SweepFolder::resume(bench.folder.path(), more, &configs, &Toy).unwrap();
        let bench = Bench {
            folder,
            dir: bench.dir,
        };
        let end = bench.work("exit 9", 2, false);
        assert_eq!(end, WorkEnd::Complete(tally(10, 0, 10)));
        let measured = text_of(&bench.folder.path().join("measured"));
        (bench, measured.lines().count())
    };
    // Another length is measured on what is trained, and nothing else is done again.
    let (bench, measured) = go_on(bench, "[4, 8, 16]");
    assert_eq!(measured, 10 * 6);
    // A longer one than all needs longer stretches of text, and all lengths read the same.
    let (bench, measured) = go_on(bench, "[4, 8, 16, 2048]");
    assert_eq!(measured, 10 * 6 + 10 * 8);

    // What is of other weights than those of now is measured again.
    let trial = bench.folder.plan().trials[2].name.clone();
    let run = RunFolder::open(bench.folder.path(), &trial).unwrap();
    let mut checkpoints = Checkpoints::new(&run, Policy::default());
    let weights = |files: &Path| fs::write(files.join("model.safetensors"), "other");
    (checkpoints.save(99, weights, &CheckpointInfo::new(1))).unwrap();
    drop((checkpoints, run));
    let (bench, measured) = go_on(bench, "[4, 8, 16, 2048]");
    assert_eq!(measured, 10 * 6 + 10 * 8 + 8);
    let (bench, again) = go_on(bench, "[4, 8, 16, 2048]");
    assert_eq!(again, measured);

    // So is what was measured in another way, or on another text.
    let run = |at: usize| {
        let trial = &bench.folder.plan().trials[at];
        bench.folder.path().join(&trial.name)
    };
    let start = Start {
        step: 0,
        device: "cpu".into(),
        provenance: provenance(&[], None),
    };
    let record = RunRecord::new(1, "a text; 9 bytes; sha256:aa", None, start);
    let record = serde_json::to_string(&record).unwrap();
    let change = |at: usize, key: &str, value: serde_json::Value| {
        fs::write(run(at).join("run.json"), &record).unwrap();
        let file = run(at).join("eval-16-live.json");
        let mut report: serde_json::Value = serde_json::from_str(&text_of(&file)).unwrap();
        report[key] = value;
        fs::write(file, report.to_string()).unwrap();
    };
    change(3, "memory", "reset".into());
    change(4, "state", serde_json::json!({"path": "a.state"}));
    let text_read = |checksum: &str| serde_json::json!({"fingerprint": checksum});
    change(5, "data", text_read("sha256:bb"));
    change(6, "data", text_read("sha256:aa"));
    // The text without noise is other data than with it.
    change(7, "data", text_read("sha256-corrupted:cc"));
    let (_, again) = go_on(bench, "[4, 8, 16, 2048]");
    assert_eq!(again, measured + 4);
}

#[test]
fn a_model_without_a_memory_is_measured_as_it_is() {
    let evaluations = Evaluations {
        lengths: vec![8],
        tokens: 8,
        tasks: vec!["piqa=a.jsonl".into()],
        limit: None,
        memory: vec!["frozen".into(), "reset".into()],
    };
    let (rows, task) = (What::Rows(8), What::Task("piqa=a.jsonl"));
    assert_eq!(
        evaluations.each(true),
        [(rows, "frozen"), (rows, "reset"), (task, "frozen")]
    );
    assert_eq!(evaluations.each(false), [(rows, "live"), (task, "live")]);
}

#[test]
fn a_trial_that_is_killed_three_times_has_failed() {
    let bench = Bench::new("[sweep.axes]\n'train.lr' = [0.1, 0.2]");
    let end = bench.work("kill -9 $$", 1, true);
    let WorkEnd::Stopped(tally, why) = end else {
        panic!("{end:?}");
    };
    assert_eq!((tally.failed, bench.count(EventKind::Killed)), (1, 3));
    assert!(why.contains("killed by signal 9"), "{why}");
    assert!(why.contains("3 times"), "{why}");
}

#[test]
fn what_lost_its_folder_is_known_and_can_be_done_again() {
    let bench = Bench::new(TEN);
    bench.work(GOOD, 2, false);
    let trial = &bench.folder.plan().trials[3];
    fs::remove_dir_all(bench.folder.path().join(&trial.name)).unwrap();
    assert_eq!(bench.folder.lost().unwrap(), 1);
    assert_eq!(bench.folder.retry().unwrap(), 1);
    assert_eq!(
        bench.work(GOOD, 1, false),
        WorkEnd::Complete(tally(10, 0, 10))
    );
    assert_eq!((bench.begun(), bench.folder.lost().unwrap()), (11, 0));
}

#[test]
fn a_torn_last_line_is_dropped_and_the_next_one_is_whole() {
    let bench = Bench::new(TEN);
    let path = bench.folder.path().join("ledger.jsonl");
    // A character may be torn as well.
    fs::write(&path, b"{\"time\":\"\",\"trial\":\"x\xe2\x82").unwrap();
    assert_eq!(bench.folder.ledger().events().unwrap(), []);
    let end = bench.work(GOOD, 1, false);
    assert_eq!(end, WorkEnd::Complete(tally(10, 0, 10)));
    assert_eq!(bench.count(EventKind::Done), 10);
    let text = text_of(&path);
    assert_eq!(text.lines().count(), 20, "nothing of it is left: {text}");
    // A line that lost its end alone is whole.
    fs::write(&path, text.trim_end()).unwrap();
    assert_eq!(bench.count(EventKind::Done), 10);
    assert_eq!(
        bench.work("exit 9", 1, false),
        WorkEnd::Complete(tally(10, 0, 10))
    );
}

#[test]
fn a_damaged_line_of_the_ledger_is_an_error_with_its_number() {
    let bench = Bench::new(TEN);
    bench.work(GOOD, 1, false);
    let path = bench.folder.path().join("ledger.jsonl");
    let text = text_of(&path);
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    for (at, damaged) in [
        (0, "{}\n".to_owned()),
        (4, "not JSON\n".to_owned()),
        // Cut in the middle, with a line or nothing after it.
        (7, format!("{}\n", &lines[7][..30])),
        (19, format!("{}\n", &lines[19][..30])),
        (9, "\0\0\0\0\n".to_owned()),
    ] {
        let mut lines = lines.clone();
        lines[at] = &damaged;
        fs::write(&path, lines.concat()).unwrap();
        let error = bench.folder.ledger().events().unwrap_err().to_string();
        let place = format!("ledger.jsonl:{}: this line is damaged: ", at + 1);
        assert!(error.contains(&place), "{error}");
    }
}

/// Fails as a full disk would make it fail, until the file `room` is there.
const FULL: &str = r#"
    if [ ! -e "$SWEEP/room" ]; then
        echo "error: cannot write x: No space left on device (os error 28)" >&2; exit 1
    fi
"#;

#[test]
fn a_full_disk_fails_no_trial_and_is_gone_on_from() {
    let script: &'static str = Box::leak(format!("{FULL}{GOOD}").into_boxed_str());
    let bench = Bench::new(TEN);
    let end = bench.work(script, 2, false);
    let WorkEnd::NoRoom(left, why) = end else {
        panic!("{end:?}");
    };
    assert_eq!(left, tally(0, 0, 10));
    assert_eq!(why, "cannot write x: No space left on device (os error 28)");
    assert!(bench.count(EventKind::Interrupted) >= 1);
    fs::write(bench.folder.path().join("room"), "").unwrap();
    let end = bench.work(script, 2, false);
    assert_eq!(end, WorkEnd::Complete(tally(10, 0, 10)));
}

/// The device that is always full stands for the log, so that nothing that is said arrives.
#[cfg(target_os = "linux")]
#[test]
fn a_process_that_could_say_nothing_is_asked_after() {
    let bench = Bench::new("[sweep.axes]\n'train.lr' = [0.1]");
    let log = bench.folder.log(&bench.folder.plan().trials[0]);
    std::os::unix::fs::symlink("/dev/full", &log).unwrap();
    let end = bench.work("echo 'error: lost' >&2; exit 1", 1, false);
    let WorkEnd::NoRoom(left, why) = end else {
        panic!("{end:?}");
    };
    assert_eq!(left, tally(0, 0, 1));
    assert!(
        why.starts_with("cannot write ") && why.contains("(os error 28)"),
        "{why}"
    );
    // With a disk that takes it, silence is a failure as any other.
    fs::remove_file(&log).unwrap();
    let end = bench.work("exit 1", 1, false);
    assert_eq!(end, WorkEnd::Complete(tally(0, 1, 1)));
    let events = bench.folder.ledger().events().unwrap();
    let reason = events.last().unwrap().reason.clone().unwrap();
    assert_eq!(reason, "it ended with exit code 1 and said nothing");
    assert!(text_of(&log).contains(&reason));
}

/// What a worker says that does not get to the end.
fn refused(bench: &Bench) -> String {
    let watch = Watcher::default();
    let worker = Worker {
        folder: &bench.folder,
        launch: &Script(GOOD),
        watch: &watch,
        stop: &watch.stop,
        options: Options {
            jobs: 1,
            fail_fast: false,
        },
    };
    worker.work().unwrap_err().to_string()
}

#[test]
fn a_trial_is_not_trained_from_another_configuration_than_was_planned() {
    let bench = Bench::new(TEN);
    let path = bench.folder.path().to_owned();
    let trial = &bench.folder.plan().trials[0];
    let file = bench.folder.config(trial);
    let whole = text_of(&file);
    assert!(whole.contains("lr = 0.1"), "{whole}");
    for (damaged, why) in [
        (
            Some(whole.replace("lr = 0.1", "lr = 0.7")),
            "is damaged or was changed",
        ),
        (
            Some(whole[..whole.len() / 2].to_owned()),
            "is damaged or was changed",
        ),
        (None, "cannot be read: "),
    ] {
        match damaged {
            Some(text) => fs::write(&file, text).unwrap(),
            None => fs::remove_file(&file).unwrap(),
        }
        let error = refused(&bench);
        let said = format!(
            "{}, the configuration of trial `{}`, {why}",
            file.display(),
            trial.name
        );
        assert!(error.starts_with(&said), "{error}");
        assert!(error.contains("`sweep FILE --resume`"), "{error}");
        assert!(error.contains("was started by `sweep`"), "{error}");
    }
    assert_eq!(bench.folder.ledger().events().unwrap(), []);
    let (same, configs) = plan(TEN);
    SweepFolder::resume(&path, same, &configs, &Toy).unwrap();
    assert_eq!(text_of(&file), whole);
    // What has begun has a configuration of its own.
    bench.watched(
        GOOD,
        1,
        false,
        &Watcher {
            stop_after: Some(1),
            ..Watcher::default()
        },
    );
    fs::write(&file, "").unwrap();
    // Its columns are not a part of what is trained: a sweep may grow by a key meanwhile.
    let grown = format!("{TEN}\n'train.width' = [8, 9]");
    let (more, configs) = plan(&grown);
    let before = text_of(&bench.folder.config(&bench.folder.plan().trials[1]));
    let folder = SweepFolder::resume(&path, more, &configs, &Toy).unwrap();
    let after = text_of(&bench.folder.config(&bench.folder.plan().trials[1]));
    assert!(before != after && after.contains("train.width"), "{after}");
    assert_eq!(
        bench.work(GOOD, 1, false),
        WorkEnd::Complete(tally(10, 0, 10))
    );
    assert_eq!((bench.begun(), folder.plan().trials.len()), (10, 20));
}

#[test]
fn a_plan_that_was_changed_is_refused_and_can_be_made_again() {
    let bench = Bench::new(TEN);
    bench.work(GOOD, 1, false);
    let path = bench.folder.path();
    let file = path.join("sweep.json");
    let whole = text_of(&file);
    for (from, to) in [
        ("eval/loss", "eval/accuracy"),
        ("\"alike\": 3", "\"alike\": 0"),
        ("      10\n", "      11\n"),
        ("\"id\": \"", "\"id\": \"0"),
        ("}", ""),
    ] {
        assert!(whole.contains(from), "{from}: {whole}");
        fs::write(&file, whole.replacen(from, to, 1)).unwrap();
        let (same, configs) = plan(TEN);
        for result in [
            SweepFolder::open(path),
            SweepFolder::resume(path, same, &configs, &Toy),
        ] {
            let error = result.unwrap_err().to_string();
            let said = format!("{} is damaged or was changed: ", file.display());
            assert!(error.starts_with(&said), "{from}: {error}");
            assert!(error.contains("restore it, or remove it"), "{error}");
        }
    }
    // What is done stays done.
    fs::remove_file(&file).unwrap();
    let (same, configs) = plan(TEN);
    let folder = SweepFolder::create(path, same, &configs).unwrap();
    assert_eq!((text_of(&file), folder.lost().unwrap()), (whole.clone(), 0));
    assert_eq!(
        bench.work("exit 9", 1, false),
        WorkEnd::Complete(tally(10, 0, 10))
    );

    // As an earlier version wrote it.
    assert!(folder.is_verified());
    let mut old: serde_json::Value = serde_json::from_str(&whole).unwrap();
    old.as_object_mut().unwrap().remove("seal");
    for trial in old["trials"].as_array_mut().unwrap() {
        trial.as_object_mut().unwrap().remove("config");
    }
    fs::write(&file, old.to_string()).unwrap();
    let folder = SweepFolder::open(path).unwrap();
    assert!(!folder.is_verified());
    let (same, configs) = plan(TEN);
    assert!(
        SweepFolder::resume(path, same, &configs, &Toy)
            .unwrap()
            .is_verified()
    );
}

/// The sweep as a version planned it that had no key `train.width`, or had another default: another
/// id for each trial, and other configurations.
fn planned_earlier(bench: &Bench, width: &str) {
    let file = bench.folder.path().join("sweep.json");
    let mut plan: serde_json::Value = serde_json::from_str(&text_of(&file)).unwrap();
    plan.as_object_mut().unwrap().remove("seal");
    for (old, trial) in plan["trials"]
        .as_array_mut()
        .unwrap()
        .iter_mut()
        .enumerate()
    {
        let config = bench.folder.config(&bench.folder.plan().trials[old]);
        let text = text_of(&config);
        assert!(text.contains("width = 8\n"), "{text}");
        let id = format!("{old:016}");
        fs::remove_file(&config).unwrap();
        let text = text.replace("width = 8\n", width);
        fs::write(config.with_file_name(format!("{id}.toml")), text).unwrap();
        trial["id"] = id.into();
        trial.as_object_mut().unwrap().remove("config");
    }
    fs::write(&file, plan.to_string()).unwrap();
}

#[test]
fn a_sweep_that_was_planned_without_a_key_that_came_later_goes_on() {
    let mut bench = Bench::new(TEN);
    let path = bench.folder.path().to_owned();
    planned_earlier(&bench, "");
    bench.folder = SweepFolder::open(&path).unwrap();
    assert_eq!(
        bench.work(GOOD, 1, false),
        WorkEnd::Complete(tally(10, 0, 10))
    );
    let before = bench.folder.plan().clone();
    let (more, configs) = plan(&TEN.replace("[0.1, 0.2]", "[0.1, 0.2, 0.3]"));
    bench.folder = SweepFolder::resume(&path, more, &configs, &Toy).unwrap();
    for old in &before.trials {
        let trials = &bench.folder.plan().trials;
        let trial = trials.iter().find(|trial| trial.id == old.id).unwrap();
        assert_eq!(
            (&trial.name, trial.seed, &trial.values),
            (&old.name, old.seed, &old.values)
        );
        assert!(text_of(&bench.folder.config(trial)).contains("width = 8\n"));
    }
    // Five are new, and nothing is done twice.
    assert_eq!(bench.folder.lost().unwrap(), 0);
    assert_eq!(
        bench.work(GOOD, 1, false),
        WorkEnd::Complete(tally(15, 0, 15))
    );
    assert_eq!(bench.begun(), 15);
}

#[test]
fn a_sweep_that_was_planned_with_another_default_is_not_changed_into_one_of_now() {
    let bench = Bench::new(TEN);
    let path = bench.folder.path().to_owned();
    planned_earlier(&bench, "width = 9\n");
    let (same, configs) = plan(TEN);
    let error = SweepFolder::resume(&path, same, &configs, &Toy).unwrap_err();
    let error = error.to_string();
    assert!(error.contains("has 10 of 10 trials"), "{error}");
    assert!(
        error.contains("planned by another version of the program"),
        "{error}"
    );
    assert!(
        error.contains("`worker` goes on with it as it was planned"),
        "{error}"
    );
}

#[test]
fn a_sweep_may_grow_but_not_change() {
    let bench = Bench::new(TEN);
    let path = bench.folder.path().to_owned();
    let (more, configs) = plan(&TEN.replace("[0.1, 0.2]", "[0.1, 0.2, 0.3]"));
    let grown = SweepFolder::resume(&path, more, &configs, &Toy).unwrap();
    assert_eq!(grown.plan().trials.len(), 15);
    let (other, configs) = plan(&TEN.replace("0.2", "0.4"));
    let error = SweepFolder::resume(&path, other, &configs, &Toy).unwrap_err();
    let error_text = error.to_string();
    assert!(error_text.contains("has 10 of 15 trials"), "{error}");
    assert!(error_text.contains("It was started by `sweep`"), "{error}");
    assert!(!error_text.contains("another version"), "{error}");
    let metric = "seeds = [1, 2, 3, 4, 5]\nmetric = 'eval/accuracy'";
    let (other, configs) = plan(
        &TEN.replace("[0.1, 0.2]", "[0.1, 0.2, 0.3]")
            .replace("seeds = [1, 2, 3, 4, 5]", metric),
    );
    let changed = SweepFolder::resume(&path, other, &configs, &Toy).unwrap_err();
    assert!(
        changed.to_string().contains("another `sweep.metric`"),
        "{changed}"
    );
    assert!(matches!(error, SweepError::Usage(_)));
    let error = SweepFolder::open(path.parent().unwrap()).unwrap_err();
    assert!(error.to_string().contains("is no sweep"), "{error}");
}
