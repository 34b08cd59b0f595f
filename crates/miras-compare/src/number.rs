//! Numbers and commits as text for people.

use miras_run::{SourceTree, counted};

use crate::statistics::{Difference, Sample};

/// The text of what is not known.
pub(crate) const UNKNOWN: &str = "-";

/// Three or four digits with a letter for the power of ten: `491.5k`, `1.2M`.
pub(crate) fn short(value: f64) -> String {
    let size = value.abs();
    if !value.is_finite() {
        value.to_string()
    } else if size != 0.0 && size < 0.001 {
        format!("{value:.1e}")
    } else if size < 1.0 {
        trimmed(value, 4)
    } else if size < 100.0 {
        trimmed(value, 2)
    } else if size < 999.5 {
        trimmed(value, 0)
    } else {
        with_letter(value, 1)
    }
}

/// A number with a letter for thousands, millions, … and at most `decimals` decimals.
pub(crate) fn with_letter(value: f64, decimals: usize) -> String {
    const LETTERS: [&str; 7] = ["", "k", "M", "G", "T", "P", "E"];
    let (mut scaled, mut letters) = (value, LETTERS.iter());
    let mut letter = letters.next();
    // 999.95 would be written as 1000.0.
    while scaled.abs() >= 999.95 && letters.len() > 0 {
        scaled /= 1000.0;
        letter = letters.next();
    }
    match letter {
        Some(letter) if scaled.abs() < 1e6 => format!("{}{letter}", trimmed(scaled, decimals)),
        _ => format!("{value:.1e}"),
    }
}

/// A number with at most `decimals` decimals.
pub(crate) fn trimmed(value: f64, decimals: usize) -> String {
    let text = format!("{value:.decimals$}");
    if !text.contains('.') {
        return text;
    }
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" {
        "0".to_owned()
    } else {
        text.to_owned()
    }
}

/// A number that may be unknown.
pub(crate) fn or_unknown(value: Option<f64>) -> String {
    value.map_or_else(|| UNKNOWN.to_owned(), short)
}

/// `2.3463 ± 0.0021`, with two digits of the spread.
pub(crate) fn sample(sample: Option<Sample>) -> String {
    let Some(Sample { mean, std, .. }) = sample else {
        return UNKNOWN.to_owned();
    };
    match std {
        None => plain(mean),
        Some(std) if std > 0.0 => {
            let digits = (1.0 - std.log10().floor()).clamp(0.0, 8.0) as usize;
            let digits = digits.max(if mean.abs() < 100.0 { 2 } else { 0 });
            format!("{mean:.digits$} ± {std:.digits$}")
        }
        Some(_) => format!("{} ± 0", plain(mean)),
    }
}

/// `+0.012 ± 0.034`, with two digits of the interval.
pub(crate) fn difference(difference: Difference) -> String {
    let Difference {
        mean,
        half_width: half,
        ..
    } = difference;
    if half > 0.0 && half.is_finite() {
        let digits = (1.0 - half.log10().floor()).clamp(0.0, 8.0) as usize;
        format!("{mean:+.digits$} ± {half:.digits$}")
    } else {
        signed(mean)
    }
}

/// A p, with few digits.
pub(crate) fn p(value: f64) -> String {
    if value < 1e-4 {
        "<0.0001".to_owned()
    } else if value < 0.1 {
        format!("{value:.4}")
    } else {
        format!("{value:.2}")
    }
}

/// With its sign.
pub(crate) fn signed(value: f64) -> String {
    let sign = if value < 0.0 { "" } else { "+" };
    format!("{sign}{}", plain(value))
}

/// A value of a metric.
pub(crate) fn plain(value: f64) -> String {
    if value != 0.0 && value.is_finite() && (value.abs() < 0.001 || value.abs() >= 1e6) {
        format!("{value:.3e}")
    } else {
        format!("{value:.4}")
    }
}

/// The beginning of the name of a commit, and whether its tree was changed.
pub(crate) fn commit(tree: &SourceTree) -> String {
    let short: String = tree.commit.chars().take(10).collect();
    short + if tree.dirty { ", changed" } else { "" }
}

/// `1 run`, `2 runs`.
pub(crate) fn count(n: usize, what: &str) -> String {
    counted(n as u64, what, &format!("{what}s"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        for (value, text) in [
            (0.0, "0"),
            (0.25, "0.25"),
            (12.0, "12"),
            (1720.17, "1.7k"),
            (491_520.0, "491.5k"),
            (999_999.0, "1M"),
            (2.5e12, "2.5T"),
            (3e-7, "3.0e-7"),
        ] {
            assert_eq!(short(value), text);
        }
    }

    #[test]
    fn a_spread_has_two_digits() {
        let of = |mean, std| sample(Some(Sample { n: 3, mean, std }));
        assert_eq!(of(2.345_678, Some(0.001_234)), "2.3457 ± 0.0012");
        assert_eq!(of(2.345_678, Some(0.2)), "2.35 ± 0.20");
        assert_eq!(of(2.345_678, Some(0.0)), "2.3457 ± 0");
        assert_eq!(of(2.345_678, None), "2.3457");
        assert_eq!(sample(None), "-");
    }
}
