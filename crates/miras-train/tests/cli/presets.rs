//! The files in `configs/`.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::{
    classes::table,
    dna::genome,
    series::series,
    support::{Dir, repository},
};

/// Makes a preset small without changing its parts.
const SMALL: &str = "--set model.dim=16 --set model.layers=4 --set model.ffn_dim=32 \
    --set data.seq_len=32 --set train.batch=2 --set optim.warmup=1 \
    --set eval.every=2 --set eval.tokens=64 --set checkpoint.every=2";

#[test]
fn every_configuration_passes_its_check() {
    let files = toml_files(&repository().join("configs"));
    assert!(files.len() > 2, "{files:?}");
    let dir = Dir::new();
    dir.file("genome.fa", genome());
    dir.file("sequences.csv", table());
    dir.file("ETTh1.csv", series(14_400));
    let mut command = dir.command("check");
    let output = command.args(&files).output().unwrap();
    let err = String::from_utf8_lossy(&output.stderr);
    assert_eq!((output.status.code(), &*err), (Some(0), ""));
}

#[test]
fn two_steps_and_two_more_are_four_for_every_preset() {
    let folder = repository().join("configs/presets");
    // The folders inside hold the same presets in other sizes.
    let presets = (toml_files(&folder).into_iter()).filter(|file| file.parent() == Some(&*folder));
    for preset in presets {
        let dir = Dir::new();
        let stem = preset.file_stem().unwrap().to_str().unwrap();
        let preset = preset.display();
        dir.run(&format!(
            "run {preset} --name whole {SMALL} --set train.steps=4"
        ))
        .done();
        dir.run(&format!(
            "run {preset} --name parts {SMALL} --set train.steps=2"
        ))
        .done();
        dir.run("run --name parts --resume --set train.steps=4")
            .done();
        for file in ["model.safetensors", "optimizer.bpk"] {
            let read = |run: &str| {
                let path = format!("runs/{run}/checkpoints/step-00000004/{file}");
                fs::read(dir.at(&path)).unwrap()
            };
            assert!(read("whole") == read("parts"), "{stem}: {file}");
        }
    }
}

pub(crate) fn toml_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(toml_files(&path));
        } else if path
            .extension()
            .is_some_and(|extension| extension == "toml")
        {
            files.push(path);
        }
    }
    files.sort();
    files
}
