//! Mixtures: rows of several sources, drawn by their weights.

use miras_data::{DataConfig, DataKind, MixSource, Paths, TextConfig, open, open_text};

use crate::support::{Place, evaluated, notes, text, tokenizer, tokenizer_path, trained};

/// Three sources whose bytes tell them apart.
fn place() -> Place {
    let letters = |letter: &str, count: usize| letter.repeat(count).into_bytes();
    Place::new(&[
        ("a.txt", &letters("a", 1000)),
        ("b/1.txt", &letters("b", 300)),
        ("b/2.txt", &letters("B", 90)),
        (
            "c.jsonl",
            b"{\"body\": \"cccccccccc\"}\n".repeat(40).as_slice(),
        ),
    ])
}

fn config(place: &Place, sources: &[(&str, f64)]) -> TextConfig {
    let mix = sources.iter().map(|(name, weight)| MixSource {
        path: place.paths(&[name]),
        weight: *weight,
        field: name.contains("json").then(|| "body".to_owned()),
    });
    TextConfig {
        path: Paths::default(),
        mix: mix.collect(),
        ..place.config(&[])
    }
}

#[test]
fn each_source_has_the_share_of_its_weight_and_rows_are_a_function_of_seed_and_step() {
    let place = place();
    let sources = [("a.txt", 6.0), ("b", 1.0), ("c.jsonl", 3.0)];
    let data = place.open(&config(&place, &sources), 7).unwrap();
    let (steps, rows) = (500, 16);
    let mut counts = [0_u32; 3];
    for step in 0..steps {
        let batch = data.train_batch(step, 0..rows).unwrap();
        for row in batch.inputs.chunks(batch.len) {
            let of = |tokens: &[u8]| row.iter().all(|&token| tokens.contains(&(token as u8)));
            let number = [of(b"a"), of(b"bB"), of(b"c")].iter().position(|&is| is);
            counts[number.expect("a row is of one source")] += 1;
        }
    }
    let all = f64::from(counts.iter().sum::<u32>());
    for (count, share) in counts.into_iter().zip([0.6, 0.1, 0.3]) {
        // Five deviations of the number of rows.
        let far = 5.0 * (share * (1.0 - share) / all).sqrt();
        let found = f64::from(count) / all;
        assert!((found - share).abs() < far, "{counts:?}");
    }
    // However the step is cut into batches, in whatever order, by another process.
    let again = place.open(&config(&place, &sources), 7).unwrap();
    for step in [499, 3, 0] {
        let whole = data.train_batch(step, 0..rows).unwrap();
        let (first, rest) = (
            again.train_batch(step, 0..5).unwrap(),
            again.train_batch(step, 5..rows).unwrap(),
        );
        assert_eq!(whole.inputs, [first.inputs, rest.inputs].concat());
        assert_eq!(whole.targets, [first.targets, rest.targets].concat());
    }
    let other = place.open(&config(&place, &sources), 8).unwrap();
    assert_ne!(
        other.train_batch(0, 0..rows).unwrap(),
        data.train_batch(0, 0..rows).unwrap()
    );
    // Only the ratios of weights count.
    let scaled = sources.map(|(name, weight)| (name, weight * 50.0));
    let scaled = place.open(&config(&place, &scaled), 7).unwrap();
    assert_eq!(
        scaled.train_batch(9, 0..rows).unwrap(),
        data.train_batch(9, 0..rows).unwrap()
    );
    assert_eq!(scaled.describe().fingerprint, data.describe().fingerprint);
}

#[test]
fn validation_is_the_end_of_each_source_whatever_the_weights() {
    let place = place();
    let mut mixed = config(&place, &[("a.txt", 1.0), ("b", 9.0)]);
    mixed.separator = "\n".to_owned();
    let data = place.open(&mixed, 1).unwrap();
    // 1000 and 391 bytes, with a separator between the files of `b`.
    let expected = [&[b'a'; 100][..], b"\n", &[b'B'; 40]].concat();
    let expected: Vec<i32> = expected.into_iter().map(i32::from).collect();
    assert_eq!(evaluated(&*data), expected[1..]);
    let about = data.describe();
    assert_eq!(
        (about.train_bytes, about.valid_bytes),
        (Some(900 + 351), Some(141))
    );
    assert_eq!(about.file_count, 3);
    let place_of = |name: &str| place.path(name);
    assert_eq!(
        about.name,
        format!("10.0% {} + 90.0% {}", place_of("a.txt"), place_of("b"))
    );
    assert_eq!(
        notes(&place, &mixed),
        [
            "training rows are drawn by weight: 10.0% of `DIR/a.txt` (900 bytes), 90.0% of `DIR/b` (351 bytes)",
            "2 files with 390 bytes are read, in this order: `DIR/b/1.txt` and `DIR/b/2.txt`; the validation part is the last 40 of 90 bytes of `DIR/b/2.txt`",
        ]
    );
    // Other weights: other data, the same validation; another share of it: another validation.
    let mut other = config(&place, &[("a.txt", 2.0), ("b", 9.0)]);
    other.separator = "\n".to_owned();
    let heavier = place.open(&other, 1).unwrap().describe();
    assert_ne!(heavier.fingerprint, about.fingerprint);
    assert_eq!(heavier.valid_fingerprint, about.valid_fingerprint);
    other.valid_fraction = Some(0.2);
    let longer = place.open(&other, 1).unwrap().describe();
    assert_ne!(longer.valid_fingerprint, about.valid_fingerprint);
    // Files of its own.
    let mut own = config(&place, &[("a.txt", 1.0), ("b", 9.0)]);
    own.valid_path = Some(place.paths(&["c.jsonl"]));
    own.field = "body".to_owned();
    let data = place.open(&own, 1).unwrap();
    assert_eq!(evaluated(&*data), [i32::from(b'c'); 399]);
    assert_eq!(data.describe().train_bytes, Some(1390));
}

#[test]
fn tokens_of_a_mixture_are_those_of_each_source() {
    let (one, two) = (text(3000), "Tom came home. ".repeat(300));
    let place = Place::new(&[("1.txt", &one), ("2.txt", two.as_bytes())]);
    let mut mixed = config(&place, &[("1.txt", 1.0), ("2.txt", 1.0)]);
    mixed.tokenizer = tokenizer_path().to_str().unwrap().to_owned();
    mixed.separator = "<|end|>".to_owned();
    let data = place.open(&mixed, 0).unwrap();
    let encode = |text: &[u8]| tokenizer().encode(text).unwrap();
    let expected = [
        encode(&one[2700..]),
        vec![511],
        encode(&two.as_bytes()[4050..]),
    ]
    .concat();
    assert_eq!(evaluated(&*data), expected[1..]);
    let about = data.describe().tokenizer.unwrap();
    assert_eq!(about.valid_tokens, expected.len() as u64);
    let all = [encode(&one[..2700]), encode(&two.as_bytes()[..4050])];
    assert_eq!(
        about.train_tokens,
        all.iter().map(|tokens| tokens.len() as u64).sum::<u64>()
    );
    for row in data.train_batch(3, 0..16).unwrap().inputs.chunks(16) {
        assert!(
            all.iter()
                .any(|tokens| tokens.windows(16).any(|window| window == row))
        );
    }
}

#[test]
fn one_path_is_read_as_before_there_were_mixtures() {
    let place = Place::new(&[("a.txt", &text(2000))]);
    let data = place.open(&place.config(&["a.txt"]), 3).unwrap();
    let starts: Vec<u32> = (data.train_batch(2, 0..4).unwrap().inputs.chunks(16))
        .map(|row| {
            let all = text(2000);
            let row: Vec<u8> = row.iter().map(|&token| token as u8).collect();
            all.windows(16).position(|window| window == row).unwrap() as u32
        })
        .collect();
    let drawn =
        (0..4).map(|row| miras_random::Stream::new(3, "train", &[2, row]).below(1784) as u32);
    assert_eq!(starts, drawn.collect::<Vec<_>>());
    assert!(trained(&*data).len() > 1700);
}

#[test]
fn mixtures_that_cannot_be_are_refused() {
    let place = place();
    let problems = |config: TextConfig| -> Vec<String> {
        let problems = config.validate().into_iter();
        let folder = place.path("");
        problems
            .map(|(key, message)| format!("{key}: {message}").replace(&folder, ""))
            .collect()
    };
    assert_eq!(
        problems(config(&place, &[("a.txt", 1.0), ("b", 0.5)])),
        [""; 0]
    );
    for weight in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e13] {
        let expected = format!(
            "mix: source 2, b, must have a weight above 0 and up to 1e12, got {weight}; leave a source out to train without it"
        );
        assert_eq!(
            problems(config(&place, &[("a.txt", 1.0), ("b", weight)])),
            [expected]
        );
    }
    assert_eq!(
        problems(config(&place, &[("a.txt", 1.0)])),
        [
            "mix: has one source, and a mixture has two or more: name its files with path = \"a.txt\""
        ]
    );
    let mut both = config(&place, &[("a.txt", 1.0), ("b", 1.0)]);
    both.path = "a.txt".into();
    both.mix[1].path = " ".into();
    both.mix[0].field = Some(String::new());
    assert_eq!(
        problems(both),
        [
            "path: has no effect beside mix, whose sources name the files: leave one of them out",
            "mix: the field of source 1 must have a name",
            "mix: source 2 must name a file, a folder or a pattern",
        ]
    );
    let error = |sources: &[(&str, f64)], change: &dyn Fn(&mut TextConfig)| {
        let mut config = config(&place, sources);
        change(&mut config);
        let error = place.open(&config, 0).err().unwrap();
        (
            error.field(),
            error.to_string().replace(&place.path(""), ""),
        )
    };
    let none = |_: &mut TextConfig| ();
    for (sources, change, field, expected) in [
        (
            [("b", 1.0), ("a.tx", 1.0)],
            &none as &dyn Fn(&mut TextConfig),
            "mix",
            "mix: `a.tx` does not exist; did you mean `a.txt`?",
        ),
        (
            [("b", 1.0), ("b/1.txt", 1.0)],
            &none,
            "",
            "`b/1.txt` is given twice, by `mix = b` and by `mix = b/1.txt`: ",
        ),
        (
            [("a.txt", 1.0), ("b", 1.0)],
            &|config| config.seq_len = 400,
            "seq_len",
            "the training part of `b` has 351 bytes, but seq_len = 400 needs at least 401: use \
             seq_len = 350 or less, or give more text",
        ),
        (
            [("a.txt", 1.0), ("c.jsonl", 1.0)],
            &|config| config.mix[1].field = None,
            "field",
            "field: line 1 of `c.jsonl` has no field \"text\", it has \"body\"; did you mean \
             field = \"body\"?",
        ),
    ] {
        let (found, message) = error(&sources, change);
        assert_eq!(found.unwrap_or_default(), field);
        assert!(message.starts_with(expected), "{message}");
    }
    let data = open_text(
        &config(&place, &[("a.txt", 1.0), ("b", 1.0)]),
        0,
        &place.caches(),
    );
    let error = data.unwrap().stream_steps(2).unwrap_err().to_string();
    assert!(error.starts_with("the rows of a mixture are drawn from its sources one by one"));
    let data = DataConfig::Text(config(&place, &[("a.txt", 1.0), ("b", 0.0)]));
    assert_eq!(open(&data, 0).err().unwrap().field(), Some("mix"));
}

#[test]
fn a_mixture_is_written_and_read_back() {
    let text = "path = \"\"\nfield = \"text\"\ntokenizer = \"bytes\"\nseq_len = 16\nseparator = \"\"\ncorrupt = 0.0\nneedles = 0.0\nallow_binary = false\n\n[[mix]]\npath = \"a.txt\"\nweight = 3.0\n\n[[mix]]\npath = [\"b\", \"c/*\"]\nweight = 0.5\nfield = \"body\"\n";
    let config: TextConfig = toml::from_str(text).unwrap();
    let written = toml::to_string(&config).unwrap();
    assert_eq!(toml::from_str::<TextConfig>(&written).unwrap(), config);
    assert_eq!(written, text);
    let absolute = DataConfig::Text(config).absolute().unwrap();
    let DataConfig::Text(absolute) = absolute else {
        unreachable!()
    };
    assert!(
        absolute
            .mix
            .iter()
            .all(|source| source.path.iter().all(|path| path.starts_with('/')))
    );
    for bad in [
        "[[mix]]\npath = 'a'\nwieght = 1.0",
        "[[mix]]\npath = 'a'",
        "[mix]\npath = 'a'\nweight = 1.0",
    ] {
        assert!(toml::from_str::<TextConfig>(bad).is_err(), "{bad}");
    }
}
