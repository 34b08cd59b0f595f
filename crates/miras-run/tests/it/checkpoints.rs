//! Saving, finding and pruning.

use std::fs;
use std::io;
use std::path::Path;

use miras_run::{CheckpointInfo, Checkpoints, Goal, Manifest, Policy, RunError};

use crate::{keep_all, new_run, save, save_with, write_files};

#[test]
fn a_saved_checkpoint_is_listed_verified_and_described() {
    let runs = tempfile::tempdir().unwrap();
    let mut checkpoints = Checkpoints::new(&new_run(runs.path(), "a"), keep_all());
    assert!(checkpoints.list().unwrap().is_empty());
    assert!(checkpoints.latest_valid().unwrap().checkpoint.is_none());

    let info = CheckpointInfo {
        metric: Some("eval/loss".into()),
        eval: Some(2.1),
        best: Some(1.0 / 3.0),
        ..CheckpointInfo::new(40_960)
    };
    let saved = save_with(&mut checkpoints, 20, &info);
    assert!(saved.path.ends_with("a/checkpoints/step-00000020"));
    assert!(saved.not_pruned.is_none());

    let found = checkpoints.latest_valid().unwrap().require().unwrap();
    assert_eq!((found.step, &found.path), (20, &saved.path));
    assert_eq!(found.manifest.info, info);
    let names: Vec<_> = found
        .manifest
        .files
        .iter()
        .map(|file| file.name.as_str())
        .collect();
    assert_eq!(names, ["model.safetensors", "optimizer/adamw.bin"]);
    assert_eq!(
        saved.bytes,
        found
            .manifest
            .files
            .iter()
            .map(|file| file.size)
            .sum::<u64>()
    );
    checkpoints.verify(20).unwrap();
    assert_eq!(checkpoints.at(20).unwrap(), found);
}

#[test]
fn the_manifest_is_plain_json_with_known_hashes() {
    let runs = tempfile::tempdir().unwrap();
    let mut checkpoints = Checkpoints::new(&new_run(runs.path(), "a"), keep_all());
    let write = |folder: &Path| fs::write(folder.join("state.json"), "abc");
    let saved = checkpoints.save(7, write, &CheckpointInfo::new(1)).unwrap();
    let text = fs::read_to_string(saved.path.join("manifest.json")).unwrap();
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!((&json["format"], &json["step"]), (&1.into(), &7.into()));
    assert_eq!(
        (&json["info"]["finite"], &json["info"]["tokens"]),
        (&true.into(), &1.into())
    );
    assert_eq!(json["files"][0]["name"], "state.json");
    assert_eq!(json["files"][0]["size"], 3);
    // The example of FIPS 180-2.
    assert_eq!(
        json["files"][0]["sha256"],
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    );
    serde_json::from_str::<Manifest>(&text).unwrap();
}

#[test]
fn saving_a_step_again_replaces_it() {
    let runs = tempfile::tempdir().unwrap();
    let mut checkpoints = Checkpoints::new(&new_run(runs.path(), "a"), keep_all());
    save(&mut checkpoints, 20);
    let write = |folder: &Path| fs::write(folder.join("other"), "new");
    let saved = checkpoints
        .save(20, write, &CheckpointInfo::new(5))
        .unwrap();
    assert_eq!(checkpoints.list().unwrap(), [20]);
    assert_eq!(checkpoints.at(20).unwrap().manifest.info.tokens, 5);
    assert!(!saved.path.join("model.safetensors").exists());
    let left = fs::read_dir(saved.path.parent().unwrap()).unwrap().count();
    assert_eq!(left, 1, "nothing set aside stays");
}

#[test]
fn a_save_that_fails_leaves_the_earlier_checkpoints_and_no_rubbish() {
    let runs = tempfile::tempdir().unwrap();
    let folder = new_run(runs.path(), "a");
    let mut checkpoints = Checkpoints::new(
        &folder,
        Policy {
            keep_last: 1,
            ..keep_all()
        },
    );
    save(&mut checkpoints, 10);
    for step in [10, 20] {
        let error = checkpoints
            .save(
                step,
                |folder| {
                    write_files(folder, step)?;
                    Err(io::Error::other("no space"))
                },
                &CheckpointInfo::new(0),
            )
            .unwrap_err();
        assert!(matches!(error, RunError::Write { .. }), "{error}");
        assert_eq!(
            checkpoints.latest_valid().unwrap().require().unwrap().step,
            10
        );
        assert_eq!(fs::read_dir(folder.checkpoints_path()).unwrap().count(), 1);
    }
}

#[test]
fn weights_that_are_not_finite_are_not_saved_and_nothing_is_pruned() {
    let runs = tempfile::tempdir().unwrap();
    let folder = new_run(runs.path(), "a");
    let mut checkpoints = Checkpoints::new(&folder, keep_all());
    save(&mut checkpoints, 10);
    save(&mut checkpoints, 20);
    let mut strict = Checkpoints::new(
        &folder,
        Policy {
            keep_last: 1,
            ..keep_all()
        },
    );
    let info = CheckpointInfo {
        finite: false,
        ..CheckpointInfo::new(0)
    };
    let error = strict
        .save(30, |folder| write_files(folder, 30), &info)
        .unwrap_err();
    assert!(
        matches!(error, RunError::NonFinite { step: 30, .. }),
        "{error}"
    );
    assert_eq!(checkpoints.list().unwrap(), [10, 20]);
}

#[test]
fn content_that_is_no_plain_file_is_refused() {
    let runs = tempfile::tempdir().unwrap();
    let mut checkpoints = Checkpoints::new(&new_run(runs.path(), "a"), keep_all());
    let info = CheckpointInfo::new(0);
    let nothing = |_: &Path| Ok::<_, io::Error>(());
    let error = checkpoints.save(1, nothing, &info).unwrap_err().to_string();
    assert!(error.contains("it is empty"), "{error}");
    let reserved = |folder: &Path| fs::write(folder.join("manifest.json"), "{}");
    let error = checkpoints
        .save(1, reserved, &info)
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("this name is for the list of the files"),
        "{error}"
    );
    #[cfg(unix)]
    {
        let link = |folder: &Path| std::os::unix::fs::symlink("/dev/null", folder.join("x"));
        let error = checkpoints.save(1, link, &info).unwrap_err().to_string();
        assert!(error.contains("it is a link or a device"), "{error}");
    }
    assert!(checkpoints.list().unwrap().is_empty());
}

#[test]
fn pruning_follows_the_policy_over_a_whole_run() {
    let evals = [5.0, 1.0, 3.0, 2.0, 4.0, 6.0];
    let table: [(Policy, Goal, &[u64]); 5] = [
        (
            Policy {
                keep_last: 1,
                keep_every: 0,
                keep_best: false,
            },
            Goal::Lower,
            &[60],
        ),
        (
            Policy {
                keep_last: 2,
                keep_every: 0,
                keep_best: true,
            },
            Goal::Lower,
            &[20, 50, 60],
        ),
        (
            Policy {
                keep_last: 1,
                keep_every: 0,
                keep_best: true,
            },
            Goal::Higher,
            &[60],
        ),
        (
            Policy {
                keep_last: 1,
                keep_every: 30,
                keep_best: false,
            },
            Goal::Lower,
            &[30, 60],
        ),
        (
            Policy {
                keep_last: 0,
                keep_every: 30,
                keep_best: true,
            },
            Goal::Lower,
            &[20, 30, 60],
        ),
    ];
    for (policy, goal, expected) in table {
        let runs = tempfile::tempdir().unwrap();
        let mut checkpoints = Checkpoints::new(&new_run(runs.path(), "a"), policy);
        let mut pruned = Vec::new();
        for (step, eval) in (1..=6).map(|n| n * 10).zip(evals) {
            let info = CheckpointInfo {
                goal,
                eval: Some(eval),
                ..CheckpointInfo::new(0)
            };
            pruned.extend(save_with(&mut checkpoints, step, &info).pruned);
        }
        assert_eq!(checkpoints.list().unwrap(), expected, "{policy:?} {goal:?}");
        assert_eq!(pruned.len() + expected.len(), 6, "{policy:?} {goal:?}");
    }
}

#[test]
fn best_is_the_step_with_the_best_evaluation() {
    let runs = tempfile::tempdir().unwrap();
    let mut checkpoints = Checkpoints::new(&new_run(runs.path(), "a"), keep_all());
    assert!(checkpoints.best().unwrap().checkpoint.is_none());
    for (step, eval) in [
        (10, Some(3.0)),
        (20, Some(2.0)),
        (30, None),
        (40, Some(f64::NAN)),
    ] {
        save_with(
            &mut checkpoints,
            step,
            &CheckpointInfo {
                eval,
                ..CheckpointInfo::new(0)
            },
        );
    }
    let best = checkpoints.best().unwrap();
    assert_eq!(best.skipped, []);
    assert_eq!(best.require().unwrap().step, 20);
    checkpoints.verify(40).unwrap();
}

#[test]
fn going_back_removes_what_came_after() {
    let runs = tempfile::tempdir().unwrap();
    let mut checkpoints = Checkpoints::new(&new_run(runs.path(), "a"), keep_all());
    for step in [10, 20, 30] {
        save(&mut checkpoints, step);
    }
    assert_eq!(checkpoints.remove_after(10).unwrap(), [20, 30]);
    assert_eq!(
        checkpoints.latest_valid().unwrap().require().unwrap().step,
        10
    );
    assert!(checkpoints.remove_after(10).unwrap().is_empty());
}
