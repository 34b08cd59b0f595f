//! One row per run, for other programs.

use std::collections::BTreeSet;
use std::error::Error;

use crate::CompareError;
use crate::comparison::label::value_text;
use crate::comparison::{Comparison, Variant};
use crate::input::{Memory, Run};

impl Comparison {
    /// One row per run: what it is, how it ended, what it took and what it was measured at.
    ///
    /// What is not known is an empty cell.
    pub fn csv(&self) -> Result<String, CompareError> {
        self.csv_rows().map_err(CompareError::render("the CSV"))
    }

    fn csv_rows(&self) -> Result<String, Box<dyn Error>> {
        let evaluations = self.runs().flat_map(|run| &run.evaluations);
        let evaluated = evaluations.map(|one| (one.length, one.memory)).collect();
        let mut writer = csv::Writer::from_writer(Vec::new());
        for (n, (variant, run)) in self.variants_and_runs().enumerate() {
            let row = self.row(variant, run, &evaluated);
            if n == 0 {
                writer.write_record(row.iter().map(|(name, _)| name))?;
            }
            writer.write_record(row.iter().map(|(_, cell)| cell))?;
        }
        Ok(String::from_utf8(writer.into_inner()?)?)
    }

    /// The names of all columns and their cells.
    fn row(
        &self,
        variant: &Variant,
        run: &Run,
        evaluated: &BTreeSet<(u64, Memory)>,
    ) -> Vec<(String, String)> {
        let mut row = Vec::new();
        let mut push = |name: &str, value: Option<String>| {
            row.push((name.to_owned(), value.unwrap_or_default()));
        };
        push("variant", Some(variant.label.clone()));
        push("run", Some(run.name.clone()));
        push("seed", text(Some(run.seed)));
        push("status", text(Some(run.state)));
        push("counted", text(Some(run.value.is_some())));
        push("why_not", run.excluded.clone());
        for key in &self.differing {
            let value = run.settings.get(key).or_else(|| variant.settings.get(key));
            push(key, value.map(value_text));
        }
        push(
            &self.metric,
            text(run.value.or_else(|| run.last(&self.metric))),
        );
        push(
            &format!("best {}", self.metric),
            text(run.best(&self.metric, self.goal)),
        );
        push("tokens", text(run.compared_tokens()));
        push("steps", text(run.compared_steps()));
        push("seconds", text(run.compared_seconds()));
        push("tokens_per_s", text(run.tokens_per_s()));
        push("parameters", text(run.cost.map(|cost| cost.parameters)));
        push(
            "memory_parameters",
            text(run.cost.map(|cost| cost.memory_parameters)),
        );
        push("state_bytes", text(run.cost.map(|cost| cost.state_bytes)));
        push("flops", text(run.flops()));
        for &(length, memory) in evaluated {
            let name = match memory {
                Memory::Live => format!("loss@{length}"),
                other => format!("loss@{length}/{other}"),
            };
            let mut evaluations = run.evaluations.iter();
            let one = evaluations.find(|one| (one.length, one.memory) == (length, memory));
            push(&name, text(one.and_then(|one| one.loss)));
        }
        row
    }
}

fn text(value: Option<impl ToString>) -> Option<String> {
    value.map(|value| value.to_string())
}
