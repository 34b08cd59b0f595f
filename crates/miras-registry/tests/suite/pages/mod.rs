//! The pages of `docs/parts`, made from the lists of parts and from their source files.
//!
//! `MIRAS_UPDATE_DOCS=1 cargo test --workspace --test suite pages` writes them anew; without the
//! variable the test fails if what is committed differs.

#![allow(
    clippy::format_push_string,
    reason = "pages are small, and read best as one text after the other"
)]

mod axis;
mod combinations;
mod source;

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use miras_core::Axis;
use miras_registry::Registry;

const UPDATE: &str = "MIRAS_UPDATE_DOCS";

/// Below the title of each page.
const MADE: &str = "Made from the code by `MIRAS_UPDATE_DOCS=1 cargo test --workspace --test suite pages`; \
     a test fails where the two differ.";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

#[test]
fn committed_pages_are_what_the_code_says() {
    let registry = Registry::builtin();
    let mut pages = vec![("combinations".to_string(), combinations::page(&registry))];
    for axis in Axis::ALL {
        pages.push((axis.table().to_string(), axis::page(&registry, axis)));
    }
    let folder = root().join("docs/parts");
    for (name, page) in pages {
        let file = folder.join(name).with_extension("md");
        if env::var_os(UPDATE).is_some() {
            fs::create_dir_all(&folder).unwrap();
            fs::write(&file, &page).unwrap();
        }
        let committed = fs::read_to_string(&file).unwrap_or_default();
        let differs = (committed.lines().zip(page.lines())).find(|(old, new)| old != new);
        assert!(
            committed == page,
            "{} is not what the code says, from {differs:?} on: run the tests with {UPDATE}=1",
            file.display()
        );
    }
}

/// A table in Markdown.
fn table(header: &[&str], rows: &[Vec<String>]) -> String {
    let line = |cells: Vec<String>| {
        let cells: Vec<_> = cells.iter().map(|cell| cell.replace('|', "\\|")).collect();
        format!("| {} |\n", cells.join(" | "))
    };
    let mut text = line(header.iter().map(|&cell| cell.to_string()).collect());
    text += &format!("|{}\n", "---|".repeat(header.len()));
    text.extend(rows.iter().cloned().map(line));
    text
}
