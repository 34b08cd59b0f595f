//! Memories on inputs from a file: `cargo build --workspace --example parity`, then
//! `target/debug/examples/parity CASES.json`; `scripts/parity` writes the file and reads the answers.
//!
//! The file is a list of cases, and so are the answers, on stdout:
//!
//! ```text
//! case    { "config": { "memory": {…}, "bias": {…}, "retention": {…}, "algorithm": {…} },
//!           "double": false, "inputs": {…}, "weights": {…} }
//! answer  { "is_fused": true, "values": {…}, "gradients": {…} }
//! ```
//!
//! Tensors are `{ "shape": [1, g, t, d], "values": […] }` by name: `q`, `k`, `v`, gates by theirs
//! (decays and momenta as logarithms), `map 0`, `gain 0`, …; of what comes out `y`, and `state 0`
//! with its `slot 0`, ….
//! Gradients are those of the sum of all that comes out times its `weights`, where it has some.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program that prints its answers"
)]

use std::{collections::BTreeMap, error::Error, process::ExitCode, sync::Arc};

use burn::tensor::{DType, Device, Tensor, TensorData};
use miras_config::Layers;
use miras_contract::places;
use miras_core::Gates;
use miras_engine::{Initial, Rule, State, Tokens, dual, is_fused};
use miras_registry::{Choice, Registry};
use serde::{Deserialize, Serialize};

#[derive(Deserialize)]
struct Case {
    config: serde_json::Value,
    /// Float64 in the place of float32.
    double: bool,
    inputs: BTreeMap<String, Numbers>,
    weights: BTreeMap<String, Numbers>,
}

#[derive(Serialize)]
struct Answer {
    /// Whether the chunks were one operation of the CPU.
    is_fused: bool,
    values: BTreeMap<String, Numbers>,
    gradients: BTreeMap<String, Numbers>,
}

#[derive(Serialize, Deserialize)]
struct Numbers {
    shape: [usize; 4],
    values: Vec<f64>,
}

impl Numbers {
    fn of(x: Tensor<4>) -> Result<Self, Box<dyn Error>> {
        let shape = x.dims();
        let values = x.into_data().convert::<f64>().try_into_vec();
        let values = values.map_err(|error| format!("a tensor has no numbers: {error:?}"))?;
        Ok(Self { shape, values })
    }

    fn tensor(&self, dtype: DType) -> Result<Tensor<4>, Box<dyn Error>> {
        let (has, needs) = (self.values.len(), self.shape.iter().product::<usize>());
        if has != needs {
            return Err(format!("{has} values for a shape of {needs}").into());
        }
        let data = TensorData::new(self.values.clone(), self.shape);
        Ok(Tensor::from_data(data, (&Device::flex().autodiff(), dtype)))
    }
}

fn main() -> ExitCode {
    match answers() {
        Ok(answers) => {
            println!("{answers}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn answers() -> Result<String, Box<dyn Error>> {
    let path = std::env::args().nth(1).ok_or("usage: parity CASES.json")?;
    let cases: Vec<Case> = serde_json::from_str(&std::fs::read_to_string(path)?)?;
    let answers: Result<Vec<Answer>, _> = cases.iter().map(answer).collect();
    Ok(serde_json::to_string(&answers?)?)
}

fn answer(case: &Case) -> Result<Answer, Box<dyn Error>> {
    let mut layers = Layers::new();
    layers.text("case", &toml::to_string(&case.config)?)?;
    let rule = Choice::take(&mut layers.merge()?, &Registry::builtin())?.rule;
    let dtype = if case.double { DType::F64 } else { DType::F32 };
    let mut leaves = BTreeMap::new();
    for (name, numbers) in &case.inputs {
        leaves.insert(name.clone(), numbers.tensor(dtype)?.require_grad());
    }

    let (initial, tokens) = inputs(&rule, &leaves)?;
    let is_fused = !case.double && is_fused(&rule, &initial.program, tokens.len());
    let state = State::new(&rule, &initial);
    let out = dual::forward(&rule, &initial, state, &tokens, false);
    if out.state.open.is_some() {
        return Err("the last chunk is not full: its state is not that of the last token".into());
    }
    let mut outputs = BTreeMap::from([("y".to_owned(), out.y)]);
    for (l, weights) in (rule.weights(&out.state.maps, &initial).into_iter()).enumerate() {
        outputs.insert(format!("state {l}"), weights);
    }
    for (l, map) in out.state.maps.into_iter().enumerate() {
        for slot in map.slots {
            outputs.insert(format!("slot {l}"), slot);
        }
    }

    let mut sum = Tensor::<1>::zeros([1], (&Device::flex().autodiff(), dtype));
    for (name, weights) in &case.weights {
        let output = outputs.get(name).ok_or_else(|| missing("output", name))?;
        sum = sum + (output.clone() * weights.tensor(dtype)?).sum();
    }
    let gradients = sum.backward();
    Ok(Answer {
        is_fused,
        values: (outputs.into_iter())
            .map(|(name, x)| Ok((name, Numbers::of(x)?)))
            .collect::<Result<_, Box<dyn Error>>>()?,
        gradients: (leaves.into_iter())
            .filter_map(|(name, leaf)| leaf.grad(&gradients).map(|x| (name, x)))
            .map(|(name, x)| Ok((name, Numbers::of(x)?)))
            .collect::<Result<_, Box<dyn Error>>>()?,
    })
}

/// The inputs of a rule, by the names that its parts give them.
fn inputs(
    rule: &Rule,
    leaves: &BTreeMap<String, Tensor<4>>,
) -> Result<(Initial, Tokens), Box<dyn Error>> {
    let get = |name: &str| {
        let leaf = leaves.get(name).cloned();
        leaf.ok_or_else(|| missing("input", name))
    };
    let [q, k, v] = [get("q")?, get("k")?, get("v")?];
    let mut gates = Gates::new();
    for spec in rule.gates() {
        gates = gates.with(spec.name, get(spec.name)?);
    }
    let program = rule.memory.program(q.dims()[3], v.dims()[3])?;
    let numbered = |what: &str, count: usize| -> Result<Vec<_>, String> {
        (0..count).map(|l| get(&format!("{what} {l}"))).collect()
    };
    let initial = Initial {
        maps: numbered("map", program.maps().len())?,
        gains: numbered("gain", program.gains().len())?,
        program: Arc::new(program),
        places: places(q.dims()[1]),
    };
    Ok((initial, Tokens { q, k, v, gates }))
}

fn missing(what: &str, name: &str) -> String {
    format!("the case has no {what} `{name}`, or the rule does not")
}
