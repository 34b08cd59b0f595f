use burn::tensor::{DType, Device, Tensor, TensorData};

use super::*;

const SHAPE: [usize; 4] = [1, 1, 2, 3];
const Y: [f64; 6] = [0.5, -1.5, 2.0, -0.25, 1.0, 3.0];
const V: [f64; 6] = [1.0, 0.5, -1.0, 0.75, -2.0, 0.25];
const GATE: [f64; 2] = [1.2, 2.5];

fn tensor(values: &[f64], shape: [usize; 4]) -> Tensor<4> {
    let data = TensorData::new(values.to_vec(), shape);
    Tensor::from_data(data, (&Device::flex().autodiff(), DType::F64))
}

fn symbol(symbol: Symbol) -> Tensor<4> {
    match symbol {
        Symbol::Recalled | Symbol::Argument => tensor(&Y, SHAPE),
        Symbol::Value => tensor(&V, SHAPE),
        Symbol::Gate(_) => tensor(&GATE, [1, 1, 2, 1]),
        Symbol::Erased => unreachable!("no term reads it"),
    }
}

fn values(term: &Term) -> Vec<f64> {
    let value = Formula::of(std::slice::from_ref(term)).at(symbol);
    value[0].clone().into_data().try_into_vec().unwrap()
}

#[track_caller]
fn assert_is(term: &Term, expected: &[f64]) {
    let ours = values(term);
    assert_eq!(ours.len(), expected.len(), "{term:?}");
    for (ours, expected) in ours.iter().zip(expected) {
        assert!((ours - expected).abs() < 1e-12, "{ours}, not {expected}");
    }
}

/// `f` of every number that is recalled.
fn each(f: impl Fn(f64) -> f64) -> Vec<f64> {
    Y.iter().map(|y| f(*y)).collect()
}

type Case = (Term, fn(f64) -> f64);

#[test]
fn functions_are_those_of_their_names() {
    let y = &Term::recalled();
    let cases: [Case; 15] = [
        (y * 3.0, |y| y * 3.0),
        (y + -0.5, |y| y - 0.5),
        (-y, |y| -y),
        (y.square(), |y| y * y),
        (y.square().power(1.5), |y| (y * y).powf(1.5)),
        (y.square().sqrt(), f64::abs),
        (y.recip(), f64::recip),
        (y.exp(), f64::exp),
        (y.tanh(), f64::tanh),
        (y.atan(), f64::atan),
        (y.relu(), |y| y.max(0.0)),
        (y.sigmoid(), |y| 1.0 / (1.0 + (-y).exp())),
        (y.softplus(), |y| (1.0 + y.exp()).ln()),
        (y.sign() * 2.0, |y| 2.0 * y.signum()),
        (y.at_least(-1.0).at_most(1.0), |y| y.clamp(-1.0, 1.0)),
    ];
    for (term, f) in cases {
        assert_is(&term, &each(f));
    }
    assert_is(
        &y.abs().times_row_length(0.5),
        &each(|y| y.abs() * 3_f64.sqrt()),
    );
    // erf is odd, and erf(1) is known.
    assert!((values(&y.erf())[4] - 0.842_700_792_949_714_9).abs() < 1e-6);
}

#[test]
fn a_number_for_each_row_is_repeated_along_it() {
    let (y, gate) = (Term::recalled(), Term::gate("g"));
    let of = |f: fn(f64, f64) -> f64| -> Vec<f64> {
        (Y.iter().enumerate())
            .map(|(i, y)| f(*y, GATE[i / 3]))
            .collect()
    };
    assert_is(&(&y * &gate), &of(|y, g| y * g));
    assert_is(&(&gate - &y), &of(|y, g| g - y));
    assert_is(&(&y / &gate), &of(|y, g| y / g));
    assert_is(&y.min(&gate), &of(f64::min));
    assert_is(&gate.max(&y), &of(f64::max));
    let abs = y.abs();
    assert_is(
        &abs.where_at_most(&gate, &y, &gate),
        &of(|y, g| if y.abs() <= g { y } else { g }),
    );
    assert_eq!(gate.where_at_most(&gate, &y, &gate).extent(), Extent::Each);
}

#[test]
fn sums_and_softmaxes_are_over_rows() {
    let y = Term::recalled();
    let sum = |row: &[f64]| row.iter().sum::<f64>();
    assert_is(&y.sum(Extent::Row), &[sum(&Y[..3]), sum(&Y[3..])]);
    assert_is(&y.sum(Extent::All), &[sum(&Y)]);
    assert_is(&y.mean(Extent::All), &[sum(&Y) / 6.0]);
    let softmax: Vec<f64> = (Y.chunks(3))
        .flat_map(|row| {
            let all: f64 = row.iter().map(|y| y.exp()).sum();
            row.iter().map(move |y| y.exp() / all)
        })
        .collect();
    assert_is(&y.softmax(), &softmax);
    assert_is(
        &y.log_softmax(),
        &softmax.iter().map(|p| p.ln()).collect::<Vec<_>>(),
    );
}

#[test]
fn what_is_written_twice_is_computed_once() {
    let e = Term::error();
    let twice = &e * Term::error() + (Term::recalled() - Term::value());
    let formula = Formula::of(&[twice, e]);
    let subtractions = (formula.operations().iter())
        .filter(|operation| matches!(operation, Operation::Pair(Pair::Difference, ..)));
    assert_eq!(subtractions.count(), 1);
    let values = formula.at(symbol);
    let of = |i: usize| -> Vec<f64> { values[i].clone().into_data().try_into_vec().unwrap() };
    for (sum, e) in of(0).iter().zip(of(1)) {
        assert!((sum - (e * e + e)).abs() < 1e-12);
    }
}

#[test]
fn a_function_by_hand_is_asked_with_its_operands() {
    let cumulative = |operands: &[Tensor<4>]| operands[0].clone().cumsum(3) + operands[1].clone();
    let term = Term::by_hand(&[Term::recalled(), Term::value()], cumulative);
    let mut sums = Vec::new();
    for (row, v) in Y.chunks(3).zip(V.chunks(3)) {
        for i in 0..3 {
            sums.push(row[..=i].iter().sum::<f64>() + v[i]);
        }
    }
    assert_is(&term, &sums);
}

#[test]
fn a_backward_pass_keeps_arguments_and_factors_once() {
    // The argument of tanh between, and nothing of a scale, a sum or a comparison.
    let e = Term::error();
    let of = |term: Term| Formula::of(&[term]).kept_between();
    assert_eq!(of(e.tanh()), 1);
    assert_eq!(of((&e * 2.0 + 1.0).at_most(3.0)), 0);
    assert_eq!(of(e.sum(Extent::Row).sqrt() * Term::gate("g")), 0);
    // `e` as the factor of two products, and the root.
    assert_eq!(of(&e * &e * e.sqrt()), 3);
    assert_eq!(of(e.softmax() * 2.0), 2);
    let squared = Formula::of(&[Term::argument().square()]);
    assert!(squared.keeps(Symbol::Argument) && squared.kept_between() == 0);
    assert!(!squared.keeps_value(0));
    let sigmoid = Formula::of(&[Term::argument().sigmoid()]);
    assert!(!sigmoid.keeps(Symbol::Argument) && sigmoid.keeps_value(0));
}
