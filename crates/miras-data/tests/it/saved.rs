//! Tokenizers as runs and exports store them.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use miras_data::{Tokenizer, TokenizerFiles};

use crate::support;

/// Writes the files of a setting into a folder, and gives back its path.
fn save(top: &Path, name: &str, setting: &str) -> PathBuf {
    let folder = top.join(name);
    fs::create_dir(&folder).unwrap();
    for (name, bytes) in TokenizerFiles::read(setting).unwrap().files {
        fs::write(folder.join(name), bytes).unwrap();
    }
    folder
}

/// `tokenizer.json`, a pair under GPT-2's names, a compressed file, and bytes.
fn settings(top: &Path) -> Vec<String> {
    let whole = support::tokenizer_path();
    let json = fs::read(&whole).unwrap();
    let value: serde_json::Value = serde_json::from_slice(&json).unwrap();
    let pair = top.join("pair");
    fs::create_dir(&pair).unwrap();
    let merges: Vec<String> = (value["model"]["merges"].as_array().unwrap().iter())
        .map(|merge| match merge {
            serde_json::Value::String(line) => line.clone(),
            other => format!(
                "{} {}",
                other[0].as_str().unwrap(),
                other[1].as_str().unwrap()
            ),
        })
        .collect();
    fs::write(
        pair.join("encoder.json"),
        value["model"]["vocab"].to_string(),
    )
    .unwrap();
    fs::write(pair.join("vocab.bpe"), merges.join("\n")).unwrap();
    let packed = top.join("tokenizer.json.gz");
    let file = fs::File::create(&packed).unwrap();
    let mut encoder = flate2::write::GzEncoder::new(file, flate2::Compression::fast());
    io::Write::write_all(&mut encoder, &json).unwrap();
    encoder.finish().unwrap();
    let paths = [whole, pair, packed].map(|path| path.to_string_lossy().into_owned());
    paths.into_iter().chain(["bytes".to_owned()]).collect()
}

#[test]
fn every_form_is_saved_and_opened_as_the_same_tokenizer() {
    let top = tempfile::tempdir().unwrap();
    for (number, setting) in settings(top.path()).iter().enumerate() {
        let given = Tokenizer::open(setting).unwrap();
        let folder = save(top.path(), &number.to_string(), setting);
        let folder = folder.to_str().unwrap();
        let saved = Tokenizer::open(folder).unwrap();
        assert_eq!(saved.fingerprint(), given.fingerprint(), "{setting}");
        assert_eq!(saved.vocab(), given.vocab(), "{setting}");
        let text = "Anna put the key under the lamp, \u{e4} \u{1F511}.".as_bytes();
        assert_eq!(
            saved.encode(text).unwrap(),
            given.encode(text).unwrap(),
            "{setting}"
        );
        // What is saved from the copy is the copy.
        let again = TokenizerFiles::read(folder).unwrap();
        assert_eq!(again.fingerprint.as_deref(), given.fingerprint());
        for (name, bytes) in again.files {
            assert_eq!(fs::read(Path::new(folder).join(name)).unwrap(), bytes);
        }
    }
}

#[test]
fn a_flipped_bit_in_any_saved_file_is_refused_and_says_where() {
    let top = tempfile::tempdir().unwrap();
    for (number, setting) in settings(top.path()).iter().enumerate() {
        let folder = save(top.path(), &number.to_string(), setting);
        let given = folder.to_str().unwrap();
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let whole = fs::read(&path).unwrap();
            // All of the description, and places all over a vocabulary.
            let step = (whole.len() / 200).max(1);
            let flips = (0..whole.len()).step_by(step).map(|at| {
                let mut bytes = whole.clone();
                bytes[at] ^= 1 << (at % 8);
                bytes
            });
            let cuts = [Vec::new(), whole[..whole.len() / 2].to_vec()];
            for bytes in flips.chain(cuts) {
                fs::write(&path, &bytes).unwrap();
                let error = Tokenizer::open(given).err().map(|error| error.to_string());
                let error = error.unwrap_or_else(|| panic!("{} {bytes:?}", path.display()));
                assert!(error.contains(given), "{error}");
                assert!(TokenizerFiles::read(given).is_err());
            }
            fs::write(&path, whole).unwrap();
        }
        Tokenizer::open(given).unwrap();
    }
}
