//! One row a run, for other programs.

use std::collections::BTreeSet;

use crate::CompareError;
use crate::comparison::Comparison;
use crate::comparison::Variant;
use crate::comparison::label::in_words;
use crate::input::{Memory, Run};

/// For messages.
const NAME: &str = "the CSV";

impl Comparison {
    /// One row a run: what it is, how it ended, what it took and what it was measured at.
    ///
    /// What is not known is an empty cell.
    pub fn csv(&self) -> Result<String, CompareError> {
        let lengths: BTreeSet<(u64, Memory)> = self
            .runs()
            .flat_map(|run| &run.evaluations)
            .map(|one| (one.length, one.memory))
            .collect();
        let mut head = ["variant", "run", "seed", "status", "counted", "why_not"]
            .map(str::to_owned)
            .to_vec();
        head.extend(self.differing.iter().cloned());
        head.push(self.metric.clone());
        head.push(format!("best {}", self.metric));
        head.extend(
            [
                "tokens",
                "steps",
                "seconds",
                "tokens_per_s",
                "parameters",
                "memory_parameters",
                "state_bytes",
                "flops",
            ]
            .map(str::to_owned),
        );
        head.extend(lengths.iter().map(|(length, memory)| match memory {
            Memory::Live => format!("loss@{length}"),
            other => format!("loss@{length}/{other}"),
        }));

        let mut writer = csv::Writer::from_writer(Vec::new());
        writer
            .write_record(&head)
            .map_err(CompareError::render(NAME))?;
        for variant in &self.variants {
            for run in &variant.runs {
                let row = self.row(variant, run, &lengths);
                writer
                    .write_record(&row)
                    .map_err(CompareError::render(NAME))?;
            }
        }
        let bytes = writer.into_inner().map_err(CompareError::render(NAME))?;
        String::from_utf8(bytes).map_err(CompareError::render(NAME))
    }

    fn row(&self, variant: &Variant, run: &Run, lengths: &BTreeSet<(u64, Memory)>) -> Vec<String> {
        let setting = |key: &String| {
            let value = run.settings.get(key).or_else(|| variant.settings.get(key));
            value.map(in_words).unwrap_or_default()
        };
        let mut row = vec![
            variant.label.clone(),
            run.name.clone(),
            run.seed.to_string(),
            run.state.to_string(),
            run.value.is_some().to_string(),
            run.excluded.clone().unwrap_or_default(),
        ];
        row.extend(self.differing.iter().map(setting));
        row.push(cell(run.value.or_else(|| run.last(&self.metric))));
        row.push(cell(run.best(&self.metric, self.goal)));
        row.push(cell(run.compared_tokens()));
        row.push(cell(run.compared_steps()));
        row.push(cell(run.compared_seconds()));
        row.push(cell(run.tokens_per_s()));
        row.push(cell(run.cost.map(|cost| cost.parameters)));
        row.push(cell(run.cost.map(|cost| cost.memory_parameters)));
        row.push(cell(run.cost.map(|cost| cost.state_bytes)));
        row.push(cell(run.flops()));
        row.extend(lengths.iter().map(|&(length, memory)| {
            let same = |one: &&crate::Evaluation| (one.length, one.memory) == (length, memory);
            cell(run.evaluations.iter().find(same).and_then(|one| one.loss))
        }));
        row
    }
}

fn cell(value: Option<impl ToString>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}
