//! `BABILong` (Kuratov et al., 2024): the facts of bAbI's stories among the sentences of a book.

mod stories;
mod templates;

use miras_config::did_you_mean;
use std::path::PathBuf;
use std::sync::Arc;

use miras_data::{Haystack, Row, Tokenizer};
use miras_random::Stream;

use crate::{
    Ask, Cell, Generated, Grade, Options, Prompt, Prompts, Reads, Step, TaskError, TaskKind,
};
use stories::{Asked, Stories, find};
use templates::{TEMPLATES, Template};

pub(super) const KIND: TaskKind = TaskKind {
    name: "babilong",
    summary: "questions of bAbI, qa1 to qa5, whose facts are scattered through a text of any length",
    reads: Reads::Generated(Generated {
        file: Some("the folder of bAbI's files"),
        options: &[
            "kind",
            "haystack",
            "lengths",
            "samples",
            "seed",
            "answer-tokens",
        ],
        make,
    }),
};

/// What is measured unless it is said.
const LENGTHS: [usize; 3] = [4 << 10, 8 << 10, 16 << 10];
const SAMPLES: u64 = 10;
const SEED: u64 = 42;
const ANSWER: usize = 128;

struct Babilong {
    cells: Vec<Cell>,
    /// Of each cell: which of the tasks, and which questions of it.
    of: Vec<(usize, Vec<usize>)>,
    tasks: Vec<Task>,
    haystack: Haystack,
    tokenizer: Arc<Tokenizer>,
    options: Options,
    files: Vec<PathBuf>,
}

struct Task {
    template: &'static Template,
    stories: Stories,
}

/// A prompt without a text around its facts.
struct Parts {
    head: Vec<i32>,
    facts: Vec<Vec<i32>>,
    tail: Vec<i32>,
}

impl Parts {
    fn len(&self) -> usize {
        self.head.len() + self.facts.iter().map(Vec::len).sum::<usize>() + self.tail.len()
    }
}

fn make(options: &Options, tokenizer: Arc<Tokenizer>) -> Result<Box<dyn Prompts>, TaskError> {
    let folder = options.path.clone().unwrap_or_default();
    let text = options.haystack_for("what babilong asks for")?;
    let mut made = Babilong {
        cells: Vec::new(),
        of: Vec::new(),
        tasks: Vec::new(),
        haystack: Haystack::text(&text, &tokenizer)?,
        tokenizer,
        options: options.clone(),
        files: Vec::new(),
    };
    for template in templates(options)? {
        let path = find(&folder, template.name)?;
        let stories = Stories::read(&path)?;
        for asked in &stories.questions {
            check(template, asked).map_err(|problem| TaskError::Line {
                path: path.clone(),
                line: asked.line,
                problem,
            })?;
        }
        made.files.push(path);
        made.tasks.push(Task { template, stories });
    }
    made.files.extend(options.haystack.iter().cloned());
    for of in 0..made.tasks.len() {
        let lens = made.lens(of)?;
        for length in options.lengths_or(&LENGTHS) {
            let questions = made.drawn(of, length, &lens)?;
            made.of.push((of, questions));
            made.cells.push(Cell {
                kind: Some(made.tasks[of].template.name.to_owned()),
                length: Some(length),
                ..Cell::default()
            });
        }
    }
    Ok(Box::new(made))
}

fn templates(options: &Options) -> Result<Vec<&'static Template>, TaskError> {
    if options.kinds.is_empty() {
        return Ok(TEMPLATES.iter().collect());
    }
    let names = || TEMPLATES.iter().map(|template| template.name);
    let one = |name: &String| {
        (TEMPLATES.iter().find(|template| template.name == name)).ok_or_else(|| {
            let hint = did_you_mean(name, names())
                .map_or_else(String::new, |hint| format!(": did you mean `{hint}`?"));
            let names = names().collect::<Vec<_>>().join(", ");
            TaskError::Usage(format!(
                "babilong has no task `{name}`{hint}; there are {names}"
            ))
        })
    };
    let mut found: Vec<&Template> = options.kinds.iter().map(one).collect::<Result<_, _>>()?;
    found.sort_by_key(|template| template.name);
    found.dedup_by_key(|template| template.name);
    Ok(found)
}

/// Whether a question is one of its task.
fn check(template: &Template, asked: &Asked) -> Result<(), String> {
    let Asked {
        question, answer, ..
    } = asked;
    if !template.labels.contains(&&**answer) {
        let labels = template.labels.join(", ");
        let name = template.name;
        return Err(format!(
            "the answer `{answer}` is none of {name}'s: {labels}"
        ));
    }
    if template.lead(question).is_none() {
        let name = template.name;
        return Err(format!("`{question}` is not a question of {name}"));
    }
    Ok(())
}

impl Babilong {
    fn encode(&self, text: &str) -> Result<Vec<i32>, TaskError> {
        Ok(self.tokenizer.encode(text.as_bytes())?)
    }

    fn parts(&self, task: &Task, asked: &Asked) -> Result<Parts, TaskError> {
        let joint = self.haystack.joint();
        let facts = task.stories.facts(asked).iter();
        Ok(Parts {
            head: self.encode(&task.template.head())?,
            facts: facts
                .map(|fact| self.encode(&format!("{joint}{fact}")))
                .collect::<Result<_, _>>()?,
            tail: self.encode(&Template::tail(&asked.question))?,
        })
    }

    /// Tokens of the prompt of each question, without a text around it.
    fn lens(&self, of: usize) -> Result<Vec<usize>, TaskError> {
        let task = &self.tasks[of];
        let questions = task.stories.questions.iter();
        questions
            .map(|asked| Ok(self.parts(task, asked)?.len()))
            .collect()
    }

    /// Questions that fit in a length, as many as samples. With 0 tokens there is no text around them.
    fn drawn(&self, of: usize, length: usize, lens: &[usize]) -> Result<Vec<usize>, TaskError> {
        let name = self.tasks[of].template.name;
        let fits = |at: &usize| length == 0 || lens[*at] < length;
        let fitting: Vec<usize> = (0..lens.len()).filter(fits).collect();
        let needed = lens.iter().min().map_or(0, |least| least + 1);
        if fitting.is_empty() {
            return Err(TaskError::Usage(format!(
                "--lengths {length} is too short for every prompt of {name}, of which the shortest takes {needed} tokens of this run with one of haystack: give {needed} or more, or 0 for no haystack"
            )));
        }
        let samples = self.samples();
        if (fitting.len() as u64) < samples {
            return Err(TaskError::Usage(format!(
                "{} questions of {name} fit in {length} tokens: give --samples {} or less, or longer --lengths",
                fitting.len(),
                fitting.len()
            )));
        }
        let seed = self.options.seed.unwrap_or(SEED);
        let mut stream = Stream::new(seed, &format!("babilong {name}"), &[length as u64]);
        let drawn = stream.distinct(fitting.len() as u64, samples as usize);
        Ok(drawn.into_iter().map(|at| fitting[at as usize]).collect())
    }
}

impl Prompts for Babilong {
    fn cells(&self) -> &[Cell] {
        &self.cells
    }

    fn samples(&self) -> u64 {
        self.options.samples.unwrap_or(SAMPLES)
    }

    fn prompt(&self, cell: usize, sample: u64) -> Result<Prompt, TaskError> {
        let (of, questions) = &self.of[cell];
        let task = &self.tasks[*of];
        let asked = &task.stories.questions[questions[sample as usize]];
        let length = self.cells[cell].length.unwrap_or(0);
        let parts = self.parts(task, asked)?;
        let seed = self.options.seed.unwrap_or(SEED);
        let purpose = format!("babilong {} text", task.template.name);
        let mut stream = Stream::new(seed, &purpose, &[length as u64, sample]);
        let rest = length.saturating_sub(parts.len());
        let background = self.haystack.background(rest, &mut stream);
        let mut places: Vec<usize> = (parts.facts.iter())
            .map(|_| background.behind(stream.index(rest)))
            .collect();
        places.sort_unstable();
        let (mut row, mut at) = (Row::default(), 0);
        row.push(parts.head);
        for (fact, place) in parts.facts.into_iter().zip(places) {
            background.push(&mut row, at, place);
            row.push(fact);
            at = place;
        }
        background.push(&mut row, at, rest);
        row.push(parts.tail);
        // Its form was checked.
        let lead = task.template.lead(&asked.question).unwrap_or_default();
        let mut labels = task.template.labels.to_vec();
        // The right one comes first.
        labels.sort_by_key(|label| *label != asked.answer);
        let choices = labels.iter().map(|label| self.encode(&format!(" {label}")));
        Ok(Prompt {
            steps: vec![Step::Read(row)],
            ask: Some(Ask {
                write: self.options.answer.unwrap_or(ANSWER),
                grades: vec![
                    (
                        "accuracy_babilong",
                        Grade::OneLabel {
                            target: asked.answer.clone(),
                            question: asked.question.clone(),
                            labels: task.template.labels,
                        },
                    ),
                    ("accuracy_harness", Grade::Contains(asked.answer.clone())),
                ],
                lead: self.encode(&lead)?,
                choices: choices.collect::<Result<_, _>>()?,
            }),
        })
    }

    fn files(&self) -> Vec<PathBuf> {
        self.files.clone()
    }
}
