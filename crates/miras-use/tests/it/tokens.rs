//! Runs on tokens of a byte-level BPE.

use std::{fs, path::PathBuf};

use miras_data::TokenizerFiles;
use miras_registry::Registry;
use miras_use::{At, EvalRequest, Trained, evaluate, export};

use crate::support::Bench;

/// 512 tokens, trained on the built-in corpus.
const FIXTURE: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../miras-data/fixtures/stories-512.json"
);

/// A run on tokens of `own.json`.
fn trained(bench: &Bench) -> (Trained, PathBuf) {
    let own = bench.file("own.json", fs::read(FIXTURE).unwrap());
    let line = |n: u32| format!("On day {n} Anna put the {} key under the lamp.\n", n * n);
    let text = bench.file("corpus.txt", (0..400).map(line).collect::<String>());
    let data = format!(
        "data={{ kind = 'text', path = '{}', tokenizer = '{}', seq_len = 16 }}",
        text.display(),
        own.display()
    );
    (bench.trained("run", &[&data]).0, own)
}

fn on_text(bench: &Bench) -> EvalRequest {
    // Tokens of a text are kept from run to run: this one is new.
    let text = format!("Anna has the red key of {}. ", bench.path().display());
    let path = bench.file("text.txt", text.repeat(20));
    EvalRequest {
        data: vec![path.to_string_lossy().into_owned()],
        ..EvalRequest::default()
    }
}

#[test]
fn an_evaluation_on_other_text_says_that_it_was_encoded() {
    let bench = Bench::new();
    let (trained, _) = trained(&bench);
    let request = on_text(&bench);
    let notes = evaluate(&trained, &request).unwrap().notes;
    assert!(
        notes.len() == 1 && notes[0].starts_with("encoded "),
        "{notes:?}"
    );
    assert_eq!(evaluate(&trained, &request).unwrap().notes, [""; 0]);
}

#[test]
fn another_tokenizer_than_that_of_training_is_refused_for_runs_and_exports() {
    let bench = Bench::new();
    let (trained, own) = trained(&bench);
    let out = bench.path().join("weights");
    let facts = export(&trained, &out).unwrap();
    assert_eq!(facts.tokenizer, trained.tokenizer);
    assert!(facts.tokenizer.unwrap().starts_with("tokenizer-sha256:"));
    let exported = || {
        Trained::open(
            &Registry::builtin(),
            bench.path(),
            "weights",
            At::Latest,
            None,
        )
        .unwrap()
    };
    let refused = |trained: &Trained, request: &EvalRequest, now: &str| {
        let error = evaluate(trained, request).unwrap_err();
        let said = error.to_string();
        let start = "data.tokenizer: the model of run `run` knows the tokens of another tokenizer";
        assert!(said.starts_with(start) && said.contains(now), "{said}");
        assert!(error.is_usage());
    };
    let with = |tokenizer: &str| EvalRequest {
        sets: vec![format!("data.tokenizer={tokenizer}")],
        ..EvalRequest::default()
    };
    for trained in [bench.open("run"), exported()] {
        assert_eq!(trained.tokenizer().unwrap().vocab(), 512);
        // The same tokenizer at another place.
        evaluate(&trained, &with(FIXTURE)).unwrap();
        refused(&trained, &with("bytes"), "now it is bytes");
    }

    // As many tokens, in another file: the copy in the folder is what counts.
    let other = fs::read_to_string(FIXTURE).unwrap() + "\n";
    fs::write(&own, &other).unwrap();
    for trained in [bench.open("run"), exported()] {
        assert_eq!(trained.notes.len(), 1, "{:?}", trained.notes);
        assert!(
            trained.notes[0].contains("changed since"),
            "{:?}",
            trained.notes
        );
        evaluate(&trained, &on_text(&bench)).unwrap();
    }
    for folder in ["run", "weights"] {
        let kept = bench.path().join(folder).join("tokenizer");
        fs::remove_file(kept.join("miras_tokenizer.json")).unwrap();
        fs::write(kept.join("tokenizer.json"), &other).unwrap();
    }
    for trained in [bench.open("run"), exported()] {
        let said = trained.tokenizer().err().unwrap().to_string();
        assert!(said.contains("; restore the files"), "{said}");
        for request in [EvalRequest::default(), on_text(&bench)] {
            refused(&trained, &request, "now it is tokenizer-sha256:");
        }
    }
}

/// By itself it would be taken for a tokenizer of bytes, or for another one.
#[test]
fn what_describes_a_kept_tokenizer_is_held_against_the_run() {
    let bench = Bench::new();
    let (trained, own) = trained(&bench);
    export(&trained, &bench.path().join("weights")).unwrap();
    let other = tempfile::tempdir().unwrap();
    let file = other.path().join("tokenizer.json");
    fs::write(&file, fs::read_to_string(FIXTURE).unwrap() + "\n").unwrap();
    let other = TokenizerFiles::read(file.to_str().unwrap()).unwrap().files;
    let bytes = TokenizerFiles::read("bytes").unwrap().files;
    for (folder, by) in [("run", "run.json"), ("weights", "export.json")] {
        let kept = bench.path().join(folder).join("tokenizer");
        let facts = kept.join("miras_tokenizer.json");
        let whole: Vec<(PathBuf, Vec<u8>)> = (fs::read_dir(&kept).unwrap())
            .map(|entry| entry.unwrap().path())
            .map(|path| (path.clone(), fs::read(path).unwrap()))
            .collect();
        for files in [&bytes, &other] {
            for (name, content) in files {
                fs::write(kept.join(name), content).unwrap();
            }
            let trained = bench.open(folder);
            let [note] = &*trained.notes else {
                panic!("{:?}", trained.notes);
            };
            let said = format!(
                "tokenizer: `{}` or the files beside it were",
                facts.display()
            );
            assert!(note.contains(&said), "{note}");
            assert!(
                note.contains(&format!(", and {by} says tokenizer-sha256:")),
                "{note}"
            );
            assert!(note.ends_with("` is used in its place"), "{note}");
            assert_eq!(trained.tokenizer().unwrap().vocab(), 512);
            // With nothing in its place.
            let moved = own.with_extension("moved");
            fs::rename(&own, &moved).unwrap();
            let error = bench.open(folder).tokenizer().err().unwrap().to_string();
            assert!(error.contains(&format!("{}", kept.display())), "{error}");
            fs::rename(&moved, &own).unwrap();
            for (path, content) in &whole {
                fs::write(path, content).unwrap();
            }
            assert_eq!(bench.open(folder).notes, [""; 0]);
        }
    }
}

#[test]
fn a_run_on_bytes_has_no_use_for_tokens() {
    let bench = Bench::new();
    let (trained, _) = bench.trained("run", &[]);
    assert_eq!(trained.tokenizer, None);
    assert_eq!(trained.tokenizer().unwrap().vocab(), 256);
    let corpus = bench.file("corpus.txt", "Anna has the red key. ".repeat(200));
    let set = format!(
        "data={{ kind = 'text', path = '{}', tokenizer = '{FIXTURE}', seq_len = 16 }}",
        corpus.display()
    );
    let request = EvalRequest {
        sets: vec![set],
        ..EvalRequest::default()
    };
    let error = evaluate(&trained, &request).unwrap_err().to_string();
    assert!(error.contains("it was trained with bytes"), "{error}");
}
