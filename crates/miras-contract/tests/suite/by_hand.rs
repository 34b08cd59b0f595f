//! A memory that is written by hand is held to what programs are held to.

use std::sync::Arc;

use burn::tensor::{Tensor, activation};
use miras_contract::Case;
use miras_core::{
    Factor, GainSpec, MapSpec, Maps, MemoryArchitecture, Part, Program, ProgramError, typical,
};
use miras_registry::{Choice, Registry};

use crate::support::{FORMS, Inputs, assert_same, run_dual, run_recurrence};

/// `softmax(x W_1) W_2 ⊙ g`: programs have no softmax.
#[derive(Debug)]
struct Slots;

impl MemoryArchitecture for Slots {
    fn program(&self, d_k: usize, d_v: usize) -> Result<Program, ProgramError> {
        let maps = [("w1", d_k, 4), ("w2", 4, d_v)].map(|(name, d_in, d_out)| MapSpec {
            name: name.into(),
            d_in,
            d_out,
            rows: 1,
        });
        let gain = GainSpec {
            name: "gain".into(),
            d: d_v,
            initial: 1.0,
        };
        Ok(Program::by_hand(d_k, d_v, maps.into(), vec![gain]))
    }

    fn forward(&self, _: &Program, maps: &dyn Maps, x: Tensor<4>) -> Tensor<4> {
        let share = activation::softmax(maps.apply(0, x), 3);
        maps.apply(1, share) * maps.gain(0)
    }

    fn factors(
        &self,
        _: &Program,
        maps: &dyn Maps,
        keys: Tensor<4>,
        output_gradient: &mut dyn FnMut(Tensor<4>) -> Tensor<4>,
    ) -> Vec<Factor> {
        let share = activation::softmax(maps.apply(0, keys.clone()), 3);
        let y = maps.apply(1, share.clone()) * maps.gain(0);
        let d = output_gradient(y) * maps.gain(0);
        let back = maps.apply_transposed(1, d.clone());
        let along = (back.clone() * share.clone()).sum_dim(3);
        let before = (back - along) * share.clone();
        vec![Factor { x: keys, d: before }, Factor { x: share, d }]
    }

    fn config(&self) -> toml::Table {
        toml::Table::new()
    }
}

static PART: Part<dyn MemoryArchitecture> = Part {
    kind: "slots",
    build: |_| Ok(Arc::new(Slots)),
    ..miras_memory::PARTS[0]
};

#[test]
fn a_memory_by_hand_equals_the_recurrence_in_every_combination() {
    let registry = Registry::builtin().with_memory(&PART).unwrap();
    let by_hand = |case: &Case| case.name.starts_with("slots ");
    let mut compared = 0;
    for form in FORMS {
        let cases = miras_contract::cases(&registry, form);
        for case in cases.into_iter().filter(by_hand) {
            let inputs = Inputs::new(&case.rule, 6);
            let truth = run_recurrence(&case.rule, &inputs);
            assert_same(
                &case.name,
                &run_dual(&case.rule, &inputs, &[]),
                &truth,
                1e-9,
            );
            compared += 1;
        }
    }
    assert!(compared > 100, "{compared}");
}

#[test]
fn facts_of_a_memory_by_hand_are_those_of_no_norm_and_no_matrix() {
    let registry = Registry::builtin().with_memory(&PART).unwrap();
    let text = "[memory]\nkind = 'slots'\n[bias]\nkind = 'l2'";
    let memory = Choice::from_toml(text, &registry).unwrap().rule.memory;
    assert!(!memory.is_linear() && !memory.is_bounded());
    assert_eq!(typical(&*memory).unwrap().output_maps(), [1]);
    let exact = format!("{text}\n[algorithm]\nform = 'exact'");
    assert!(Choice::from_toml(&exact, &registry).is_err());
}
