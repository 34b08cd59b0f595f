//! Ascent, the control: steps of the other sign and nothing else.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

use burn::tensor::{DType, Device, Tensor};
use miras_contract::{Inputs, assert_same, difference, numbers, placed, run_dual, run_recurrence};
use miras_core::STEP;
use miras_engine::{Rule, is_fused};
use miras_registry::{Choice, Registry};

const ALGORITHMS: [&str; 3] = [
    "kind = 'gd'",
    "kind = 'gd'\nstep = 'fixed'\nstep_max = 0.4",
    "kind = 'momentum'",
];
const FORM: &str = "form = 'chunk_start'\nchunk = 3\nload_cap = 0.3";

fn rule(parts: &str, algorithm: &str) -> Rule {
    let text = format!("{parts}\n[algorithm]\n{algorithm}");
    Choice::from_toml(&text, &Registry::builtin()).unwrap().rule
}

/// The rule that goes up and the one that goes down.
fn both(parts: &str, algorithm: &str) -> [Rule; 2] {
    [true, false].map(|ascent| rule(parts, &format!("{algorithm}\nascent = {ascent}")))
}

fn with_steps(inputs: &Inputs, f: impl Fn(Tensor<4>) -> Tensor<4>) -> Inputs {
    let mut inputs = inputs.clone();
    let step = f(inputs.tokens.gates.get(STEP));
    inputs.tokens.gates = inputs.tokens.gates.with(STEP, step);
    inputs
}

#[test]
fn ascent_is_descent_with_the_step_below_zero() {
    for parts in ["[memory]\nkind = 'matrix'", "[memory]\nkind = 'mlp'"] {
        for algorithm in ALGORITHMS {
            let [up, down] = both(parts, &format!("{algorithm}\n{FORM}"));
            let z = Inputs::new(&down, 9).tokens.gates.get(STEP);
            let step = |rule: &Rule| {
                let gates = rule.algorithm.gates();
                let gate = gates.into_iter().find(|gate| gate.name == STEP).unwrap();
                numbers(gate.map.apply(z.clone().add_scalar(gate.bias), None))
            };
            let below: Vec<f64> = step(&down).iter().map(|step| -step).collect();
            assert_eq!(step(&up), below, "{algorithm}");

            let inputs = Inputs::new(&up, 9);
            assert!(
                numbers(inputs.tokens.gates.get(STEP))
                    .iter()
                    .all(|step| *step < 0.0)
            );
            let name = format!("{parts} {algorithm}");
            let truth = run_recurrence(&up, &inputs);
            assert_same(&name, &run_dual(&up, &inputs, &[]), &truth, 1e-9);
            assert_same(&name, &run_recurrence(&down, &inputs), &truth, 1e-12);
        }
    }
}

/// Where gradients do not depend on the weights, the two write the same with opposite signs: in
/// the exact form and in chunks, with the load cap, on tensors and in the kernels of the CPU.
#[test]
fn writes_of_a_fixed_gradient_are_mirrored_in_every_form() {
    let parts = "[memory]\nkind = 'matrix'\n[bias]\nkind = 'dot'\n[retention]\nanchored = false";
    let cpu = Device::flex().autodiff();
    for algorithm in ALGORITHMS {
        for form in ["form = 'exact'", FORM] {
            let [up, down] = both(parts, &format!("{algorithm}\n{form}"));
            let mut inputs = Inputs::new(&down, 9);
            inputs.initial.maps = inputs.initial.maps.iter().map(Tensor::zeros_like).collect();
            let mirrored = with_steps(&inputs, Tensor::neg);
            assert!(
                is_fused(&up, &inputs.initial.program, 9),
                "{algorithm}, {form}"
            );
            for (dtype, most) in [(DType::F64, 1e-12), (DType::F32, 1e-5)] {
                let here = |inputs: &Inputs| inputs.map(|x| placed(&x, (&cpu, dtype)));
                let rising = numbers(run_dual(&up, &here(&mirrored), &[]).y);
                let falling = numbers(run_dual(&down, &here(&inputs), &[]).y);
                let negated: Vec<f64> = falling.iter().map(|y| -y).collect();
                let gap = difference(&rising, &negated);
                assert!(gap < most, "{algorithm}, {form}, {dtype:?}: {gap:e}");
                assert!(
                    falling.iter().any(|y| y.abs() > 1e-3),
                    "something is written"
                );
            }
        }
    }
}

/// The error of recalling what was written last, beside that before any write.
#[test]
fn ascent_recalls_worse_than_descent_and_than_nothing() {
    let parts = "[memory]\nkind = 'matrix'";
    for algorithm in ALGORITHMS {
        let [up, down] = both(parts, &format!("{algorithm}\n{FORM}"));
        let mut inputs = Inputs::new(&down, 3);
        inputs.tokens.q = inputs.tokens.k.clone();
        let error = |rule: &Rule, inputs: &Inputs| {
            let y = run_recurrence(rule, inputs).y;
            numbers((y - inputs.tokens.v.clone()).powi_scalar(2))
                .iter()
                .sum::<f64>()
        };
        let falling = error(&down, &inputs);
        let nothing = error(&down, &with_steps(&inputs, |step| step.zeros_like()));
        let rising = error(&up, &with_steps(&inputs, Tensor::neg));
        assert!(
            falling < nothing && nothing < rising,
            "{algorithm}: {falling}, {nothing}, {rising}"
        );
    }
}

#[test]
fn the_exact_form_refuses_an_ascent_that_compares() {
    for algorithm in ALGORITHMS {
        let text = format!("[memory]\nkind = 'matrix'\n[algorithm]\n{algorithm}\nascent = true");
        let error = Choice::from_toml(&text, &Registry::builtin()).unwrap_err();
        let error = error.to_string();
        for piece in [
            "algorithm.form",
            "a + theta |k|^2",
            "chunk_start",
            "state_cap",
        ] {
            assert!(error.contains(piece), "{algorithm}: {error}");
        }
    }
}
