//! Labelled sequences of CSV files.

use std::path::Path;

use miras_data::{Batch, DataConfig, Dataset, LabelledConfig, open};

use crate::support::{gz, labelled_bases};

fn config(path: &Path) -> LabelledConfig {
    LabelledConfig {
        path: [path.to_str().unwrap()].into(),
        tokenizer: "bases".to_owned(),
        seq_len: 16,
        ..LabelledConfig::default()
    }
}

fn opened(config: LabelledConfig) -> Box<dyn Dataset> {
    open(&DataConfig::from(config), 1).unwrap()
}

/// The letters of a row, up to its target, and its class.
fn row(batch: &Batch, number: usize) -> (String, i32) {
    let of = number * batch.len..(number + 1) * batch.len;
    let scored: Vec<usize> = of.clone().filter(|&at| batch.weights[at] > 0.0).collect();
    let [last] = scored[..] else {
        panic!("{scored:?}");
    };
    assert_eq!(batch.weights[last].to_bits(), 1_f32.to_bits());
    assert!(
        batch.inputs[last + 1..of.end]
            .iter()
            .all(|&token| token == 0)
    );
    let letters = batch.inputs[of.start..=last].iter();
    let letters = letters.map(|&token| char::from(b"?ACGT"[token as usize]));
    (letters.collect(), batch.targets[last])
}

#[test]
fn a_row_is_a_sequence_with_its_class_at_the_last_letter() {
    let folder = tempfile::tempdir().unwrap();
    let text = labelled_bases(60);
    let plain = folder.path().join("a.csv");
    std::fs::write(&plain, &text).unwrap();
    let packed = folder.path().join("b.csv.gz");
    std::fs::write(&packed, gz(text.as_bytes())).unwrap();
    let tabs = folder.path().join("c.tsv");
    std::fs::write(&tabs, text.replace(',', "\t")).unwrap();
    let known: Vec<(String, i32)> = (text.lines().skip(1))
        .map(|line| {
            let (label, letters) = line.split_once(',').unwrap();
            (letters.to_owned(), i32::from(label == "y"))
        })
        .collect();
    for path in [plain, packed, tabs] {
        let data = opened(config(&path));
        assert_eq!(data.labels(), ["x", "y"]);
        let rows = data.eval_tokens().unwrap() / 16;
        assert_eq!(rows, 6);
        let starts: Vec<u64> = (0..rows).map(|row| row * 16).collect();
        let valid = data.eval_rows(&starts).unwrap();
        let valid: Vec<_> = (0..6).map(|number| row(&valid, number)).collect();
        // Of each class its share.
        assert_eq!(valid.iter().map(|(_, class)| class).sum::<i32>(), 3);
        let train = data.train_batch(3, 0..200).unwrap();
        for number in 0..200 {
            let found = row(&train, number);
            assert!(
                known.contains(&found) && !valid.contains(&found),
                "{found:?}"
            );
        }
        assert!(valid.iter().all(|found| known.contains(found)));
        let part = data.train_batch(3, 150..200).unwrap();
        assert_eq!(part.inputs, train.inputs[150 * 16..]);
        assert_ne!(data.train_batch(4, 150..200).unwrap(), part);
    }
}

#[test]
fn the_split_follows_from_the_sequences_alone() {
    let folder = tempfile::tempdir().unwrap();
    let text = labelled_bases(60);
    let (head, rest) = text.split_once('\n').unwrap();
    let mut lines: Vec<&str> = rest.lines().collect();
    lines.reverse();
    let valid = |name: &str, text: &str, seed: u64| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        let data = open(&DataConfig::from(config(&path)), seed).unwrap();
        let rows = data.eval_tokens().unwrap() / 16;
        let starts: Vec<u64> = (0..rows).map(|row| row * 16).collect();
        let batch = data.eval_rows(&starts).unwrap();
        let found: Vec<_> = (0..rows as usize).map(|at| row(&batch, at)).collect();
        found
    };
    let one = valid("a.csv", &text, 1);
    let back = format!("{head}\n{}\n", lines.join("\n"));
    assert_eq!(one, valid("b.csv", &back, 2));
    // In an order of its own, so that an evaluation of the first rows is one of all classes.
    lines.sort_unstable();
    let sorted = format!("{head}\n{}\n", lines.join("\n"));
    assert_eq!(one, valid("c.csv", &sorted, 1));
    let classes: Vec<i32> = one.iter().map(|(_, class)| *class).collect();
    assert!(!classes.is_sorted(), "{classes:?}");
}

#[test]
fn a_column_of_names_is_not_taken_for_classes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.csv");
    let rows: Vec<String> = (0..1001).map(|row| format!("id-{row},ACGT\n")).collect();
    std::fs::write(&path, format!("label,sequence\n{}", rows.concat())).unwrap();
    let error = open(&DataConfig::from(config(&path)), 1).err().unwrap();
    assert_eq!(error.field(), Some("label"));
    assert!(
        error.to_string().contains("1001 different labels"),
        "{error}"
    );
}

#[test]
fn labels_that_are_numbers_are_in_their_order() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.csv");
    let rows = |labels: &[&str]| -> String {
        let rows = labels.iter().zip(["A", "CC", "GGG", "TTTT"]);
        let rows: Vec<String> = rows
            .map(|(label, row)| format!("{label},{row}\n"))
            .collect();
        format!("label,sequence\n{}", rows.concat())
    };
    for (labels, expected) in [
        (["10", "9", "-1", "9"], &["-1", "9", "10"][..]),
        (["10", "9", "b", "9"], &["10", "9", "b"]),
    ] {
        std::fs::write(&path, rows(&labels)).unwrap();
        assert_eq!(opened(config(&path)).labels(), expected);
    }
}

#[test]
fn files_for_validation_are_named_where_they_are_not_others() {
    let folder = tempfile::tempdir().unwrap();
    let (path, valid) = (folder.path().join("a.csv"), folder.path().join("b.csv"));
    std::fs::write(&path, labelled_bases(40)).unwrap();
    std::fs::write(&valid, "label,sequence\ny,ACGT\ny,AC\n").unwrap();
    let with = |valid: &Path| LabelledConfig {
        valid_path: Some([valid.to_str().unwrap()].into()),
        ..config(&path)
    };
    let data = opened(with(&valid));
    assert_eq!(data.eval_tokens(), Some(2 * 16));
    let notes = data.describe().notes.join("\n");
    assert!(
        notes.contains("40 sequences for training and 2 for validation"),
        "{notes}"
    );
    assert!(
        notes.contains("no sequence for validation has the label \"x\""),
        "{notes}"
    );
    std::fs::write(&valid, labelled_bases(40)).unwrap();
    let error = open(&DataConfig::from(with(&valid)), 1).err().unwrap();
    assert!(
        error.to_string().contains("has the same bytes as"),
        "{error}"
    );
}
