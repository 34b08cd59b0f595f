//! Time series: what is read of a CSV file, its parts and windows, forecasts without a model, and
//! what is refused.

use std::f64::consts::TAU;

use miras_data::{
    DataConfig, DataError, Description, Part, Series, SeriesConfig, Split, open, open_series,
};

use crate::support::{Place, gz};

fn config(place: &Place, name: &str) -> SeriesConfig {
    SeriesConfig {
        path: place.paths(&[name]),
        seq_len: 3,
        split: Split::Rows([8, 4, 4]),
        ..SeriesConfig::default()
    }
}

/// `date,a,b` with `a = 1, 2, …` and `b = −a²`.
fn table(rows: usize) -> String {
    let rows = (1..=rows).map(|row| format!("2020-01-{row:02} 00:00:00,{row},-{}\n", row * row));
    format!("date,a,b\n{}", rows.collect::<Vec<_>>().concat())
}

fn opened(config: &SeriesConfig, horizon: usize) -> Result<(Series, Description), DataError> {
    let config = SeriesConfig {
        horizon,
        patch: 1,
        ..config.clone()
    };
    open_series(&config)
}

#[test]
fn parts_are_standardised_with_training_and_their_windows_may_look_back() {
    let text = table(18);
    let place = Place::new(&[
        ("a.csv", text.as_bytes()),
        ("a.csv.gz", &gz(text.as_bytes())),
    ]);
    for name in ["a.csv", "a.csv.gz"] {
        let (series, found) = opened(&config(&place, name), 2).unwrap();
        let names: Vec<&str> = series.channels().iter().map(|one| &*one.name).collect();
        assert_eq!(names, ["a", "b"]);
        // Of 1 to 8: mean 4.5, and the deviation is not that of a sample.
        let a = &series.channels()[0];
        assert!((a.mean - 4.5).abs() < 1e-12 && (a.deviation - 5.25_f64.sqrt()).abs() < 1e-12);
        let own = |value: f64| (value * a.deviation + a.mean).round() as i64;
        let windows = |part: Part| -> Vec<Vec<i64>> {
            let all = (0..series.windows(part)).map(|at| {
                let (read, next) = series.window(part, 0, at);
                assert_eq!((read.len(), next.len()), (3, 2));
                read.iter().chain(next).map(|&value| own(value)).collect()
            });
            all.collect()
        };
        let train = windows(Part::Train);
        assert_eq!(
            (&train[0], &train[3]),
            (&vec![1, 2, 3, 4, 5], &vec![4, 5, 6, 7, 8])
        );
        assert_eq!(train.len(), 4);
        let expected = [[6, 7, 8, 9, 10], [7, 8, 9, 10, 11], [8, 9, 10, 11, 12]];
        assert_eq!(windows(Part::Valid), expected);
        let test = windows(Part::Test);
        assert_eq!((test.len(), &test[2]), (3, &vec![12, 13, 14, 15, 16]));
        let notes = found.notes.join("\n");
        for note in [
            "`date`, is a date and no channel",
            "the last 2 of the 18 rows",
            "are in no part (data.split = [8, 4, 4])",
        ] {
            assert!(notes.contains(note), "{notes}");
        }
    }
    let print = |name: &str, columns: &[&str]| {
        let columns = columns.iter().map(|&name| name.to_owned()).collect();
        let config = SeriesConfig {
            columns,
            ..config(&place, name)
        };
        let (series, found) = opened(&config, 2).unwrap();
        (series.channels().len(), found.fingerprint)
    };
    assert_eq!(print("a.csv", &[]), print("a.csv.gz", &["a", "b"]));
    assert_eq!(print("a.csv", &["b"]).0, 1);
    assert_ne!(print("a.csv", &["b", "a"]).1, print("a.csv", &[]).1);
}

#[test]
fn a_date_in_numbers_is_left_out_by_its_name_and_read_where_it_is_named() {
    let text = "Time, x\n1,5\n2,7\n3,6\n4,9\n5,1\n6,2\n";
    let place = Place::new(&[("a.csv", text.as_bytes())]);
    let config = SeriesConfig {
        seq_len: 1,
        split: Split::Shares([0.4, 0.2, 0.4]),
        ..config(&place, "a.csv")
    };
    let names = |config: &SeriesConfig| {
        let (series, found) = opened(config, 1).unwrap();
        let names: Vec<String> = series
            .channels()
            .iter()
            .map(|one| one.name.clone())
            .collect();
        (names.join(" "), found.notes.len())
    };
    assert_eq!(names(&config), ("x".to_owned(), 1));
    let columns = vec!["Time".to_owned()];
    assert_eq!(
        names(&SeriesConfig { columns, ..config }),
        ("Time".to_owned(), 0)
    );
}

#[test]
fn what_cannot_be_read_is_said_with_its_line_and_column() {
    let place = Place::new(&[("a.csv", b"")]);
    for (text, expected) in [
        (
            "",
            "path: `DIR/a.csv` is empty: there is nothing to train on",
        ),
        (
            "a,b\n",
            "line 1 of `DIR/a.csv` names columns, and there is no row of numbers below",
        ),
        (
            "1,2\n3,4\n",
            "line 1 of `DIR/a.csv` has numbers where the names of the columns are expected",
        ),
        (
            "a;b\n1;2\n",
            "line 1 of `DIR/a.csv` is one column, `a;b`: columns are separated by commas here, and not by ';'",
        ),
        (
            "a,b,a\n1,2,3\n",
            "line 1 of `DIR/a.csv` names two columns `a`",
        ),
        (
            "date\n2020\n",
            "line 1 of `DIR/a.csv` names one column, `date`, which is no number",
        ),
        (
            "a,b\n1,2\n3,x\n",
            "line 3 of `DIR/a.csv` has `x`, which is no number, in column `b`: a series has a number in every row",
        ),
        (
            "d,b,c\nMon,2,y\n",
            "line 2 of `DIR/a.csv` has `y`, which is no number, in column `c`",
        ),
        (
            "a,b\n1,2\n\n3,\n",
            "line 4 of `DIR/a.csv` has no value in column `b`",
        ),
        (
            "a,b\n1,2\n3,NaN\n",
            "line 3 of `DIR/a.csv` has `NaN`, which is no finite number, in column `b`",
        ),
        (
            "a,b\n1,2\n3,4,5\n",
            "line 3 of `DIR/a.csv` has 3 values, and the first line names 2 columns",
        ),
        (
            "a,b\n1,2\n3\n",
            "line 3 of `DIR/a.csv` has 1 values, and the first line names 2 columns",
        ),
    ] {
        std::fs::write(place.path("a.csv"), text).unwrap();
        let error = opened(&config(&place, "a.csv"), 2).err().unwrap();
        let error = error
            .to_string()
            .replace(place.path("").trim_end_matches('/'), "DIR");
        assert!(error.contains(expected), "{expected}\n{error}");
    }
    std::fs::write(place.path("a.csv"), b"a,b\n1,2\n\xff,2\n").unwrap();
    let error = opened(&config(&place, "a.csv"), 2)
        .err()
        .unwrap()
        .to_string();
    assert!(
        error.contains("line 3 of") && error.ends_with("is no text in UTF-8"),
        "{error}"
    );
}

#[test]
fn settings_that_do_not_fit_the_file_are_refused_with_what_fits() {
    let constant = table(18)
        .replace(",-", ",7,-")
        .replace("date,a,b", "date,a,level,b");
    let place = Place::new(&[
        ("in/a.csv", table(18).as_bytes()),
        ("in/b.csv", constant.as_bytes()),
    ]);
    let base = config(&place, "in/a.csv");
    let columns = |name: &str| vec![name.to_owned()];
    let of = |split: [u64; 3], seq_len| SeriesConfig {
        split: Split::Rows(split),
        seq_len,
        ..base.clone()
    };
    for (config, horizon, field, expected) in [
        (
            config(&place, "in"),
            2,
            "path",
            "a series is one file, and these are 2: name one of them",
        ),
        (
            config(&place, "in/b.csv"),
            2,
            "columns",
            "column `level` is 7 in all 8 rows of the training part",
        ),
        (
            SeriesConfig {
                columns: columns("B"),
                ..base.clone()
            },
            2,
            "columns",
            "a.csv` has no column `B`; did you mean `b`?",
        ),
        (
            SeriesConfig {
                columns: columns("temperature"),
                ..base.clone()
            },
            2,
            "columns",
            "no column `temperature`; it has date, a, b",
        ),
        (
            of([10, 5, 5], 3),
            2,
            "split",
            "[10, 5, 5] are more rows than the 18 of",
        ),
        (
            of([8, 4, 4], 7),
            2,
            "seq_len",
            "the training part has 8 rows (data.split = [8, 4, 4]), and a window takes 7 + 2: what fits is data.seq_len = 6 or less, or a larger part",
        ),
        (
            of([8, 4, 4], 3),
            8,
            "split",
            "what fits is a shorter window, or a larger part",
        ),
        (
            of([8, 2, 4], 3),
            4,
            "split",
            "the validation part has 2 rows and 8 before it (data.split = [8, 2, 4]), and a window takes 3 before and 4 of it: what fits is a horizon of 2 or less",
        ),
        (of([10, 5, 1], 3), 2, "split", "the test part has 1 rows"),
    ] {
        let error = opened(&config, horizon).err().unwrap();
        assert_eq!(error.field(), Some(field), "{error}");
        assert!(error.to_string().contains(expected), "{expected}\n{error}");
    }
    // What the message says fits, fits.
    assert_eq!(
        opened(&of([8, 4, 4], 6), 2).unwrap().0.windows(Part::Train),
        1
    );
    assert_eq!(
        opened(&of([8, 2, 4], 3), 2).unwrap().0.windows(Part::Valid),
        1
    );
}

#[test]
fn training_rows_depend_on_their_number_and_on_the_training_part_alone() {
    let text = table(40);
    // What comes after training, in other numbers.
    let (train, later) = text.split_at(text.find("2020-01-21").unwrap());
    let other = format!("{train}{}", later.replace(",2", ",7").replace(",3", ",1"));
    let place = Place::new(&[("a.csv", text.as_bytes()), ("b.csv", other.as_bytes())]);
    let of = |name: &str, seed: u64| {
        let config = SeriesConfig {
            seq_len: 4,
            patch: 2,
            horizon: 3,
            split: Split::Rows([20, 10, 10]),
            ..config(&place, name)
        };
        open(&DataConfig::from(config), seed).unwrap()
    };
    let data = of("a.csv", 1);
    let whole = data.train_batch(5, 0..6).unwrap();
    let series = whole.series.clone().unwrap();
    assert_eq!(
        (whole.rows, whole.len, series.read.len(), series.next.len()),
        (6, 2, 24, 18)
    );
    assert_eq!((whole.weights.len(), whole.inputs.len()), (18, 0));
    for row in 0..6 {
        let one = data.train_batch(5, row..row + 1).unwrap().series.unwrap();
        assert_eq!(one.read, series.read[row * 4..(row + 1) * 4]);
        assert_eq!(one.next, series.next[row * 3..(row + 1) * 3]);
    }
    assert_eq!(of("b.csv", 1).train_batch(5, 0..6).unwrap(), whole);
    assert_ne!(of("a.csv", 2).train_batch(5, 0..6).unwrap(), whole);
    assert_ne!(data.train_batch(6, 0..6).unwrap(), whole);
    // The control: later parts differ.
    assert_ne!(
        data.eval_rows(&[0]).unwrap(),
        of("b.csv", 1).eval_rows(&[0]).unwrap()
    );
    // Two channels of 8 windows, 2 tokens each.
    assert_eq!(data.eval_tokens(), Some(32));
    let error = data.eval_rows(&[32]).unwrap_err().to_string();
    assert!(error.contains("no evaluation row at token 32"), "{error}");
    let stream = data.stream_steps(1).unwrap_err();
    assert!(matches!(stream, DataError::NoOrder));
}

/// A table of one column.
fn column(values: impl Iterator<Item = f64>) -> String {
    let rows: Vec<String> = values.map(|value| value.to_string()).collect();
    format!("x\n{}\n", rows.join("\n"))
}

#[test]
fn a_sum_of_sines_is_linear_and_noise_is_not() {
    let sines = (0..400).map(|t| {
        let t = f64::from(t);
        (TAU * t / 24.0).sin() + 0.5 * (TAU * t / 7.3).cos() + 3.0
    });
    let mut stream = miras_random::Stream::new(1, "noise", &[]);
    let noise = (0..400).map(|_| stream.normal());
    let place = Place::new(&[
        ("sines.csv", column(sines).as_bytes()),
        ("noise.csv", column(noise).as_bytes()),
    ]);
    let of = |name: &str| {
        let config = SeriesConfig {
            seq_len: 32,
            split: Split::default(),
            ..config(&place, name)
        };
        let series = opened(&config, 8).unwrap().0;
        let all: Vec<_> = (0..series.windows(Part::Test)).map(|at| (0, at)).collect();
        let found = series.baselines(Part::Test, &all);
        let [repeat, linear] = &found[..] else {
            panic!("{found:?}");
        };
        assert_eq!((&*repeat.name, &*linear.name), ("repeat", "linear"));
        for one in [repeat.errors, linear.errors] {
            // The mean of squares is at least the square of the mean.
            assert!(one.mse >= one.mae.powi(2), "{one:?}");
        }
        [repeat.errors.mse, linear.errors.mse]
    };
    let [repeat, linear] = of("sines.csv");
    assert!(linear < 1e-4 && repeat > 0.5, "{linear} and {repeat}");
    // The variance of noise is 1, and the difference of two values has twice that.
    let [repeat, linear] = of("noise.csv");
    assert!(
        (0.8..1.6).contains(&linear) && repeat > 1.5,
        "{linear} and {repeat}"
    );
}

#[test]
fn what_is_no_date_and_what_is_far_from_all_else_is_refused_with_its_place() {
    let missing = table(18)
        .replace("2020-01-01 00:00:00,", "NA,")
        .replace("date,", "x,");
    let far = table(18).replace(",18,-", ",1e300,-");
    let place = Place::new(&[("a.csv", missing.as_bytes()), ("b.csv", far.as_bytes())]);
    let said = |name: &str| opened(&config(&place, name), 2).unwrap_err().to_string();
    let message = said("a.csv");
    assert!(
        message.contains("line 2 of") && message.contains("NA"),
        "{message}"
    );
    let message = SeriesConfig {
        split: Split::Rows([8, 4, 6]),
        ..config(&place, "b.csv")
    };
    let message = opened(&message, 2).unwrap_err().to_string();
    assert!(message.contains("row 18 of column `a` of"), "{message}");
}

#[test]
fn a_long_lookback_has_no_linear_map_beside_it() {
    let rows: Vec<String> = (0..2300).map(|at| format!("{}\n", at * at % 97)).collect();
    let place = Place::new(&[("a.csv", format!("a\n{}", rows.concat()).as_bytes())]);
    let names = |seq_len: usize| -> Vec<String> {
        let config = SeriesConfig {
            seq_len,
            split: Split::Rows([2200, 50, 50]),
            ..config(&place, "a.csv")
        };
        let (series, _) = opened(&config, 2).unwrap();
        let found = series.baselines(Part::Test, &[(0, 0)]);
        found.into_iter().map(|one| one.name).collect()
    };
    assert_eq!(names(8), ["repeat", "linear"]);
    assert_eq!(names(1025), ["repeat"]);
}
