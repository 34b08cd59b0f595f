use burn::tensor::{DType, Device, Tensor, TensorData};

use super::*;
use crate::{Activation, Factor, Weights};

fn tensor(from: f64, shape: [usize; 4]) -> Tensor<4> {
    let count = shape.iter().product::<usize>();
    let values: Vec<f64> = (0..count).map(|i| (from + i as f64 * 0.7).sin()).collect();
    let device = Device::flex().autodiff();
    Tensor::from_data(TensorData::new(values, shape), (&device, DType::F64))
}

fn numbers(x: Tensor<4>) -> Vec<f64> {
    x.into_data().try_into_vec().unwrap()
}

fn assert_near(what: &str, a: &[f64], b: &[f64]) {
    assert_eq!(a.len(), b.len(), "{what}");
    for (a, b) in a.iter().zip(b) {
        assert!((a - b).abs() < 1e-12, "{what}: {a} and {b}");
    }
}

/// Programs in which every operation comes where gradients flow through it.
fn programs() -> Vec<Program> {
    let built = [
        Program::build(3, 2, |p, x| p.linear("w", x, 2)),
        Program::build(3, 3, |p, x| {
            let hidden = p.linear("w1", x, 4);
            let hidden = p.activation(Activation::Gelu, hidden);
            let hidden = p.linear("w2", hidden, 3);
            let hidden = p.activation(Activation::ReluSquared, hidden);
            let y = p.linear("w3", hidden, 3);
            let y = p.layer_norm("norm", y, 1.0);
            p.sum(x, y)
        }),
        // A value that is used three times, and one times itself.
        Program::build(3, 2, |p, x| {
            let gate = p.linear("gate", x, 4);
            let up = p.linear("up", x, 4);
            let active = p.activation(Activation::Silu, gate);
            let product = p.product(active, up);
            let square = p.product(gate, gate);
            let sum = p.sum(product, square);
            p.linear("down", sum, 2)
        }),
        // Windows of three blocks of two, one of which is ahead, over windows of four.
        Program::build(6, 6, |p, x| {
            let windows = p.unfold(x, 4, 1, 0);
            let channels = p.linear("w1", windows, 2);
            let channels = p.activation(Activation::Silu, channels);
            let windows = p.unfold(channels, 6, 2, 1);
            let channels = p.linear("w2", windows, 1);
            p.fold(channels)
        }),
        // A window that is wider than the token, and a norm of several rows.
        Program::build(2, 4, |p, x| {
            let windows = p.unfold(x, 5, 1, 2);
            let rows = p.linear("w1", windows, 3);
            let rows = p.layer_norm("norm", rows, 1.0);
            let rows = p.linear("w2", rows, 2);
            p.fold(rows)
        }),
        // Two maps make the output.
        Program::build(3, 3, |p, x| {
            let skip = p.linear("skip", x, 3);
            let hidden = p.activation(Activation::Gelu, skip);
            let deep = p.linear("deep", hidden, 3);
            p.sum(deep, skip)
        }),
        // A weight for each feature, of the input and of what is behind a map; of several rows.
        Program::build(4, 4, |p, x| {
            let scaled = p.diagonal("w1", x);
            let hidden = p.activation(Activation::Gelu, scaled);
            let hidden = p.linear("w2", hidden, 4);
            p.diagonal("w3", hidden)
        }),
        Program::build(4, 4, |p, x| {
            let windows = p.unfold(x, 4, 2, 0);
            let scaled = p.diagonal("w1", windows);
            let rows = p.linear("w2", scaled, 2);
            p.fold(rows)
        }),
    ];
    built.map(|program| program.unwrap()).into()
}

#[test]
fn factors_are_the_gradients_of_the_forward_pass() {
    let (n, g, c) = (2, 2, 3);
    for program in programs() {
        let maps: Vec<_> = (program.maps().iter().enumerate())
            .map(|(l, map)| {
                // Of each token, so that their gradients stay apart.
                let one = tensor(l as f64, [n, g, map.d_in, map.d_out]);
                one.repeat_dim(1, c).require_grad()
            })
            .collect();
        let gains: Vec<_> = (program.gains().iter())
            .map(|gain| tensor(0.4, [1, 1, 1, gain.d]))
            .collect();
        let weights = Weights {
            maps: &maps,
            gains: &gains,
        };
        // A memory for every token.
        let x = tensor(0.3, [n, g * c, 1, program.d_k()]);
        let towards = tensor(0.9, [n, g * c, 1, program.d_v()]);

        let y = program.forward(&weights, x.clone());
        let gradients = (y.clone() * towards.clone()).sum().backward();
        let mut output = None;
        let factors = program.factors(&weights, x, &mut |y| {
            output = Some(numbers(y));
            towards.clone()
        });
        assert_near("outputs", &output.unwrap(), &numbers(y));
        for (l, Factor { x, d }) in factors.into_iter().enumerate() {
            assert_eq!(x.dims()[2], program.maps()[l].rows, "{program}");
            let gradient = numbers(x.transpose().matmul(d));
            let theirs = numbers(maps[l].grad(&gradients).unwrap());
            assert_near(&format!("map {l} of\n{program}"), &gradient, &theirs);
        }
    }
}

#[test]
fn windows_end_with_their_own_block_or_go_beyond_it() {
    let token = tensor(0.0, [1, 1, 1, 6]);
    let values = numbers(token.clone());
    let windows = |width, stride, ahead| {
        let windows = Windows {
            width,
            stride,
            ahead,
        };
        numbers(windows.unfold(token.clone(), 1))
    };
    let at = |features: &[isize]| -> Vec<f64> {
        let feature = |at: &isize| usize::try_from(*at).ok().and_then(|at| values.get(at));
        (features.iter())
            .map(|at| feature(at).copied().unwrap_or(0.0))
            .collect()
    };
    assert_eq!(windows(3, 3, 0), values);
    let causal = [-2, -1, 0, 1, 0, 1, 2, 3, 2, 3, 4, 5];
    assert_eq!(windows(4, 2, 0), at(&causal));
    let around = [-2, -1, 0, 1, 2, 3, 0, 1, 2, 3, 4, 5, 2, 3, 4, 5, 6, 7];
    assert_eq!(windows(6, 2, 1), at(&around));
}

#[test]
fn facts_follow_from_the_operations() {
    let all = programs();
    let of = |fact: fn(&Program) -> bool| all.iter().map(fact).collect::<Vec<_>>();
    let [t, f] = [true, false];
    assert_eq!(of(Program::is_linear), [t, f, f, f, f, f, f, f]);
    assert_eq!(of(Program::is_linear_in_weights), [t, f, f, f, f, f, f, f]);
    let vector = Program::build(3, 3, |p, x| p.diagonal("w", x)).unwrap();
    assert!(vector.is_linear_in_weights() && !vector.is_linear());
    assert_eq!(of(Program::is_bounded), [f, t, f, f, f, f, f, f]);
    let flows = |at: usize| {
        let program = &all[at];
        (0..program.maps().len())
            .map(|map| program.flows_back(map))
            .collect::<Vec<_>>()
    };
    assert_eq!(flows(1), [f, t, t]);
    assert_eq!(flows(2), [f, f, t]);
    assert_eq!(flows(6), [f, t, f]);
    let outputs: Vec<_> = all.iter().map(Program::output_maps).collect();
    let expected: [&[usize]; 8] = [&[0], &[2], &[2], &[1], &[1], &[0, 1], &[1, 2], &[1]];
    assert_eq!(outputs, expected);
    let rows = |at: usize| {
        all[at]
            .maps()
            .iter()
            .map(|map| map.rows)
            .collect::<Vec<_>>()
    };
    assert_eq!(rows(3), [6, 6]);
    assert_eq!(rows(4), [2, 2]);
}

#[test]
fn a_program_reads_as_text() {
    let text: Vec<_> = programs().iter().map(ToString::to_string).collect();
    assert_eq!(
        text[1],
        "x [3]\nh1 [4] = x w1\nh2 [4] = gelu(h1)\nh3 [3] = h2 w2\nh4 [3] = relu_squared(h3)\n\
         h5 [3] = h4 w3\nh6 [3] = layer_norm(h5) ⊙ norm\nh7 [3] = x + h6"
    );
    assert_eq!(
        text[3],
        "x [6]\nh1 [6 x 4] = unfold(x, 4, 1, 0)\nh2 [6 x 2] = h1 w1\nh3 [6 x 2] = silu(h2)\n\
         h4 [6 x 6] = unfold(h3, 6, 2, 1)\nh5 [6 x 1] = h4 w2\nh6 [6] = fold(h5)"
    );
    assert!(text[2].contains("h4 [4] = h3 ⊙ h2"), "{}", text[2]);
    assert!(
        text[7].contains("h2 [2 x 1] = 1\nh3 [2 x 4] = h2 w1\nh4 [2 x 4] = h1 ⊙ h3"),
        "{}",
        text[7]
    );
    let by_hand = Program::by_hand(2, 3, programs()[1].maps().to_vec(), Vec::new());
    assert_eq!(
        by_hand.to_string(),
        "x [2]\nh1 [3] = by hand, over w1, w2, w3"
    );
}

#[test]
fn what_cannot_be_run_is_refused() {
    type Write = fn(&mut Builder, Value) -> Value;
    let table: [(Write, &str); 9] = [
        (
            |p, x| {
                let y = p.linear("w", x, 2);
                p.sum(x, y)
            },
            "there is no sum of x of 4 features and h1 of 2 features",
        ),
        (
            |p, x| {
                let rows = p.unfold(x, 2, 2, 0);
                let rows = p.linear("w", rows, 4);
                p.product(x, rows)
            },
            "there is no product of x of 4 features and h2 of 2 rows of 4 features",
        ),
        (
            |p, x| {
                let y = p.linear("w", x, 2);
                p.linear("w", y, 2)
            },
            "two maps are named `w`",
        ),
        (
            |p, x| {
                let y = p.linear("w", x, 2);
                let y = p.layer_norm("norm", y, 1.0);
                p.layer_norm("norm", y, 1.0)
            },
            "two gains are named `norm`",
        ),
        (
            |p, x| {
                let rows = p.unfold(x, 3, 3, 0);
                p.linear("w", rows, 2)
            },
            "x of 4 features cannot be cut into blocks of 3",
        ),
        (
            |p, x| {
                let rows = p.unfold(x, 2, 2, 1);
                p.linear("w", rows, 2)
            },
            "a window of 2 features is no number of blocks of 2 of which 1 come after its own",
        ),
        (
            |p, x| {
                p.linear("lost", x, 3);
                p.linear("w", x, 2)
            },
            "h1 of 3 features is computed and not used",
        ),
        (
            |p, x| p.activation(Activation::Gelu, x),
            "there is no map, so nothing can be learned",
        ),
        (
            |p, x| p.linear("w", x, 3),
            "the output is h1 of 3 features, and values have 2",
        ),
    ];
    for (write, message) in table {
        let error = Program::build(4, 2, write).unwrap_err();
        assert_eq!(error.to_string(), message);
    }
    let error = Program::build(4, 0, |p, x| p.linear("w", x, 0)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the map `w` from 4 to 0 features has no weights"
    );
}

#[test]
fn a_program_in_two_is_the_whole() {
    let gated = Program::build(3, 2, |p, x| {
        let gate = p.linear("gate", x, 4);
        let gate = p.layer_norm("inner", gate, 0.7);
        let up = p.linear("up", x, 4);
        let product = p.product(gate, up);
        let y = p.linear("down", product, 2);
        p.layer_norm("norm", y, 1.3)
    })
    .unwrap();
    let maps: Vec<_> = [(1.0, [3, 4]), (2.0, [3, 4]), (3.0, [4, 2])]
        .map(|(from, [d_in, d_out])| tensor(from, [1, 1, d_in, d_out]))
        .into();
    let gains = [tensor(4.0, [1, 1, 1, 4]), tensor(5.0, [1, 1, 1, 2])];
    let x = tensor(6.0, [1, 1, 5, 3]);
    let run = |program: &Program, maps: &[Tensor<4>], gains: &[Tensor<4>], x: Tensor<4>| {
        program.forward(&Weights { maps, gains }, x)
    };
    let whole = run(&gated, &maps, &gains, x.clone());
    let [features, rest] = gated.split_before_last_map().unwrap();
    assert_eq!(
        [features.d_k(), features.d_v(), rest.d_k(), rest.d_v()],
        [3, 4, 4, 2]
    );
    assert_eq!((features.maps().len(), rest.maps().len()), (2, 1));
    let halfway = run(&features, &maps[..2], &gains[..1], x);
    let two = run(&rest, &maps[2..], &gains[1..], halfway);
    assert_near("both halves", &numbers(two), &numbers(whole));
}

#[test]
fn a_program_that_cannot_be_cut_says_why() {
    let reason = |program: Result<Program, ProgramError>| {
        let error = program.unwrap().split_before_last_map().unwrap_err();
        error.to_string()
    };
    let one = Program::build(3, 2, |p, x| p.linear("w", x, 2));
    assert!(reason(one).contains("it has one map"));
    let residual = Program::build(3, 3, |p, x| {
        let hidden = p.linear("w1", x, 4);
        let y = p.linear("w2", hidden, 3);
        p.sum(x, y)
    });
    assert!(reason(residual).contains("a residual"));
    let by_hand = Program::by_hand(3, 2, programs().swap_remove(1).maps().to_vec(), Vec::new());
    assert!(reason(Ok(by_hand)).contains("written by hand"));
}
