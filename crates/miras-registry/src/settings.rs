//! The keys of `[algorithm]` that every algorithm has.

use std::{collections::BTreeMap, sync::Arc};

use miras_config::{ConfigError, Section};
use miras_core::{Link, LocalRules, RuleValues, StepRule, StepRulePart};
use miras_engine::{Form, Read, Rule, Settings};
use serde::{Deserialize, Serialize};
use toml::{Table, Value};

/// The common keys of `[algorithm]` as they are written; `None` is "not said".
#[derive(Debug, Clone, Default)]
pub struct AlgorithmSettings {
    form: Option<FormKind>,
    chunk: Option<usize>,
    picard: Option<usize>,
    read: Option<Read>,
    /// By the rules' keys.
    rules: BTreeMap<&'static str, f64>,
    /// Of rules, by their keys: the key of the rule, and the value.
    further: BTreeMap<&'static str, (&'static str, f64)>,
}

/// `algorithm.form`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum FormKind {
    Exact,
    ChunkStart,
}

/// Their names and meanings.
pub(crate) const KEYS: [(&str, &str); 4] = [
    (
        "form",
        "\"exact\": every gradient at its own token's memory (default where an exact chunk form exists); \"chunk_start\": all of a chunk at the weights it began with",
    ),
    (
        "chunk",
        "tokens a chunk, 1 or more; part of the function in the chunk_start form, of the cost alone in the exact one",
    ),
    (
        "picard",
        "Picard iterations that take chunk-start gradients towards the exact ones, which chunk - 1 of them reach; each costs one more forward and backward of the memory, with the weights of every token written out (the first about triples the work); default 0",
    ),
    (
        "read",
        "\"exact\": tokens read the weights after their own write (default for linear links; behind others it writes every token's weights out); \"frozen\": the same with the link's scale as the chunk began (default where the link is a number times the state); \"stale\": the weights their chunk began with (default behind any other link)",
    ),
];

/// 64 trained fastest per CPU second (`docs/architecture.md`, Measured defaults).
const CHUNK: usize = 64;
/// The largest chunk: a chunk costs the square of its length.
const LARGEST: usize = 1 << 16;
impl AlgorithmSettings {
    pub(crate) fn take(
        section: &mut Section<'_>,
        rules: &[&'static StepRulePart],
    ) -> Result<Self, ConfigError> {
        let mut asked = BTreeMap::new();
        let mut further = BTreeMap::new();
        for rule in rules {
            if let Some(value) = section.value(rule.key)? {
                asked.insert(rule.key, value);
            }
            for own in rule.settings {
                let value = match own.values {
                    RuleValues::Number { .. } => section.value(own.key)?,
                    RuleValues::Switch => section.value(own.key)?.map(|on: bool| f64::from(on)),
                };
                if let Some(value) = value {
                    further.insert(own.key, (rule.key, value));
                    if let RuleValues::Number { holds, range } = own.values
                        && !holds(value)
                    {
                        let message = format!("{} must be {range}", own.key);
                        let mistake = section.error(own.key, message, None);
                        section.note(mistake)?;
                    }
                }
            }
        }
        let settings = Self {
            form: section.value("form")?,
            chunk: section.value("chunk")?,
            picard: section.value("picard")?,
            read: section.value("read")?,
            rules: asked,
            further,
        };
        if settings
            .chunk
            .is_some_and(|chunk| !(1..=LARGEST).contains(&chunk))
        {
            let message = format!("a chunk has from 1 to {LARGEST} tokens");
            let mistake = section.error("chunk", message, None);
            section.note(mistake)?;
        }
        let chunk = settings.chunk.unwrap_or(CHUNK);
        if chunk > 0 && settings.picard.is_some_and(|picard| picard >= chunk) {
            let message = format!(
                "{} Picard iterations are exact for a chunk of {chunk}: more change nothing",
                chunk - 1
            );
            let help = format!("use algorithm.picard = {} or less", chunk - 1);
            let mistake = section.error("picard", message, Some(help));
            section.note(mistake)?;
        }
        for (key, value) in &settings.rules {
            if !(*value >= 0.0 && value.is_finite()) {
                let message = format!("{key} must be 0 (off) or a finite number above");
                let mistake = section.error(key, message, None);
                section.note(mistake)?;
            }
        }
        Ok(settings)
    }

    /// Picard iterations, as they are asked for.
    pub(crate) fn picard(&self) -> usize {
        self.picard.unwrap_or(0)
    }

    /// The read rule, if it is asked for.
    pub(crate) fn read(&self) -> Option<Read> {
        self.read
    }

    /// The rules of the step size that are asked for, not counting those turned off.
    pub(crate) fn rules(&self) -> impl Iterator<Item = &'static str> {
        let on = self.rules.iter().filter(|(_, value)| **value > 0.0);
        on.map(|(key, _)| *key)
    }

    /// A further key that is asked for, and that of its rule, which does not act.
    pub(crate) fn idle(&self, settings: &Settings) -> Option<(&'static str, &'static str)> {
        let mut further = self.further.iter().map(|(key, (rule, _))| (*key, *rule));
        further.find(|(_, rule)| settings.rule(rule).is_none())
    }

    /// Whether the exact form is asked for, or by default is that of these parts.
    pub(crate) fn is_exact(&self, rule: &Rule) -> bool {
        match self.form {
            Some(form) => form == FormKind::Exact,
            None => rule.has_exact_form(),
        }
    }

    /// What a rule has before its own settings are known.
    pub(crate) fn unset() -> Settings {
        Settings {
            chunk: CHUNK,
            form: Form::exact(),
        }
    }

    /// With every default filled in, for parts whose settings have been
    /// [checked](crate::validity::check).
    pub(crate) fn resolve(&self, rule: &Rule, parts: &[&'static StepRulePart]) -> Settings {
        let built = |part: &&'static StepRulePart| {
            let asked = self.rules.get(part.key).copied();
            let value = asked
                .unwrap_or_else(|| (part.default)(&*rule.memory, &*rule.bias, &*rule.retention));
            let settings = part.settings.iter().map(|own| {
                let asked = self.further.get(own.key).map(|(_, value)| *value);
                asked.unwrap_or_else(|| (own.default)(value))
            });
            let settings: Vec<f64> = settings.collect();
            (value > 0.0).then(|| (part.build)(value, &settings))
        };
        let rules: Vec<_> = parts.iter().filter_map(built).collect();
        let form = if self.is_exact(rule) {
            Form::Exact {
                rules: exact_rules(rule, rules),
            }
        } else {
            Form::ChunkStart {
                picard: self.picard(),
                read: self.read.unwrap_or_else(|| default_read(rule)),
                rules,
            }
        };
        Settings {
            chunk: self.chunk.unwrap_or(CHUNK),
            form,
        }
    }
}

/// Those of the rules that act on exact gradients: of those that are solved for, such as need none.
fn exact_rules(rule: &Rule, rules: Vec<Arc<dyn StepRule>>) -> LocalRules {
    // Nothing steps.
    if rule.least_squares().is_some() {
        return LocalRules::default();
    }
    let is_solved = rule.bias.slope().is_some();
    let local =
        (rules.into_iter()).filter(|rule| rule.is_local() && (rule.is_of_features() || !is_solved));
    LocalRules::new(local.collect()).expect("local ones only")
}

/// The most exact read that costs no weights a token, but where only the exact one is defined.
fn default_read(rule: &Rule) -> Read {
    if rule.acts_at_chunk_end() {
        Read::Stale
    } else {
        match rule.retention.link() {
            Link::Identity => Read::Exact,
            Link::Scale(_) => Read::Frozen,
            Link::General(_) => Read::Stale,
        }
    }
}

/// As TOML, complete: 0 for each rule of the step size that does not act, and the further keys of those
/// that do.
pub(crate) fn to_table(settings: &Settings, rules: &[&'static StepRulePart]) -> Table {
    let form = match settings.form {
        Form::Exact { .. } => FormKind::Exact,
        Form::ChunkStart { .. } => FormKind::ChunkStart,
    };
    let name = |value: Result<Value, _>| value.expect("a name is a TOML string");
    let mut table = Table::from_iter([
        ("form".to_owned(), name(Value::try_from(form))),
        ("chunk".to_owned(), (settings.chunk as i64).into()),
        ("picard".to_owned(), (settings.picard() as i64).into()),
        ("read".to_owned(), name(Value::try_from(settings.read()))),
    ]);
    for part in rules {
        let acts = settings.rule(part.key);
        let value = acts.map_or(0.0, |rule| rule.config().1);
        table.insert(part.key.to_owned(), value.into());
        let further = acts.map_or_else(Vec::new, StepRule::settings);
        let keys = part.settings.iter().map(|own| own.key.to_owned());
        table.extend(keys.zip(further));
    }
    table
}

/// Changes the chunk and the read in such a table; without a read the default one is left to be found.
pub(crate) fn rechunk(table: &mut Table, chunk: usize, read: Option<Read>) {
    table.insert("chunk".to_owned(), (chunk as i64).into());
    table.remove("read");
    if let Some(read) = read {
        let name = Value::try_from(read).expect("a name is a TOML string");
        table.insert("read".to_owned(), name);
    }
}
