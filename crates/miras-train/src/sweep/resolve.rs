//! Reads the configurations of trials.

use std::{cell::RefCell, collections::HashMap, fs, sync::Arc};

use miras_config::{ConfigError, Layers};
use miras_data::{LANGUAGE, Tokenizer};
use miras_registry::Registry;
use miras_spec::{Ends, RunConfig, StateRule, estimate, unfit};
use miras_sweep::{Evaluations, Misfit, ResolveConfig, ResolvedConfig};
use miras_tasks::{Generated, Options, Reads};

/// Resolves configurations as `run` would, and opens their data, each once.
pub(crate) struct Resolver<'a> {
    registry: &'a Registry,
    /// Takes the place of `train.device`.
    device: Option<&'a str>,
    /// By what opening depends on, for it is slow.
    opened: RefCell<HashMap<String, Opened>>,
    /// The same for data in rows of another length.
    measured: RefCell<HashMap<String, Result<Option<u64>, String>>>,
    /// Why prompts cannot be made, by tokenizer and file.
    made: RefCell<HashMap<String, Option<String>>>,
}

/// What is kept of data that were opened.
#[derive(Clone)]
struct Opened {
    /// The ends of the model.
    ends: Ends,
    notes: Vec<String>,
}

impl<'a> Resolver<'a> {
    pub(crate) fn new(registry: &'a Registry, device: Option<&'a str>) -> Self {
        Self {
            registry,
            device,
            opened: RefCell::default(),
            measured: RefCell::default(),
            made: RefCell::default(),
        }
    }

    fn open(&self, layers: Layers) -> Result<(RunConfig, Opened), ConfigError> {
        let (config, _) = RunConfig::load(layers.clone(), self.registry)?;
        let key = opening(&config);
        if let Some(opened) = self.opened.borrow().get(&key) {
            return Ok((config, opened.clone()));
        }
        let (config, _, data) = RunConfig::load_and_open(layers, self.registry)?;
        let opened = Opened {
            ends: config.ends(data.as_ref()),
            notes: data.describe().notes,
        };
        self.opened.borrow_mut().insert(key, opened.clone());
        Ok((config, opened))
    }

    /// The scored tokens of the held-out data in rows of a length, as `eval` opens them; none if
    /// they have no end.
    fn scored(
        &self,
        mut layers: Layers,
        length: usize,
        is_planted: bool,
    ) -> Result<Option<u64>, String> {
        let message = |error: ConfigError| error.message().to_owned();
        let mut rows = format!("train.state = 'reset'\ndata.seq_len = {length}");
        if is_planted {
            rows.push_str("\ndata.needles = 0");
        }
        layers.text("[sweep.evaluate]", &rows).map_err(message)?;
        let (config, _) = RunConfig::load(layers, self.registry).map_err(message)?;
        let key = format!("{:?}", config.data);
        if let Some(known) = self.measured.borrow().get(&key) {
            return known.clone();
        }
        let opened = miras_data::open(&config.data, config.train.seed);
        let scored = opened
            .map(|data| data.eval_tokens())
            .map_err(|error| error.to_string());
        self.measured.borrow_mut().insert(key, scored.clone());
        scored
    }

    /// Why a task, `NAME=FILE`, cannot be asked of a trial.
    fn why_not_asked(&self, config: &RunConfig, task: &str) -> Option<String> {
        let (name, file) = task.split_once('=').unwrap_or((task, ""));
        let kind = match miras_tasks::task(name) {
            Ok(kind) => kind,
            Err(error) => return Some(error.to_string()),
        };
        let made = match &kind.reads {
            Reads::Generated(made) if !made.is_of_its_file_alone() => {
                return Some(format!(
                    "{name} makes its prompts, by options that a sweep has no keys for: ask the trials \
                     with `eval --task {name}`"
                ));
            }
            Reads::Generated(made) => Some(made),
            Reads::Questions { .. } | Reads::Texts(_) => None,
        };
        if !config.data.targets().are_text() {
            let kind = config.data.kind();
            return Some(format!(
                "{name} needs a run on text, and data.kind is \"{kind}\""
            ));
        }
        match (made, fs::metadata(file)) {
            (_, Err(cause)) => Some(format!("cannot read {file}: {cause}")),
            (Some(made), Ok(_)) => self.why_not_made(config, made, file),
            (None, Ok(_)) => None,
        }
    }

    /// Why prompts cannot be made of a file, with the tokens of a trial, each once.
    fn why_not_made(&self, config: &RunConfig, made: &Generated, file: &str) -> Option<String> {
        let setting = config.data.tokenizer()?;
        let key = format!("{setting} {file}");
        if let Some(known) = self.made.borrow().get(&key) {
            return known.clone();
        }
        let options = Options {
            path: Some(file.into()),
            ..Options::default()
        };
        let why = match Tokenizer::open(setting) {
            Ok(tokenizer) => (made.make)(&options, Arc::new(tokenizer))
                .err()
                .map(|why| format!("{why} (a sweep leaves options at their defaults)")),
            Err(error) => Some(error.to_string()),
        };
        self.made.borrow_mut().insert(key, why.clone());
        why
    }
}

/// Whether a task, `NAME=FILE`, has questions or texts to take the first ones of.
pub(super) fn has_limit(task: &str) -> bool {
    let name = task.split('=').next().unwrap_or_default();
    let made = miras_tasks::task(name).map(|kind| matches!(kind.reads, Reads::Generated(_)));
    !made.is_ok_and(|made| made)
}

/// All that [`RunConfig::load_and_open`] looks at when it opens data and weights.
fn opening(config: &RunConfig) -> String {
    let train = &config.train;
    let rows = (train.state == StateRule::Carry).then_some(train.sequences());
    let weights = train.init_from.as_ref();
    let weights = weights.map(|path| (path, config.model.to_table()));
    format!("{:?} {:?} {rows:?} {weights:?}", config.task, config.data)
}

impl ResolveConfig for Resolver<'_> {
    fn resolve(&self, layers: Layers) -> Result<ResolvedConfig, ConfigError> {
        let (config, opened) = self.open(layers)?;
        let mut here = config.clone();
        if let Some(device) = self.device {
            device.clone_into(&mut here.train.device);
        }
        let takes = estimate(&config, opened.ends);
        let train = &config.train;
        let sequences = train.sequences() as u64;
        let mut notes = config.notes();
        notes.extend(opened.notes);
        Ok(ResolvedConfig {
            table: config.to_table(),
            // Without a working directory, which the data were just opened in, nothing runs.
            stored: config
                .absolute()
                .unwrap_or_else(|_| config.clone())
                .to_table(),
            cost: takes.cost(),
            memory: miras_device::is_cpu(&here.train.device).then(|| takes.train.peak()),
            step_tokens: sequences * config.data.seq_len() as u64,
            steps: train.steps,
            seed: train.seed,
            metrics: config.metrics(),
            notes,
            unfit: unfit(&here, opened.ends).map(|error| error.to_string()),
        })
    }

    fn measure(&self, layers: Layers, evaluations: &Evaluations) -> Result<Vec<String>, Misfit> {
        let misfit = |key: String, why: String| Misfit { key, why };
        let (config, _) = RunConfig::load(layers.clone(), self.registry)
            .map_err(|error| misfit("lengths".to_owned(), error.message().to_owned()))?;
        for (at, task) in evaluations.tasks.iter().enumerate() {
            if let Some(why) = self.why_not_asked(&config, task) {
                return Err(misfit(format!("tasks[{at}]"), why));
            }
        }
        if evaluations.limit.is_some() && !evaluations.tasks.iter().any(|task| has_limit(task)) {
            let why = "limit is about questions and texts of a file, and these tasks make their prompts: \
                       leave it out"
                .to_owned();
            return Err(misfit("limit".to_owned(), why));
        }
        let (mut notes, mut least) = (Vec::new(), None);
        for (at, &length) in evaluations.lengths.iter().enumerate() {
            if config.task.kind() != LANGUAGE && length != config.data.seq_len() {
                let why = format!(
                    "rows of {length} tokens cannot be measured: with task.kind = {:?} all rows have \
                     {} tokens",
                    config.task.kind(),
                    config.data.seq_len()
                );
                return Err(misfit(format!("lengths[{at}]"), why));
            }
            let scored = self.scored(layers.clone(), length, config.data.needles() > 0.0);
            let scored = scored.map_err(|why| {
                let why = format!("rows of {length} tokens cannot be measured: {why}");
                misfit(format!("lengths[{at}]"), why)
            })?;
            least = [least, scored].into_iter().flatten().min();
            // Of training rows it is said already.
            if length != config.data.seq_len() {
                let unread = config.unread_at(length);
                notes.extend(unread.map(|why| format!("sweep.evaluate: {why}, live or frozen")));
            }
            let chunk = config.shortest_chunk();
            let is_reset = evaluations.memory.iter().any(|way| way == "reset");
            if let Some(chunk) = chunk.filter(|&chunk| is_reset && length <= chunk) {
                notes.push(format!(
                    "sweep.evaluate: a row of {length} tokens is one chunk of {chunk}, in which memory = \
                     \"reset\" resets nothing: it is \"live\" there"
                ));
            }
        }
        if let Some(scored) = least.filter(|&scored| (evaluations.tokens as u64) > scored) {
            let (asked, most) = (evaluations.tokens, evaluations.most(scored));
            let most = match most {
                0 => String::new(),
                most => format!("; use {most}, or less in whole rows"),
            };
            let why = format!(
                "tokens = {asked} cannot be measured: the validation part has {scored} tokens after \
                 its first{most}"
            );
            return Err(misfit("tokens".to_owned(), why));
        }
        Ok(notes)
    }
}
