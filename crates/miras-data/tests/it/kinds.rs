//! What holds for every kind of data of the list.

use miras_data::{
    Amount, Batch, BuiltinConfig, DataConfig, Dataset, FastaConfig, KINDS, LabelledConfig,
    MqarConfig, NeedleConfig, Selection, SeriesConfig, TextConfig, kinds_for, open,
};

use crate::support::{bases, labelled_bases, tokenizer_path, waves};

#[test]
fn kinds_have_unique_names_that_match_their_defaults() {
    for (at, kind) in KINDS.iter().enumerate() {
        assert_eq!((kind.default)().kind(), kind.name);
        assert!(!kind.summary.is_empty());
        let defaults = toml::Table::try_from((kind.default)()).unwrap();
        let mut described: Vec<_> = kind.keys.iter().map(|(key, _)| *key).collect();
        // They have no defaults: two in place of `valid_fraction` and `path`, one of some needles.
        described.retain(|key| !["valid_path", "mix", "haystack"].contains(key));
        described.sort_unstable();
        let mut keys: Vec<_> = defaults.keys().collect();
        keys.sort_unstable();
        assert_eq!(described, keys, "{}", kind.name);
        let own = (kind.task, kind.name);
        assert!((KINDS[..at].iter()).all(|other| (other.task, other.name) != own));
        assert!(kinds_for(kind.task).any(|one| one.name == kind.name));
    }
    assert_eq!(KINDS[0].name, DataConfig::default().kind());
}

#[test]
fn defaults_are_valid_except_that_files_need_a_path() {
    for kind in KINDS {
        let problems = (kind.default)().validate();
        let fields: Vec<_> = problems.iter().map(|(field, _)| *field).collect();
        let is_of_files = ["text", "fasta", "csv"].contains(&kind.name);
        let expected: &[&str] = if is_of_files { &["path"] } else { &[] };
        assert_eq!(fields, expected, "{}", kind.name);
    }
}

#[test]
fn the_vocabulary_is_that_of_the_opened_data_for_every_kind_and_tokenizer() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.txt");
    std::fs::write(&file, "the lamp was red and ".repeat(200)).unwrap();
    let text = |tokenizer: &str| TextConfig {
        path: [file.to_str().unwrap()].into(),
        tokenizer: tokenizer.to_owned(),
        seq_len: 16,
        ..TextConfig::default()
    };
    let genome = folder.path().join("a.fa");
    std::fs::write(&genome, bases(3000)).unwrap();
    let table = folder.path().join("a.csv");
    std::fs::write(&table, labelled_bases(20)).unwrap();
    let fixture = tokenizer_path();
    let mut vocabs = Vec::new();
    for kind in KINDS {
        let configs = match (kind.default)() {
            DataConfig::Text(_) => ["bytes", fixture.to_str().unwrap()]
                .map(|tokenizer| DataConfig::Text(text(tokenizer)))
                .to_vec(),
            DataConfig::Fasta(_) => vec![fasta(&genome)],
            DataConfig::Series(_) => vec![series(folder.path())],
            DataConfig::Labelled(_) => ["bases", fixture.to_str().unwrap()]
                .map(|tokenizer| labelled(&table, tokenizer))
                .to_vec(),
            other => vec![other],
        };
        for config in configs {
            let opened = open(&config, 1).unwrap();
            assert_eq!(config.vocab().unwrap(), opened.vocab(), "{}", kind.name);
            assert_eq!(config.classes().unwrap(), opened.labels().len());
            vocabs.push(opened.vocab());
        }
    }
    for vocab in [256, 512, 16] {
        assert!(vocabs.contains(&vocab), "{vocabs:?}");
    }
    let missing = DataConfig::Text(text("nowhere.json"));
    assert_eq!(missing.vocab().unwrap_err().field(), Some("tokenizer"));
}

#[test]
fn unknown_fields_are_refused() {
    assert!(toml::from_str::<BuiltinConfig>("seq_length = 3").is_err());
    assert!(toml::from_str::<TextConfig>("paths = 'x'").is_err());
    assert!(toml::from_str::<MqarConfig>("pair = 3").is_err());
    assert!(toml::from_str::<FastaConfig>("field = 'x'").is_err());
    assert!(toml::from_str::<NeedleConfig>("path = 'x'").is_err());
    assert!(toml::from_str::<SeriesConfig>("horizon = 3").is_err());
}

#[test]
fn every_kind_survives_a_round_trip() {
    let text = toml::to_string(&MqarConfig::default()).unwrap();
    assert_eq!(
        toml::from_str::<MqarConfig>(&text).unwrap(),
        MqarConfig::default()
    );
    let config = TextConfig {
        path: ["a.txt", "b/*.gz"].into(),
        ..TextConfig::default()
    };
    let text = toml::to_string(&config).unwrap();
    assert_eq!(toml::from_str::<TextConfig>(&text).unwrap(), config);
    let text = toml::to_string(&DataConfig::default()).unwrap();
    assert_eq!(
        toml::from_str::<BuiltinConfig>(&text).unwrap(),
        BuiltinConfig::default()
    );
}

fn fasta(path: &std::path::Path) -> DataConfig {
    FastaConfig {
        path: [path.to_str().unwrap()].into(),
        seq_len: 16,
        ..FastaConfig::default()
    }
    .into()
}

fn labelled(path: &std::path::Path, tokenizer: &str) -> DataConfig {
    LabelledConfig {
        path: [path.to_str().unwrap()].into(),
        tokenizer: tokenizer.to_owned(),
        seq_len: 16,
        ..LabelledConfig::default()
    }
    .into()
}

fn series(folder: &std::path::Path) -> DataConfig {
    let path = folder.join("series.csv");
    std::fs::write(&path, waves(400)).unwrap();
    SeriesConfig {
        path: [path.to_str().unwrap()].into(),
        seq_len: 32,
        horizon: 8,
        patch: 2,
        ..SeriesConfig::default()
    }
    .into()
}

/// The numbers of a row: what is read, the targets and their weights.
fn row_of(batch: &Batch, row: usize) -> [Vec<u32>; 3] {
    let part = |all: &[u32]| {
        let width = all.len() / batch.rows;
        all[row * width..(row + 1) * width].to_vec()
    };
    let ints = |all: &[i32]| part(&all.iter().map(|one| *one as u32).collect::<Vec<_>>());
    let floats = |all: &[f32]| part(&all.iter().map(|one| one.to_bits()).collect::<Vec<_>>());
    let weights = floats(&batch.weights);
    match &batch.series {
        None => [ints(&batch.inputs), ints(&batch.targets), weights],
        Some(series) => [floats(&series.read), floats(&series.next), weights],
    }
}

/// Data of every kind, with rows of 16 tokens where a kind allows it.
fn every_kind(folder: &std::path::Path) -> Vec<(Box<dyn Dataset>, usize)> {
    let file = folder.join("a.txt");
    let numbers: Vec<String> = (1..3000_u64).map(|n| (n * n * 7919).to_string()).collect();
    std::fs::write(&file, numbers.join(" ")).unwrap();
    let genome = folder.join("a.fa");
    std::fs::write(&genome, bases(9000)).unwrap();
    let table = folder.join("a.csv");
    std::fs::write(&table, labelled_bases(400)).unwrap();
    let bpe = tokenizer_path();
    let mut found = Vec::new();
    for kind in KINDS {
        let configs = match (kind.default)() {
            DataConfig::Text(_) => ["bytes", bpe.to_str().unwrap()]
                .map(|tokenizer| {
                    DataConfig::Text(TextConfig {
                        path: [file.to_str().unwrap()].into(),
                        tokenizer: tokenizer.to_owned(),
                        seq_len: 16,
                        ..TextConfig::default()
                    })
                })
                .to_vec(),
            DataConfig::Fasta(_) => vec![fasta(&genome)],
            DataConfig::Labelled(_) => vec![labelled(&table, "bases")],
            DataConfig::Series(_) => vec![series(folder)],
            other => vec![other],
        };
        for config in configs {
            found.push((open(&config, 1).unwrap(), config.seq_len()));
        }
    }
    found
}

#[test]
fn an_evaluation_reads_the_same_rows_for_every_size_of_a_batch() {
    let folder = tempfile::tempdir().unwrap();
    for (data, len) in every_kind(folder.path()) {
        let amount = Amount::Tokens(35 * len as u64);
        let selection = Selection::new(amount, None, len, data.eval_tokens()).unwrap();
        let starts: Vec<u64> = selection.starts().collect();
        let read = |rows: usize| -> Vec<[Vec<u32>; 3]> {
            let batches = starts
                .chunks(rows)
                .map(|starts| data.eval_rows(starts).unwrap());
            batches
                .flat_map(|batch| {
                    let rows = (0..batch.rows).map(|row| row_of(&batch, row));
                    rows.collect::<Vec<_>>()
                })
                .collect()
        };
        let kind = data.describe().kind;
        let one = read(1);
        assert_eq!(one.len(), 35, "{kind}");
        for rows in [3, 8, 32] {
            assert_eq!(read(rows), one, "{kind}, {rows} rows at once");
        }
        // All of them are different rows.
        let different: std::collections::BTreeSet<_> = one.iter().collect();
        assert_eq!(different.len(), one.len(), "{kind}");
    }
}
