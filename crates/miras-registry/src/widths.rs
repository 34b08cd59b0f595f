//! A choice at the widths of its keys and values.

use miras_config::{ConfigError, Tree};
use miras_core::{Axis, Program};

use crate::{
    Choice,
    validity::{self, path_in},
};

impl Choice {
    /// The memory from keys of `d_k` features to values of `d_v`; an error of the configuration
    /// where it has none, or where its retention cannot move one of its maps. The tables of the
    /// choice are in the one at the path `at`.
    pub fn program(
        &self,
        tree: &Tree,
        at: &str,
        d_k: usize,
        d_v: usize,
    ) -> Result<Program, ConfigError> {
        let memory = &self.rule.memory;
        let program = |d_k, d_v| {
            let features = memory.features(d_k, d_v)?;
            memory.program(features.map_or(d_k, |features| features.d_v()), d_v)
        };
        let program = program(d_k, d_v).map_err(|error| {
            let kind = self.kind(Axis::Memory);
            let message = format!(
                "memory `{kind}` cannot have keys of {d_k} features and values of {d_v}: {error}"
            );
            let help = match program(d_k, d_k) {
                Ok(_) => {
                    format!("values as wide as keys (memory.value_dim = {d_k}), or another memory")
                }
                Err(_) => {
                    "other widths (memory.dim, memory.value_dim), or another memory".to_owned()
                }
            };
            let help = format!("use {help}");
            tree.error(&path_in(at, "memory.kind"), message, Some(help))
        })?;
        match validity::check_columns(&self.rule, &program) {
            Ok(()) => Ok(program),
            Err(refusal) => Err(refusal.error(tree, at)),
        }
    }
}
