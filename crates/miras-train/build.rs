//! Finds out which source tree the program is built from, for `run.json`.

use std::{
    env,
    path::Path,
    process::{Command, Stdio},
};

/// What the program is built from, seen from this crate.
const SOURCES: [&str; 3] = ["../../crates", "../../Cargo.toml", "../../Cargo.lock"];

fn main() {
    for source in ["build.rs"].iter().chain(&SOURCES) {
        rerun_if_changed(source);
    }
    // Sources that come from elsewhere than git are built all the same.
    if let Some((commit, is_dirty)) = source_tree() {
        println!("cargo::rustc-env=MIRAS_SOURCE_COMMIT={commit}");
        println!("cargo::rustc-env=MIRAS_SOURCE_DIRTY={is_dirty}");
    }
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
