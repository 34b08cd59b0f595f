//! What a run's folder and an export hold is all that it takes to use them, and is used as it was
//! written or not at all.

use std::fs;
use std::path::{Path, PathBuf};

use miras_config::Layers;
use miras_model::{NamedState, StateError};
use miras_registry::Registry;
use miras_spec::RunConfig;
use miras_use::{At, Generator, Memory, Sampler, Stored, Trained, UseError, export};

use crate::support::{Bench, MEMORY, RECALL};

/// 512 tokens, trained on the built-in corpus.
const FIXTURE: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../miras-data/fixtures/stories-512.json"
);

/// A run on files in `given/`: on BPE tokens, or on bytes.
fn trained_on_files(bench: &Bench, is_bpe: bool) -> Trained {
    let given = bench.path().join("given");
    fs::create_dir(&given).unwrap();
    let line = |n: u32| format!("On day {n} Anna put the {} key under the lamp.\n", n * n);
    let text = given.join("corpus.txt");
    fs::write(&text, (0..400).map(line).collect::<String>()).unwrap();
    let tokenizer = given.join("own.json");
    fs::copy(FIXTURE, &tokenizer).unwrap();
    let tokenizer = if is_bpe {
        tokenizer.display().to_string()
    } else {
        "bytes".to_owned()
    };
    let data = format!(
        "data={{ kind = 'text', path = '{}', tokenizer = '{tokenizer}', seq_len = 16 }}",
        text.display()
    );
    let sets = ["checkpoint.every=2", &data];
    bench.trained("run", &sets).0
}

fn open(folder: &Path) -> Result<Trained, UseError> {
    let path = folder.to_str().unwrap();
    Trained::open(
        &Registry::builtin(),
        Path::new("runs"),
        path,
        At::Latest,
        None,
    )
}

/// All that a run is used for, as one value.
#[derive(Debug, PartialEq)]
struct Used {
    weights: String,
    config: String,
    step: u64,
    tokens: Option<Vec<i32>>,
    said: Option<Vec<u8>>,
}

fn use_all(folder: &Path) -> Result<(Used, Vec<String>), UseError> {
    let trained = open(folder)?;
    let mut used = Used {
        weights: trained.origin.weights.clone(),
        config: trained.config.to_table().to_string(),
        step: trained.origin.step,
        tokens: None,
        said: None,
    };
    let tokenizer = match trained.tokenizer() {
        Err(UseError::NoText { .. }) => return Ok((used, trained.notes)),
        found => found?,
    };
    let tokens = tokenizer.encode("Anna has the key of day 7. ".as_bytes())?;
    let mut generator = Generator::new(&trained, Memory::Live)?;
    generator.read(&tokens)?;
    let sampler = Sampler {
        temperature: 1.0,
        top_k: 0,
        top_p: 1.0,
        seed: 1,
    };
    let mut said = Vec::new();
    for _ in 0..8 {
        said.extend(generator.next(&sampler)?);
    }
    used.said = Some(tokenizer.decode(&said));
    used.tokens = Some(tokens);
    Ok((used, trained.notes))
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found.sort();
    found
}

#[test]
fn a_run_and_an_export_work_after_everything_else_is_gone() {
    for is_bpe in [true, false] {
        let bench = Bench::new();
        let trained = trained_on_files(&bench, is_bpe);
        let out = bench.path().join("out");
        let facts = export(&trained, &out).unwrap();
        assert_eq!(facts.tokenizer.is_some(), is_bpe);
        let before = use_all(&bench.path().join("run")).unwrap();
        assert_eq!(before.1, [""; 0]);
        fs::remove_dir_all(bench.path().join("given")).unwrap();
        let elsewhere = tempfile::tempdir().unwrap();
        for name in ["run", "out"] {
            let moved = elsewhere.path().join(name);
            fs::rename(bench.path().join(name), &moved).unwrap();
            let (used, notes) = use_all(&moved).unwrap();
            assert_eq!(used, before.0, "{name}");
            assert_eq!(notes, [""; 0], "{name}");
            // An export of either is as complete.
            let again = elsewhere.path().join(format!("{name}-again"));
            export(&open(&moved).unwrap(), &again).unwrap();
            assert_eq!(use_all(&again).unwrap().0, before.0, "{name}");
        }
        let exported = ["out", "run-again", "out-again"].map(|name| {
            let folder = elsewhere.path().join(name);
            let content = |path: &PathBuf| {
                let name = path.strip_prefix(&folder).unwrap().to_owned();
                (name, fs::read(path).unwrap())
            };
            files(&folder).iter().map(content).collect::<Vec<_>>()
        });
        assert_eq!(exported[0].len(), if is_bpe { 5 } else { 4 });
        let names: Vec<_> = (exported[0].iter()).map(|(name, _)| name.clone()).collect();
        assert!(
            names.contains(&"tokenizer/miras_tokenizer.json".into()),
            "{names:?}"
        );
        for other in &exported[1..] {
            assert!(
                *other == exported[0],
                "an export of an export is the export"
            );
        }
    }
}

/// Flipped bits, cuts, an empty file; `None` is a missing one.
fn damages(whole: &[u8]) -> Vec<(String, Option<Vec<u8>>)> {
    let mut all = vec![
        ("missing".to_owned(), None),
        ("empty".to_owned(), Some(Vec::new())),
    ];
    let line_end = whole.iter().rposition(|&byte| byte == b'\n').unwrap_or(0);
    for at in [1, whole.len() / 2, line_end, whole.len().saturating_sub(1)] {
        all.push((format!("cut at {at}"), Some(whole[..at].to_vec())));
    }
    let step = (whole.len() / 9).max(1);
    for at in (0..whole.len()).step_by(step).chain([whole.len() - 1]) {
        let mut bytes = whole.to_vec();
        bytes[at] ^= 1 << (at % 8);
        all.push((format!("flipped at {at}"), Some(bytes)));
    }
    all.retain(|(_, bytes)| bytes.as_ref().is_none_or(|bytes| bytes != whole));
    all
}

/// Damages every file of a folder, one after the other, in each way.
fn damage_each(folder: &Path, mut check: impl FnMut(&Path, &str)) {
    for path in files(folder) {
        let whole = fs::read(&path).unwrap();
        if whole.is_empty() {
            continue;
        }
        for (how, bytes) in damages(&whole) {
            match bytes {
                Some(bytes) => fs::write(&path, bytes).unwrap(),
                None => fs::remove_file(&path).unwrap(),
            }
            check(&path, &how);
            fs::write(&path, &whole).unwrap();
        }
    }
}

#[test]
fn a_damaged_file_of_a_run_or_an_export_is_refused_by_name_or_passed_over_with_a_note() {
    for keeps_original in [true, false] {
        let bench = Bench::new();
        let trained = trained_on_files(&bench, true);
        let out = bench.path().join("out");
        export(&trained, &out).unwrap();
        if !keeps_original {
            fs::remove_dir_all(bench.path().join("given")).unwrap();
        }
        for folder in [bench.path().join("run"), out] {
            let (whole, notes) = use_all(&folder).unwrap();
            let (mut refused, mut noted) = (0, 0);
            damage_each(&folder, |path, how| {
                let name = path.file_name().unwrap().to_str().unwrap();
                match use_all(&folder) {
                    Err(error) => {
                        refused += 1;
                        let error = error.to_string();
                        let folder = path.parent().unwrap().file_name().unwrap();
                        let named = [name, folder.to_str().unwrap()];
                        assert!(
                            named.iter().any(|name| error.contains(name)),
                            "{name} {how}: {error}"
                        );
                        let is_gone = how == "missing" && name.starts_with(['c', 'e']);
                        assert!(!is_gone || error.contains("restore it"), "{error}");
                    }
                    Ok((used, found)) if found.len() > notes.len() => {
                        noted += 1;
                        let same = Used {
                            weights: used.weights.clone(),
                            step: used.step,
                            said: used.said.clone(),
                            ..whole_copy(&whole)
                        };
                        // An earlier checkpoint, or the same with the original tokenizer.
                        assert_eq!(used, same, "{name} {how}");
                    }
                    Ok((used, _)) => assert_eq!(used, whole, "{name} {how}"),
                }
            });
            // Every damage to what is used counts.
            assert!(refused > 10, "{folder:?} {keeps_original}: {refused}");
            let is_run = folder.ends_with("run");
            assert_eq!(noted > 0, is_run || keeps_original, "{folder:?}: {noted}");
        }
    }
}

fn whole_copy(used: &Used) -> Used {
    Used {
        weights: used.weights.clone(),
        config: used.config.clone(),
        step: used.step,
        tokens: used.tokens.clone(),
        said: used.said.clone(),
    }
}

#[test]
fn damaged_weights_do_not_begin_a_run() {
    let bench = Bench::new();
    let (trained, _) = bench.trained("run", &[]);
    let out = bench.path().join("out");
    export(&trained, &out).unwrap();
    let checkpoint = bench.path().join("run/checkpoints/step-00000003");
    let load = |path: &Path| {
        let mut layers = Layers::new();
        layers.text("test.toml", MEMORY).unwrap();
        (layers.set(&format!("train.init_from={}", path.display()))).unwrap();
        RunConfig::load_and_open(layers, &Registry::builtin()).map(|_| ())
    };
    for folder in [out, checkpoint] {
        let weights = folder.join("model.safetensors");
        load(&folder).unwrap();
        load(&weights).unwrap();
        let voucher = ["export.json", "manifest.json"].map(|name| folder.join(name));
        let mut refused = 0;
        damage_each(&folder, |path, how| {
            // The configuration of an export says what its weights are.
            let is_used = path == weights || path.ends_with("config.toml");
            // It may have no checksum that is known.
            let has_facts = folder.join("export.json").is_file();
            for from in [&folder, &weights] {
                let result = load(from);
                if is_used && (path == weights || has_facts)
                    || (voucher.contains(&path.to_owned()) && how == "empty")
                {
                    let error = result.expect_err(how).to_string();
                    let name = path.file_name().unwrap().to_str().unwrap();
                    let is_named = error.contains(name);
                    assert!(is_named, "{} {how}: {error}", path.display());
                    refused += 1;
                }
            }
        });
        assert!(refused > 20, "{folder:?}: {refused}");
    }
    // Weights from elsewhere, with nobody to vouch for them.
    let plain = bench.path().join("plain.safetensors");
    fs::copy(trained.weights, &plain).unwrap();
    load(&plain).unwrap();
}

#[test]
fn recall_has_no_tokenizer_to_export() {
    let bench = Bench::new();
    let (trained, _) = bench.trained("run", &[RECALL]);
    let out = bench.path().join("out");
    export(&trained, &out).unwrap();
    assert!(!out.join("tokenizer").exists());
    assert_eq!(
        use_all(&out).unwrap().0,
        use_all(&bench.path().join("run")).unwrap().0
    );
}

#[test]
fn an_export_does_not_need_the_checkpoint_to_stay() {
    let bench = Bench::new();
    let (trained, _) = bench.trained("run", &[]);
    // As a run that is training does in the meantime.
    fs::remove_dir_all(bench.path().join("run/checkpoints")).unwrap();
    let out = bench.path().join("out");
    let facts = export(&trained, &out).unwrap();
    assert_eq!(facts.weights, trained.origin.weights);
    assert_eq!(open(&out).unwrap().origin, trained.origin);
}

#[test]
fn an_export_that_fails_leaves_nothing_and_the_next_one_goes_on() {
    let bench = Bench::new();
    let (trained, _) = bench.trained("run", &[]);
    let folder = bench.path().join("exports");
    fs::create_dir(&folder).unwrap();
    // What was renamed last cannot take its place: a file has the name.
    let out = folder.join("out");
    fs::write(&out, "in the way").unwrap();
    export(&trained, &out).unwrap_err();
    assert_eq!(files(&folder), std::slice::from_ref(&out));
    fs::remove_file(&out).unwrap();
    export(&trained, &out).unwrap();
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
}

#[test]
fn a_state_that_was_changed_or_cut_anywhere_is_refused() {
    let bench = Bench::new();
    let (trained, _) = bench.trained("run", &[]);
    let mut generator = Generator::new(&trained, Memory::Live).unwrap();
    generator.read(&crate::support::text(21)).unwrap();
    let path = bench.path().join("s.safetensors");
    let stored = generator.store().unwrap().unwrap();
    stored.write(&path).unwrap();
    let whole = fs::read(&path).unwrap();
    let read = |bytes: &[u8]| {
        let mut named = NamedState::from_bytes(bytes)?;
        let origin = named.origin.take().ok_or(StateError::Origin)?;
        Ok::<_, StateError>((named, origin))
    };
    let (named, origin) = read(&whole).unwrap();
    assert_eq!((&named, &origin), (&stored.named, &stored.origin));
    let header = 8 + u64::from_le_bytes(whole[..8].try_into().unwrap()) as usize;
    let step = ((whole.len() - header) / 300).max(1);
    let places = (0..header).chain((header..whole.len()).step_by(step));
    let mut refused = 0;
    for at in places {
        for bit in 0..8 {
            let mut bytes = whole.clone();
            bytes[at] ^= 1 << bit;
            match read(&bytes) {
                Err(_) => refused += 1,
                // White space of the header, for example.
                Ok(found) => assert_eq!(found, (named.clone(), origin.clone()), "byte {at}"),
            }
        }
    }
    assert!(refused > header * 7, "{refused} of {header}");
    for at in (0..whole.len()).step_by(step) {
        assert!(read(&whole[..at]).is_err(), "cut at {at}");
    }
    Stored::read(&path).unwrap();
}
