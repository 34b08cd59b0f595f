//! The median of a few measurements, and how far they lie apart.

use std::time::Instant;

use crate::TrainError;

/// The middle and the ends of a few speeds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spread {
    /// Of an even number of measurements, the slower of the middle two.
    pub median: f64,
    /// The slowest.
    pub min: f64,
    /// The fastest.
    pub max: f64,
}

impl Spread {
    fn of(mut speeds: Vec<f64>) -> Self {
        speeds.sort_by(f64::total_cmp);
        Self {
            median: speeds[(speeds.len() - 1) / 2],
            min: speeds[0],
            max: speeds[speeds.len() - 1],
        }
    }
}

/// Tokens a second of `repeats` passes (1 at least), after `warm_up` that are not counted.
///
/// `pass` must wait for the device.
pub(super) fn measure(
    repeats: usize,
    warm_up: usize,
    tokens: usize,
    pass: impl Fn() -> Result<(), TrainError>,
) -> Result<Spread, TrainError> {
    for _ in 0..warm_up {
        pass()?;
    }
    let mut speeds = Vec::with_capacity(repeats);
    for _ in 0..repeats.max(1) {
        let start = Instant::now();
        pass()?;
        let seconds = start.elapsed().as_secs_f64().max(1e-9);
        speeds.push(tokens as f64 / seconds);
    }
    Ok(Spread::of(speeds))
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use miras_spec::SpecError;

    use super::*;

    #[test]
    fn the_middle_and_the_ends_do_not_depend_on_the_order() {
        for (speeds, [median, min, max]) in [
            (vec![3.0, 1.0, 2.0], [2.0, 1.0, 3.0]),
            (vec![4.0, 1.0, 3.0, 2.0], [2.0, 1.0, 4.0]),
            (vec![5.0], [5.0, 5.0, 5.0]),
        ] {
            assert_eq!(Spread::of(speeds), Spread { median, min, max });
        }
    }

    #[test]
    fn passes_to_warm_up_are_made_too() {
        let made = Cell::new(0);
        let pass = || {
            made.set(made.get() + 1);
            Ok(())
        };
        let spread = measure(3, 2, 10, pass).expect("no pass fails");
        assert_eq!(made.get(), 5);
        assert!(spread.min > 0.0 && spread.min <= spread.median && spread.median <= spread.max);
    }

    #[test]
    fn a_pass_that_fails_ends_the_measurement() {
        let fails = || Err(SpecError::Compute("no".to_owned()).into());
        assert!(measure(1, 1, 1, fails).is_err());
    }
}
