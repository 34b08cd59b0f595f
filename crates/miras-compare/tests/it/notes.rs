//! What is to be noted of variants, in every form of the answer.

use crate::fixture::{Draft, Place, compare};

fn recall(name: &str, depth: &str, loss: f64) -> Draft {
    Draft::new(name, 1, loss)
        .set("memory.depth", depth)
        .set("data.kind", "'mqar'")
        .set("data.vocab", "32")
}

/// A text without the ends of its lines, which wrap at words.
fn joined(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn recall_that_is_a_guess_is_called_one() {
    let place = Place::new();
    // ln 16 = 2.7726
    let guess = place.run(&recall("a", "1", 2.76));
    let other = place.run(&recall("b", "2", 2.8));
    let answer = place.run(&recall("c", "3", 2.5));
    let note = "recall is hardly better than guessing one of the 16 values, which gives eval/loss 2.7726: \
                differences say nothing of the memories";
    let all = compare(&[guess.clone(), other.clone()]);
    assert!(
        joined(&all.text()).contains(&format!("note: {note}")),
        "{}",
        all.text()
    );
    let some = compare(&[guess, other, answer]);
    let of_two = format!("depth=1, depth=2: {note}");
    assert!(
        joined(&some.text()).contains(&format!("note: {of_two}")),
        "{}",
        some.text()
    );
    assert!(
        some.html()
            .unwrap()
            .contains(&format!("<h2>Notes</h2><ul><li>{of_two}</li></ul>"))
    );
    assert!(
        some.markdown()
            .contains("\nNotes:\n\n- depth=1, depth=2: recall is hardly")
    );
    let json: serde_json::Value = serde_json::from_str(&some.json()).unwrap();
    let expected = serde_json::json!([{"note": note, "about": ["depth=1", "depth=2"]}]);
    assert_eq!(json["notes"], expected);
}

#[test]
fn what_others_note_is_said_once_of_the_variants_that_count() {
    let place = Place::new();
    let paths = [
        place.run(&Draft::new("a", 1, 2.0).set("memory.depth", "1")),
        place.run(&Draft::new("b", 1, 2.1).set("memory.depth", "2")),
        place.run(&Draft::new("c", 1, f64::NAN).set("memory.depth", "3")),
    ];
    let mut comparison = compare(&paths);
    assert!(!comparison.html().unwrap().contains("Notes"));
    comparison.note(|variant| {
        let own = (variant.label == "depth=2").then(|| "deep".to_owned());
        [Some("old".to_owned()), own]
            .into_iter()
            .flatten()
            .collect()
    });
    let notes: Vec<String> = comparison.notes.iter().map(ToString::to_string).collect();
    assert_eq!(notes, ["old", "depth=2: deep"]);
}
