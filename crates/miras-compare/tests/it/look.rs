//! Writes reports to be looked at: `cargo test -p miras-compare -- --ignored look`.

use std::path::PathBuf;

use crate::fixture::{Draft, Place, compare, full};

#[test]
#[ignore = "for eyes: it leaves reports in the system's folder for temporary files"]
fn look() {
    let folder = std::env::temp_dir().join("miras-compare-look");
    let place = Place::new();
    compare(&[full(&place)])
        .write(&folder.join("sweep"))
        .unwrap();

    // Many variants, long labels, wide spreads, a key of words.
    let mut paths: Vec<PathBuf> = Vec::new();
    for (at, kind) in ["linear", "mlp", "gated_mlp", "a_memory_with_a_long_name"]
        .iter()
        .enumerate()
    {
        for (decay, depth) in [
            ("'by_channel'", "1"),
            ("'by_token'", "2"),
            ("'none_at_all'", "16"),
            ("'fixed'", "64"),
        ] {
            for seed in 1..=3 {
                let loss = 2.0 + 0.1 * at as f64 + 0.1 * seed as f64 + 0.02 * depth.len() as f64;
                let draft = Draft::new(&format!("{kind}-{depth}-s{seed}"), seed, loss)
                    .set("memory.kind", &format!("'{kind}'"))
                    .set("retention.decay_of_weights", decay)
                    .set("memory.depth", depth);
                paths.push(place.run(&draft));
            }
        }
    }
    compare(&paths).write(&folder.join("many")).unwrap();
}
