//! Prompts that are made, beside the same ones token by token.

use std::path::PathBuf;
use std::sync::Arc;

use miras_data::{Row, Tokenizer};
use miras_tasks::{
    Ask, Cell, Generated, Grade, Options, Prompt, Prompts, Reads, Step, TaskError, TaskKind, task,
};
use miras_use::{Generator, Memory, Sampler, TaskReport, TaskRequest, Trained, answer};

use crate::support::{Bench, assert_near};

fn asked(
    trained: &Trained,
    kind: &'static TaskKind,
    options: &Options,
    memory: Memory,
) -> TaskReport {
    let request = TaskRequest {
        kind,
        options: options.clone(),
        limit: None,
        window: None,
        stride: None,
        memory,
    };
    let done = std::cell::Cell::new((0, 0));
    let report = answer(trained, &request, &|so_far, all| {
        assert!(so_far > done.get().0 && so_far <= all);
        done.set((so_far, all));
    });
    assert_eq!(done.get().0, done.get().1, "all tokens are counted");
    report.unwrap()
}

/// The negative log-likelihood of tokens in nats, which the generator then has read.
fn loss(generator: &mut Generator, tokens: &[i32]) -> f64 {
    let mut sum = 0.0;
    for token in tokens {
        let logits = generator.logits().unwrap();
        let logits: Vec<f64> = logits.iter().map(|x| f64::from(*x)).collect();
        let largest = logits.iter().copied().fold(f64::MIN, f64::max);
        let all: f64 = logits.iter().map(|x| (x - largest).exp()).sum();
        sum += largest + all.ln() - logits[*token as usize];
        generator.read(&[*token]).unwrap();
    }
    sum
}

/// A prompt, read and answered token by token.
fn one_by_one(trained: &Trained, memory: Memory, prompt: &Prompt) -> Vec<(&'static str, f64)> {
    let mut read: Vec<i32> = Vec::new();
    let mut found = Vec::new();
    let at = |read: &[i32]| {
        let mut generator = Generator::new(trained, memory).unwrap();
        generator.read(read).unwrap();
        generator
    };
    for step in &prompt.steps {
        match step {
            Step::Read(row) => read.extend(row.tokens(0..row.len())),
            Step::Score(name, tokens) => {
                let loss = loss(&mut at(&read), tokens);
                found.push((*name, loss / tokens.len() as f64));
                read.extend(tokens);
            }
        }
    }
    let Some(ask) = &prompt.ask else {
        // Of a passage that comes again, what its loss fell by.
        let [(_, first), (_, again)] = found[..] else {
            panic!("{found:?}");
        };
        found.push(("gain", first - again));
        return found;
    };
    let with_lead = [&read[..], &ask.lead].concat();
    let losses: Vec<f64> = (ask.choices.iter())
        .map(|choice| loss(&mut at(&with_lead), choice))
        .collect();
    let is_right = losses[1..].iter().all(|other| losses[0] < *other);
    found.push(("accuracy_choice", f64::from(u8::from(is_right))));
    found.push(("loss", losses[0] / ask.choices[0].len() as f64));
    let mut generator = at(&read);
    let written: Vec<i32> = (0..ask.write)
        .map(|_| generator.next(&Sampler::GREEDY).unwrap().unwrap())
        .collect();
    let written = trained.tokenizer().unwrap().decode(&written);
    let written = String::from_utf8_lossy(&written);
    for (name, grade) in &ask.grades {
        found.push((*name, f64::from(u8::from(grade.is_right(&written)))));
    }
    found
}

fn made(trained: &Trained, kind: &TaskKind, options: &Options) -> Box<dyn Prompts> {
    let Reads::Generated(made) = kind.reads else {
        panic!("{} is not made", kind.name);
    };
    (made.make)(options, Arc::new(trained.tokenizer().unwrap())).unwrap()
}

#[test]
fn they_are_those_of_reading_token_by_token() {
    let bench = Bench::new();
    let (memory, _) = bench.trained("memory", &[]);
    let (attention, _) = bench.attention("attention");
    let text = "Mara has a red kite. Tom keeps nine small stones in a box under the stairs. ";
    let needle = Options {
        lengths: vec![400, 1500],
        depths: vec![0.0, 60.0],
        samples: Some(2),
        answer: Some(3),
        ..Options::default()
    };
    let recall = Options {
        path: Some(bench.file("text.txt", text.repeat(4))),
        distances: vec![24, 100],
        passage: Some(24),
        samples: Some(3),
        ..Options::default()
    };
    let cases = [
        (&memory, Memory::Live),
        (&memory, Memory::Frozen),
        (&attention, Memory::Live),
    ];
    for (name, options) in [("needle", needle), ("recall", recall)] {
        let kind = task(name).unwrap();
        for (trained, how) in cases {
            let report = asked(trained, kind, &options, how);
            let prompts = made(trained, kind, &options);
            assert_eq!(report.cells.len(), prompts.cells().len());
            for (cell, found) in report.cells.iter().enumerate() {
                assert_eq!(found.cell, prompts.cells()[cell]);
                let all: Vec<_> = (0..prompts.samples())
                    .map(|sample| one_by_one(trained, how, &prompts.prompt(cell, sample).unwrap()))
                    .collect();
                for (at, (measure, _)) in all[0].iter().enumerate() {
                    let count = all.len() as f64;
                    let mean = all.iter().map(|one| one[at].1).sum::<f64>() / count;
                    assert_near(found.measures[*measure], mean, 1e-3);
                    // Of a difference, that of pairs.
                    let squares = all.iter().map(|one| (one[at].1 - mean).powi(2));
                    let stderr = (squares.sum::<f64>() / (count - 1.0) / count).sqrt();
                    let name = match *measure {
                        "accuracy" => "stderr".to_owned(),
                        measure => format!("{measure}_stderr"),
                    };
                    assert_near(found.measures[&name], stderr, 1e-3);
                }
                // Each has its error, and `stderr` is that of `accuracy`.
                assert_eq!(found.measures.len(), 2 * all[0].len());
            }
        }
    }
}

/// A sentence that a run learns by heart, and a question about it.
struct Known {
    cells: Vec<Cell>,
    options: Options,
    tokenizer: Arc<Tokenizer>,
}

const LINE: &str =
    "The special magic number for calm-river mentioned in the provided text is 4217063.\n";

static KNOWN: TaskKind = TaskKind {
    name: "known",
    summary: "",
    reads: Reads::Generated(Generated {
        file: None,
        options: &["control"],
        make: |options, tokenizer| {
            Ok(Box::new(Known {
                cells: vec![Cell::default()],
                options: options.clone(),
                tokenizer,
            }))
        },
    }),
};

impl Prompts for Known {
    fn cells(&self) -> &[Cell] {
        &self.cells
    }

    fn samples(&self) -> u64 {
        2
    }

    fn prompt(&self, _: usize, _: u64) -> Result<Prompt, TaskError> {
        let encode = |text: &str| self.tokenizer.encode(text.as_bytes()).unwrap();
        let mut row = Row::default();
        row.push(encode(LINE.split(" 421").next().unwrap()));
        let mut values = ["4217063", "9035518", "7710624"];
        if self.options.control {
            values.swap(0, 1);
        }
        Ok(Prompt {
            steps: vec![Step::Read(row)],
            ask: Some(Ask {
                write: 20,
                grades: vec![("accuracy", Grade::Contains(values[0].to_owned()))],
                lead: Vec::new(),
                choices: values.map(|value| encode(&format!(" {value}"))).to_vec(),
            }),
        })
    }

    fn files(&self) -> Vec<PathBuf> {
        Vec::new()
    }
}

#[test]
fn who_knows_the_answer_scores_and_who_is_asked_for_another_does_not() {
    let bench = Bench::new();
    let path = bench.file("line.txt", LINE.repeat(60));
    let data = format!("data={{ kind = 'text', path = {path:?}, seq_len = 96 }}");
    let sets = [&*data, "train.steps=120", "optim.lr=0.02", "eval.tokens=96"];
    let (trained, _) = bench.trained("line", &sets);
    let mut options = Options::default();
    let known = asked(&trained, &KNOWN, &options, Memory::Live);
    for name in ["accuracy", "accuracy_choice"] {
        assert_near(known.measures[name], 1.0, 0.0);
    }
    assert!(known.measures["loss"] < 0.5, "{known:?}");
    options.control = true;
    let other = asked(&trained, &KNOWN, &options, Memory::Live);
    for name in ["accuracy", "accuracy_choice"] {
        assert_near(other.measures[name], 0.0, 0.0);
    }
    assert!(
        other.measures["loss"] > known.measures["loss"] + 1.0,
        "{other:?}"
    );
    assert_ne!(known.settings, other.settings);
}

#[test]
fn a_needle_is_answered_by_chance_where_it_is_left_out() {
    // Untrained, so that the values are all alike: neither is right more often than one of ten.
    let bench = Bench::new();
    let (trained, _) = bench.trained("run", &["train.steps=1"]);
    let options = Options {
        lengths: vec![400],
        samples: Some(30),
        answer: Some(0),
        control: true,
        ..Options::default()
    };
    let report = asked(&trained, task("needle").unwrap(), &options, Memory::Live);
    assert!(
        !report.measures.contains_key("accuracy"),
        "nothing is written"
    );
    let (share, error) = (report.measures["accuracy_choice"], 0.3 / 150_f64.sqrt());
    assert_near(share, 0.1, 4.0 * error);
    assert_eq!((report.questions, report.cells.len()), (150, 5));
}
