//! No key of a model without an effect, whatever parts it is made of.
//!
//! Parts, variants and keys come from the lists, and the values to try from a rule: a new part
//! is held to this without a line of its own.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use burn::module::Module;
use burn::tensor::{Device, Int, Tensor};
use miras_core::Axis;
use miras_engine::Rule;
use miras_model::{LanguageModel, MixerSpec, Pass};
use miras_registry::{Choice, Registry};
use miras_spec::RunConfig;
use toml::{Table, Value};

use crate::support::layers;
use crate::values::{Alternatives, alternatives, names};

/// Every key is seen at work in a model like this, whose taps near the identity leave errors large
/// enough for the thresholds of losses; 12 tokens are four chunks.
const MODEL: &str = "
[model]
dim = 8
layers = 1
ffn_dim = 8
init = 'recall'
[mixer]
heads = 2
conv = 2
";
const CHUNK: &str = "chunk = 3\n";
const TOKENS: [usize; 2] = [2, 12];
const VOCAB: usize = 24;

/// A key, when it changes nothing, and why it is accepted all the same.
type Exception = (&'static str, fn(&Table) -> bool, &'static str);

const EXCEPTIONS: &[Exception] = &[
    (
        "memory.expansion",
        |all| is(all, "memory", "depth", 1),
        "a single map has no hidden width; a sweep over depths needs it accepted",
    ),
    (
        "memory.activation",
        |all| is(all, "memory", "depth", 1),
        "nothing is between the maps of a single one; a sweep over depths needs it accepted",
    ),
    (
        "retention.anchored",
        |all| is(all, "memory", "start", "zero"),
        "the initial weights are zero, so both say the same",
    ),
    (
        "retention.threshold",
        |all| is(all, "retention", "anchored", true),
        "it is in the initial state too, so that only weights which change their sign tell; in a small model there may be none",
    ),
    (
        "algorithm.read",
        |all| is(all, "retention", "kind", "ball") && is(all, "memory", "start", "zero"),
        "an empty memory does not reach the ball within a few tokens, and inside of it the link is the identity",
    ),
    (
        "mixer.key_heads",
        |all| is(all, "mixer", "kind", "attention"),
        "alone it is refused in attention, unless it is the number of heads that there are anyway",
    ),
    (
        "mixer.value_heads",
        |all| is(all, "mixer", "kind", "attention"),
        "as for mixer.key_heads",
    ),
];

fn is(all: &Table, section: &str, key: &str, value: impl Into<Value>) -> bool {
    all[section].get(key) == Some(&value.into())
}

/// What a model does to a few tokens: its size, its outputs and what it says of its memories.
struct Deed {
    size: usize,
    numbers: Vec<f32>,
}

impl Deed {
    fn of(config: &RunConfig) -> Self {
        let device = Device::flex();
        let model = LanguageModel::new(&config.model, VOCAB, 1, &device);
        let [rows, len] = TOKENS;
        // Few different tokens, so that keys come again.
        let tokens: Vec<i32> = (0..rows * len).map(|at| (at * at % 11) as i32).collect();
        let tokens = Tensor::<1, Int>::from_ints(tokens.as_slice(), &device).reshape(TOKENS);
        let pass = Pass {
            probe: true,
            ..Pass::default()
        };
        let output = model.forward(tokens, None, pass);
        let mut numbers = output.logits.try_into_vec_as::<f32>().unwrap();
        for probe in output.probes {
            numbers.extend(
                [
                    probe.loss,
                    probe.surprise,
                    probe.write,
                    probe.retention,
                    probe.capped,
                    probe.gate,
                    probe.state,
                ]
                .concat(),
            );
        }
        Self {
            size: model.num_params(),
            numbers,
        }
    }

    /// More than by rounding.
    fn differs(&self, other: &Self) -> bool {
        let pairs = || self.numbers.iter().zip(&other.numbers);
        self.size != other.size
            || self.numbers.len() != other.numbers.len()
            || pairs().any(|(a, b)| (a - b).abs() > 1e-5 * (1.0 + a.abs()))
    }
}

fn load(text: &str, sets: &[&str]) -> Result<RunConfig, String> {
    let loaded = RunConfig::load(layers(text, sets), &Registry::builtin());
    loaded.map(|(config, _)| config).map_err(|e| e.to_string())
}

/// What every memory and every algorithm is tried with.
const STARTS: [&str; 2] = ["", "start = 'zero'"];
const WAYS: [&str; 6] = [
    "",
    "read = 'stale'",
    "form = 'exact'",
    "form = 'exact'\nread = 'stale'",
    "form = 'chunk_start'",
    "form = 'chunk_start'\nread = 'stale'",
];

/// Every variant of every part, beside each memory, and each start, form and read.
fn of_parts() -> BTreeSet<String> {
    let mut bases = BTreeSet::new();
    let mut seen = BTreeSet::new();
    for axis in Axis::ALL {
        for part in Registry::builtin().parts(axis) {
            for variant in part.variants {
                let own = format!("kind = '{}'\n{variant}", part.kind);
                let mut accepted = false;
                for kind in Registry::builtin().kinds(Axis::Memory) {
                    for start in STARTS {
                        for way in WAYS {
                            let text = text((axis, &own), (kind, start), way);
                            let Ok(config) = load(&text, &[]) else {
                                continue;
                            };
                            accepted = true;
                            if seen.insert(config.to_table().to_string()) {
                                bases.insert(text);
                            }
                        }
                    }
                }
                assert!(accepted, "no model takes {} with\n{own}", axis.table());
            }
        }
    }
    bases
}

/// A table for each axis, `own` in the place of one of them.
fn text(own: (Axis, &str), (memory, start): (&str, &str), way: &str) -> String {
    let table = |axis: Axis| {
        let kind = match axis {
            axis if axis == own.0 => own.1.to_owned(),
            Axis::Memory => format!("kind = '{memory}'"),
            // Decays per channel go with no slots, and noise with one write a token.
            Axis::Algorithm if own.1.contains("channels") || own.1.contains("noise") => {
                "kind = 'gd'".to_owned()
            }
            _ => String::new(),
        };
        let more = match axis {
            Axis::Memory => start.to_owned(),
            Axis::Algorithm => format!("{CHUNK}{way}"),
            Axis::Bias | Axis::Retention => String::new(),
        };
        format!("[{}]\n{kind}\n{more}\n", axis.table())
    };
    MODEL.to_owned() + &Axis::ALL.map(table).concat()
}

/// The keys to try in a table: those it has, those its type has, and those that the lists name.
fn keys(base: &str, all: &Table, table: &str) -> BTreeSet<String> {
    let mut found: BTreeSet<String> = all[table].as_table().unwrap().keys().cloned().collect();
    let refusal = load(base, &[&format!("{table}.no_such_key=0")]).unwrap_err();
    found.extend(names("field", &refusal));
    if let Some(axis) = Axis::ALL.into_iter().find(|axis| axis.table() == table) {
        let kind = all[table]["kind"].as_str().unwrap();
        let registry = Registry::builtin();
        let own = registry.find(axis, kind).unwrap().keys;
        let listed = own.iter().chain(registry.common_keys(axis));
        found.extend(listed.map(|(key, _)| (*key).to_owned()));
    }
    found
}

/// Values that variants give to a key of a part.
fn from_variants(table: &str, kind: Option<&str>, key: &str) -> Vec<Value> {
    let axis = Axis::ALL.into_iter().find(|axis| axis.table() == table);
    let Some(part) = axis
        .zip(kind)
        .and_then(|(axis, kind)| Registry::builtin().find(axis, kind))
    else {
        return Vec::new();
    };
    (part.variants.iter())
        .filter_map(|text| text.parse::<Table>().unwrap().get(key).cloned())
        .collect()
}

fn mixers() -> Vec<&'static str> {
    MixerSpec::LIST.iter().map(|(name, _)| *name).collect()
}

/// What trying a key of a base has shown.
enum Finding {
    Works,
    Refused,
    Nothing(String),
}

fn try_key(base: &str, all: &Table, before: &Deed, table: &str, key: &str) -> Finding {
    let value = all[table].get(key);
    let path = format!("{table}.{key}");
    let kind = all[table].get("kind").and_then(Value::as_str);
    let refusal = load(base, &[&format!("{path}='no such name'")]).err();
    let mut extra = from_variants(table, kind, key);
    if key == "kind" {
        let axis = Axis::ALL.into_iter().find(|axis| axis.table() == table);
        let kinds = axis.map_or_else(mixers, |axis| Registry::builtin().kinds(axis));
        extra = kinds.into_iter().map(Value::from).collect();
    }
    let Alternatives { values, need_all } = alternatives(value, refusal.as_deref(), &extra);
    let mut finding = Finding::Refused;
    for value in values {
        let set = format!("{path}={value}");
        let Ok(config) = load(base, &[&set]) else {
            continue;
        };
        // A run stores its configuration complete, and goes on from what it has stored.
        let stored = config.to_table();
        match load(&stored.to_string(), &[]) {
            Ok(again) if again.to_table() == stored => {}
            Ok(_) => panic!("{set} is another configuration once it is stored, in\n{base}"),
            Err(error) => panic!("{set} is refused once it is stored, in\n{base}\n{error}"),
        }
        let works = before.differs(&Deed::of(&config));
        match (works, need_all) {
            (true, false) => return Finding::Works,
            (true, true) => finding = Finding::Works,
            (false, true) => return Finding::Nothing(set),
            (false, false) => finding = Finding::Nothing(set),
        }
    }
    finding
}

/// What has been seen at work, over all models.
#[derive(Default)]
struct Seen {
    /// Key and kind.
    working: BTreeSet<(String, String)>,
    /// What was accepted and changed nothing, without an exception.
    silent: Vec<String>,
    /// The keys that an exception was needed for.
    excused: BTreeSet<&'static str>,
}

/// What turns on the step rule that has this further key, where it is off.
fn with_its_rule(table: &str, key: &str, all: &Table) -> Option<String> {
    if table != Axis::Algorithm.table() {
        return None;
    }
    let registry = Registry::builtin();
    let mut rules = registry.step_rules().iter();
    let rule = rules.find(|rule| rule.settings.iter().any(|own| own.key == key))?;
    let is_off = all[table].get(rule.key) == Some(&Value::Float(0.0));
    is_off.then(|| format!("{} = 3.0", rule.key))
}

/// Tries every key of a model; one that is accepted and changes nothing has to be an exception.
fn try_all(base: &str, seen: &Mutex<Seen>) {
    let config = load(base, &[]).unwrap();
    let all = config.to_table();
    let before = Deed::of(&config);
    let tables = ["model", "mixer", "attention"].into_iter();
    let tables = tables.chain(Axis::ALL.map(Axis::table));
    for table in tables.filter(|table| all.contains_key(*table)) {
        let kind = all[table].get("kind").and_then(Value::as_str);
        for key in keys(base, &all, table) {
            let path = format!("{table}.{key}");
            let finding = match with_its_rule(table, &key, &all) {
                None => try_key(base, &all, &before, table, &key),
                Some(on) => {
                    let with = base.replace("[algorithm]", &format!("[algorithm]\n{on}"));
                    load(&with, &[]).map_or(Finding::Refused, |config| {
                        let (all, before) = (config.to_table(), Deed::of(&config));
                        try_key(&with, &all, &before, table, &key)
                    })
                }
            };
            match finding {
                Finding::Works => {
                    let kind = kind.unwrap_or_default().to_owned();
                    seen.lock().unwrap().working.insert((path, kind));
                }
                Finding::Refused => {}
                Finding::Nothing(set) => {
                    let exception =
                        (EXCEPTIONS.iter()).find(|(key, when, _)| *key == path && when(&all));
                    let mut seen = seen.lock().unwrap();
                    match exception {
                        Some((key, _, _)) => seen.excused.extend([*key]),
                        None => seen
                            .silent
                            .push(format!("{set} changes nothing in\n{base}")),
                    }
                }
            }
        }
    }
}

/// Whether a memory may start at zero.
fn may_start_at_zero(kind: &str, variant: &str) -> bool {
    let text = format!("[memory]\nkind = '{kind}'\n{variant}");
    let choice = Choice::from_toml(&text, &Registry::builtin()).unwrap();
    choice.rule.memory.is_linear_in_weights()
}

/// Whether a memory has a last map that can be written alone.
fn has_last_map(kind: &str, variant: &str) -> bool {
    let others = variant.lines().filter(|line| !line.starts_with("learn"));
    let others: Vec<&str> = others.collect();
    let text = format!(
        "[memory]\nkind = '{kind}'\nlearn = 'last'\n{}",
        others.join("\n")
    );
    Choice::from_toml(&text, &Registry::builtin()).is_ok()
}

/// Whether there are one form and one read for an algorithm, whose gradients are exact: it moves the
/// memory at chunk ends only, or solves for it.
fn has_one_form(kind: &str) -> bool {
    of_a_matrix(kind).acts_at_chunk_end() || is_solved_for(kind)
}

fn is_solved_for(kind: &str) -> bool {
    of_a_matrix(kind).least_squares().is_some()
}

fn of_a_matrix(algorithm: &str) -> Rule {
    let text = format!("[memory]\nkind = 'matrix'\n[algorithm]\nkind = '{algorithm}'");
    Choice::from_toml(&text, &Registry::builtin()).unwrap().rule
}

/// Whether keys and values may have widths of their own.
fn has_two(kind: &str, variant: &str) -> bool {
    let text = format!("[memory]\nkind = '{kind}'\n{variant}");
    let choice = Choice::from_toml(&text, &Registry::builtin()).unwrap();
    choice.rule.memory.program(4, 3).is_ok()
}

#[test]
fn every_key_of_every_part_has_an_effect() {
    let attention = MODEL.replace("[mixer]", "[mixer]\nkind = 'attention'");
    let own = "[mixer]\nkind = 'tnt'\nlocal_chunks = [1, 3]\nshard = 6";
    let tnt = MODEL.replace("[mixer]", own) + "[algorithm]\n" + CHUNK;
    let bases: Vec<String> = of_parts().into_iter().chain([attention, tnt]).collect();
    let next = AtomicUsize::new(0);
    let seen = Mutex::new(Seen::default());
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while let Some(base) = bases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    try_all(base, &seen);
                }
            });
        }
    });

    let seen = seen.into_inner().unwrap();
    assert!(seen.silent.is_empty(), "{}", seen.silent.join("\n"));
    // A key that is refused everywhere would be one without an effect as well.
    let registry = Registry::builtin();
    for axis in Axis::ALL {
        for part in registry.parts(axis) {
            for (key, _) in part.keys.iter().chain(registry.common_keys(axis)) {
                if *key == "start"
                    && !part
                        .variants
                        .iter()
                        .any(|own| may_start_at_zero(part.kind, own))
                {
                    continue;
                }
                if *key == "learn" && !part.variants.iter().any(|own| has_last_map(part.kind, own))
                {
                    continue;
                }
                // Where nothing steps, no rule of steps is taken.
                let mut of_rules = registry.step_rules().iter().flat_map(|rule| rule.keys());
                let of_steps = of_rules.any(|(own, _)| own == *key);
                if of_steps && axis == Axis::Algorithm && is_solved_for(part.kind) {
                    continue;
                }
                let of_tokens = ["form", "picard", "read"].contains(key);
                if of_tokens && axis == Axis::Algorithm && has_one_form(part.kind) {
                    continue;
                }
                if *key == "value_dim" && !part.variants.iter().any(|own| has_two(part.kind, own)) {
                    continue;
                }
                let pair = (format!("{}.{key}", axis.table()), part.kind.to_owned());
                assert!(
                    seen.working.contains(&pair),
                    "{pair:?} is never seen at work"
                );
            }
        }
    }
    for key in ["local_chunks", "local_read", "shard", "project_queries"] {
        let pair = (format!("mixer.{key}"), "tnt".to_owned());
        assert!(
            seen.working.contains(&pair),
            "{pair:?} is never seen at work"
        );
    }
    for (key, _, why) in EXCEPTIONS {
        assert!(
            seen.excused.contains(key),
            "no exception is needed for {key}: {why}"
        );
    }
}
