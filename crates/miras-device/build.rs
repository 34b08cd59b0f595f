//! The version of the tensor library, from the workspace's lock file.

#![allow(
    clippy::print_stdout,
    reason = "this is how a build script talks to cargo"
)]

use std::{env, fs, path::Path};

fn main() -> Result<(), String> {
    let folder = env::var("CARGO_MANIFEST_DIR").map_err(|error| error.to_string())?;
    let locks = (Path::new(&folder).ancestors()).map(|above| above.join("Cargo.lock"));
    for lock in locks.filter(|lock| lock.is_file()) {
        let text =
            fs::read_to_string(&lock).map_err(|error| format!("{}: {error}", lock.display()))?;
        if let Some(version) = version(&text) {
            println!("cargo:rerun-if-changed={}", lock.display());
            println!("cargo:rustc-env=MIRAS_BURN_VERSION={version}");
            return Ok(());
        }
    }
    Err(format!(
        "no Cargo.lock above {folder} names a version of burn"
    ))
}

/// The line after `name = "burn"`.
fn version(lock: &str) -> Option<&str> {
    let mut lines = lock.lines();
    lines.find(|line| *line == "name = \"burn\"")?;
    (lines.next()?.strip_prefix("version = \"")?).strip_suffix('"')
}
