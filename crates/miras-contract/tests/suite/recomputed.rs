//! Long passes, whose backward pass computes their chunks again, run by run.

use std::sync::{Arc, Mutex};

use burn::tensor::Tensor;
use miras_contract::{Case, D, Size, for_all};
use miras_core::{Factor, MapSpec, Maps, MemoryArchitecture, Program, ProgramError};

use crate::support::{
    Inputs, assert_same, cases, choose, few, run_cut_off, run_dual, run_recurrence, run_truncated,
};

/// A run of four chunks, and one of a single chunk.
const SIZE: Size = Size {
    memories: 2,
    d_k: D,
    d_v: D,
    tokens: 10,
};

/// Five chunks of several steps amplify: rounding of the inputs alone, to the last bit, changes gradients of
/// a deep memory behind a link of norms by a share of 7e-9.
const TOLERANCE: f64 = 2e-8;

/// Pieces of which the first leaves a chunk open; the second fills it and goes on with a run.
const PIECES: [usize; 2] = [1, 9];

const WAYS: [&str; 3] = [
    "form = 'chunk_start'\nchunk = 2",
    "form = 'chunk_start'\nchunk = 2\npicard = 1\nread = 'exact'",
    "form = 'exact'\nchunk = 2",
];

/// Those, and some cases of a rule that carries a number along the sequence.
fn ways() -> impl Iterator<Item = Vec<Case>> {
    let gated = ["form = 'chunk_start'", "form = 'exact'"].map(|form| {
        let gate = "surprise_threshold = 0.4\nsurprise_average = 0.7";
        few(&format!("{form}\nchunk = 2\n{gate}"))
    });
    WAYS.into_iter().map(cases).chain(gated)
}

#[test]
fn long_passes_equal_the_recurrence_in_values_and_gradients() {
    for cases in ways() {
        for_all(cases, |case| {
            let inputs = Inputs::sized(&case.rule, SIZE);
            let truth = run_recurrence(&case.rule, &inputs);
            for pieces in [&[][..], &PIECES] {
                let run = run_dual(&case.rule, &inputs, pieces);
                assert_same(&case.name, &run, &truth, TOLERANCE);
            }
        });
    }
}

/// Pieces of one chunk and of two, of which some are beside each other and the last is shorter.
#[test]
fn pieces_beside_each_other_equal_one_after_the_other() {
    let size = Size { tokens: 21, ..SIZE };
    for cases in ways() {
        for_all(cases, |case| {
            let inputs = Inputs::sized(&case.rule, size);
            for every in [2, 4] {
                let pieces = run_cut_off(&case.rule, &inputs, every);
                let run = run_truncated(&case.rule, &inputs, every);
                assert_same(&case.name, &run, &pieces, 1e-9);
            }
        });
    }
}

/// A matrix that notes of each chunk whether its keys have a graph.
#[derive(Debug, Default)]
struct Watched {
    tracked: Mutex<Vec<bool>>,
}

impl MemoryArchitecture for Watched {
    fn program(&self, d_k: usize, d_v: usize) -> Result<Program, ProgramError> {
        let map = MapSpec {
            name: "w".into(),
            d_in: d_k,
            d_out: d_v,
            rows: 1,
        };
        Ok(Program::by_hand(d_k, d_v, vec![map], Vec::new()))
    }

    fn forward(&self, _: &Program, maps: &dyn Maps, x: Tensor<4>) -> Tensor<4> {
        maps.apply(0, x)
    }

    fn factors(
        &self,
        program: &Program,
        maps: &dyn Maps,
        keys: Tensor<4>,
        output_gradient: &mut dyn FnMut(Tensor<4>) -> Tensor<4>,
    ) -> Vec<Factor> {
        self.tracked.lock().unwrap().push(keys.is_tracked());
        let d = output_gradient(self.forward(program, maps, keys.clone()));
        vec![Factor { x: keys, d }]
    }

    fn config(&self) -> toml::Table {
        toml::Table::new()
    }
}

#[test]
fn a_long_pass_leaves_no_graph_of_its_whole_chunks() {
    let mut rule =
        choose("[memory]\nkind = 'matrix'\n[algorithm]\nform = 'chunk_start'\nchunk = 2")
            .unwrap()
            .rule;
    let seen = |tokens: usize, rule: &mut miras_engine::Rule| {
        let memory = Arc::new(Watched::default());
        rule.memory = memory.clone();
        run_dual(rule, &Inputs::sized(rule, Size { tokens, ..SIZE }), &[]);
        let seen = memory.tracked.lock().unwrap();
        seen.clone()
    };
    // One run: its graph is there from the start.
    assert_eq!(seen(8, &mut rule), [true; 4]);
    // Nine chunks without a graph and an open one with it; then the nine again, with theirs.
    let expected = [[false; 9].as_slice(), &[true], &[true; 9]].concat();
    assert_eq!(seen(19, &mut rule), expected);
}
