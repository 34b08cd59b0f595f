//! The keys of `[algorithm]` that every algorithm has.

use miras_config::{ConfigError, Section};
use miras_core::LinkKind;
use miras_engine::{Form, Read, Rule, Settings};
use toml::Table;

/// The common keys of `[algorithm]` as they are written; `None` is "not said".
#[derive(Debug, Clone, Default)]
pub struct AlgorithmSettings {
    form: Option<Form>,
    chunk: Option<usize>,
    sweeps: Option<usize>,
    read: Option<Read>,
    load_cap: Option<f64>,
    grad_cap: Option<f64>,
    state_cap: Option<f64>,
}

/// Their names and meanings.
pub(crate) const KEYS: [(&str, &str); 7] = [
    (
        "form",
        "\"exact\": every gradient at its own token's memory (default where an exact chunk form exists); \"chunk_start\": all of a chunk at the weights it began with",
    ),
    (
        "chunk",
        "tokens a chunk, 1 or more; part of the function in the chunk_start form, of the cost alone in the exact one",
    ),
    (
        "sweeps",
        "Picard sweeps that take chunk-start gradients towards the exact ones, which chunk - 1 of them reach; each costs one more forward and backward of the memory, with the weights of every token written out (the first about triples the work); default 0",
    ),
    (
        "read",
        "\"exact\": tokens read the weights after their own write (default for linear links; behind others it writes every token's weights out); \"frozen\": the same with the link's scale as the chunk began (default where the link is a number times the state); \"stale\": the weights their chunk began with (default behind any other link)",
    ),
    (
        "load_cap",
        "kappa of the load cap, which shrinks steps that pile up in a chunk; 0 turns it off; chunk_start only (default 0.5)",
    ),
    (
        "grad_cap",
        "largest norm of one token's inner gradient; 0 (default, but for biases whose gradient grows faster than the error: 3) turns it off; not with exact solves, that is form = \"exact\" with bias \"dot\" or \"l2\"",
    ),
    (
        "state_cap",
        "largest norm of a map's state at the end of each full chunk; 0 (default) turns it off; chunk_start only",
    ),
];

/// 64 trained fastest per CPU second (`docs/architecture.md`, Measured defaults).
const CHUNK: usize = 64;
/// The largest chunk: a chunk costs the square of its length.
const LARGEST: usize = 1 << 16;
/// The load cap's default κ (`docs/architecture.md`, Measured defaults).
const LOAD_CAP: f64 = 0.5;

/// The gradient cap's default where gradients grow faster than errors (`docs/architecture.md`, Measured defaults).
const GRAD_CAP: f64 = 3.0;

impl AlgorithmSettings {
    pub(crate) fn take(section: &mut Section<'_>) -> Result<Self, ConfigError> {
        let settings = Self {
            form: section.value("form")?,
            chunk: section.value("chunk")?,
            sweeps: section.value("sweeps")?,
            read: section.value("read")?,
            load_cap: section.value("load_cap")?,
            grad_cap: section.value("grad_cap")?,
            state_cap: section.value("state_cap")?,
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
        if chunk > 0 && settings.sweeps.is_some_and(|sweeps| sweeps >= chunk) {
            let message = format!(
                "{} sweeps are exact for a chunk of {chunk}: more change nothing",
                chunk - 1
            );
            let help = format!("use algorithm.sweeps = {} or less", chunk - 1);
            let mistake = section.error("sweeps", message, Some(help));
            section.note(mistake)?;
        }
        for (key, value) in settings.caps() {
            if value.is_some_and(|cap| !(cap >= 0.0 && cap.is_finite())) {
                let message = format!("{key} must be 0 (off) or a finite number above");
                let mistake = section.error(key, message, None);
                section.note(mistake)?;
            }
        }
        Ok(settings)
    }

    pub(crate) fn caps(&self) -> [(&'static str, Option<f64>); 3] {
        [
            ("load_cap", self.load_cap),
            ("grad_cap", self.grad_cap),
            ("state_cap", self.state_cap),
        ]
    }

    /// What a rule has before its own settings are known.
    pub(crate) const UNSET: Settings = Settings {
        form: Form::ChunkStart,
        chunk: CHUNK,
        sweeps: 0,
        read: Read::Exact,
        load_cap: None,
        grad_cap: None,
        state_cap: None,
    };

    /// With every default filled in, for the parts of a rule.
    pub(crate) fn resolve(&self, rule: &Rule) -> Settings {
        let form = self.form.unwrap_or(if rule.has_exact_form() {
            Form::Exact
        } else {
            Form::ChunkStart
        });
        let load_cap = match form {
            Form::Exact => 0.0,
            Form::ChunkStart => LOAD_CAP,
        };
        let grad_cap = if rule.bias.is_superlinear() {
            GRAD_CAP
        } else {
            0.0
        };
        let on = |cap: f64| (cap > 0.0).then_some(cap);
        Settings {
            form,
            chunk: self.chunk.unwrap_or(CHUNK),
            sweeps: self.sweeps.unwrap_or(0),
            read: self.read.unwrap_or_else(|| default_read(rule, form)),
            load_cap: on(self.load_cap.unwrap_or(load_cap)),
            grad_cap: on(self.grad_cap.unwrap_or(grad_cap)),
            state_cap: on(self.state_cap.unwrap_or(0.0)),
        }
    }
}

/// The most exact read that costs no weights a token, but where only the exact one is defined.
fn default_read(rule: &Rule, form: Form) -> Read {
    if rule.algorithm.acts_at_chunk_end() {
        Read::Stale
    } else if form == Form::Exact {
        Read::Exact
    } else {
        match rule.retention.link_kind() {
            LinkKind::Identity => Read::Exact,
            LinkKind::Scale => Read::Frozen,
            LinkKind::General => Read::Stale,
        }
    }
}

/// As TOML, complete.
pub(crate) fn to_table(settings: &Settings) -> Table {
    let mut table = Table::new();
    let form = match settings.form {
        Form::Exact => "exact",
        Form::ChunkStart => "chunk_start",
    };
    let read = match settings.read {
        Read::Exact => "exact",
        Read::Frozen => "frozen",
        Read::Stale => "stale",
    };
    table.insert("form".into(), form.into());
    table.insert("chunk".into(), (settings.chunk as i64).into());
    table.insert("sweeps".into(), (settings.sweeps as i64).into());
    table.insert("read".into(), read.into());
    for (key, cap) in [
        ("load_cap", settings.load_cap),
        ("grad_cap", settings.grad_cap),
        ("state_cap", settings.state_cap),
    ] {
        table.insert(key.into(), cap.unwrap_or(0.0).into());
    }
    table
}
