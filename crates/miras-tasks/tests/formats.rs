//! Records of the field's data sets, in the forms that they are passed on in.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

use std::io::Write;
use std::path::PathBuf;

use flate2::{Compression, write::GzEncoder};
use miras_tasks::{
    Answer, Asked, Choice, Likelihood, Question, Reads, Records, TASKS, TaskError, Text,
    of_answers, of_texts, task,
};
use tempfile::TempDir;

fn file(folder: &TempDir, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
    let path = folder.path().join(name);
    std::fs::write(&path, content).unwrap();
    path
}

fn questions(name: &str, lines: &str) -> Result<Vec<Question>, TaskError> {
    let Reads::Questions { question, .. } = task(name)?.reads else {
        panic!("{name} has no questions");
    };
    let folder = TempDir::new().unwrap();
    let path = file(&folder, "q.jsonl", lines);
    Records::open(&path)?
        .map(|record| question(&record?))
        .collect()
}

fn asked(context: &str, continuations: &[&str], right: usize) -> Question {
    let choice = |continuation: &&str| Choice {
        context: context.to_owned(),
        continuation: (*continuation).to_owned(),
    };
    Question {
        choices: continuations.iter().map(choice).collect(),
        right,
    }
}

/// Name, the record as its authors have it, the record as copies have it, and the question.
fn table() -> Vec<(&'static str, &'static str, &'static str, Question)> {
    let arc = asked("Question: Why?\nAnswer:", &[" So.", " Not so."], 1);
    let open = asked("The sun is", &[" a star", " a moon"], 0);
    let scene = asked(
        "Cooking: A man cooks. He",
        &[" eats. It is good", " sings"],
        0,
    );
    let mut who = asked("", &["", ""], 1);
    for (choice, name) in who.choices.iter_mut().zip(["Sam", "Kim"]) {
        choice.context = format!("Sam saw Kim, but {name}");
        " was late.".clone_into(&mut choice.continuation);
    }
    vec![
        (
            "arc",
            r#"{"question": "Why?", "choices": {"text": ["So.", "Not so."], "label": ["A", "B"]}, "answerKey": "B"}"#,
            r#"{"id": 7, "question": "Why?", "choices": ["So.", "Not so."], "label": 1}"#,
            arc,
        ),
        (
            "openbookqa",
            r#"{"question_stem": "The sun is", "choices": {"text": ["a star", "a moon"], "label": ["A", "B"]}, "answerKey": " A"}"#,
            r#"{"question_stem": "The sun is", "choices": ["a star", "a moon"], "label": 0}"#,
            open,
        ),
        (
            "boolq",
            r#"{"passage": "It rains.", "question": "is it wet", "answer": true}"#,
            r#"{"passage": "It rains.", "question": "is it wet", "label": 1}"#,
            asked(
                "It rains.\nQuestion: is it wet?\nAnswer:",
                &[" no", " yes"],
                1,
            ),
        ),
        (
            "hellaswag",
            r#"{"activity_label": "Cooking", "ctx_a": "A man cooks.", "ctx_b": "he", "ctx": "A man cooks. he", "endings": ["eats. [step] It is good", "sings"], "label": "0"}"#,
            r#"{"activity_label": "Cooking", "ctx": "A man cooks. He", "endings": ["eats. It is good", "sings"], "label": 0}"#,
            scene,
        ),
        (
            "lambada",
            r#"{"text": "They went to the sea"}"#,
            r#"{"context": "They went to the", "target": "sea"}"#,
            asked("They went to the", &[" sea"], 0),
        ),
        (
            "piqa",
            r#"{"goal": "Dry it", "sol1": "in the sun", "sol2": "in the lake", "label": 0}"#,
            r#"{"goal": "Dry it", "sol1": "in the sun", "sol2": "in the lake", "label": "0"}"#,
            asked(
                "Question: Dry it\nAnswer:",
                &[" in the sun", " in the lake"],
                0,
            ),
        ),
        (
            "winogrande",
            r#"{"sentence": "Sam saw Kim, but _ was late.", "option1": "Sam", "option2": "Kim", "answer": "2"}"#,
            r#"{"context_options": ["Sam saw Kim, but Sam", "Sam saw Kim, but Kim"], "continuation": "was late.", "label": 1}"#,
            who,
        ),
    ]
}

#[test]
fn a_record_gives_one_question_in_either_form() {
    let table = table();
    let all = TASKS
        .iter()
        .filter(|task| matches!(task.reads, Reads::Questions { .. }));
    assert_eq!(all.count(), table.len(), "a task without a record here");
    for (name, authors, copies, expected) in table {
        let found = questions(name, &format!("{authors}\n\n{copies}\n")).unwrap();
        assert_eq!(found, [expected.clone(), expected], "{name}");
    }
}

#[test]
fn a_wrong_record_is_named_with_its_line() {
    for (name, authors, copies, _) in table() {
        for record in [authors, copies] {
            let first = record.split('"').nth(1).unwrap();
            let other = record.replacen(&format!("\"{first}\""), &format!("\"{first}s\""), 1);
            let missing = questions(name, &format!("{record}\n{other}"));
            // A field that says nothing may be called anything.
            if let Err(error) = missing {
                assert!(
                    error.to_string().contains(", line 2: the field `"),
                    "{error}"
                );
            } else {
                assert_eq!(first, "id", "{name}");
            }
        }
        for (line, expected) in [
            ("{\"question\": ", "not JSON"),
            ("[1]", "a JSON object was expected, not a list"),
            ("{}", "is missing: the record has no field"),
        ] {
            let error = questions(name, line).unwrap_err().to_string();
            assert!(
                error.contains("q.jsonl, line 1: ") && error.contains(expected),
                "{error}"
            );
        }
        assert!(
            questions(name, " \n")
                .unwrap_err()
                .to_string()
                .contains("has no record")
        );
    }
    for (name, record, expected) in [
        (
            "piqa",
            r#"{"goal": "", "sol1": "", "sol2": "", "label": 2}"#,
            "`label` is 2, and there are 2 choices: give 0 to 1",
        ),
        (
            "piqa",
            r#"{"goal": 3, "sol1": "", "sol2": "", "label": 2}"#,
            "`goal` must be a text, not a number",
        ),
        (
            "arc",
            r#"{"question": "", "choices": {"text": ["a"], "label": ["A"]}, "answerKey": "Z"}"#,
            "`answerKey` is \"Z\", which is none of A",
        ),
        (
            "arc",
            r#"{"question": "", "choices": {"texts": ["a"]}, "label": 0}"#,
            "the field `choices.text` is missing",
        ),
        (
            "winogrande",
            r#"{"sentence": "a", "option1": "", "option2": "", "answer": "1"}"#,
            "must have one `_`",
        ),
        ("lambada", r#"{"text": "word"}"#, "no space"),
    ] {
        let error = questions(name, record).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
    let error = task("helaswag").unwrap_err().to_string();
    assert!(
        error.starts_with("there is no task `helaswag` (did you mean `hellaswag`?)"),
        "{error}"
    );
}

#[test]
fn texts_are_read_from_lines_and_from_whole_files_packed_or_not() {
    let folder = TempDir::new().unwrap();
    let texts = |name: &str, content: &[u8]| {
        let Reads::Texts(texts) = task("perplexity").unwrap().reads else {
            panic!("no texts");
        };
        texts(&file(&folder, name, content))
    };
    let text = |text: &str, words| Text {
        text: text.to_owned(),
        words,
        bytes: text.len(),
    };
    let lines = b"{\"text\": \"One two.\"}\n{\"text\": \"Three\"}\n";
    let expected = vec![text("One two.", 2), text("Three", 1)];
    assert_eq!(texts("a.jsonl", lines).unwrap(), expected);
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(lines).unwrap();
    let packed = packed.finish().unwrap();
    assert_eq!(texts("a.jsonl.gz", &packed).unwrap(), expected);
    assert_eq!(texts("a.txt", b"One\ntwo").unwrap(), [text("One\ntwo", 2)]);
    for (name, content) in [
        ("e.txt", &b" \n"[..]),
        ("e.jsonl", b""),
        ("t.jsonl.gz", &packed[..20]),
        ("b.txt", b"\xff"),
    ] {
        let error = texts(name, content).unwrap_err().to_string();
        assert!(error.contains(name), "{error}");
    }
}

#[test]
fn metrics_are_those_of_the_field() {
    let question = asked("", &[" a", " long one"], 1);
    let likelihoods = [-2.0, -3.0].map(|log| Likelihood {
        log,
        greedy: log > -2.5,
    });
    let answer = |asked| Answer::new(&question, asked, &likelihoods);
    let chosen = answer(Asked::Choose);
    // -2 / 1 against -3 / 8.
    assert!(!chosen.right && chosen.right_by_length && chosen.loss > 2.9);
    assert!(!answer(Asked::Write).right);
    let right = Answer {
        right: true,
        loss: 1.0,
        ..chosen
    };
    let found = of_answers(&[right, chosen, chosen], Asked::Choose);
    let values = found.iter().map(|one| {
        (
            one.name,
            (one.value * 1e4).round(),
            one.stderr.map(|x| (x * 1e4).round()),
        )
    });
    let expected = [
        ("accuracy", 3333.0, Some(3333.0)),
        ("accuracy_norm", 10000.0, Some(0.0)),
        ("loss", 23333.0, Some(6667.0)),
    ];
    assert_eq!(values.collect::<Vec<_>>(), expected);
    let text = Text {
        text: String::new(),
        words: 2,
        bytes: 8,
    };
    let found = of_texts(&[text], -8.0 * std::f64::consts::LN_2, 4);
    let of = |name| found.iter().find(|one| one.name == name).unwrap().value;
    for (name, value) in [
        ("perplexity", 4.0),
        ("word_perplexity", 16.0),
        ("byte_perplexity", 2.0),
        ("bits_per_byte", 1.0),
    ] {
        assert!((of(name) - value).abs() < 1e-12, "{name}");
    }
}
