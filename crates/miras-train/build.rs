//! Finds out which source tree the program is built from, for `run.json`, and puts the files of
//! `configs/` into the program.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// What the program is built from, seen from this crate.
const SOURCES: [&str; 3] = ["../../crates", "../../Cargo.toml", "../../Cargo.lock"];

/// The folder of presets, recall tasks and sweeps.
const CONFIGS: &str = "../../configs";

fn main() -> io::Result<()> {
    write_configs()?;
    for source in ["build.rs"].iter().chain(&SOURCES) {
        rerun_if_changed(source);
    }
    // Sources that come from elsewhere than git are built all the same.
    if let Some((commit, is_dirty)) = source_tree() {
        println!("cargo::rustc-env=MIRAS_SOURCE_COMMIT={commit}");
        println!("cargo::rustc-env=MIRAS_SOURCE_DIRTY={is_dirty}");
    }
    Ok(())
}

/// Writes the list of all files in [`CONFIGS`], each its path and its text, as Rust.
fn write_configs() -> io::Result<()> {
    let folder = fs::canonicalize(CONFIGS)?;
    println!("cargo::rerun-if-changed={CONFIGS}");
    let mut files = Vec::new();
    toml_files(&folder, &mut files)?;
    files.sort();
    let entry = |file: &PathBuf| {
        let path = file.strip_prefix(&folder).unwrap_or(file);
        let path = path.to_string_lossy().replace('\\', "/");
        let file = file.to_string_lossy();
        format!("    ({path:?}, include_str!({file:?})),\n")
    };
    let entries = files.iter().map(entry).collect::<Vec<_>>().concat();
    let out = env::var_os("OUT_DIR").ok_or_else(|| io::Error::other("no OUT_DIR"))?;
    fs::write(
        Path::new(&out).join("configs.rs"),
        format!("&[\n{entries}]\n"),
    )
}

fn toml_files(folder: &Path, found: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            toml_files(&path, found)?;
        } else if path
            .extension()
            .is_some_and(|extension| extension == "toml")
        {
            found.push(path);
        }
    }
    Ok(())
}

/// The commit, and whether the tree differs from it.
fn source_tree() -> Option<(String, bool)> {
    // A copy of the sources may lie inside a repository of something else.
    git(&["ls-files", "--error-unmatch", "Cargo.toml"])?;
    for name in ["HEAD", "logs/HEAD"] {
        rerun_if_changed(&git(&["rev-parse", "--git-path", name])?);
    }
    let commit = git(&["rev-parse", "--verify", "HEAD"])?;
    let changes = git(&["status", "--porcelain", "--untracked-files=normal"])?;
    Some((commit, !changes.is_empty()))
}

fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git")
        .args(arguments)
        .current_dir(env::var_os("CARGO_MANIFEST_DIR")?)
        // `status` would otherwise take the repository's lock to refresh its index.
        .env("GIT_OPTIONAL_LOCKS", "0")
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}

/// With a path that is not there cargo would rerun this every time.
fn rerun_if_changed(path: &str) {
    if Path::new(path).exists() {
        println!("cargo::rerun-if-changed={path}");
    }
}
