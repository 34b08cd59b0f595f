//! A passage that comes again.

use std::path::PathBuf;
use std::sync::Arc;

use miras_data::{Row, Tokenizer};
use miras_random::Stream;
use miras_run::metrics::GAIN;

use crate::{
    Cell, Difference, Generated, Options, Prompt, Prompts, Reads, Step, TaskError, TaskKind, file,
};

pub(super) const KIND: TaskKind = TaskKind {
    name: "recall",
    summary: "the loss of a passage of a text where it comes again, against that where it came first, by the distance between",
    reads: Reads::Generated(Generated {
        file: Some("the text"),
        options: &["distances", "passage", "samples", "seed"],
        make,
    }),
};

/// What is measured unless it is said.
const DISTANCES: [usize; 4] = [256, 1 << 10, 4 << 10, 16 << 10];
const PASSAGE: usize = 64;
const SAMPLES: u64 = 20;
const SEED: u64 = 42;
/// Tokens of the text that are read before the passage.
const LEAD: usize = 64;
/// The loss of a token of the passage where it comes first, and where it comes again.
const FIRST: &str = "loss_first";
const AGAIN: &str = "loss";

struct Recall {
    cells: Vec<Cell>,
    tokens: Arc<[i32]>,
    passage: usize,
    options: Options,
}

fn make(options: &Options, tokenizer: Arc<Tokenizer>) -> Result<Box<dyn Prompts>, TaskError> {
    let path = options.path.clone().unwrap_or_default();
    let tokens = tokenizer.encode(file::whole(&path)?.as_bytes())?;
    let passage = options.passage.unwrap_or(PASSAGE);
    let distances = options.distances_or(&DISTANCES);
    let shortest = distances.first().copied().unwrap_or_default();
    if shortest < passage {
        return Err(TaskError::Usage(format!(
            "--distances {shortest} is less than the {passage} tokens of the passage, which would come again before it ends: give {passage} or more, or a smaller --passage"
        )));
    }
    let longest = distances.last().copied().unwrap_or_default();
    let needed = LEAD + passage + longest;
    if tokens.len() < needed {
        let most = tokens.len().saturating_sub(LEAD + passage);
        return Err(TaskError::Usage(format!(
            "{} has {} tokens, and --distances {longest} needs {needed} of it, so that the passage comes twice alone: give a longer text, or distances of {most} or less",
            path.display(),
            tokens.len()
        )));
    }
    let cell = |&distance: &usize| Cell {
        distance: Some(distance),
        ..Cell::default()
    };
    Ok(Box::new(Recall {
        cells: distances.iter().map(cell).collect(),
        tokens: tokens.into(),
        passage,
        options: options.clone(),
    }))
}

impl Prompts for Recall {
    fn cells(&self) -> &[Cell] {
        &self.cells
    }

    fn samples(&self) -> u64 {
        self.options.samples.unwrap_or(SAMPLES)
    }

    /// Some text, the passage, the text that follows, and the passage again. The text is from another
    /// place than the passage, so that neither occurrence goes on from what is before it.
    fn prompt(&self, cell: usize, sample: u64) -> Result<Prompt, TaskError> {
        let distance = self.cells[cell].distance.unwrap_or_default();
        let seed = self.options.seed.unwrap_or(SEED);
        let mut stream = Stream::new(seed, "recall", &[distance as u64, sample]);
        let (all, passage) = (self.tokens.len(), self.passage);
        let at = stream.index(all - passage + 1);
        let between = distance - passage;
        // What is left of the text, from behind the passage around to it.
        let rest = all - passage - LEAD - between;
        let from = at + passage + stream.index(rest + 1);
        let text = |from: usize, count: usize| {
            let mut row = Row::default();
            row.push_cyclic(Arc::clone(&self.tokens), from, count);
            Step::Read(row)
        };
        let own = &self.tokens[at..at + passage];
        let mut steps = vec![text(from, LEAD), Step::Score(FIRST, own.to_vec())];
        if between > 0 {
            steps.push(text(from + LEAD, between));
        }
        steps.push(Step::Score(AGAIN, own.to_vec()));
        Ok(Prompt { steps, ask: None })
    }

    fn difference(&self) -> Option<Difference> {
        Some(Difference {
            name: GAIN,
            of: FIRST,
            less: AGAIN,
        })
    }

    fn files(&self) -> Vec<PathBuf> {
        Vec::from_iter(self.options.path.clone())
    }
}
