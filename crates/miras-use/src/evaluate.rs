//! Evaluation: losses in all, by position and by load.

use miras_data::{Amount, DataConfig, DataKind, Selection, Targets};
use miras_model::{ModelState, Pass, WriteRate};
use miras_spec::{Evaluate, Evaluated, StartFrom, StateRule, Sum, memory_pass};

use crate::held_out::{self, GAPS, HeldOut, PAIRS, Through};
use crate::notes;
use crate::report::{
    ByGap, ByLayer, ByOccurrence, ByPairs, Measured, Occurrence, Report, SCHEMA, StateUsed,
    VERSION, Weighed,
};
use crate::request::{EvalRequest, Size};
use crate::sums::{by_position, measured};
use crate::{At, Generator, Memory, Stored, Trained, UseError};

/// Tokens of the n-gram that a target ends: a pair, as in Zoology's associative recall.
const NGRAM: usize = 2;
/// The same of bytes, of which a pair says nothing: a word or two.
const NGRAM_OF_BYTES: usize = 8;

/// Evaluates a run.
pub fn evaluate(trained: &Trained, request: &EvalRequest) -> Result<Report, UseError> {
    evaluate_watched(trained, request, &|_, _| {})
}

/// Evaluates a run, and says after every pass through the model how many rows are done and how
/// many there are.
pub fn evaluate_watched(
    trained: &Trained,
    request: &EvalRequest,
    watch: &dyn Fn(u64, u64),
) -> Result<Report, UseError> {
    let memory = trained.memory(request.memory);
    trained.check_memory(memory)?;
    check_task(trained, request)?;
    let start = start(trained, request)?;
    let held_out = held_out::open(trained, request)?;
    let length = request.length.unwrap_or_else(|| held_out.config.seq_len());
    let amount = amount(trained, request, length);
    let ngram = ngram(request, &held_out.config)?;
    let pass = Measure {
        trained,
        request,
        state: start.as_ref().map(|(state, _)| state),
        carries: carries(trained, request),
        selection: selection(amount, request, length, &held_out)?,
        ngram,
    };
    let loads = loads(request, &held_out.config)?;
    let gaps = gaps(request, &held_out.config)?;
    let rows = pass.selection.rows();
    let all = rows * (1 + (loads.len() + gaps.len()) as u64);
    let Evaluated {
        positions,
        occurrences,
        write_rates,
        mut details,
        ..
    } = pass.found(&held_out, &|done| watch(done, all))?;
    if let Some(forecasts) = &mut details.forecasts {
        let starts: Vec<u64> = pass.selection.starts().collect();
        forecasts.baselines = held_out.set.baselines(&starts);
        if let DataConfig::Series(config) = &held_out.config {
            config.part.name().clone_into(&mut forecasts.part);
        }
    }
    let targets = held_out.config.targets();
    let description = held_out.set.describe();
    let data = Weighed {
        name: description.name,
        bytes: description.valid_bytes,
        fingerprint: (description.valid_fingerprint).unwrap_or(description.fingerprint),
        generator: held_out.config.generator(),
    };
    let mut notes = description.notes;
    notes.extend(notes::of_size(request, amount));
    notes.extend(notes::of_parts(trained, &held_out.config));
    notes.extend(notes::of_corruption(trained, held_out.corrupt));
    notes.extend(notes::of_recall(trained, &held_out.config));
    notes.extend(notes::within_a_chunk(
        trained,
        request,
        length,
        pass.carries,
    ));
    notes.extend(notes::beyond_training(trained, memory, &positions));
    Ok(Report {
        schema: SCHEMA.to_owned(),
        version: VERSION,
        run: trained.origin.run.clone(),
        step: trained.origin.step,
        trained_tokens: trained.tokens,
        weights: trained.origin.weights.clone(),
        settings: miras_run::settings_hash(&settings(trained, request, amount, &data)),
        data,
        length,
        size: in_words(amount),
        rows,
        stretches: pass.selection.stretches(),
        carried: pass.carries,
        batch: pass.batch(),
        batches: rows.div_ceil(pass.batch() as u64),
        memory,
        state: start.as_ref().map(|(_, used)| used.clone()),
        device: trained.device_name.clone(),
        measured: measured(&Sum::total(&positions), targets),
        details,
        by_position: by_position(&positions, targets),
        write_rates: by_layer(trained, &write_rates),
        by_pairs: (pass.through(PAIRS, loads.clone(), &|done| watch(rows + done, all))?)
            .map(|(pairs, measured)| ByPairs { pairs, measured })
            .collect(),
        by_gap: {
            let before = rows * (1 + loads.len() as u64);
            (pass.through(GAPS, gaps, &|done| watch(before + done, all))?)
                .map(|(gap, measured)| ByGap { gap, measured })
                .collect()
        },
        by_occurrence: by_occurrence(ngram, &occurrences),
        notes,
    })
}

/// Refuses options that are about a text where the task is another.
fn check_task(trained: &Trained, request: &EvalRequest) -> Result<(), UseError> {
    let is_other = |&length: &usize| length != trained.config.data.seq_len();
    let given = [
        ("--length", request.length.as_ref().is_some_and(is_other)),
        ("--state", request.state.is_some()),
        ("--ngram", request.ngram.is_some()),
    ];
    let mut given = given.into_iter().filter(|(_, is_given)| *is_given);
    given.try_for_each(|(option, _)| trained.check_language(option))
}

/// The write rates of the layers that have a gate.
fn by_layer(trained: &Trained, write_rates: &[Option<WriteRate>]) -> Vec<ByLayer> {
    let layers = trained.config.model.memory_layers().into_iter();
    layers
        .zip(write_rates)
        .filter_map(|(layer, rate)| {
            rate.map(|rate| ByLayer {
                layer,
                write_rate: rate.mean(),
                written_per_1000: rate.written_per_1000(),
            })
        })
        .collect()
}

/// The state that every row starts from.
fn start(
    trained: &Trained,
    request: &EvalRequest,
) -> Result<Option<(ModelState, StateUsed)>, UseError> {
    let Some(path) = &request.state else {
        return Ok(None);
    };
    trained.check_carried(trained.memory(request.memory))?;
    let generator = Generator::resume(trained, Memory::Live, Stored::read(path)?)?;
    let used = StateUsed {
        path: path.display().to_string(),
        position: generator.position(),
    };
    Ok(generator.into_state().map(|state| (state, used)))
}

/// Whether memories go on from row to row, as they did in training.
fn carries(trained: &Trained, request: &EvalRequest) -> bool {
    trained.config.train.state == StateRule::Carry
        && trained.memory(request.memory) == Memory::Live
        && request.length.is_none()
        && request.state.is_none()
}

fn amount(trained: &Trained, request: &EvalRequest, length: usize) -> Amount {
    match request.size {
        None if request.part.is_some() => Amount::All,
        None => Amount::Tokens(trained.config.eval.tokens),
        Some(Size::All) => Amount::All,
        Some(Size::Tokens(tokens)) => Amount::Tokens(tokens),
        Some(Size::Batches(batches)) => {
            let rows = request.batch.unwrap_or(trained.config.train.batch) as u64;
            let tokens = batches.saturating_mul(rows).saturating_mul(length as u64);
            Amount::Tokens(tokens)
        }
    }
}

fn selection(
    amount: Amount,
    request: &EvalRequest,
    length: usize,
    held_out: &HeldOut,
) -> Result<Selection, UseError> {
    if matches!(request.size, Some(Size::Tokens(0) | Size::Batches(0))) {
        let message = "--tokens must be 1 or more, or all";
        return Err(UseError::Usage(message.to_owned()));
    }
    let all = held_out.set.eval_tokens();
    Selection::new(amount, request.stretches, length, all).ok_or_else(|| {
        let message = "these data are generated without end: give --tokens a number";
        UseError::Usage(message.to_owned())
    })
}

/// What is not the default, the length and the way of memories aside.
fn settings(
    trained: &Trained,
    request: &EvalRequest,
    amount: Amount,
    data: &Weighed,
) -> Vec<(&'static str, String)> {
    let mut found = Vec::new();
    if !request.data.is_empty() {
        found.push(("data", data.fingerprint.clone()));
    }
    found.extend(request.sets.iter().map(|set| ("set", set.clone())));
    found.extend((request.part).map(|part| ("part", part.name().to_owned())));
    if amount != Amount::Tokens(trained.config.eval.tokens) {
        found.push(("tokens", in_words(amount)));
    }
    found.extend(
        request
            .stretches
            .map(|count| ("stretches", count.to_string())),
    );
    found.extend(
        request
            .pairs
            .iter()
            .map(|pairs| ("pairs", pairs.to_string())),
    );
    found.extend(request.gaps.iter().map(|gap| ("gaps", gap.to_string())));
    found.extend(request.ngram.map(|ngram| ("ngram", ngram.to_string())));
    if let Some(path) = &request.state {
        found.push(("state", path.display().to_string()));
    }
    if trained.at != At::Latest {
        found.push(("step", trained.origin.step.to_string()));
    }
    if trained.config.train.state == StateRule::Carry && request.length.is_some() {
        found.push(("carry", "false".to_owned()));
    }
    found
}

fn in_words(amount: Amount) -> String {
    match amount {
        Amount::All => "all".to_owned(),
        Amount::Tokens(tokens) => tokens.to_string(),
    }
}

/// The numbers of pairs to measure at; none where the data are not recall.
fn loads(request: &EvalRequest, data: &DataConfig) -> Result<Vec<usize>, UseError> {
    let asked = request.pairs.clone();
    let DataConfig::Mqar(config) = data else {
        if asked.is_empty() {
            return Ok(asked);
        }
        let message = "--pairs is about recall (data.kind = \"mqar\"): leave it out";
        return Err(UseError::Usage(message.to_owned()));
    };
    if !asked.is_empty() {
        return Ok(asked);
    }
    let all = config.pairs;
    let mut loads = vec![all / 4, all / 2, all, 2 * all];
    loads.retain(|&pairs| {
        let mut config = config.clone();
        config.pairs = pairs;
        config.validate().is_empty()
    });
    Ok(loads)
}

/// The gaps to measure with.
fn gaps(request: &EvalRequest, data: &DataConfig) -> Result<Vec<usize>, UseError> {
    if !request.gaps.is_empty() && !matches!(data, DataConfig::Mqar(_)) {
        let message = "--gaps is about recall (data.kind = \"mqar\"): leave it out";
        return Err(UseError::Usage(message.to_owned()));
    }
    Ok(request.gaps.clone())
}

/// Tokens of n-grams of text.
fn ngram(request: &EvalRequest, data: &DataConfig) -> Result<Option<usize>, UseError> {
    let tokenizer = data.tokenizer().filter(|_| data.targets().are_text());
    match (request.ngram, tokenizer) {
        (Some(0), _) => Err(UseError::Usage("--ngram must be 1 or more".to_owned())),
        (Some(_), None) => {
            let message = "--ngram is about text, and the data are none: leave it out";
            Err(UseError::Usage(message.to_owned()))
        }
        (None, Some("bytes")) => Ok(Some(NGRAM_OF_BYTES)),
        (given, Some(_)) => Ok(Some(given.unwrap_or(NGRAM))),
        (None, None) => Ok(None),
    }
}

/// The targets that are new in their rows, and those that come again, as far as there are any.
fn by_occurrence(ngram: Option<usize>, sums: &[Sum; 2]) -> Vec<ByOccurrence> {
    let Some(ngram) = ngram else {
        return Vec::new();
    };
    let each = [Occurrence::New, Occurrence::Repeated]
        .into_iter()
        .zip(sums);
    each.filter(|(_, sum)| sum.weight > 0.0)
        .map(|(occurrence, sum)| ByOccurrence {
            ngram,
            occurrence,
            measured: measured(sum, Targets::Text),
        })
        .collect()
}

/// An evaluation under way.
struct Measure<'a> {
    trained: &'a Trained,
    request: &'a EvalRequest,
    state: Option<&'a ModelState>,
    carries: bool,
    selection: Selection,
    ngram: Option<usize>,
}

impl Measure<'_> {
    /// Rows at once, by default as many as make up the tokens of a batch of training.
    fn batch(&self) -> usize {
        let config = &self.trained.config;
        let tokens = config.train.batch * config.data.seq_len();
        let fits = || (tokens / self.selection.row_len()).max(1);
        self.request.batch.unwrap_or_else(fits)
    }

    /// How memories go through rows: with probes where they have something to say of a gate.
    fn pass(&self) -> Pass {
        let has_gates = self.trained.config.model.has_gates();
        let memory = self.trained.memory(self.request.memory);
        Pass {
            probe: has_gates && memory == Memory::Live,
            ..memory_pass(memory, Some(self.selection.row_len()))
        }
    }

    /// The sums at each position, and the write rates of gates.
    fn found(&self, held_out: &HeldOut, watch: &dyn Fn(u64)) -> Result<Evaluated, UseError> {
        let evaluate = Evaluate {
            task: self.trained.config.task(),
            model: &self.trained.model,
            data: held_out.set.as_ref(),
            selection: &self.selection,
            batch: self.batch(),
            pass: self.pass(),
            start: match self.state {
                Some(state) => StartFrom::State(state),
                None if self.carries => StartFrom::Carried,
                None => StartFrom::Initial,
            },
            ngram: self.ngram,
            device: &self.trained.device,
        };
        let found = evaluate.run(watch)?;
        let Some(rows) = found.nonfinite else {
            return Ok(found);
        };
        let message = format!(
            "the loss is not finite in the rows that begin at token {} of the held-out part",
            rows.start
        );
        Err(UseError::NonFinite(message))
    }

    /// What is measured with each of some numbers.
    fn through(
        &self,
        what: Through,
        numbers: Vec<usize>,
        watch: &dyn Fn(u64),
    ) -> Result<impl Iterator<Item = (usize, Measured)>, UseError> {
        let rows = self.selection.rows();
        let found = (numbers.into_iter().zip(0_u64..)).map(|(number, at)| {
            let held_out = held_out::with(self.trained, self.request, (what, number))?;
            let watch = |done| watch(at * rows + done);
            let positions = self.found(&held_out, &watch)?.positions;
            Ok((number, measured(&Sum::total(&positions), Targets::Answers)))
        });
        Ok(found.collect::<Result<Vec<_>, UseError>>()?.into_iter())
    }
}
