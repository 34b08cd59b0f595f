//! How this program was started, for commands that are printed to be typed.

use std::{env, path::Path};

use miras_run::shell_word;

/// The words that start this program again from the same folder.
pub(crate) fn program() -> String {
    let first = env::args_os()
        .next()
        .unwrap_or_else(|| "miras-train".into());
    let is_by_cargo = env::var_os("CARGO").is_some();
    words(Path::new(&first), is_by_cargo, &features())
}

fn words(first: &Path, is_by_cargo: bool, features: &[&str]) -> String {
    let folder = first.parent().and_then(Path::file_name);
    let Some(folder) = folder.filter(|_| is_by_cargo) else {
        return shell_word(&first.to_string_lossy());
    };
    let mut words = "cargo run".to_owned();
    match &*folder.to_string_lossy() {
        "debug" => {}
        "release" => words.push_str(" --release"),
        profile => words = format!("{words} --profile {}", shell_word(profile)),
    }
    words.push_str(" -p miras-train");
    if !features.is_empty() {
        words = format!("{words} --features {}", features.join(","));
    }
    words + " --"
}

/// The features that this program is built with.
pub(crate) fn features() -> Vec<&'static str> {
    let all = [
        ("wgpu", cfg!(feature = "wgpu")),
        ("cuda", cfg!(feature = "cuda")),
        ("tch", cfg!(feature = "tch")),
        ("fusion", cfg!(feature = "fusion")),
        ("autotune", cfg!(feature = "autotune")),
    ];
    let there = all.into_iter().filter(|(_, there)| *there);
    there.map(|(name, _)| name).collect()
}

#[cfg(test)]
mod tests {
    use super::words;
    use std::path::Path;

    #[test]
    fn the_words_are_those_that_were_typed() {
        for (first, is_by_cargo, features, expected) in [
            ("miras-train", false, &[][..], "miras-train"),
            ("./my dir/miras-train", false, &[], "'./my dir/miras-train'"),
            (
                "target/debug/miras-train",
                false,
                &["wgpu"],
                "target/debug/miras-train",
            ),
            // Found on the PATH by something that cargo started.
            ("miras-train", true, &[], "miras-train"),
            (
                "target/debug/miras-train",
                true,
                &[],
                "cargo run -p miras-train --",
            ),
            (
                "/a/target/release/miras-train",
                true,
                &["wgpu", "fusion"],
                "cargo run --release -p miras-train --features wgpu,fusion --",
            ),
            (
                "target/fast/miras-train",
                true,
                &[],
                "cargo run --profile fast -p miras-train --",
            ),
        ] {
            assert_eq!(words(Path::new(first), is_by_cargo, features), expected);
        }
    }
}
