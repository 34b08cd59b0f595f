//! What stands beside a tick.

use crate::table::number::{short, trimmed};

/// A multiple of `step`, with as many digits as tell it from its neighbours; `largest` decides
/// about thousands and millions, so that they are the same along the axis.
pub(super) fn on_step(value: f64, step: f64, largest: f64) -> String {
    const LETTERS: [&str; 7] = ["", "k", "M", "G", "T", "P", "E"];
    if value == 0.0 || value.abs() < step / 1e6 {
        return "0".to_owned();
    }
    let thousands = (largest.abs().log10() / 3.0).floor();
    // 4-digit numbers are read well enough.
    let at = if largest.abs() < 10_000.0 {
        0.0
    } else {
        thousands
    };
    let at = at.clamp(0.0, (LETTERS.len() - 1) as f64);
    let unit = 1000_f64.powf(at);
    let decimals = (-(step / unit).log10()).ceil().max(0.0);
    if decimals > 5.0 || largest / unit >= 1e5 {
        return format!("{value:.2e}");
    }
    // A step of 2.5 has one digit more than its size tells.
    let rounded = format!("{:.*}", decimals as usize, step / unit);
    let is_exact = rounded
        .parse::<f64>()
        .is_ok_and(|one| (one * unit - step).abs() < step / 1e6);
    let decimals = decimals as usize + usize::from(!is_exact);
    format!("{:.decimals$}{}", value / unit, LETTERS[at as usize])
}

/// A number by itself.
pub(super) fn alone(value: f64) -> String {
    let size = value.abs();
    if value == 0.0 {
        "0".to_owned()
    } else if size < 1e-4 {
        format!("{value:e}")
    } else if size < 10_000.0 {
        trimmed(value, 6)
    } else {
        short(value)
    }
}
