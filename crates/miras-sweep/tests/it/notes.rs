//! Notes that several trials share.

use miras_sweep::Note;

#[test]
fn equal_notes_are_said_once_with_whom_they_are_about() {
    let texts = |all: &[&str]| -> Vec<String> { all.iter().map(|&one| one.into()).collect() };
    let owners = [
        ("a", texts(&["slow", "deep"])),
        ("a", texts(&["slow", "deep"])),
        ("b", texts(&["slow"])),
        ("c", texts(&["slow", "wide"])),
        ("d", texts(&["slow", "wide"])),
        ("e", texts(&["slow", "wide"])),
        ("f", texts(&["slow", "wide"])),
        ("g", texts(&["slow", "wide"])),
    ];
    let notes = Note::merge(owners.iter().map(|(owner, all)| (*owner, &**all)));
    let shown: Vec<String> = notes.iter().map(Note::to_string).collect();
    assert_eq!(shown, ["slow", "a: deep", "c, d, e and 2 more: wide"]);
    assert_eq!(Note::merge([("a", &[][..])]), []);
}
