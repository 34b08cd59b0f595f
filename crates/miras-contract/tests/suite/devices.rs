//! The contract on the device of tests: that of `MIRAS_TEST_DEVICE`, or the CPU in float32.

use miras_contract::check;
use miras_registry::Registry;

#[test]
fn every_combination_on_this_device_is_the_recurrence_in_float64() {
    let device = miras_device::for_tests();
    let checked = check(&Registry::builtin(), &device, &mut |_, _| {});
    assert!(checked.cases - checked.wide > 500, "{checked:?}");
    // Two widths, three forms, and every variant of every part.
    assert!(checked.wide > 2 * 3 * 8, "{checked:?}");
    assert!(checked.operations.len() > 20, "{checked:?}");
    // A case that differs by a hundredth would not be taken for rounding.
    assert!(checked.tolerance < 1e-3, "{checked:?}");
    assert!(checked.is_right(), "{checked:?}");
}
