//! Forecasting: a series is trained on, measured on its parts, compared and exported.

use std::f64::consts::TAU;
use std::fs;

use serde_json::Value;

use crate::support::Dir;

const SMALL: &str = "--set model.dim=16 --set model.layers=1 --set model.ffn_dim=32 --set task.horizon=4 \
    --set task.patch=4 --set data.seq_len=24 --set data.path=table.csv --set data.split=[300,80,80] \
    --set train.batch=16 --set optim.warmup=1 --set optim.decay_steps=60 --set eval.every=2 \
    --set eval.tokens=100000 --set checkpoint.every=2 --set algorithm.chunk=2";

/// Sums of waves, which a linear map continues; and the same with noise that nothing foretells.
fn table(rows: usize, noise: f64) -> String {
    let mut state = 5_u32;
    let mut draw = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        f64::from(state >> 8) / f64::from(1_u32 << 24) - 0.5
    };
    let mut lines = vec!["date,a,b".to_owned()];
    for row in 0..rows {
        let wave = |period: f64| (TAU * row as f64 / period).sin();
        let (a, b) = (3.0 + wave(12.0) + 0.5 * wave(5.0), -2.0 * wave(9.0));
        let [a, b] = [a, b].map(|x| x + noise * draw());
        lines.push(format!("2020-01-01 {row}:00,{a},{b}"));
    }
    lines.join("\n")
}

/// As many rows as presets divide.
pub(crate) fn series(rows: usize) -> String {
    table(rows, 0.1)
}

fn dir() -> Dir {
    let dir = Dir::new();
    dir.file("table.csv", table(470, 0.0));
    dir
}

#[test]
fn presets_train_exactly_and_resume() {
    for preset in ["titans-lmm", "conv"] {
        let dir = dir();
        let run = |name: &str, steps: usize| {
            let set = format!("{SMALL} --set train.steps={steps}");
            dir.run(&format!("run series/{preset} --name {name} {set}"))
                .done()
        };
        let said = run("whole", 4);
        let said = said.out + &said.err;
        for note in [
            "the first column of `table.csv`, `date`, is a date and no channel",
            "the last 10 of the 470 rows of `table.csv` are in no part",
        ] {
            assert!(said.contains(note), "{said}");
        }
        run("parts", 2);
        dir.run("run --name parts --resume --set train.steps=4")
            .done();
        for file in ["model.safetensors", "optimizer.bpk"] {
            let read = |run: &str| {
                let path = format!("runs/{run}/checkpoints/step-00000004/{file}");
                fs::read(dir.at(&path)).unwrap()
            };
            assert!(read("whole") == read("parts"), "{preset}: {file}");
        }
        let config = dir.read("runs/whole/config.toml");
        assert!(config.contains("[task]\nkind = \"forecast\"\nhorizon = 4\n"));
        let lines = dir.read("runs/whole/metrics.jsonl");
        for tag in ["train/mse", "eval/mse", "eval/mae"] {
            assert!(lines.contains(tag), "{tag}");
        }
        let events = fs::read_dir(dir.at("runs/whole")).unwrap();
        let mut names = events.map(|file| file.unwrap().file_name().into_string().unwrap());
        assert!(names.any(|name| name.contains("tfevents")));
    }
}

#[test]
fn waves_are_learned_and_measured_beside_what_no_model_reaches() {
    let dir = dir();
    for (name, seed) in [("a", 1), ("b", 2), ("c", 3)] {
        let set = format!("{SMALL} --set train.steps=60 --set train.seed={seed}");
        dir.run(&format!(
            "run series/titans-lmm --name {name} {set} --set eval.every=30 --set optim.lr=1e-2"
        ))
        .done();
    }
    let json = |words: &str| -> Value { serde_json::from_str(&dir.run(words).done().out).unwrap() };
    let report = json("eval a --json --part test");
    let number = |report: &Value, name: &str| report[name].as_f64().unwrap();
    let baseline = |at: usize, name: &str, error: &str| {
        let one = &report["baselines"][at];
        assert_eq!(one["name"], name);
        one[error].as_f64().unwrap()
    };
    let (repeat, linear) = (baseline(0, "repeat", "mse"), baseline(1, "linear", "mse"));
    // Waves are linear; the last value says little; the model is between.
    assert!(linear < 1e-3, "{report:#}");
    let mse = number(&report, "mse");
    assert!(mse < 0.5 * repeat && mse > linear, "{report:#}");
    assert!(number(&report, "mae").powi(2) <= mse);
    assert!((number(&report, "loss") - mse).abs() < 1e-6);
    // 80 rows of two channels, and a window may look back.
    assert_eq!(report["windows"], 2 * (80 - 4 + 1));
    assert_eq!(report["tokens"], 4 * 2 * 77);
    for absent in ["perplexity", "accuracy", "classes", "mcc"] {
        assert_eq!(report[absent], Value::Null, "{absent}");
    }
    // The last evaluation of training read all of the validation part.
    let valid = json("eval a --json");
    assert_ne!(valid["mse"], report["mse"]);
    let lines = dir.read("runs/a/metrics.jsonl");
    let last: Value = serde_json::from_str(lines.lines().last().unwrap()).unwrap();
    for name in ["mse", "mae"] {
        let logged = last[format!("eval/{name}")].as_f64().unwrap();
        assert!((logged - number(&valid, name)).abs() < 1e-5, "{name}");
    }
    let said = dir.run("eval a --part test").done().out;
    for word in [
        "step ahead",
        "mse",
        "mae",
        "repeat",
        "linear",
        "which overlap",
    ] {
        assert!(said.contains(word), "{word}: {said}");
    }
    let compared = dir
        .run("compare runs/a runs/b runs/c --metric eval/mae")
        .done()
        .out;
    assert!(compared.contains("eval/mae"), "{compared}");
    // Errors of the test part, of the runs that have a report on it.
    for run in ["b", "c"] {
        dir.run(&format!("eval {run} --part test")).done();
    }
    let tested = json("compare runs/a runs/b runs/c --metric test/mse --format json");
    assert_eq!(tested["variants"][0]["n"], 3, "{tested:#}");
    let runs = tested["variants"][0]["runs"].as_array().unwrap();
    let of_a = runs.iter().find(|run| run["run"] == "a").unwrap();
    assert_eq!(of_a["value"], report["mse"]);
    // Of both reports of a, that of the part which most have.
    let warned = tested["warnings"].to_string();
    assert!(warned.contains("is of the part valid"), "{warned}");
    dir.run("export a --out model").done();
    let of_export = json("eval model --json --part test");
    for name in ["loss", "mse", "mae", "mse_stderr", "baselines"] {
        assert_eq!(of_export[name], report[name], "{name}");
    }
    // The control: noise alone, of which no window says what comes.
    dir.file("noise.csv", table(470, 1e3));
    let noise = json("eval a --json --part test --set data.path=noise.csv");
    let error = |at: usize| noise["baselines"][at]["mse"].as_f64().unwrap();
    assert!(
        error(1) > 0.5 && error(0) > 1.3 && number(&noise, "mse") > 0.5,
        "{noise:#}"
    );
}

#[test]
fn commands_of_text_and_mistakes_are_refused() {
    let dir = dir();
    dir.run(&format!(
        "run series/titans-lmm --name tiny {SMALL} --set train.steps=1"
    ))
    .done();
    dir.refuses_text("tiny", "forecast");
    dir.run("eval tiny --data table.csv")
        .refused("error: --data is about text and labelled sequences: another series is named with `--set data.path=FILE`[..]");
    dir.file("words.csv", "date,a\n1,2\n2,x\n");
    for (words, said) in [
        (
            "check series/conv --set data.path=words.csv",
            "error: path: line 3 of `words.csv` has `x`, which is no number, in column `a`[..](data.path)[..]",
        ),
        (
            "check series/conv --set data.path=table.csv",
            "error: split: [8640, 2880, 2880] are more rows than the 470 of `table.csv`: give the rows[..](data.split)[..]",
        ),
        (
            "check series/conv --set data.path=table.csv --set data.split=[300,80,80]",
            "error: seq_len: the training part has 300 rows (data.split = [300, 80, 80]), and a window takes 512 + 96: what fits is data.seq_len = 192 or less, or a larger part[..]",
        ),
        (
            "check series/conv --set data.path=table.csv --set data.columns=['A']",
            "error: columns: `table.csv` has no column `A`; did you mean `a`?[..](data.columns)[..]",
        ),
        (
            "check --set task.horizon=3",
            "error: unknown field `horizon`[..]task.kind = \"forecast\"[..]",
        ),
    ] {
        dir.run(words).refused(said);
    }
    dir.file("tiny.toml", crate::support::TINY);
    dir.run("run tiny.toml --name text").done();
    dir.run("eval text --part test")
        .refused("error: --part is about time series (task.kind = \"forecast\"): leave it out");
}

#[test]
fn costs_are_of_the_whole_model_and_a_sweep_goes_over_the_task() {
    let dir = dir();
    let json = |words: &str| -> Value { serde_json::from_str(&dir.run(words).done().out).unwrap() };
    let estimate = json(&format!("estimate series/conv {SMALL} --json"));
    let bench = json(&format!("bench series/conv {SMALL} --repeats 1 --json"));
    assert_eq!(estimate["parameters"], bench["parameters"]);
    assert_eq!(estimate["seq"], 6);
    let sets: Vec<String> = (SMALL.split("--set ").skip(1))
        .map(|set| {
            let (key, value) = set.trim().split_once('=').unwrap();
            let is_word = value.starts_with(char::is_alphabetic);
            let quote = if is_word { "\"" } else { "" };
            format!("{key} = {quote}{value}{quote}\n")
        })
        .collect();
    dir.file(
        "sweep.toml",
        format!(
            "extends = \"series/titans-lmm\"\n{}train.steps = 2\n\
             [sweep]\nmetric = \"eval/mae\"\nseeds = [1]\n[sweep.axes]\n\"task.normalise\" = [\"instance\", \"none\"]\n",
            sets.concat()
        ),
    );
    dir.run("sweep sweep.toml").done();
    let said = dir.run("compare runs/sweep --metric eval/mse").done().out;
    assert!(said.contains("instance") && said.contains("none"), "{said}");
}
