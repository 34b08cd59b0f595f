//! Damage is found, named, and passed over.

use std::fs;
use std::path::Path;

use miras_run::{Checkpoints, Fault, RunError};

use crate::{keep_all, new_run, save};

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

fn replace_in(path: &Path, from: &str, to: &str) {
    let text = fs::read_to_string(path).unwrap();
    assert!(text.contains(from), "{text}");
    fs::write(path, text.replace(from, to)).unwrap();
}
