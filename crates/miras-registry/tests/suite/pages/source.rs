//! The doc comment of a part, out of its source file.

use std::fs;

use miras_core::Axis;

use super::root;

/// The `///` block above the struct of the part `kind`, as Markdown whose headings are of the
/// third level and below.
pub(crate) fn doc_comment(axis: Axis, kind: &str) -> String {
    let folder = root().join(format!("crates/miras-{}/src", axis.table()));
    let mark = format!("kind: \"{kind}\"");
    let mut found = (fs::read_dir(folder).unwrap())
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_file())
        .map(|path| fs::read_to_string(path).unwrap())
        .filter_map(|text| Some(text.split_once(&mark)?.1.to_string()));
    let after = found.next().unwrap_or_else(|| panic!("no file has {mark}"));
    assert!(found.next().is_none(), "two files have {mark}");
    let (above, _) = (after.split_once("\npub struct ")).expect("a part is a public struct");
    let mut block: Vec<&str> = (above.lines().rev())
        .skip_while(|line| !line.starts_with("///"))
        .take_while(|line| line.starts_with("///"))
        .map(|line| line[3..].strip_prefix(' ').unwrap_or_default())
        .collect();
    block.reverse();
    assert!(!block.is_empty(), "{kind} has no doc comment");

    let mut is_code = false;
    let mut text = String::new();
    for line in block {
        is_code ^= line.starts_with("```");
        if line.starts_with('#') && !is_code {
            text += "##";
        }
        text += &unlinked(line);
        text.push('\n');
    }
    text
}

/// Links to items of the code are plain code on a page.
fn unlinked(line: &str) -> String {
    line.replace("[`", "`").replace("`]", "`")
}

#[test]
fn links_to_items_become_code() {
    assert_eq!(unlinked("with [`Link::Paper`]."), "with `Link::Paper`.");
}
