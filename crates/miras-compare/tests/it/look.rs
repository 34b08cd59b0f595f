//! Writes a report to be looked at: `cargo test -p miras-compare -- --ignored look`.

use crate::fixture::{Place, compare, full};

#[test]
#[ignore = "for eyes: it leaves a report in the system's folder for temporary files"]
fn look() {
    let place = Place::new();
    let folder = std::env::temp_dir().join("miras-compare-look");
    compare(&[full(&place)]).write(&folder).unwrap();
}
