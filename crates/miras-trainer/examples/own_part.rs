//! Parts of one's own, trained by name: `target/debug/examples/own_part` after `cargo build --workspace --examples`.
//!
//! The memory `low_rank` and the attentional bias `log_cosh` are written here, outside of all axis
//! crates, and are then chosen, checked, listed and trained as those of the project: in every
//! second layer the memory of this file, in the others a matrix.

#![allow(
    clippy::print_stdout,
    reason = "a program that prints its measurements"
)]

use std::{error::Error, path::Path, sync::Arc};

use miras_config::Layers;
use miras_core::{
    AttentionalBias, Axis, Extent, MemoryArchitecture, Part, Program, ProgramError, Term, table_of,
};
use miras_registry::Registry;
use miras_spec::RunConfig;
use miras_trainer::{Outcome, RunRequest, run};
use serde::{Deserialize, Serialize};

static LOG_COSH: Part<dyn AttentionalBias> = Part {
    kind: "log_cosh",
    summary: "Squared near the target, absolute far from it, smooth everywhere.",
    formula: "l(y, v) = s^2 sum log cosh((y - v)/s),   dl/dy = s tanh((y - v)/s)",
    reference: "written for this example",
    keys: &[("scale", "s, where it turns from one to the other, > 0")],
    variants: &["", "scale = 0.5"],
    build: |section| {
        let bias = section.part::<LogCosh>()?;
        if bias.scale.is_nan() || bias.scale <= 0.0 {
            return Err(section.error("scale", "scale must be above 0", None));
        }
        Ok(Arc::new(bias))
    },
};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct LogCosh {
    scale: f64,
}

impl Default for LogCosh {
    fn default() -> Self {
        Self { scale: 1.0 }
    }
}

impl AttentionalBias for LogCosh {
    fn gradient(&self) -> Term {
        (Term::error() * self.scale.recip()).tanh() * self.scale
    }

    /// `log cosh x = |x| + log(1 + exp(−2|x|)) − log 2`, which does not overflow.
    fn loss(&self) -> Option<Term> {
        let x = (Term::error() * self.scale.recip()).abs();
        let log_cosh = &x + (&x * -2.0).softplus() + -std::f64::consts::LN_2;
        Some(log_cosh.sum(Extent::Row) * self.scale.powi(2))
    }

    fn config(&self) -> toml::Table {
        table_of(self)
    }
}

static LOW_RANK: Part<dyn MemoryArchitecture> = Part {
    kind: "low_rank",
    summary: "A matrix of low rank, as a product of two.",
    formula: "M(x) = x W_1 W_2",
    reference: "written for this example",
    keys: &[("rank", "features between the two maps, 1 or more")],
    variants: &["rank = 2"],
    build: |section| {
        let memory = section.part::<LowRank>()?;
        if memory.rank == 0 {
            return Err(section.error("rank", "rank must be 1 or more", None));
        }
        Ok(Arc::new(memory))
    },
};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct LowRank {
    rank: usize,
}

impl Default for LowRank {
    fn default() -> Self {
        Self { rank: 4 }
    }
}

impl MemoryArchitecture for LowRank {
    fn program(&self, d_k: usize, d_v: usize) -> Result<Program, ProgramError> {
        Program::build(d_k, d_v, |p, x| {
            let narrow = p.linear("w1", x, self.rank);
            p.linear("w2", narrow, d_v)
        })
    }

    fn config(&self) -> toml::Table {
        table_of(self)
    }
}

const CONFIG: &str = "
[model]
dim = 16
layers = 4
ffn_dim = 16
[mixer]
heads = 2
[memory]
kind = 'matrix'
[bias]
kind = 'log_cosh'
scale = 0.8
[algorithm]
kind = 'gd'
chunk = 8
[[layers]]
at = [1, 3]
memory = { kind = 'low_rank', rank = 2 }
[data]
kind = 'builtin'
seq_len = 32
[train]
steps = 8
batch = 2
[eval]
tokens = 128
";

/// Ours and theirs.
fn registry() -> Result<Registry, miras_registry::KindTaken> {
    Registry::builtin()
        .with_bias(&LOG_COSH)?
        .with_memory(&LOW_RANK)
}

fn load(changes: &[&str]) -> Result<RunConfig, Box<dyn Error>> {
    let mut layers = Layers::new();
    layers.text("own_part.toml", CONFIG)?;
    for change in changes {
        layers.set(change)?;
    }
    Ok(RunConfig::load(layers, &registry()?)?.0)
}

fn train(runs: &Path, config: RunConfig) -> Result<Outcome, Box<dyn Error>> {
    Ok(run(config, RunRequest::new(runs, "own-part"))?)
}

fn main() -> Result<(), Box<dyn Error>> {
    for axis in [Axis::Memory, Axis::Bias] {
        for part in registry()?.parts(axis) {
            println!("{:10} {:10} {}", axis.table(), part.kind, part.summary);
        }
    }
    // What the library finds wrong with a configuration, it shows with its line.
    if let Err(mistake) = load(&["bias.kind=log_cosch"]) {
        println!("\n{mistake}\n");
    }
    let outcome = train(Path::new("runs"), load(&[])?)?;
    println!("results in {}", outcome.folder.display());
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

    use miras_trainer::Resume;

    use super::*;

    #[test]
    fn parts_of_ones_own_are_trained_in_alternating_layers_and_gone_on_with() {
        let runs = tempfile::tempdir().unwrap();
        let outcome = train(runs.path(), load(&[]).unwrap()).unwrap();
        assert_eq!(outcome.step, 8);
        let stored = std::fs::read_to_string(outcome.folder.join("config.toml")).unwrap();
        assert!(stored.contains("kind = \"log_cosh\""), "{stored}");
        assert!(stored.contains("[[layers]]\nat = [1, 3]"), "{stored}");
        assert!(stored.contains("kind = \"low_rank\"\n"), "{stored}");

        // The stored configuration names the part, and is read with the same registry.
        let request = RunRequest {
            resume: Some(Resume::Latest),
            ..RunRequest::new(runs.path(), "own-part")
        };
        let longer = load(&["train.steps=10"]).unwrap();
        assert_eq!(run(longer, request).unwrap().step, 10);
    }

    #[test]
    fn mistakes_are_explained_as_those_with_our_parts() {
        let unknown = load(&["bias.kind=log_cosch"]).unwrap_err().to_string();
        assert!(unknown.contains("did you mean `log_cosh`?"), "{unknown}");
        let key = load(&["bias.scales=1"]).unwrap_err().to_string();
        assert!(key.contains("did you mean `scale`?"), "{key}");
        let own = load(&["layers.0.memory.rank=0"]).unwrap_err().to_string();
        assert!(own.contains("rank must be 1 or more"), "{own}");
        assert!(own.contains("(layers.0.memory.rank)"), "{own}");
        let value = load(&["bias.scale=0"]).unwrap_err().to_string();
        assert!(value.contains("scale must be above 0"), "{value}");
    }
}
