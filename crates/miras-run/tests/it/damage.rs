//! Damage is found, named, and passed over.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use miras_run::{
    CheckpointInfo, Checkpoints, Export, Exported, Fault, Policy, RunError, RunFolder, Vouched,
    sha256_hex, vouched_weights,
};

use crate::{keep_all, new_run, save, save_with};

const FILES: [&str; 3] = ["model.safetensors", "optimizer/adamw.bin", "manifest.json"];

/// The file that a fault blames.
fn blamed(fault: &Fault) -> &str {
    match fault {
        Fault::Missing { file }
        | Fault::Size { file, .. }
        | Fault::Content { file }
        | Fault::Unreadable { file, .. } => file,
        other => panic!("{other} blames no file"),
    }
}

/// Damages one file of the newest of two checkpoints, in each of the given ways.
fn damage_each(file: &str, ways: impl Fn(&[u8]) -> Vec<Vec<u8>>) {
    let runs = tempfile::tempdir().unwrap();
    let mut checkpoints = Checkpoints::new(&new_run(runs.path(), "a"), keep_all());
    save(&mut checkpoints, 10);
    let path = save(&mut checkpoints, 20).path.join(file);
    let whole = fs::read(&path).unwrap();
    for (way, bytes) in ways(&whole).into_iter().enumerate() {
        fs::write(&path, bytes).unwrap();
        let latest = checkpoints.latest_valid().unwrap();
        let [skipped] = latest.skipped.as_slice() else {
            panic!("{file}, way {way}: {:?}", latest.skipped);
        };
        assert_eq!(
            (skipped.step, blamed(&skipped.fault)),
            (20, file),
            "way {way}: {skipped}"
        );
        assert_eq!(latest.require().unwrap().step, 10);
        let RunError::Damaged(damaged) = checkpoints.verify(20).unwrap_err() else {
            panic!("{file}, way {way}");
        };
        assert_eq!(blamed(&damaged.fault), file, "way {way}");
    }
    fs::write(&path, whole).unwrap();
    checkpoints.verify(20).unwrap();
}

#[test]
fn a_flipped_bit_in_any_file_is_found_by_name_and_the_earlier_checkpoint_used() {
    for file in ["model.safetensors", "optimizer/adamw.bin"] {
        damage_each(file, |whole| {
            let last = whole.len() - 1;
            let flip = |at: usize, bit: u32| {
                let mut bytes = whole.to_vec();
                bytes[at] ^= 1 << bit;
                bytes
            };
            (0..8)
                .flat_map(|bit| [flip(0, bit), flip(last / 2, bit), flip(last, bit)])
                .collect()
        });
    }
}

/// The manifest is the one file that no other file vouches for, so every byte is tried. The
/// number of the format is left out: another version has its own message.
#[test]
fn a_flipped_bit_anywhere_in_the_manifest_is_found_by_name() {
    damage_each("manifest.json", |whole| {
        let key = b"\"format\": ";
        let format = whole
            .windows(key.len())
            .position(|part| part == key)
            .unwrap()
            + key.len();
        let places = (0..whole.len()).filter(|&at| at != format);
        let flips = places.map(|at| {
            let mut bytes = whole.to_vec();
            bytes[at] ^= 1 << (at % 8);
            bytes
        });
        flips.collect()
    });
}

#[test]
fn a_truncated_or_longer_file_is_found_by_name() {
    for file in FILES {
        damage_each(file, |whole| {
            let longer = [whole, b"x"].concat();
            vec![
                Vec::new(),
                whole[..1].to_vec(),
                whole[..whole.len() - 1].to_vec(),
                longer,
            ]
        });
    }
}

#[test]
fn a_missing_file_is_found_by_name() {
    for file in FILES {
        let runs = tempfile::tempdir().unwrap();
        let mut checkpoints = Checkpoints::new(&new_run(runs.path(), "a"), keep_all());
        save(&mut checkpoints, 10);
        fs::remove_file(save(&mut checkpoints, 20).path.join(file)).unwrap();
        let latest = checkpoints.latest_valid().unwrap();
        assert_eq!(
            latest.skipped[0].fault,
            Fault::Missing {
                file: file.to_owned()
            }
        );
        assert_eq!(latest.require().unwrap().step, 10);
    }
}

#[test]
fn a_renamed_checkpoint_and_another_format_are_told_apart_from_damage() {
    let runs = tempfile::tempdir().unwrap();
    let mut checkpoints = Checkpoints::new(&new_run(runs.path(), "a"), keep_all());
    let path = save(&mut checkpoints, 20).path;
    let renamed = path.with_file_name("step-00000030");
    fs::rename(&path, &renamed).unwrap();
    assert_eq!(
        checkpoints.latest_valid().unwrap().skipped[0].fault,
        Fault::Step { found: 20 }
    );

    fs::rename(&renamed, &path).unwrap();
    replace_in(
        &path.join("manifest.json"),
        "\"format\": 1",
        "\"format\": 2",
    );
    let fault = checkpoints.latest_valid().unwrap().skipped.remove(0).fault;
    assert_eq!(fault, Fault::Format { found: 2, known: 1 });
}

#[test]
fn when_all_are_damaged_each_is_reported() {
    let runs = tempfile::tempdir().unwrap();
    let mut checkpoints = Checkpoints::new(&new_run(runs.path(), "a"), keep_all());
    for step in [10, 20] {
        let path = save(&mut checkpoints, step).path;
        fs::write(path.join("model.safetensors"), "").unwrap();
    }
    let error = checkpoints
        .latest_valid()
        .unwrap()
        .require()
        .unwrap_err()
        .to_string();
    let list = "(step 20: `model.safetensors` has 0 bytes instead of 1800; step 10: `model";
    assert!(error.contains(list), "{error}");
}

#[test]
fn a_damaged_checkpoint_is_repaired_by_saving_its_step_again() {
    let runs = tempfile::tempdir().unwrap();
    let mut checkpoints = Checkpoints::new(&new_run(runs.path(), "a"), keep_all());
    let path = save(&mut checkpoints, 20).path;
    fs::write(path.join("model.safetensors"), "").unwrap();
    assert!(checkpoints.verify(20).is_err());
    save(&mut checkpoints, 20);
    checkpoints.verify(20).unwrap();
}

/// A damage in words, and as what is done to a file.
type Ruin = (&'static str, fn(&Path));

/// Ways to damage a manifest so that nobody can tell what its checkpoint is worth.
const RUINED: [Ruin; 5] = [
    ("missing", |path| fs::remove_file(path).unwrap()),
    ("empty", |path| fs::write(path, "").unwrap()),
    ("cut", |path| {
        let whole = fs::read(path).unwrap();
        fs::write(path, &whole[..whole.len() / 2]).unwrap();
    }),
    ("changed", |path| {
        replace_in(path, "\"tokens\": ", "\"tokens\": 1");
    }),
    ("no file", |path| {
        fs::remove_file(path).unwrap();
        fs::create_dir(path).unwrap();
    }),
];

#[test]
fn a_checkpoint_whose_manifest_cannot_be_read_is_never_pruned() {
    for (how, ruin) in RUINED {
        for keep_last in [1, 2] {
            let runs = tempfile::tempdir().unwrap();
            let policy = Policy {
                keep_last,
                keep_every: 0,
                keep_best: true,
            };
            let mut checkpoints = Checkpoints::new(&new_run(runs.path(), "a"), policy);
            let mut reported = Vec::new();
            for (step, eval) in [(10, 3.0), (20, 1.0), (30, 2.0), (40, 4.0), (50, 5.0)] {
                let info = CheckpointInfo {
                    eval: Some(eval),
                    ..CheckpointInfo::new(step)
                };
                let saved = save_with(&mut checkpoints, step, &info);
                reported.extend(saved.unreadable);
                if step == 20 {
                    ruin(&saved.path.join("manifest.json"));
                }
            }
            // The best of the others stays as well, for nobody knows that it is only the second.
            let kept = checkpoints.list().unwrap();
            let expected = match keep_last {
                1 => vec![20, 30, 50],
                _ => vec![20, 30, 40, 50],
            };
            assert_eq!(kept, expected, "{how}, {keep_last}");
            let steps: Vec<u64> = reported.iter().map(|damaged| damaged.step).collect();
            assert_eq!(steps, [20], "{how}: reported once");
            assert_eq!(blamed(&reported[0].fault), "manifest.json", "{how}");

            let best = checkpoints.best().unwrap();
            assert_eq!(best.skipped, reported, "{how}");
            assert_eq!(best.require().unwrap().step, 30, "{how}");
        }
    }
}

#[test]
fn the_best_of_those_that_are_whole_is_found_and_the_others_are_named() {
    let runs = tempfile::tempdir().unwrap();
    let mut checkpoints = Checkpoints::new(&new_run(runs.path(), "a"), keep_all());
    for (step, eval) in [(10, 3.0), (20, 1.0), (30, 2.0), (40, 4.0)] {
        let info = CheckpointInfo {
            eval: Some(eval),
            ..CheckpointInfo::new(step)
        };
        let path = save_with(&mut checkpoints, step, &info).path;
        if step == 20 {
            fs::write(path.join("model.safetensors"), "").unwrap();
        } else if step == 40 {
            fs::remove_file(path.join("manifest.json")).unwrap();
        }
    }
    let best = checkpoints.best().unwrap();
    let skipped: Vec<_> = (best.skipped.iter())
        .map(|damaged| (damaged.step, blamed(&damaged.fault)))
        .collect();
    assert_eq!(skipped, [(40, "manifest.json"), (20, "model.safetensors")]);
    assert_eq!(best.require().unwrap().step, 30);
}

/// Every way to flip a bit of a text, to cut it and to empty it.
fn damages(whole: &[u8]) -> Vec<Vec<u8>> {
    let flips = (0..whole.len() * 8).map(|bit| {
        let mut bytes = whole.to_vec();
        bytes[bit / 8] ^= 1 << (bit % 8);
        bytes
    });
    let cuts = (0..whole.len()).map(|at| whole[..at].to_vec());
    flips.chain(cuts).collect()
}

const CONFIG: &str = "[model]\ndim = 8\n[train]\nsteps = 20\nlr = 0.003\n";

#[test]
fn a_configuration_that_was_changed_or_cut_anywhere_is_refused_by_name() {
    let runs = tempfile::tempdir().unwrap();
    let record = crate::record();
    let folder = RunFolder::create(runs.path(), "a", CONFIG, &record, &[]).unwrap();
    let path = folder.config_path();
    let reader = RunFolder::open_to_read(runs.path(), "a").unwrap();
    for bytes in damages(CONFIG.as_bytes()) {
        fs::write(&path, &bytes).unwrap();
        let error = reader.read_config().unwrap_err();
        assert!(
            matches!(&error, RunError::ConfigChanged { path: named } if *named == path),
            "{error}"
        );
    }
    fs::write(&path, CONFIG).unwrap();
    assert_eq!(reader.read_config().unwrap(), CONFIG);

    // What was changed is not what the record knows; what the run itself rewrites is.
    folder.rewrite("steps = 30\n", &record).unwrap();
    assert_eq!(reader.read_config().unwrap(), "steps = 30\n");
    fs::write(&path, CONFIG).unwrap();
    reader.read_config().unwrap_err();
}

#[test]
fn a_record_and_a_summary_that_were_changed_or_cut_are_refused_or_still_the_same() {
    let runs = tempfile::tempdir().unwrap();
    let record = crate::record();
    let folder = RunFolder::create(runs.path(), "a", CONFIG, &record, &[]).unwrap();
    let summary = crate::folder::summary();
    folder.write_summary(&summary).unwrap();
    let mut refused = [0, 0];
    for (number, file) in ["run.json", "summary.json"].into_iter().enumerate() {
        let path = folder.path().join(file);
        let whole = fs::read(&path).unwrap();
        for bytes in damages(&whole) {
            fs::write(&path, &bytes).unwrap();
            let error = match number {
                0 => folder.read_record().map(|read| assert_eq!(read, record)),
                _ => folder
                    .read_summary()
                    .map(|read| assert_eq!(read.as_ref(), Some(&summary))),
            };
            if let Err(error) = error {
                refused[number] += 1;
                assert!(error.to_string().contains(file), "{error}");
            }
        }
        fs::write(&path, whole).unwrap();
    }
    assert!(refused[0] > 3000 && refused[1] > 1500, "{refused:?}");
}

#[test]
fn weights_are_compared_with_what_stands_beside_them() {
    let top = tempfile::tempdir().unwrap();
    let runs = top.path();
    let mut checkpoints = Checkpoints::new(&new_run(runs, "a"), keep_all());
    let saved = save(&mut checkpoints, 10).path.join("model.safetensors");
    let out = runs.join("out");
    let files = Exported {
        weights: b"weights",
        config: CONFIG,
        tokenizer: &[],
    };
    Export::new("a", 10, 1).write(&out, files).unwrap();
    let exported = out.join("model.safetensors");
    for (path, by) in [(saved, "manifest.json"), (exported, "export.json")] {
        let whole = fs::read(&path).unwrap();
        let check = |bytes: &[u8]| vouched_weights(&path, &sha256_hex(bytes));
        assert_eq!(check(&whole).unwrap(), Vouched::Yes);
        for bytes in damages(&whole[..7]) {
            let error = check(&[&bytes, &whole[7..]].concat())
                .unwrap_err()
                .to_string();
            let path = path.display().to_string();
            assert!(error.starts_with(&path) && error.contains(by), "{error}");
        }
        // Who vouches is damaged.
        let voucher = path.with_file_name(by);
        let text = fs::read(&voucher).unwrap();
        let mut refused = 0;
        for bytes in damages(&text) {
            fs::write(&voucher, bytes).unwrap();
            refused += usize::from(check(&whole).is_err());
        }
        assert!(refused > text.len() * 8, "{by}: {refused}");
        fs::remove_file(voucher).unwrap();
        assert_eq!(check(&whole).unwrap(), Vouched::Unknown);
    }
}

struct StopOnDrop<'a>(&'a AtomicBool);

impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn a_reader_beside_a_trainer_finds_a_checkpoint_however_fast_they_are_replaced() {
    let runs = tempfile::tempdir().unwrap();
    let policy = Policy {
        keep_last: 1,
        keep_every: 0,
        keep_best: false,
    };
    let folder = new_run(runs.path(), "a");
    let mut checkpoints = Checkpoints::new(&folder, policy);
    let info = CheckpointInfo {
        eval: Some(1.0),
        ..CheckpointInfo::new(1)
    };
    save_with(&mut checkpoints, 1, &info);
    let stop = AtomicBool::new(false);
    let again = AtomicUsize::new(0);
    thread::scope(|scope| {
        // A reader that fails ends the writer too.
        let _stop = StopOnDrop(&stop);
        scope.spawn(|| {
            let mut step = 1;
            while !stop.load(Ordering::Relaxed) {
                // Each step twice, so that they are replaced as well.
                step += 1;
                for _ in 0..2 {
                    save_with(&mut checkpoints, step, &info);
                    // From no pause at all to one that a reader on a busy machine gets done in.
                    thread::sleep(Duration::from_millis(step % 16));
                }
            }
        });
        let reader = RunFolder::open_to_read(runs.path(), "a").unwrap();
        let reader = Checkpoints::new(&reader, policy);
        for number in 0..400 {
            let find = |reader: &Checkpoints| match number % 2 {
                0 => reader.latest_valid()?.require(),
                _ => reader.best()?.require(),
            };
            let mut reads = 0;
            let text = reader.read(find, |found| {
                reads += 1;
                let path = found.path.join("model.safetensors");
                // As a slow reader of a large file.
                thread::sleep(Duration::from_micros(300));
                let text = fs::read_to_string(&path).map_err(|cause| RunError::Io {
                    action: "read",
                    path,
                    cause,
                })?;
                Ok::<_, RunError>((found.step, text))
            });
            let (step, text) = text.unwrap_or_else(|error| panic!("read {number}: {error}"));
            assert!(text.starts_with(&format!("weights of step {step}w")));
            again.fetch_add(reads - 1, Ordering::Relaxed);
        }
    });
    let again = again.into_inner();
    assert!(again > 0, "no checkpoint vanished, so nothing was tested");
}

fn replace_in(path: &Path, from: &str, to: &str) {
    let text = fs::read_to_string(path).unwrap();
    assert!(text.contains(from), "{text}");
    fs::write(path, text.replace(from, to)).unwrap();
}
