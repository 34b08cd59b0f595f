//! What the tests of this module share.

use std::{fs, io::Write};

use flate2::{Compression, write::GzEncoder};
use tempfile::TempDir;

use super::*;
use crate::{Amount, Batch, Dataset, Paths, Selection};

/// A folder with files, and a cache folder inside it that walks do not see.
pub(super) struct Place(TempDir);

impl Place {
    pub(super) fn new(files: &[(&str, &[u8])]) -> Self {
        let place = Self(TempDir::new().unwrap());
        for (name, bytes) in files {
            let path = place.0.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
        place
    }

    pub(super) fn path(&self, name: &str) -> String {
        self.0.path().join(name).to_str().unwrap().to_owned()
    }

    pub(super) fn caches(&self) -> [PathBuf; 1] {
        [self.0.path().join(".cache")]
    }

    pub(super) fn config(&self, names: &[&str]) -> TextConfig {
        TextConfig {
            path: self.paths(names),
            seq_len: 16,
            ..TextConfig::default()
        }
    }

    pub(super) fn paths(&self, names: &[&str]) -> Paths {
        let list: Vec<_> = names.iter().map(|name| self.path(name)).collect();
        let text = toml::Value::try_from(list).unwrap();
        text.try_into().unwrap()
    }

    pub(super) fn open(&self, config: &TextConfig, seed: u64) -> Result<Windows, DataError> {
        assert_eq!(config.validate(), []);
        open(config, seed, &self.caches())
    }
}

/// Bytes whose windows of four are all different, without NUL.
pub(super) fn text(count: usize) -> Vec<u8> {
    let digits = |number: usize| format!("{number:05}\n").into_bytes();
    (0..).flat_map(digits).take(count).collect()
}

pub(super) fn gz(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// All evaluation rows in order, `rows` at once.
pub(super) fn whole_evaluation(data: &dyn Dataset, rows: usize) -> Vec<Batch> {
    let len = data.eval_rows(&[0]).unwrap().len;
    let all = Selection::new(Amount::All, None, len, data.eval_tokens()).unwrap();
    let starts: Vec<u64> = all.starts().collect();
    starts
        .chunks(rows)
        .map(|starts| data.eval_rows(starts).unwrap())
        .collect()
}
