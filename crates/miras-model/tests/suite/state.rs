//! States as values and files, and their rows.

use burn::tensor::{Device, Int, Tensor, TensorData, s};
use miras_model::{LanguageModel, ModelState, NamedState, Pass, StateOrigin};

use crate::contract::specs;
use crate::model::{SMALL, model, numbers, preset, presets, random_bytes, small, tokens};
use crate::small;

const ROWS: usize = 2;
/// Tokens of the longest state, and of what follows it.
const LONGEST: usize = 9;
const MORE: usize = 6;

/// Chunks that are open at different positions.
const TWO_KINDS: &str = "
[memory]
kind = 'mlp'
[algorithm]
chunk = 4
[[layers]]
at = [1]
memory.kind = 'matrix'
bias.kind = 'huber'
algorithm = { kind = 'gd', form = 'chunk_start', chunk = 3 }
";

/// The presets, every mixer in the configurations that it names, and layers of two kinds.
fn models(device: &Device) -> Vec<(String, LanguageModel)> {
    let presets = presets().into_iter().map(|name| {
        let spec = small(&name);
        (name, spec)
    });
    let mixed = ("two kinds".to_owned(), small::small("", TWO_KINDS));
    (presets.into_iter().chain(specs()).chain([mixed]))
        .map(|(name, spec)| (name, model(&spec, device)))
        .collect()
}

fn text(device: &Device) -> Tensor<2, Int> {
    tokens(&random_bytes(ROWS * (LONGEST + MORE), 1), ROWS, device)
}

fn after(model: &LanguageModel, text: &Tensor<2, Int>, rows: usize, length: usize) -> ModelState {
    let part = text.clone().slice(burn::tensor::s![..rows, ..length]);
    model.forward(part, None, Pass::default()).state
}

fn next(model: &LanguageModel, text: &Tensor<2, Int>, state: ModelState) -> Vec<f32> {
    let at = state.position;
    let rows = state.rows;
    let part = (text.clone()).slice(burn::tensor::s![..rows, at..at + MORE]);
    numbers(model.forward(part, Some(state), Pass::default()).logits)
}

fn through_a_file(state: ModelState) -> NamedState {
    let mut named = state.into_named().unwrap();
    named.origin = Some(StateOrigin {
        run: "a run".to_owned(),
        step: 3,
        weights: "0123".to_owned(),
    });
    let bytes = named.to_bytes().unwrap();
    assert_eq!(bytes, named.to_bytes().unwrap());
    let read = NamedState::from_bytes(&bytes).unwrap();
    assert_eq!(read, named);
    read
}

#[test]
fn a_state_from_a_file_goes_on_bit_for_bit_wherever_the_chunk_stands() {
    let device = Device::flex();
    let text = text(&device);
    for (name, model) in models(&device) {
        for length in 1..=LONGEST {
            let state = after(&model, &text, ROWS, length);
            let expected = next(&model, &text, state.clone());
            let read = through_a_file(state);
            assert_eq!((read.rows, read.position), (ROWS, length));
            let state = read.into_state(&model).unwrap();
            assert!(next(&model, &text, state) == expected, "{name} at {length}");
        }
    }
}

#[test]
fn a_file_of_a_model_in_training_is_that_of_the_frozen_one() {
    let (plain, training) = (Device::flex(), Device::flex().autodiff());
    let spec = small("titans-lmm");
    let files = [plain, training].map(|device| {
        let model = model(&spec, &device);
        through_a_file(after(&model, &text(&device), ROWS, 6).detach())
    });
    assert_eq!(files[0], files[1]);
}

#[test]
fn rows_taken_out_and_put_together_are_the_rows_alone_and_the_whole() {
    let device = Device::flex();
    let text = text(&device);
    for (name, model) in models(&device) {
        for length in [4, 6] {
            let whole = after(&model, &text, ROWS, length);
            let parts = [0..1, 1..2].map(|rows| whole.clone().select_rows(rows));
            let together = ModelState::cat(&parts).into_named().unwrap();
            assert_eq!(together, whole.into_named().unwrap(), "{name}");
            let alone = next(&model, &text, after(&model, &text, 1, length));
            let [first, _] = parts;
            for (a, b) in next(&model, &text, first).iter().zip(&alone) {
                assert!((a - b).abs() < 1e-4, "{name}: {a}, alone {b}");
            }
        }
    }
}

#[test]
fn what_does_not_fit_is_named() {
    let device = Device::flex();
    let model_of = |changes: &[&str]| {
        let changes = [&SMALL[..], &["algorithm.chunk=4"], changes].concat();
        model(&preset("titans-lmm", &changes), &device)
    };
    let titans = model_of(&[]);
    let named = after(&titans, &text(&device), ROWS, 6)
        .into_named()
        .unwrap();
    let error = |model: &LanguageModel, change: &dyn Fn(&mut NamedState)| {
        let mut named = named.clone();
        change(&mut named);
        named.into_state(model).unwrap_err().to_string()
    };
    let keep = |_: &mut NamedState| ();
    let attention = model(&small("transformer"), &device);
    for (found, expected) in [
        (
            error(&model_of(&["model.layers=3"]), &keep),
            "the state lacks the tensor `layers.2.tails.q`, which this model needs; it may be \
             that of another model",
        ),
        (
            error(&model_of(&["model.layers=1"]), &keep),
            "the state has a tensor `layers.1.maps.0.slots.0`, for which this model has no \
             place; it may be that of another model",
        ),
        (
            error(&model_of(&["model.dim=32"]), &keep),
            "the tensor `layers.0.tails.q` has the shape [2, 3, 16], but this model needs \
             [2, 3, 32]",
        ),
        (
            error(&attention, &keep),
            "the state lacks the tensor `layers.0.keys`, which this model needs; it may be that \
             of another model",
        ),
        (
            error(&titans, &|named| named.rows = 3),
            "the tensor `layers.0.tails.q` has the shape [2, 3, 16], but this model needs \
             [3, 3, 16]",
        ),
        (
            error(&titans, &|named| named.position = 7),
            "the tensor `layers.0.open.sweeps.0.maps.0.x` has the shape [1, 4, 2, 8], but this model \
             needs [1, 4, 3, 8]",
        ),
        (
            error(&titans, &|named| named.position = 8),
            "the state has a tensor `layers.0.open.gates.momentum`, for which this model has no \
             place; it may be that of another model",
        ),
        (
            error(&titans, &|named| named.rows = usize::MAX),
            "the tensor `layers.0.tails.q` has the shape [2, 3, 16], but this model needs \
             [18446744073709551615, 3, 16]",
        ),
    ] {
        assert_eq!(found, expected);
    }
}

#[test]
fn what_is_not_the_file_of_a_state_is_refused() {
    let device = Device::flex();
    let model = model(&small("gated-deltanet"), &device);
    let named = after(&model, &text(&device), ROWS, 4).into_named().unwrap();
    let good = named.to_bytes().unwrap();
    let torn = good[..good.len() - 4].to_vec();
    let header = |text: &str| {
        let mut bytes = (text.len() as u64).to_le_bytes().to_vec();
        bytes.extend(text.as_bytes());
        bytes
    };
    for (bytes, expected) in [
        (b"no such thing".to_vec(), ""),
        (torn, ""),
        (header("{}"), "its metadata have no `miras_state`"),
        (
            header(r#"{"__metadata__":{"miras_state":"rows = 2"}}"#),
            "missing field `version`",
        ),
        (
            header(r#"{"__metadata__":{"miras_state":"version = 1\nrows = 2"}}"#),
            "missing field `position`",
        ),
        (
            header(r#"{"__metadata__":{"miras_state":"version = 1\nrows = 2\nposition = 4"}}"#),
            "missing field `content`",
        ),
        (
            [
                header(
                    r#"{"__metadata__":{"miras_state":"version = 1\nrows = 2\nposition = 4\ncontent = ''"},"x":{"dtype":"I32","shape":[1],"data_offsets":[0,4]}}"#,
                ),
                vec![0; 4],
            ]
            .concat(),
            "`x` is of type I32, not F32",
        ),
    ] {
        let error = NamedState::from_bytes(&bytes).unwrap_err().to_string();
        let start = "this is not the file of a state: ";
        assert!(error.starts_with(start) && error.contains(expected), "{error}");
    }
}

#[test]
fn a_damaged_file_and_one_of_a_later_version_are_refused() {
    let device = Device::flex();
    let model = model(&small("titans-lmm"), &device);
    let good = through_a_file(after(&model, &text(&device), ROWS, 6))
        .to_bytes()
        .unwrap();
    let error = |bytes: &[u8]| NamedState::from_bytes(bytes).unwrap_err().to_string();
    let mut flipped = good.clone();
    *flipped.last_mut().unwrap() ^= 1;
    assert_eq!(
        error(&flipped),
        "the file of the state is damaged: its values are not those that were saved (SHA-256 differs)"
    );
    let at = good
        .windows(11)
        .position(|part| part == b"version = 1")
        .unwrap();
    let mut later = good;
    later[at + 10] = b'2';
    assert_eq!(
        error(&later),
        "this is the file of a state in version 2, and this program reads version 1"
    );
}

#[test]
fn one_value_that_is_not_finite_shows() {
    let device = Device::flex();
    for (name, model) in models(&device) {
        let state = after(&model, &text(&device), ROWS, 6);
        let probe = |state: ModelState| state.finiteness().into_scalar::<f32>();
        assert!(probe(state.clone()) == 0.0, "{name}");
        let named = state.into_named().unwrap();
        for tensor in named.tensors.keys() {
            let mut broken = named.clone();
            let data = broken.tensors.remove(tensor).unwrap();
            let shape = data.shape().to_vec();
            let mut values: Vec<f32> = data.try_into_vec().unwrap();
            *values.last_mut().unwrap() = f32::INFINITY;
            (broken.tensors).insert(tensor.clone(), TensorData::new(values, shape));
            let state = broken.into_state(&model).unwrap();
            assert!(probe(state).is_nan(), "{name}: {tensor}");
        }
    }
}

/// What a call says as it panics.
pub(crate) fn said(call: impl FnOnce()) -> String {
    let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(call)).unwrap_err();
    match panic.downcast::<String>() {
        Ok(text) => *text,
        Err(panic) => (*panic.downcast::<&str>().unwrap()).to_owned(),
    }
}

/// Mistakes of a program that uses the library, each in words of its own.
#[test]
fn what_cannot_be_computed_is_said_before_anything_is() {
    let device = Device::flex();
    let text = text(&device);
    let [memory, attention] =
        ["titans-lmm", "transformer"].map(|name| model(&small(name), &device));
    let of = |model: &LanguageModel, rows, length| after(model, &text, rows, length);
    let empty = |rows: usize| Tensor::<2, Int>::zeros([rows, 0], &device);
    let pass = |model: &LanguageModel, tokens: Tensor<2, Int>, state: Option<ModelState>| {
        said(|| drop(model.forward(tokens, state, Pass::default())))
    };
    let one = text.clone().slice(s![0..1, 0..1]);
    for (words, found) in [
        (
            "the state lacks the tensor `maps.0.weights`, so it is that of another mixer",
            pass(&memory, one.clone(), Some(of(&attention, 1, 3))),
        ),
        (
            "the state lacks the tensor `keys`, so it is that of another mixer",
            pass(&attention, one.clone(), Some(of(&memory, 1, 3))),
        ),
        (
            "a layer needs at least one row and one token",
            pass(&memory, empty(1), None),
        ),
        (
            "a layer needs at least one row and one token",
            pass(&attention, empty(1), None),
        ),
        (
            "the state has 4 memories, and 1 rows with 2 heads have 2",
            pass(&memory, one.clone(), Some(of(&memory, 2, 3))),
        ),
        (
            "the state has 2 rows, and the input 1",
            pass(&attention, one, Some(of(&attention, 2, 3))),
        ),
        ("no state to join", said(|| drop(ModelState::cat(&[])))),
        (
            "states of other layers or lengths",
            said(|| drop(ModelState::cat(&[of(&memory, 1, 3), of(&memory, 1, 4)]))),
        ),
        (
            "states of different mixers or lengths cannot be joined: number 1 consists of",
            said(|| drop(ModelState::cat(&[of(&memory, 1, 3), of(&attention, 1, 3)]))),
        ),
    ] {
        assert!(found.starts_with(words), "{found}\n{words}");
    }
}
