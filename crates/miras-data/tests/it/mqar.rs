use std::collections::{BTreeMap, HashSet};

use miras_data::{Batch, DataKind, Dataset, Filler, MqarConfig, open};

/// Data of this kind, opened with their settings.
struct Mqar {
    config: MqarConfig,
    data: Box<dyn Dataset>,
}

impl Mqar {
    fn new(config: &MqarConfig, seed: u64) -> Self {
        let config = config.clone();
        let data = open(&config.clone().into(), seed).unwrap();
        Self { config, data }
    }

    fn first_key(&self) -> i32 {
        match self.config.filler {
            Filler::Blank => 1,
            Filler::Random => 1 + self.config.vocab as i32 / 8,
        }
    }
}

impl std::ops::Deref for Mqar {
    type Target = dyn Dataset;

    fn deref(&self) -> &Self::Target {
        &*self.data
    }
}

fn mqar(change: impl FnOnce(&mut MqarConfig)) -> Mqar {
    let mut config = MqarConfig::default();
    change(&mut config);
    assert_eq!(config.validate(), []);
    Mqar::new(&config, 1)
}

fn both_fillers() -> [Mqar; 2] {
    [Filler::Blank, Filler::Random].map(|filler| mqar(|config| config.filler = filler))
}

/// `rows` evaluation rows, from the row `index * rows` on.
fn evaluation(data: &Mqar, index: u64, rows: u64) -> Batch {
    let len = data.config.seq_len as u64;
    let starts: Vec<u64> = (index * rows..(index + 1) * rows)
        .map(|row| row * len)
        .collect();
    data.eval_rows(&starts).unwrap()
}

/// Each query of a batch: its row, place and target.
fn queries(batch: &Batch) -> Vec<(&[i32], usize, i32)> {
    let mut found = Vec::new();
    for (row, inputs) in batch.inputs.chunks(batch.len).enumerate() {
        for at in 0..batch.len {
            if batch.weights[row * batch.len + at] > 0.0 {
                found.push((inputs, at, batch.targets[row * batch.len + at]));
            }
        }
    }
    found
}

#[test]
fn a_lookup_table_answers_every_query() {
    for data in both_fillers() {
        for batch in [
            data.train_batch(5, 0..16).unwrap(),
            evaluation(&data, 5, 16),
        ] {
            for (row, at, target) in queries(&batch) {
                let table: BTreeMap<_, _> =
                    row[..16].chunks(2).map(|pair| (pair[0], pair[1])).collect();
                assert_eq!(table.len(), 8, "keys are distinct");
                assert_eq!(table[&row[at]], target);
            }
        }
    }
}

#[test]
fn recent_tokens_never_hold_the_answer() {
    for data in both_fillers() {
        let gap = data.config.gap;
        for (row, at, target) in queries(&data.train_batch(0, 0..64).unwrap()) {
            assert!(at >= 16 + gap);
            assert!(!row[at - gap..].contains(&target));
        }
    }
}

#[test]
fn questions_in_the_chunk_of_their_pair_are_counted() {
    // Pairs over several chunks, in one, and with every question in a later one.
    for (pairs, [showings, outliers], gap, chunk) in [
        (8, [1, 0], 0, 4),
        (8, [1, 0], 3, 20),
        (16, [1, 0], 5, 64),
        (16, [1, 0], 5, 40),
        (5, [1, 0], 6, 16),
        (6, [3, 0], 2, 32),
        (6, [3, 1], 2, 32),
        (4, [5, 2], 0, 10),
        (1, [7, 3], 1, 64),
    ] {
        let data = mqar(|config| {
            (config.pairs, config.gap, config.queries) = (pairs, gap, 1);
            (config.showings, config.outliers) = (showings, outliers);
            config.seq_len = 96;
        });
        let (mut inside, rows) = (0, 2000);
        let starts: Vec<u64> = (0..rows).map(|row| row * 96).collect();
        for (row, at, target) in queries(&data.eval_rows(&starts).unwrap()) {
            let mut shown = row[..2 * pairs * showings].chunks(2);
            let first = shown.position(|shown| shown == [row[at], target]);
            let value = 2 * first.unwrap() + 1;
            inside += usize::from(value / chunk == at / chunk);
        }
        let counted = inside as f64 / rows as f64;
        let expected = data.config.asked_within(chunk);
        let case = format!("{pairs} {showings} {outliers} {gap} {chunk}: {counted} {expected}");
        assert!((counted - expected).abs() < 0.15, "{case}");
        let Some(beyond) = data.config.gap_beyond(chunk) else {
            panic!("{case}");
        };
        let with = |gap| MqarConfig {
            gap,
            ..data.config.clone()
        };
        assert!(with(beyond).asked_within(chunk) <= 0.0, "{case}");
        if beyond > 0 {
            assert!(with(beyond - 1).asked_within(chunk) > 0.0, "{case}");
        }
    }
    let full = mqar(|config| config.gap = 128 - 8 * 4);
    assert_eq!(full.config.gap_beyond(127), None);
}

#[test]
fn a_table_from_key_to_value_across_rows_does_not_help() {
    let data = mqar(|_| ());
    let mut last = BTreeMap::new();
    let (mut right, mut total) = (0, 0);
    for index in 0..50 {
        for (row, at, target) in queries(&evaluation(&data, index, 32)) {
            right += u32::from(last.insert(row[at], target) == Some(target));
            total += 1;
        }
    }
    assert!(right * 50 < total, "{right} of {total}");
}

#[test]
fn training_asks_each_key_often_and_evaluation_once() {
    let data = mqar(|config| config.queries = 3);
    for (batch, times) in [
        (data.train_batch(2, 0..4).unwrap(), 3),
        (evaluation(&data, 2, 4), 1),
    ] {
        for row in 0..4 {
            let start = row * batch.len;
            for pair in 0..8 {
                let key = batch.inputs[start + 2 * pair];
                let asked = (start..start + batch.len)
                    .filter(|&at| batch.weights[at] > 0.0 && batch.inputs[at] == key);
                assert_eq!(asked.count(), times);
            }
        }
    }
}

#[test]
fn weight_is_one_on_queries_and_zero_elsewhere() {
    for data in both_fillers() {
        let batch = data.train_batch(0, 0..8).unwrap();
        let keys = data.first_key()..data.config.vocab as i32 / 2;
        for (at, &weight) in batch.weights.iter().enumerate() {
            let is_key = keys.contains(&batch.inputs[at]);
            let is_query = is_key && at % batch.len >= 16;
            assert_eq!(weight.to_bits(), f32::from(is_query).to_bits());
        }
    }
}

/// Rows of pairs that are shown several times, some of these wrong.
fn with_outliers(showings: usize, outliers: usize) -> Mqar {
    mqar(|config| {
        (config.showings, config.outliers) = (showings, outliers);
        config.seq_len = 33 + 8 * (2 * showings + 2);
    })
}

/// The values that each key of a row is shown with, in their order.
fn shown(data: &Mqar, row: &[i32]) -> BTreeMap<i32, Vec<i32>> {
    let mut found = BTreeMap::new();
    for pair in row[..2 * data.config.pairs * data.config.showings].chunks(2) {
        let values: &mut Vec<_> = found.entry(pair[0]).or_default();
        values.push(pair[1]);
    }
    found
}

#[test]
fn most_showings_have_the_answer_and_outliers_any_other_value() {
    for (showings, outliers) in [(2, 0), (3, 1), (4, 1), (5, 2), (9, 4)] {
        let data = with_outliers(showings, outliers);
        let (mut places, mut wrong) = (vec![0; showings], BTreeMap::new());
        for batch in [
            data.train_batch(3, 0..64).unwrap(),
            evaluation(&data, 3, 64),
        ] {
            for (row, at, target) in queries(&batch) {
                assert!(at >= 16 * showings + data.config.gap);
                let shown = shown(&data, row);
                assert_eq!(shown.len(), 8, "keys are distinct");
                let values = &shown[&row[at]];
                assert_eq!(values.len(), showings);
                let others = values
                    .iter()
                    .enumerate()
                    .filter(|(_, value)| **value != target);
                assert_eq!(others.clone().count(), outliers);
                for (place, value) in others {
                    assert!((128..256).contains(value));
                    places[place] += 1;
                    *wrong.entry((value - target).rem_euclid(128)).or_insert(0) += 1;
                }
            }
        }
        // At each place among the showings as often, and each other value.
        let total: usize = places.iter().sum();
        for count in places {
            let share = count as f64 / total.max(1) as f64;
            assert!(
                total == 0 || (share * showings as f64 - 1.0).abs() < 0.2,
                "{share}"
            );
        }
        assert_eq!(wrong.len(), if outliers > 0 { 127 } else { 0 });
        let most = wrong.values().max().copied().unwrap_or(0);
        assert!(most * 30 <= total, "{most} of {total}");
    }
}

/// Not one pair after the other, nor round by round.
#[test]
fn showings_are_in_random_order() {
    let data = with_outliers(3, 0);
    let (mut again, mut rounds, rows) = (0, 0, 256);
    for row in data
        .train_batch(0, 0..rows)
        .unwrap()
        .inputs
        .chunks(33 + 8 * 8)
    {
        let keys: Vec<i32> = row[..48].iter().step_by(2).copied().collect();
        again += keys.windows(2).filter(|two| two[0] == two[1]).count();
        let first: HashSet<_> = keys[..8].iter().collect();
        rounds += usize::from(first.len() == 8);
    }
    // Of 23 neighbours 2 in 23 are of the same pair.
    let mean = again as f64 / rows as f64;
    assert!((mean - 2.0).abs() < 0.3, "{mean}");
    assert!(rounds < rows / 10, "{rounds} of {rows}");
}

#[test]
fn rows_that_differ_in_outliers_differ_in_wrong_values_alone() {
    let [none, two] =
        [0, 2].map(|outliers| with_outliers(5, outliers).train_batch(2, 0..16).unwrap());
    assert_eq!(none.targets, two.targets);
    assert_eq!(none.weights, two.weights);
    let differ = none.inputs.iter().zip(&two.inputs).filter(|(a, b)| a != b);
    assert!(differ.clone().all(|(a, b)| *a >= 128 && *b >= 128));
    assert_eq!(differ.count(), 16 * 8 * 2);
}

/// What a generator says of itself, so that runs of versions without showings compare equal, and
/// the rows of these versions.
#[test]
fn a_single_showing_is_what_there_was() {
    let config = MqarConfig {
        vocab: 32,
        seq_len: 14,
        pairs: 3,
        gap: 2,
        ..MqarConfig::default()
    };
    assert_eq!(
        config.generator().unwrap(),
        "mqar: vocab 32, pairs 3, gap 2, filler blank"
    );
    let outliers = MqarConfig {
        showings: 3,
        outliers: 1,
        ..config.clone()
    };
    assert_eq!(
        outliers.generator().unwrap(),
        "mqar: vocab 32, pairs 3, gap 2, filler blank, showings 3, outliers 1"
    );
    // The transcript of docs/cli.md, from before there were showings: a hash of settings and rows.
    let config = MqarConfig {
        vocab: 32,
        seq_len: 64,
        pairs: 4,
        gap: 16,
        ..MqarConfig::default()
    };
    let found = Mqar::new(&config, 1).describe().fingerprint;
    assert!(
        found.starts_with("sha256-generator:204244e3b529"),
        "{found}"
    );
}

#[test]
fn keys_values_and_filler_keep_to_their_ranges() {
    for data in both_fillers() {
        let batch = data.train_batch(1, 0..32).unwrap();
        for row in batch.inputs.chunks(batch.len) {
            for pair in row[..16].chunks(2) {
                assert!((data.first_key()..128).contains(&pair[0]));
                assert!((128..256).contains(&pair[1]));
            }
            let filler = &row[16..16 + data.config.gap];
            match data.config.filler {
                Filler::Blank => assert!(filler.iter().all(|&token| token == 0)),
                Filler::Random => {
                    assert!(filler.iter().all(|token| (1..=32).contains(token)));
                    assert!(filler.iter().collect::<HashSet<_>>().len() > 5);
                }
            }
        }
    }
}

#[test]
fn rows_depend_on_seed_step_number_and_purpose_only() {
    let config = MqarConfig::default();
    let open = |seed| Mqar::new(&config, seed);
    let batch = open(1).train_batch(3, 0..4).unwrap();
    assert_eq!(batch, open(1).train_batch(3, 0..4).unwrap());
    assert_ne!(batch, open(2).train_batch(3, 0..4).unwrap());
    assert_ne!(batch, open(1).train_batch(4, 0..4).unwrap());
    assert_eq!(
        batch.inputs,
        open(1).train_batch(3, 0..9).unwrap().inputs[..4 * 128]
    );
    let parts = [0..1, 1..4].map(|rows| open(1).train_batch(3, rows).unwrap());
    assert_eq!(
        parts.each_ref().map(|part| part.inputs.clone()).concat(),
        batch.inputs
    );
    assert_eq!(parts.map(|part| part.weights).concat(), batch.weights);
    assert_eq!(open(1).describe(), open(1).describe());
    // Another seed draws other rows of the same data.
    assert_eq!(open(1).describe(), open(2).describe());
}

#[test]
fn training_and_evaluation_share_no_row() {
    let data = mqar(|config| config.queries = 1);
    let mut seen = HashSet::new();
    for index in 0..20 {
        for batch in [
            data.train_batch(index, 0..32).unwrap(),
            evaluation(&data, index, 32),
        ] {
            for row in batch.inputs.chunks(128) {
                assert!(seen.insert(row[..16].to_vec()));
            }
        }
    }
}

#[test]
fn the_tightest_row_that_is_accepted_works() {
    let data = mqar(|config| {
        config.vocab = 18;
        config.seq_len = 2 * 8 + 33 + 2 * 8;
    });
    assert_eq!(queries(&data.train_batch(0, 0..2).unwrap()).len(), 32);
}

fn problems(change: impl FnOnce(&mut MqarConfig)) -> String {
    let mut config = MqarConfig::default();
    change(&mut config);
    let problems = config.validate();
    let lines: Vec<_> = problems
        .iter()
        .map(|(field, message)| format!("{field}: {message}"))
        .collect();
    lines.join("\n")
}

#[test]
fn what_does_not_fit_is_refused_with_what_would() {
    assert_eq!(
        problems(|config| config.pairs = 30),
        "pairs: 2 x 30 pair tokens + gap 33 + 30 x 2 queries make 153 tokens, more than seq_len = 128; \
         what fits: pairs = 23 or less, or queries = 1 or less, or gap = 8 or less, or seq_len = 153 or more"
    );
    assert_eq!(
        problems(|config| config.gap = 200),
        "gap: 2 x 8 pair tokens + gap 200 + 8 x 2 queries make 232 tokens, more than seq_len = 128; \
         what fits: gap = 96 or less, or seq_len = 232 or more"
    );
    assert_eq!(
        problems(|config| config.seq_len = 32),
        "gap: 2 x 8 pair tokens + gap 33 + 8 x 2 queries make 65 tokens, more than seq_len = 32; \
         what fits: gap = 0, or seq_len = 65 or more"
    );
    assert_eq!(
        problems(|config| config.seq_len = 3),
        "seq_len: 2 x 8 pair tokens + gap 33 + 8 x 2 queries make 65 tokens, more than seq_len = 3; \
         what fits: seq_len = 65 or more"
    );
    assert_eq!(
        problems(|config| (config.showings, config.outliers) = (6, 1)),
        "pairs: 2 x 8 pair tokens x 6 showings + gap 33 + 8 x 2 queries make 145 tokens, more than seq_len = 128; \
         what fits: pairs = 6 or less, or showings = 4 or less, or gap = 16 or less, or seq_len = 145 or more"
    );
    assert_eq!(
        problems(|config| (config.showings, config.outliers) = (4, 2)),
        "outliers: of 4 showings of a pair 2 are wrong, and most must be right: \
         the largest number that fits is 1, or showings = 5 or more"
    );
    assert_eq!(
        problems(|config| config.outliers = 1),
        "outliers: of 1 showings of a pair 1 are wrong, and most must be right: \
         the largest number that fits is 0, or showings = 3 or more"
    );
    assert_eq!(
        problems(|config| config.showings = 0),
        "showings: must be 1 or more, got 0"
    );
    assert_eq!(
        problems(|config| config.vocab = 16),
        "pairs: vocab = 16 has 7 keys, and the keys of a row are all different: \
         the largest value that fits is 7, got 8"
    );
    assert_eq!(
        problems(|config| (config.pairs, config.queries, config.vocab) = (0, 0, 4)),
        "pairs: must be 1 or more, got 0\nqueries: must be 1 or more, got 0\n\
         vocab: must be from 16 to 16777216 tokens, got 4"
    );
}

#[test]
fn absurd_numbers_are_refused_without_overflow() {
    assert!(problems(|config| config.gap = usize::MAX).starts_with("gap: "));
    assert!(problems(|config| config.queries = usize::MAX).starts_with("queries: "));
    assert!(problems(|config| config.pairs = usize::MAX).starts_with("pairs: "));
    assert!(problems(|config| config.showings = usize::MAX).starts_with("showings: "));
    assert!(problems(|config| config.outliers = usize::MAX).starts_with("outliers: "));
    assert!(problems(|config| config.seq_len = usize::MAX).starts_with("seq_len: "));
}

#[test]
fn there_is_no_order_to_follow() {
    let data = mqar(|_| ());
    for error in [
        data.stream_steps(2).unwrap_err(),
        data.stream_batch(0, 0..2, 2).unwrap_err(),
    ] {
        assert_eq!(
            error.to_string(),
            "the rows of these data are independent: there is no order to follow"
        );
    }
}

#[test]
fn settings_identify_the_data_and_neither_seed_nor_row_length_do() {
    let of = |change: &dyn Fn(&mut MqarConfig), seed: u64| {
        let mut config = MqarConfig::default();
        change(&mut config);
        Mqar::new(&config, seed).describe().fingerprint
    };
    let first = of(&|_| {}, 1);
    assert!(first.starts_with("sha256-generator:"), "{first}");
    assert_eq!(of(&|_| {}, 2), first);
    assert_eq!(of(&|config| config.seq_len = 500, 1), first);
    let changes: [&dyn Fn(&mut MqarConfig); 7] = [
        &|config| config.showings = 3,
        &|config| (config.showings, config.outliers) = (3, 1),
        &|config| config.vocab = 128,
        &|config| config.pairs = 7,
        &|config| config.gap = 0,
        &|config| config.queries = 1,
        &|config| config.filler = Filler::Random,
    ];
    let mut seen = HashSet::from([first]);
    for (at, change) in changes.iter().enumerate() {
        assert!(seen.insert(of(change, 1)), "change {at}");
    }
}
