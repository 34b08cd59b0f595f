//! Tables as text of at most 80 columns.

use miras_compare::Table;

const WIDTH: usize = 80;

fn width(text: &str) -> usize {
    text.chars().count()
}

/// Two equal rows: a label and numbers.
fn table(label: &str, columns: usize) -> Table {
    let names: Vec<String> = (0..columns)
        .map(|at| format!("{} reset", 64 << at))
        .collect();
    let names = names.iter().map(|name| (&**name, true));
    let columns: Vec<(&str, bool)> = std::iter::once(("variant", false)).chain(names).collect();
    let mut row = vec!["2.345 ± 0.012".to_owned(); columns.len()];
    label.clone_into(&mut row[0]);
    Table::new(&columns, vec![row.clone(), row])
}

#[test]
fn tables_of_any_width_fit() {
    let word = "a_word_of_a_hundred_letters_".repeat(4);
    for label in ["depth=1", "depth=1 step_max=0.1 decay=by_channel", &word] {
        for columns in [1, 4, 9, 30] {
            let text = table(label, columns).text();
            let widest = text.lines().map(width).max().unwrap();
            assert!(widest <= WIDTH, "{widest}\n{text}");
            let cells = text.matches("2.345 ± 0.012").count();
            assert_eq!(cells, 2 * columns, "{text}");
            let letters: String = text.split_whitespace().collect();
            assert!(letters.contains("64reset"), "{text}");
        }
    }
}

#[test]
fn a_label_is_wrapped_before_columns_go_below() {
    let text = table("depth=1 step_max=0.1 decay=by_channel", 4).text();
    let lines: Vec<&str> = text.lines().skip(1).take(2).collect();
    let cells = "  2.345 ± 0.012".repeat(4);
    let first = format!("depth=1 step_max=0.1{cells}");
    assert_eq!(lines, [&*first, "  decay=by_channel"]);
}

#[test]
fn a_long_name_is_broken_between_its_words() {
    let text = table("step_max-0.01_momentum-0.5_decay-0.98-s1", 4).text();
    let names = text.lines().skip(1).take(2);
    let names = names.map(|line| line.split("  2.345").next().unwrap().trim_end());
    let names: Vec<&str> = names.collect();
    assert_eq!(names, ["step_max-0.01_momentum-0.5_decay-", "  0.98-s1"]);
}
