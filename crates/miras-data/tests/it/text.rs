use std::{
    fs::{self, File},
    io::Write,
    path::PathBuf,
    time::{Duration, Instant, SystemTime},
};

use miras_data::{Batch, Dataset, TextConfig, Tokenizer, open_held_out, open_text};
use miras_run::sha256_hex;

use crate::support::{Place, gz, text, whole_evaluation};

fn bytes(tokens: &[i32]) -> Vec<u8> {
    tokens.iter().map(|&t| u8::try_from(t).unwrap()).collect()
}

/// The scored targets of all evaluation batches, in order.
fn evaluated(data: &dyn Dataset, rows: usize) -> Vec<u8> {
    let mut all = Vec::new();
    for batch in whole_evaluation(data, rows) {
        let scored = (0..batch.weights.len()).filter(|&at| batch.weights[at] > 0.0);
        all.extend(scored.map(|at| u8::try_from(batch.targets[at]).unwrap()));
    }
    all
}

fn rows(batch: &Batch) -> impl Iterator<Item = (Vec<u8>, Vec<u8>)> {
    let inputs = batch.inputs.chunks(batch.len);
    inputs
        .zip(batch.targets.chunks(batch.len))
        .map(|(inputs, targets)| (bytes(inputs), bytes(targets)))
}

#[test]
fn rows_depend_on_seed_step_and_their_number_only() {
    let place = Place::new(&[("a.txt", &text(5000))]);
    let config = place.config(&["a.txt"]);
    let open = |seed| place.open(&config, seed).unwrap();
    let batch = open(1).train_batch(7, 0..4).unwrap();
    assert_eq!(batch, open(1).train_batch(7, 0..4).unwrap());
    assert_ne!(batch, open(2).train_batch(7, 0..4).unwrap());
    assert_ne!(batch, open(1).train_batch(8, 0..4).unwrap());
    assert_eq!(
        batch.inputs,
        open(1).train_batch(7, 0..9).unwrap().inputs[..64]
    );
    let parts = [0..1, 1..4].map(|rows| open(1).train_batch(7, rows).unwrap());
    assert_eq!(
        parts.each_ref().map(|part| part.inputs.clone()).concat(),
        batch.inputs
    );
    assert_eq!(parts[0].bytes + parts[1].bytes, batch.bytes);
    assert_eq!(
        open(1).eval_rows(&[5, 80]).unwrap(),
        open(2).eval_rows(&[5, 80]).unwrap()
    );
    assert_eq!(open(1).vocab(), 256);
}

#[test]
fn targets_are_the_next_bytes_and_all_training_targets_are_scored() {
    let corpus = text(5000);
    let place = Place::new(&[("a.txt", &corpus)]);
    let data = place.open(&place.config(&["a.txt"]), 0).unwrap();
    let batch = data.train_batch(0, 0..32).unwrap();
    for (inputs, targets) in rows(&batch) {
        assert_eq!(inputs[1..], targets[..15]);
        let window = [&inputs[..1], &targets].concat();
        assert!(corpus.windows(17).any(|part| part == window));
    }
    assert!(
        batch
            .weights
            .iter()
            .all(|weight| weight.to_bits() == 1_f32.to_bits())
    );
}

#[test]
fn training_covers_its_part_and_never_reads_the_validation_part() {
    let corpus = text(300);
    let place = Place::new(&[("a.txt", &corpus)]);
    let data = place.open(&place.config(&["a.txt"]), 0).unwrap();
    let mut starts = [false; 300];
    for index in 0..200 {
        for (inputs, targets) in rows(&data.train_batch(index, 0..16).unwrap()) {
            let window = [&inputs[..1], &targets].concat();
            let at = corpus.windows(17).position(|part| part == window).unwrap();
            assert!(at + 17 <= 270);
            starts[at] = true;
        }
    }
    assert!(starts[..=270 - 17].iter().all(|&seen| seen));
}

#[test]
fn evaluation_scores_each_validation_byte_once_in_order() {
    let corpus = text(3007);
    let place = Place::new(&[("a.txt", &corpus)]);
    for seq_len in [1, 7, 16, 100] {
        let mut config = place.config(&["a.txt"]);
        config.seq_len = seq_len;
        let data = place.open(&config, 0).unwrap();
        for rows in [1, 3, 64] {
            assert_eq!(
                evaluated(&*data, rows),
                &corpus[2706 + 1..],
                "{seq_len} x {rows}"
            );
        }
    }
}

#[test]
fn the_usual_split_keeps_the_last_tenth() {
    let place = Place::new(&[("a.txt", &text(1_115_394))]);
    let about = place.open(&place.config(&["a.txt"]), 0).unwrap().describe();
    assert_eq!(about.train_bytes, Some(1_003_854));
}

#[test]
fn files_follow_one_another_and_windows_cross_their_borders() {
    let corpus = text(1200);
    let (a, rest) = corpus.split_at(5);
    let (b, c) = rest.split_at(600);
    let whole = Place::new(&[("all.txt", &corpus)]);
    let parts = Place::new(&[
        ("a.txt", a),
        ("b/1.txt", b),
        ("b/2/x.txt", c),
        ("b/.hidden", b"?"),
    ]);
    let expected = whole.open(&whole.config(&["all.txt"]), 3).unwrap();
    for names in [
        &["a.txt", "b"][..],
        &["a.txt", "b/1.txt", "b/*/*"],
        &["a.txt", "b/**/*"],
        &[""],
    ] {
        let data = parts.open(&parts.config(names), 3).unwrap();
        for index in 0..10 {
            let batch = data.train_batch(index, 0..8).unwrap();
            assert_eq!(batch, expected.train_batch(index, 0..8).unwrap());
        }
        assert_eq!(evaluated(&*data, 2), evaluated(&*expected, 2));
        assert_eq!(data.describe().fingerprint, expected.describe().fingerprint);
        assert_eq!(data.describe().file_count, 3);
    }
}

#[test]
fn more_files_than_stay_open_are_read() {
    let corpus = text(6 * 300);
    let names: Vec<_> = (0..300).map(|number| format!("{number:03}")).collect();
    let files: Vec<_> = names
        .iter()
        .map(String::as_str)
        .zip(corpus.chunks(6))
        .collect();
    let place = Place::new(&files);
    let data = place.open(&place.config(&[""]), 0).unwrap();
    assert_eq!(evaluated(&*data, 4), &corpus[1620 + 1..]);
    assert_eq!(
        (data.describe().file_count, data.describe().files.len()),
        (300, 100)
    );
}

#[test]
fn a_compressed_file_gives_what_the_plain_file_gives() {
    let corpus = text(4000);
    // Two members after each other are a valid file.
    let members = [gz(&corpus[..1000]), gz(&corpus[1000..])].concat();
    let place = Place::new(&[("a.txt", &corpus), ("b.txt.gz", &members)]);
    let plain = place.open(&place.config(&["a.txt"]), 0).unwrap();
    for _ in 0..2 {
        let packed = place.open(&place.config(&["b.txt.gz"]), 0).unwrap();
        assert_eq!(
            packed.train_batch(0, 0..8).unwrap(),
            plain.train_batch(0, 0..8).unwrap()
        );
        assert_eq!(packed.describe().fingerprint, plain.describe().fingerprint);
    }
    assert_eq!(fs::read_dir(&place.caches()[0]).unwrap().count(), 1);
}

#[test]
fn a_changed_compressed_file_is_decompressed_anew() {
    let (old, new) = (text(2000), text(2006)[6..].to_vec());
    let place = Place::new(&[("a.gz", &gz(&old))]);
    let path = place.path("a.gz");
    let fingerprint = || {
        let data = place.open(&place.config(&["a.gz"]), 0).unwrap();
        data.describe().fingerprint
    };
    let before = fingerprint();
    fs::write(&path, gz(&new)).unwrap();
    let later = SystemTime::now() + Duration::from_secs(5);
    File::options()
        .write(true)
        .open(&path)
        .unwrap()
        .set_modified(later)
        .unwrap();
    assert_ne!(before, fingerprint());
}

#[test]
fn a_cache_folder_that_cannot_be_made_leaves_the_next_one() {
    let place = Place::new(&[("a.gz", &gz(&text(2000))), ("file", b"x")]);
    let config = place.config(&["a.gz"]);
    let bad = PathBuf::from(place.path("file/cache"));
    let [good] = place.caches();
    open_text(&config, 0, &[bad, good]).unwrap();
}

#[test]
fn a_cache_folder_in_which_the_write_fails_leaves_the_next_one() {
    let place = Place::new(&[("a.gz", &gz(&text(2000)))]);
    let config = place.config(&["a.gz"]);
    let [good] = place.caches();
    open_text(&config, 0, std::slice::from_ref(&good)).unwrap();
    let copy = fs::read_dir(&good).unwrap().next().unwrap().unwrap();
    fs::remove_file(copy.path()).unwrap();
    // Written to the end, a file cannot take the name of a folder.
    let bad = PathBuf::from(place.path("bad"));
    fs::create_dir_all(bad.join(copy.file_name())).unwrap();
    open_text(&config, 0, &[bad.clone(), good]).unwrap();
    let error = open_text(&config, 0, &[bad]).err().unwrap();
    assert!(error.is_outside(), "{error}");
}

#[test]
fn a_validation_file_of_its_own_leaves_all_of_path_for_training() {
    let (train, valid) = (text(1000), text(1100)[1000..].to_vec());
    let place = Place::new(&[("t.txt", &train), ("v.txt", &valid)]);
    let mut config = place.config(&["t.txt"]);
    config.valid_path = Some(place.paths(&["v.txt"]));
    let data = place.open(&config, 0).unwrap();
    assert_eq!(evaluated(&*data, 2), &valid[1..]);
    let about = data.describe();
    assert_eq!(
        (about.train_bytes, about.valid_bytes),
        (Some(1000), Some(100))
    );
    assert!(about.valid_fingerprint.is_some());
    assert!(serde_json::to_string(&about).unwrap().contains("t.txt"));
}

#[test]
fn the_fingerprint_of_a_small_corpus_is_the_sha256_of_its_bytes() {
    let place = Place::new(&[("a.txt", &text(100))]);
    let data = place.open(&place.config(&["a.txt"]), 0);
    // 10 bytes are too short for a row of 16, but not for one of 8.
    assert!(data.is_err());
    let mut config = place.config(&["a.txt"]);
    config.seq_len = 8;
    let about = place.open(&config, 0).unwrap().describe();
    assert_eq!(
        about.fingerprint,
        format!("sha256:{}", sha256_hex(&text(100)))
    );
}

#[test]
fn a_corpus_larger_than_memory_is_read_by_position() {
    let place = Place::new(&[]);
    let path = place.path("huge.bin");
    let size: u64 = 3 << 30;
    let file = File::create(&path).unwrap();
    file.set_len(size).unwrap();
    write_at(&file, size - 1000, &text(1000));
    let mut config = place.config(&["huge.bin"]);
    config.allow_binary = true;
    config.valid_fraction = Some(1e-6);

    let start = Instant::now();
    let data = place.open(&config, 0).unwrap();
    assert!(data.describe().fingerprint.starts_with("sha256-sampled:"));
    for index in 0..100 {
        data.train_batch(index, 0..16).unwrap();
    }
    let last = data.eval_tokens().unwrap() - 5;
    let batch = data.eval_rows(&[last]).unwrap();
    let scored = batch.weights.iter().filter(|&&weight| weight > 0.0).count();
    assert_eq!(
        bytes(&batch.targets[..scored]),
        &text(1000)[1000 - scored..]
    );
    assert!(
        start.elapsed() < Duration::from_secs(5),
        "{:?}",
        start.elapsed()
    );
}

fn write_at(mut file: &File, offset: u64, bytes: &[u8]) {
    use std::io::{Seek, SeekFrom};
    file.seek(SeekFrom::Start(offset)).unwrap();
    file.write_all(bytes).unwrap();
}

#[test]
fn text_that_is_held_out_is_scored_whole() {
    let place = Place::new(&[("a.txt", &text(100)), ("b.txt", &text(33))]);
    let open = |names: &[&str], seq_len| {
        let config = TextConfig {
            seq_len,
            ..place.config(names)
        };
        open_held_out(&config, Tokenizer::bytes())
    };
    let data = open(&["a.txt", "b.txt"], 16).unwrap();
    let all = [text(100), text(33)].concat();
    assert_eq!(evaluated(data.as_ref(), 3), all[1..]);
    let description = data.describe();
    assert_eq!(
        (description.train_bytes, description.valid_bytes),
        (None, Some(133))
    );
    let error = open(&["b.txt"], 33).err().unwrap().to_string();
    assert!(
        error.starts_with("the evaluation part has 33 bytes, but seq_len = 33 needs at least 34"),
        "{error}"
    );
}
