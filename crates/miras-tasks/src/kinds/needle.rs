//! A needle in a haystack, as RULER (Hsieh et al., 2024) has it.

use miras_config::did_you_mean;
use std::path::PathBuf;
use std::sync::Arc;

use miras_data::{Haystack, NeedleKind, Needles, Tokenizer};

use crate::{
    Ask, Cell, Generated, Grade, Options, Prompt, Prompts, Reads, Step, TaskError, TaskKind,
};

pub(super) const KIND: TaskKind = TaskKind {
    name: "needle",
    summary: "RULER's single needles, made: a value in a haystack of any length, at any depth",
    reads: Reads::Generated(Generated {
        file: None,
        options: &[
            "kind",
            "haystack",
            "lengths",
            "depths",
            "samples",
            "seed",
            "answer-tokens",
            "control",
        ],
        make,
    }),
};

/// What is measured unless it is said.
const LENGTHS: [usize; 3] = [1 << 10, 4 << 10, 16 << 10];
const DEPTHS: [f64; 5] = [0.0, 25.0, 50.0, 75.0, 100.0];
const SAMPLES: u64 = 10;
const SEED: u64 = 42;
/// Tokens that RULER lets a model write.
const ANSWER: usize = 128;
/// Values that the model chooses from, beside the right one.
const WRONG: usize = 9;

struct Needle {
    cells: Vec<Cell>,
    /// Which of the kinds each cell is of.
    of: Vec<usize>,
    needles: Vec<Needles>,
    options: Options,
}

fn make(options: &Options, tokenizer: Arc<Tokenizer>) -> Result<Box<dyn Prompts>, TaskError> {
    let kinds = kinds(options)?;
    let is_text = |kind: &NeedleKind| kind.needs_text();
    let text = match kinds.iter().find(|kind| is_text(kind)) {
        Some(kind) => {
            let what = format!("what --kind {} asks for", kind.name());
            let text = options.haystack_for(&what)?;
            Some(Arc::new(Haystack::text(&text, &tokenizer)?))
        }
        None if !options.haystack.is_empty() => {
            let message = "--haystack is the text of the kinds text and uuid, and --kind has neither: \
                           leave one of them out";
            return Err(TaskError::Usage(message.to_owned()));
        }
        None => None,
    };
    let noise = Arc::new(Haystack::noise(&tokenizer)?);
    let haystack = |kind: NeedleKind| match &text {
        Some(text) if kind.needs_text() => Arc::clone(text),
        _ => Arc::clone(&noise),
    };
    let needles = kinds
        .iter()
        .map(|&kind| Needles::new(kind, haystack(kind), Arc::clone(&tokenizer)));
    let depths = match &options.depths[..] {
        [] => &DEPTHS[..],
        given => given,
    };
    let mut made = Needle {
        cells: Vec::new(),
        of: Vec::new(),
        needles: needles.collect(),
        options: options.clone(),
    };
    for (of, kind) in kinds.iter().enumerate() {
        for length in options.lengths_or(&LENGTHS) {
            for &depth in depths {
                made.of.push(of);
                made.cells.push(Cell {
                    kind: Some(kind.name().to_owned()),
                    length: Some(length),
                    depth: Some(depth),
                    distance: None,
                });
            }
        }
    }
    made.check()?;
    Ok(Box::new(made))
}

/// What is asked for, or what there is a haystack for.
fn kinds(options: &Options) -> Result<Vec<NeedleKind>, TaskError> {
    if options.kinds.is_empty() {
        let has_text = !options.haystack.is_empty();
        let all = NeedleKind::ALL.into_iter();
        return Ok(all.filter(|kind| has_text || !kind.needs_text()).collect());
    }
    let one = |name: &String| {
        NeedleKind::of(name).ok_or_else(|| {
            let names = NeedleKind::ALL
                .map(|kind| [kind.name(), kind.ruler()])
                .concat();
            let hint = did_you_mean(name, names.iter().copied())
                .map_or_else(String::new, |hint| format!(": did you mean `{hint}`?"));
            TaskError::Usage(format!(
                "there is no needle of kind `{name}`{hint}; there are {}",
                names.join(", ")
            ))
        })
    };
    let mut found: Vec<NeedleKind> = Vec::new();
    for name in &options.kinds {
        let kind = one(name)?;
        if !found.contains(&kind) {
            found.push(kind);
        }
    }
    Ok(found)
}

impl Needle {
    fn numbers(&self, cell: usize) -> (&Needles, usize, f64) {
        let Cell { length, depth, .. } = &self.cells[cell];
        let needles = &self.needles[self.of[cell]];
        (needles, length.unwrap_or(0), depth.unwrap_or(0.0))
    }

    /// What a row is a function of, beside the seed and its length: keys and values are those of any
    /// other length.
    fn place(&self, cell: usize, sample: u64) -> [u64; 2] {
        let (_, _, depth) = self.numbers(cell);
        [(depth * 1e6) as u64, sample]
    }

    fn seed_or(&self, default: u64) -> u64 {
        self.options.seed.unwrap_or(default)
    }

    /// Refuses lengths that some prompt does not fit in.
    fn check(&self) -> Result<(), TaskError> {
        let mut needed = vec![0; self.needles.len()];
        for cell in 0..self.cells.len() {
            let (needles, _, depth) = self.numbers(cell);
            for sample in 0..self.samples() {
                let place = self.place(cell, sample);
                let own = needles.shortest(depth, &place, self.seed_or(SEED))?;
                let needed = &mut needed[self.of[cell]];
                *needed = own.max(*needed);
            }
        }
        for (cell, of) in self.cells.iter().zip(&self.of) {
            let (length, needed) = (cell.length.unwrap_or(0), needed[*of]);
            if length < needed {
                let kind = cell.kind.as_deref().unwrap_or_default();
                return Err(TaskError::Usage(format!(
                    "--lengths {length} is too short for the prompt of kind {kind}, which takes {needed} tokens of this run with one of haystack: give {needed} or more"
                )));
            }
        }
        Ok(())
    }
}

impl Prompts for Needle {
    fn cells(&self) -> &[Cell] {
        &self.cells
    }

    fn samples(&self) -> u64 {
        self.options.samples.unwrap_or(SAMPLES)
    }

    fn prompt(&self, cell: usize, sample: u64) -> Result<Prompt, TaskError> {
        let (needles, length, depth) = self.numbers(cell);
        let place = self.place(cell, sample);
        let is_hidden = !self.options.control;
        let hidden = needles.row(length, depth, &place, self.seed_or(SEED), WRONG, is_hidden)?;
        Ok(Prompt {
            steps: vec![Step::Read(hidden.row)],
            ask: Some(Ask {
                write: self.options.answer.unwrap_or(ANSWER),
                grades: vec![("accuracy", Grade::Contains(hidden.value))],
                lead: Vec::new(),
                choices: hidden.values,
            }),
        })
    }

    fn files(&self) -> Vec<PathBuf> {
        self.options.haystack.clone()
    }

    fn is_map(&self) -> bool {
        true
    }
}
