//! Facts of stories in a text: what stands where, and which answers are right.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

use std::path::Path;
use std::sync::Arc;

use miras_data::Tokenizer;
use miras_tasks::{Ask, Grade, Options, Prompt, Prompts, Reads, Step, TaskError, task};
use tempfile::TempDir;

const QA1: &str = "1 Mary moved to the bathroom.\n2 John went to the hallway.\n3 Where is Mary? \tbathroom\t1\n4 Daniel went back to the kitchen.\n5 Where is Daniel? \tkitchen\t4\n1 Sandra travelled to the office.\n2 Where is Sandra? \toffice\t1\n";
const QA5: &str = "1 Fred picked up the football there.\n2 Fred gave the football to Jeff.\n3 What did Fred give to Jeff? \tfootball\t2\n";

fn folder() -> TempDir {
    let folder = TempDir::new().unwrap();
    let inner = folder.path().join("en-10k");
    std::fs::create_dir(&inner).unwrap();
    std::fs::write(inner.join("qa1_single-supporting-fact_test.txt"), QA1).unwrap();
    std::fs::write(
        inner.join("qa1_single-supporting-fact_train.txt"),
        "1 No.\n",
    )
    .unwrap();
    std::fs::write(folder.path().join("qa5_three-arg-relations_test.txt"), QA5).unwrap();
    let book = "A book has words. Some of them are short! Others are of a length that is not.\n";
    std::fs::write(folder.path().join("book.txt"), book.repeat(30)).unwrap();
    folder
}

fn options(folder: &Path, kinds: &[&str], lengths: &[usize]) -> Options {
    Options {
        path: Some(folder.to_owned()),
        haystack: vec![folder.join("book.txt")],
        kinds: kinds.iter().map(ToString::to_string).collect(),
        lengths: lengths.to_vec(),
        samples: Some(1),
        ..Options::default()
    }
}

fn made(options: &Options) -> Result<Box<dyn Prompts>, TaskError> {
    let kind = task("babilong")?;
    kind.check(options)?;
    let Reads::Generated(made) = kind.reads else {
        panic!("babilong is made");
    };
    (made.make)(options, Arc::new(Tokenizer::bytes()))
}

/// What is read, and what is asked.
fn parts(prompt: Prompt) -> (String, Ask) {
    let [Step::Read(row)] = &prompt.steps[..] else {
        panic!("one row is read");
    };
    let text = Tokenizer::bytes().decode(&row.tokens(0..row.len()));
    (String::from_utf8(text).unwrap(), prompt.ask.unwrap())
}

#[test]
fn facts_stand_in_their_order_between_sentences_and_rows_have_their_length() {
    let folder = folder();
    let lengths = [0, 1500, 3000, 40_000];
    let mut options = options(folder.path(), &["qa1"], &lengths);
    options.samples = Some(3);
    let prompts = made(&options).unwrap();
    assert_eq!(prompts.files().len(), 2);
    for (cell, length) in lengths.into_iter().enumerate() {
        let mut questions = Vec::new();
        for sample in 0..3 {
            let (text, ask) = parts(prompts.prompt(cell, sample).unwrap());
            let (again, _) = parts(prompts.prompt(cell, sample).unwrap());
            assert_eq!(text, again);
            if length > 0 {
                assert_eq!(text.len(), length);
            }
            assert!(text.starts_with("I will give you context with the facts about positions"));
            let (head, rest) = text.split_once("\n\n<context>\n").unwrap();
            assert!(
                head.ends_with("Do not write anything else after that."),
                "{head}"
            );
            let (context, question) = rest.split_once("\n</context>\n\nQuestion: ").unwrap();
            let facts: &[&str] = match question {
                "Where is Mary?" => &["Mary moved to the bathroom.", "John went to the hallway."],
                "Where is Daniel?" => &[
                    "Mary moved to the bathroom.",
                    "John went to the hallway.",
                    "Daniel went back to the kitchen.",
                ],
                "Where is Sandra?" => &["Sandra travelled to the office."],
                other => panic!("{other}"),
            };
            let mut rest = context;
            for fact in facts {
                let (before, behind) = rest.split_once(fact).unwrap();
                // Behind a sentence and a space.
                let bare = before.trim_end();
                assert!(
                    bare.is_empty() || bare.ends_with(['.', '!']),
                    "{before}|{fact}"
                );
                rest = behind;
            }
            let people = ["Mary", "John", "Daniel", "Sandra"];
            assert!(!people.iter().any(|name| rest.contains(name)), "{rest}");
            if length == 0 {
                assert_eq!(context.trim(), facts.join(" "));
            }
            let person = question.split(' ').nth(2).unwrap().trim_end_matches('?');
            let lead = Tokenizer::bytes().decode(&ask.lead);
            let expected = format!("\nAnswer: The most recent location of {person} is");
            assert_eq!(String::from_utf8(lead).unwrap(), expected);
            assert_eq!(ask.choices.len(), 6);
            let right = Tokenizer::bytes().decode(&ask.choices[0]);
            let right = String::from_utf8(right).unwrap();
            assert!(
                ask.grades.iter().all(|(_, grade)| grade.is_right(&right)),
                "{right}"
            );
            questions.push(question.to_owned());
        }
        questions.sort();
        questions.dedup();
        assert_eq!(questions.len(), 3, "each is asked once");
    }
}

#[test]
fn both_scorers_of_the_field_are_told_apart() {
    let folder = folder();
    let prompts = made(&options(folder.path(), &["qa5"], &[0])).unwrap();
    let (_, ask) = parts(prompts.prompt(0, 0).unwrap());
    let names: Vec<_> = ask.grades.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, ["accuracy_babilong", "accuracy_harness"]);
    for (written, expected) in [
        (" football", [true, true]),
        (" FOOTBALL. And milk", [true, true]),
        // Labels of the question do not count.
        ("\nAnswer: Fred gave Jeff the football.", [true, true]),
        (" football or milk", [false, true]),
        (" Milk. football", [false, true]),
        (" <example>football", [false, true]),
        (" milk", [false, false]),
        ("", [false, false]),
    ] {
        let found: Vec<_> = ask
            .grades
            .iter()
            .map(|(_, grade)| grade.is_right(written))
            .collect();
        assert_eq!(found, expected, "{written:?}");
    }
    // Nothing that is written later changes a first sentence.
    let [(_, first), (_, second)] = &ask.grades[..] else {
        panic!("two scorers");
    };
    assert!(first.is_known(" milk.") && !first.is_known(" milk"));
    assert!(second.is_known(" football") && !second.is_known(" milk."));
    assert_eq!(*second, Grade::Contains("football".to_owned()));
}

#[test]
fn what_is_missing_or_wrong_is_named() {
    let folder = folder();
    let path = folder.path();
    let of = |kinds: &[&str], lengths: &[usize]| options(path, kinds, lengths);
    let mut none = of(&["qa1"], &[0]);
    none.haystack.clear();
    let mut many = of(&["qa1"], &[0]);
    many.samples = Some(4);
    let mut nowhere = of(&["qa1"], &[0]);
    nowhere.path = Some(path.join("nowhere"));
    for (options, expected) in [
        (
            of(&["qa6"], &[0]),
            "babilong has no task `qa6`: did you mean `qa",
        ),
        (of(&["qa2"], &[0]), "no file qa2_…_test.txt is in "),
        (nowhere, "there is no such folder"),
        (none, "give it with --haystack PATH"),
        (
            many,
            "3 questions of qa1 fit in 0 tokens: give --samples 3 or less",
        ),
        (
            of(&["qa1"], &[100]),
            "--lengths 100 is too short for every prompt of qa1",
        ),
    ] {
        let error = made(&options).err().unwrap().to_string();
        assert!(error.contains(expected), "{error}");
    }
    for (text, expected) in [
        (
            "Mary moved.\n",
            "line 1: a line of bAbI is a number and a sentence",
        ),
        (
            "1 Mary moved.\n2 Where is Mary? \tattic\t1\n",
            "line 2: the answer `attic` is none of qa1's",
        ),
        (
            "1 Who is Mary? \toffice\t1\n",
            "line 1: `Who is Mary?` is not a question of qa1",
        ),
        (
            "1 Where is Mary? \t\t1\n",
            "line 1: a question has its answer behind a tab",
        ),
        ("1 Mary moved.\n", "has no question"),
    ] {
        std::fs::write(path.join("qa1_a_test.txt"), text).unwrap();
        let error = made(&of(&["qa1"], &[0])).err().unwrap().to_string();
        assert!(error.contains(expected), "{error}");
    }
    // The least length that is named is one.
    std::fs::write(path.join("qa1_a_test.txt"), QA1).unwrap();
    let error = made(&of(&["qa1"], &[100])).err().unwrap().to_string();
    let least = error
        .split("give ")
        .nth(1)
        .unwrap()
        .split(' ')
        .next()
        .unwrap();
    assert!(made(&of(&["qa1"], &[least.parse().unwrap()])).is_ok());
}
