//! The tensors of a state under names, for whoever stores or rearranges them.

use burn::tensor::Tensor;
use miras_core::{Factor, Gates, MapState, Program};

use crate::{Open, Past, Rule, State, carried, chunk_start::keeps_tokens};

impl State {
    /// The tensors of this state. Their names and shapes are those of [`layout`](Self::layout).
    pub fn named(&self) -> Vec<(String, Tensor<4>)> {
        let mut named = Vec::new();
        for (at, map) in self.maps.iter().enumerate() {
            named.push((format!("maps.{at}.weights"), map.weights.clone()));
            for (slot, values) in map.slots.iter().enumerate() {
                named.push((format!("maps.{at}.slots.{slot}"), values.clone()));
            }
        }
        if let Some(past) = &self.past {
            named.push((PAST_KEYS.to_owned(), past.k.clone()));
            named.push((PAST_VALUES.to_owned(), past.v.clone()));
            for (gate, values) in past.gates.iter() {
                named.push((format!("past.gates.{gate}"), values.clone()));
            }
        }
        for (at, values) in self.carried.iter().enumerate() {
            named.push((carried_name(at), values.clone()));
        }
        let Some(open) = &self.open else { return named };
        for (s, factors) in open.iterations.iter().enumerate() {
            for (at, Factor { x, d }) in factors.iter().enumerate() {
                let name = factor_name(s, at);
                named.push((format!("{name}.x"), x.clone()));
                named.push((format!("{name}.d"), d.clone()));
            }
        }
        for (gate, values) in open.gates.iter() {
            named.push((format!("open.gates.{gate}"), values.clone()));
        }
        if let Some((k, v)) = &open.tokens {
            named.push((OPEN_KEYS.to_owned(), k.clone()));
            named.push((OPEN_VALUES.to_owned(), v.clone()));
        }
        named
    }

    /// The state of memories with this program that [`named`](Self::named) took apart, `tokens` tokens
    /// after the beginning of a sequence; `take` gives each tensor by its name.
    pub fn from_named(
        rule: &Rule,
        program: &Program,
        tokens: usize,
        mut take: impl FnMut(&str) -> Tensor<4>,
    ) -> Self {
        let maps = program.maps().len();
        let open = Self::open_after(rule, tokens);
        let mut state = Self {
            maps: Vec::with_capacity(maps),
            past: None,
            carried: Vec::new(),
            open: None,
            position: tokens - open,
        };
        for at in 0..maps {
            state.maps.push(MapState {
                weights: take(&format!("maps.{at}.weights")),
                slots: (0..rule.algorithm.slots())
                    .map(|slot| take(&format!("maps.{at}.slots.{slot}")))
                    .collect(),
            });
        }
        let gates_at = |place: &str, take: &mut dyn FnMut(&str) -> Tensor<4>| {
            (rule.gates().iter()).fold(Gates::new(), |gates, spec| {
                gates.with(spec.name, take(&format!("{place}.gates.{}", spec.name)))
            })
        };
        if rule.algorithm.window() > 1 {
            state.past = Some(Past {
                k: take(PAST_KEYS),
                v: take(PAST_VALUES),
                gates: gates_at("past", &mut take),
            });
        }
        let carriers = carried::carriers(rule).count();
        state.carried = (0..carriers).map(|at| take(&carried_name(at))).collect();
        if open > 0 {
            let mut factors = |s, at| {
                let name = factor_name(s, at);
                Factor {
                    x: take(&format!("{name}.x")),
                    d: take(&format!("{name}.d")),
                }
            };
            let iterations = (0..=rule.settings.picard())
                .map(|s| (0..maps).map(|at| factors(s, at)).collect())
                .collect();
            let gates = gates_at("open", &mut take);
            let tokens = keeps_tokens(rule).then(|| (take(OPEN_KEYS), take(OPEN_VALUES)));
            state.open = Some(Open {
                iterations,
                gates,
                tokens,
            });
        }
        state
    }

    /// Names and shapes of the tensors of `g` memories with this program, `tokens` tokens after the
    /// beginning of a sequence.
    pub fn layout(
        rule: &Rule,
        program: &Program,
        g: usize,
        tokens: usize,
    ) -> Vec<(String, [usize; 4])> {
        let maps = program.maps();
        let mut layout = Vec::new();
        for (at, map) in maps.iter().enumerate() {
            let shape = [1, g, map.d_in, map.d_out];
            layout.push((format!("maps.{at}.weights"), shape));
            let [rows, columns] = rule.algorithm.slot_shape([map.d_in, map.d_out]);
            for slot in 0..rule.algorithm.slots() {
                let shape = [1, g, rows, columns];
                layout.push((format!("maps.{at}.slots.{slot}"), shape));
            }
        }
        let tokens_at = |place: &str, keys_and_values: Option<[&str; 2]>, tokens: usize| {
            let mut layout = Vec::new();
            for spec in rule.gates() {
                let width = spec.width(program.d_k(), program.d_v());
                layout.push((
                    format!("{place}.gates.{}", spec.name),
                    [1, g, tokens, width],
                ));
            }
            if let Some([k, v]) = keys_and_values {
                let d_k = rule.keys() * program.d_k();
                layout.push((k.to_owned(), [1, g, tokens, d_k]));
                layout.push((v.to_owned(), [1, g, tokens, program.d_v()]));
            }
            layout
        };
        let past = Past::tokens(rule);
        if past > 0 {
            layout.extend(tokens_at("past", Some([PAST_KEYS, PAST_VALUES]), past));
        }
        for (at, carry) in carried::carriers(rule).enumerate() {
            layout.push((carried_name(at), [1, g, 1, carry.numbers()]));
        }
        let open = Self::open_after(rule, tokens);
        if open == 0 {
            return layout;
        }
        for s in 0..=rule.settings.picard() {
            for (at, map) in maps.iter().enumerate() {
                let name = factor_name(s, at);
                let rows = (past + open) * rule.keys() * map.rows;
                layout.push((format!("{name}.x"), [1, g, rows, map.d_in]));
                layout.push((format!("{name}.d"), [1, g, rows, map.d_out]));
            }
        }
        let kept = keeps_tokens(rule).then_some([OPEN_KEYS, OPEN_VALUES]);
        layout.extend(tokens_at("open", kept, open));
        layout
    }
}

const PAST_KEYS: &str = "past.k";
const PAST_VALUES: &str = "past.v";
const OPEN_KEYS: &str = "open.tokens.k";
const OPEN_VALUES: &str = "open.tokens.v";

/// Of the rule `at` among those that carry something.
fn carried_name(at: usize) -> String {
    format!("carried.{at}")
}

/// Of Picard iteration `s` and map `at`; "sweeps" is the old name of these iterations, which stays
/// in the format of stored states.
fn factor_name(s: usize, at: usize) -> String {
    format!("open.sweeps.{s}.maps.{at}")
}
