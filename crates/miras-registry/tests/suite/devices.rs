//! The contract on the device of tests: that of `MIRAS_TEST_DEVICE`, or the CPU in float32.

use burn::tensor::{DType, Tensor};
use miras_contract::{check, placed};
use miras_registry::Registry;

use crate::support::{difference, noise, numbers, tensor};

#[test]
fn every_combination_on_this_device_is_the_recurrence_in_float64() {
    let device = miras_device::for_tests();
    let checked = check(&Registry::builtin(), &device, &mut |_, _| {});
    assert!(checked.cases > 500, "{checked:?}");
    assert!(checked.is_right(), "{checked:?}");
}

#[test]
fn a_product_on_this_device_is_that_of_the_cpu() {
    let device = miras_device::for_tests();
    let values = |name: &str, shape: [usize; 4]| tensor(noise(name, shape.iter().product()), shape);
    for [rows, inner, columns] in [[1, 1, 1], [3, 5, 7], [64, 64, 64], [65, 130, 33]] {
        let a = values("a", [2, 3, rows, inner]);
        let b = values("b", [2, 3, inner, columns]);
        let on = |x: &Tensor<4>| placed(x, (&device, DType::F32));
        let truth = numbers(a.clone().matmul(b.clone()));
        let here = numbers(on(&a).matmul(on(&b)));
        let gap = difference(&here, &truth);
        assert!(gap < 1e-4, "{rows} x {inner} x {columns}: {gap:e}");
    }
}
