//! Prints a comparison, and writes its files to a folder:
//! `cargo run -p miras-compare --example compare -- FOLDER RUN|SWEEP…`

#![allow(clippy::print_stdout, reason = "an example is a program")]

use std::error::Error;
use std::path::PathBuf;

use miras_compare::Comparison;

fn main() -> Result<(), Box<dyn Error>> {
    let mut paths = std::env::args_os().skip(1).map(PathBuf::from);
    let folder = paths
        .next()
        .ok_or("name a folder to write to, then runs or sweeps")?;
    let paths: Vec<PathBuf> = paths.collect();
    let comparison = Comparison::read(&paths, None, None)?;
    print!("{}", comparison.text());
    let files = comparison.write(&folder)?;
    println!("\n{} files in {}", files.len(), folder.display());
    Ok(())
}
