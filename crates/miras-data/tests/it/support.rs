//! What the tests share.

use std::{fs, io::Write, path::PathBuf};

use flate2::{Compression, write::GzEncoder};
use miras_data::{
    Amount, Batch, DataError, DataKind, Dataset, Paths, Selection, TextConfig, Tokenizer, open_text,
};
use ruzstd::encoding::{CompressionLevel, compress_to_vec};
use tempfile::TempDir;

/// Line ends of all kinds, runs of white space, long lines, contractions, characters of two to
/// four bytes, an added token.
pub(crate) const AWKWARD: &str = include_str!("../../fixtures/awkward.txt");

/// 512 byte-level tokens, trained on the built-in corpus; `tokenizer.rs` makes the file.
pub(crate) fn tokenizer_path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures/stories-512.json")
}

pub(crate) fn tokenizer() -> Tokenizer {
    Tokenizer::open(tokenizer_path().to_str().unwrap()).unwrap()
}

/// A folder with files, and a cache folder inside it that walks do not see.
pub(crate) struct Place(TempDir);

impl Place {
    pub(crate) fn new(files: &[(&str, &[u8])]) -> Self {
        let place = Self(TempDir::new().unwrap());
        for (name, bytes) in files {
            let path = place.0.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
        place
    }

    pub(crate) fn path(&self, name: &str) -> String {
        self.0.path().join(name).to_str().unwrap().to_owned()
    }

    pub(crate) fn caches(&self) -> [PathBuf; 1] {
        [self.0.path().join(".cache")]
    }

    pub(crate) fn config(&self, names: &[&str]) -> TextConfig {
        TextConfig {
            path: self.paths(names),
            seq_len: 16,
            ..TextConfig::default()
        }
    }

    pub(crate) fn paths(&self, names: &[&str]) -> Paths {
        let list: Vec<_> = names.iter().map(|name| self.path(name)).collect();
        list.into()
    }

    pub(crate) fn open(
        &self,
        config: &TextConfig,
        seed: u64,
    ) -> Result<Box<dyn Dataset>, DataError> {
        assert_eq!(config.validate(), []);
        open_text(config, seed, &self.caches())
    }
}

/// Bytes whose windows of four are all different, without NUL.
pub(crate) fn text(count: usize) -> Vec<u8> {
    let digits = |number: usize| format!("{number:05}\n").into_bytes();
    (0..).flat_map(digits).take(count).collect()
}

/// A FASTA file of one sequence of so many bases, whose windows of 16 are different.
pub(crate) fn bases(count: usize) -> Vec<u8> {
    let mut state = 1_u32;
    let mut base = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        b"ACGT"[(state >> 30) as usize]
    };
    let letters: Vec<u8> = (0..count).map(|_| base()).collect();
    let mut file = b">one\n".to_vec();
    for line in letters.chunks(60) {
        file.extend(line);
        file.push(b'\n');
    }
    file
}

/// A CSV file of so many different sequences of 9 to 16 bases, with two labels.
pub(crate) fn labelled_bases(count: usize) -> String {
    let letters = bases(count * 16);
    let letters: Vec<u8> = (letters.into_iter().skip(5))
        .filter(u8::is_ascii_uppercase)
        .collect();
    let rows = letters.chunks(16).take(count).enumerate();
    let row = |(at, row): (usize, &[u8])| {
        let (label, row) = (["x", "y"][at % 2], &row[..9 + at % 8]);
        format!("{label},{}\n", String::from_utf8_lossy(row))
    };
    let rows: Vec<String> = rows.map(row).collect();
    format!("label,sequence\n{}", rows.concat())
}

/// A table of two channels of so many rows that waves and noise are summed to.
pub(crate) fn waves(rows: usize) -> String {
    let mut stream = miras_random::Stream::new(1, "waves", &[]);
    let mut lines = vec!["date,a,b".to_owned()];
    for row in 0..rows {
        let wave = |period: f64| (std::f64::consts::TAU * row as f64 / period).sin();
        let (a, b) = (wave(24.0) + wave(7.0), wave(12.0));
        let [a, b] = [a, b].map(|x| x + 0.1 * stream.normal());
        lines.push(format!("day {row},{a},{b}"));
    }
    lines.join("\n")
}

pub(crate) fn gz(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

pub(crate) fn zst(bytes: &[u8]) -> Vec<u8> {
    compress_to_vec(bytes, CompressionLevel::Fastest)
}

/// All evaluation rows in order, `rows` at once.
pub(crate) fn whole_evaluation(data: &dyn Dataset, rows: usize) -> Vec<Batch> {
    let len = data.eval_rows(&[0]).unwrap().len;
    let all = Selection::new(Amount::All, None, len, data.eval_tokens()).unwrap();
    let starts: Vec<u64> = all.starts().collect();
    starts
        .chunks(rows)
        .map(|starts| data.eval_rows(starts).unwrap())
        .collect()
}

/// The notes with the folder of the test as `DIR`.
pub(crate) fn notes(place: &Place, config: &TextConfig) -> Vec<String> {
    let notes = place.open(config, 0).unwrap().describe().notes;
    let folder = &place.path("")[..place.path("").len() - 1];
    let notes = notes.iter().filter(|note| !note.starts_with("encoded "));
    notes.map(|note| note.replace(folder, "DIR")).collect()
}

/// The tokens of the validation part but for the first.
pub(crate) fn evaluated(data: &dyn Dataset) -> Vec<i32> {
    let mut all = Vec::new();
    while (all.len() as u64) < data.eval_tokens().unwrap() {
        let batch = data.eval_rows(&[all.len() as u64]).unwrap();
        let scored = (0..batch.targets.len()).filter(|&at| batch.weights[at] > 0.0);
        all.extend(scored.map(|at| batch.targets[at]));
    }
    all
}

/// The tokens of the training part that its stretch has.
pub(crate) fn trained(data: &dyn Dataset) -> Vec<i32> {
    let steps = 0..data.stream_steps(1).unwrap();
    let inputs = steps.flat_map(|step| data.stream_batch(step, 0..1, 1).unwrap().inputs);
    inputs.collect()
}
