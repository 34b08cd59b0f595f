//! Sizes and counts for people.

/// A number of bytes, in the largest unit of which there is at least one.
pub(crate) fn bytes(count: u64) -> String {
    let units = [("GiB", 1_u64 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
    match units.iter().find(|(_, size)| count >= *size) {
        Some((unit, size)) => format!("{:.1} {unit}", count as f64 / *size as f64),
        None => format!("{count} B"),
    }
}

/// A large number in three digits and a unit.
pub(crate) fn short(number: f64) -> String {
    let units = [(1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")];
    match units.iter().find(|(size, _)| number >= *size) {
        Some((size, unit)) => format!("{:.2} {unit}", number / size),
        None => format!("{number:.0}"),
    }
}

#[cfg(test)]
mod tests {
    use super::{bytes, short};

    #[test]
    fn the_unit_is_the_largest_that_fits() {
        assert_eq!(bytes(0), "0 B");
        assert_eq!(bytes(1023), "1023 B");
        assert_eq!(bytes(1024), "1.0 KiB");
        assert_eq!(bytes(5 << 20), "5.0 MiB");
        assert_eq!(bytes(3 << 29), "1.5 GiB");
    }

    #[test]
    fn large_numbers_get_a_unit() {
        assert_eq!(short(999.0), "999");
        assert_eq!(short(1_000.0), "1.00 k");
        assert_eq!(short(3_456_000.0), "3.46 M");
        assert_eq!(short(7.0e12), "7.00 T");
        assert_eq!(short(7.0e16), "70.00 P");
    }
}
