use std::{fs, path::PathBuf};

use miras_data::{Dataset, TextConfig, Tokenizer, open_held_out, open_text};

use crate::support::{AWKWARD, Place, tokenizer, tokenizer_path, whole_evaluation};

/// The awkward text, of 2 parts: 9 tenths and 1.
fn place() -> (Place, Vec<u8>, TextConfig) {
    let text = AWKWARD.as_bytes().to_vec();
    let place = Place::new(&[("a.txt", &text)]);
    let mut config = place.config(&["a.txt"]);
    tokenizer_path()
        .to_str()
        .unwrap()
        .clone_into(&mut config.tokenizer);
    (place, text, config)
}

/// Bytes of the training part.
fn train_bytes(all: usize) -> usize {
    (all as f64 * (1.0 - 0.1)) as usize
}

fn parts(text: &[u8]) -> [Vec<i32>; 2] {
    let cut = train_bytes(text.len());
    [&text[..cut], &text[cut..]].map(|part| tokenizer().encode(part).unwrap())
}

fn caches(place: &Place) -> Vec<PathBuf> {
    let entries = fs::read_dir(&place.caches()[0]).unwrap();
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

#[test]
fn the_split_is_by_bytes_and_each_part_is_encoded_whole() {
    let (place, text, config) = place();
    let [train, valid] = parts(&text);
    let data = place.open(&config, 1).unwrap();
    let about = data.describe();
    let bytes = Place::open(&place, &place.config(&["a.txt"]), 1).unwrap();
    assert_eq!(about.train_bytes, bytes.describe().train_bytes);
    assert_eq!(about.fingerprint, bytes.describe().fingerprint);
    let tokenized = about.tokenizer.unwrap();
    assert_eq!(tokenized.train_tokens, train.len() as u64);
    assert_eq!(tokenized.valid_tokens, valid.len() as u64);
    assert_eq!((tokenized.vocab, data.vocab()), (512, 512));

    let batch = data.train_batch(3, 0..8).unwrap();
    for (inputs, targets) in batch.inputs.chunks(16).zip(batch.targets.chunks(16)) {
        let window = [&inputs[..1], targets].concat();
        assert_eq!(inputs[1..], targets[..15]);
        assert!(train.windows(17).any(|part| part == window));
    }
    let scored = tokenizer().decode(&batch.targets).len() as u64;
    assert_eq!(batch.bytes, scored);
}

#[test]
fn evaluation_counts_the_bytes_of_all_scored_tokens() {
    let (place, text, config) = place();
    let [_, valid] = parts(&text);
    let data = place.open(&config, 1).unwrap();
    for rows in [1, 3, 50] {
        let (mut targets, mut bytes) = (Vec::new(), 0);
        for batch in whole_evaluation(&*data, rows) {
            bytes += batch.bytes;
            let scored = (0..batch.weights.len()).filter(|&at| batch.weights[at] > 0.0);
            targets.extend(scored.map(|at| batch.targets[at]));
        }
        assert_eq!(targets, valid[1..], "{rows}");
        assert_eq!(bytes, tokenizer().decode(&valid[1..]).len() as u64);
    }
}

#[test]
fn streams_follow_the_tokens_in_order() {
    let (place, text, config) = place();
    let [train, _] = parts(&text);
    let data = place.open(&config, 1).unwrap();
    let (rows, steps) = (3, data.stream_steps(3).unwrap());
    let stretch = train.len() / rows;
    assert_eq!(steps, (stretch as u64 - 1) / 16);
    for step in 0..steps {
        let batch = data.stream_batch(step, 1..3, rows).unwrap();
        for (row, inputs) in batch.inputs.chunks(16).enumerate() {
            let at = (row + 1) * stretch + step as usize * 16;
            assert_eq!(inputs, &train[at..at + 16]);
        }
    }
    let error = data.stream_steps(train.len() / 20).unwrap_err().to_string();
    let expected = format!("the training part has {} tokens, which gives", train.len());
    assert!(error.starts_with(&expected), "{error}");
}

/// How many parts were encoded when the data were opened.
fn encoded(data: &dyn Dataset) -> usize {
    let notes = data.describe().notes;
    let encoded = notes.iter().filter(|note| note.starts_with("encoded "));
    encoded.count()
}

#[test]
fn a_text_is_encoded_once() {
    let (place, text, config) = place();
    let first = place.open(&config, 1).unwrap();
    assert_eq!(encoded(&*first), 2, "{:?}", first.describe().notes);
    let files = caches(&place);
    assert_eq!(files.len(), 2, "{files:?}");
    let again = place.open(&config, 1).unwrap();
    assert_eq!(encoded(&*again), 0);
    assert_eq!(
        again.train_batch(0, 0..4).unwrap(),
        first.train_batch(0, 0..4).unwrap()
    );
    // Another text, split or tokenizer has tokens of its own.
    fs::write(place.path("a.txt"), [&text[1..], b"!"].concat()).unwrap();
    assert_eq!(encoded(&*place.open(&config, 1).unwrap()), 2);
    let mut other = config.clone();
    other.valid_fraction = Some(0.2);
    assert_eq!(encoded(&*place.open(&other, 1).unwrap()), 2);
    fs::write(
        place.path("own.json"),
        fs::read_to_string(tokenizer_path()).unwrap() + "\n",
    )
    .unwrap();
    other.tokenizer = place.path("own.json");
    assert_eq!(encoded(&*place.open(&other, 1).unwrap()), 2);
    assert_eq!(caches(&place).len(), 8);
}

type Damage<'a> = &'a dyn Fn(&mut Vec<u8>);

#[test]
fn damaged_tokens_are_made_anew_with_a_note() {
    let (place, _, config) = place();
    let expected = place
        .open(&config, 1)
        .unwrap()
        .train_batch(0, 0..4)
        .unwrap();
    let files = caches(&place);
    let whole: Vec<_> = files.iter().map(|path| fs::read(path).unwrap()).collect();
    let len = whole[0].len();
    let damages: [(&str, Damage); 6] = [
        ("is cut short: made anew", &|bytes| bytes.truncate(20)),
        ("bytes instead of", &|bytes| bytes.truncate(len - 3)),
        ("bytes instead of", &|bytes| bytes.push(0)),
        ("has another head than it should", &|bytes| bytes[8] ^= 2),
        ("is damaged: made anew", &|bytes| bytes[len / 2] ^= 1),
        ("is damaged: made anew", &|bytes| bytes[len - 1] ^= 1),
    ];
    for (why, damage) in damages {
        let mut bytes = whole[0].clone();
        damage(&mut bytes);
        fs::write(&files[0], bytes).unwrap();
        let data = place.open(&config, 1).unwrap();
        let notes = data.describe().notes.join("\n");
        let name = format!("`{}`", files[0].display());
        assert!(notes.contains(why) && notes.contains(&name), "{notes}");
        assert_eq!(data.train_batch(0, 0..4).unwrap(), expected);
        assert_eq!(fs::read(&files[0]).unwrap(), whole[0]);
    }
}

#[test]
fn tokens_that_change_behind_the_back_are_an_error() {
    let (place, _, config) = place();
    let data = place.open(&config, 1).unwrap();
    for path in caches(&place) {
        let len = fs::metadata(&path).unwrap().len() as usize;
        fs::write(path, vec![0xFF; len]).unwrap();
    }
    let error = data.train_batch(0, 0..1).unwrap_err().to_string();
    assert!(
        error.ends_with("is damaged: delete it, and it is made anew"),
        "{error}"
    );
}

#[test]
fn a_cache_folder_that_cannot_be_made_leaves_the_next_one() {
    let (place, _, config) = place();
    let bad = PathBuf::from(place.path("a.txt/cache"));
    let [good] = place.caches();
    open_text(&config, 0, &[bad.clone(), good]).unwrap();
    let error = open_text(&config, 0, &[bad]).err().unwrap().to_string();
    let expected = "cannot write encoded text to `";
    assert!(
        error.starts_with(expected) && error.contains("XDG_CACHE_HOME"),
        "{error}"
    );
}

#[test]
fn a_cache_folder_in_which_the_write_fails_leaves_the_next_one() {
    let (place, _, config) = place();
    let [good] = place.caches();
    open_text(&config, 0, std::slice::from_ref(&good)).unwrap();
    let names: Vec<_> = caches(&place)
        .iter()
        .map(|path| path.file_name().unwrap().to_owned())
        .collect();
    for path in caches(&place) {
        fs::remove_file(path).unwrap();
    }
    // Written to the end, a file cannot take the name of a folder.
    let bad = PathBuf::from(place.path("bad"));
    for name in &names {
        fs::create_dir_all(bad.join(name)).unwrap();
    }
    open_text(&config, 0, &[bad.clone(), good]).unwrap();
    assert_eq!(caches(&place).len(), names.len());
    let error = open_text(&config, 0, &[bad]).err().unwrap();
    assert!(error.is_outside(), "{error}");
}

#[test]
fn tokens_too_few_for_a_row_are_counted_as_tokens() {
    let (place, text, mut config) = place();
    let [_, valid] = parts(&text);
    config.seq_len = valid.len();
    let error = place.open(&config, 0).err().unwrap().to_string();
    let expected = format!(
        "the validation part has {} tokens, but seq_len",
        valid.len()
    );
    assert!(error.starts_with(&expected), "{error}");
    config.seq_len -= 1;
    place.open(&config, 0).unwrap();
}

#[test]
fn bytes_that_are_no_text_are_tokens_of_their_own() {
    let bytes: Vec<u8> = (0..4000_u32)
        .map(|at| (at * at % 251) as u8 ^ 0x80)
        .collect();
    let (place, _, mut config) = place();
    fs::write(place.path("b.bin"), &bytes).unwrap();
    config.path = place.paths(&["b.bin"]);
    config.allow_binary = true;
    let data = place.open(&config, 0).unwrap();
    let about = data.describe().tokenizer.unwrap();
    let cut = train_bytes(4000);
    let train = tokenizer().encode(&bytes[..cut]).unwrap();
    assert_eq!(about.train_tokens, train.len() as u64);
}

#[test]
fn held_out_text_says_how_it_became_tokens_and_refuses_rows_of_no_length() {
    let (place, text, _) = place();
    let with_rows = |seq_len| TextConfig {
        seq_len,
        ..place.config(&["a.txt"])
    };
    let data = open_held_out(&with_rows(16), tokenizer()).unwrap();
    let found = data.describe().tokenizer.unwrap();
    let tokens = tokenizer().encode(&text).unwrap().len() as u64;
    assert_eq!((found.train_tokens, found.valid_tokens), (0, tokens));
    assert_eq!(found.fingerprint, tokenizer().fingerprint().unwrap());
    let bytes = open_held_out(&with_rows(16), Tokenizer::bytes()).unwrap();
    assert_eq!(bytes.describe().tokenizer, None);
    for length in [0, (1 << 24) + 1] {
        let error = open_held_out(&with_rows(length), tokenizer())
            .err()
            .unwrap();
        assert_eq!(error.field(), Some("seq_len"), "{error}");
    }
}
