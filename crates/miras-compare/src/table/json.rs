//! Everything in numbers, for other programs.

use miras_run::Goal;
use serde::Serialize;

use crate::CompareError;
use crate::comparison::{Comparison, Contrast, Variant, Verdict};
use crate::input::{Cost, Memory, Run, Settings, State};

#[derive(Serialize)]
struct File<'a> {
    schema: &'static str,
    version: u32,
    metric: &'a str,
    goal: Goal,
    /// Tokens at which runs are compared; null for the end of each.
    at_tokens: Option<u64>,
    /// The smallest step of the metric, where it is known: no spread is taken to be smaller.
    resolution: Option<f64>,
    differing: &'a [String],
    common: &'a Settings,
    variants: Vec<OneVariant<'a>>,
    contrasts: Vec<OneContrast<'a>>,
    warnings: &'a [String],
    notes: Vec<OneNote<'a>>,
    failed: Vec<Failed<'a>>,
}

#[derive(Serialize)]
struct OneNote<'a> {
    note: &'a str,
    /// The labels of those that it is about; empty if it is about all.
    about: &'a [String],
}

#[derive(Serialize)]
struct OneVariant<'a> {
    label: &'a str,
    values: &'a Settings,
    also: &'a Settings,
    n: usize,
    mean: Option<f64>,
    std: Option<f64>,
    verdict: Verdict,
    /// To the best, with half of its 95 % interval.
    difference: Option<f64>,
    difference_half_width: Option<f64>,
    paired: Option<bool>,
    p: Option<f64>,
    p_holm: Option<f64>,
    #[serde(flatten)]
    cost: Costs,
    tokens: Option<f64>,
    flops: Option<f64>,
    seconds: Option<f64>,
    tokens_per_s: Option<f64>,
    excluded: usize,
    runs: Vec<OneRun<'a>>,
}

/// All of a [`Cost`], null where it is not known.
#[derive(Serialize)]
struct Costs {
    parameters: Option<u64>,
    memory_parameters: Option<u64>,
    fast_weights: Option<u64>,
    state_bytes: Option<u64>,
    state_bytes_per_token: Option<u64>,
    flops_per_token: Option<f64>,
}

#[derive(Serialize)]
struct OneRun<'a> {
    run: &'a str,
    seed: u64,
    status: State,
    counted: bool,
    reason: Option<&'a str>,
    value: Option<f64>,
    best: Option<f64>,
    tokens: Option<u64>,
    steps: Option<u64>,
    seconds: Option<f64>,
    tokens_per_s: Option<f64>,
    flops: Option<f64>,
    skipped_steps: u64,
    data: Option<String>,
    evaluations: Vec<OneEvaluation>,
}

#[derive(Serialize)]
struct OneEvaluation {
    length: u64,
    memory: Memory,
    /// Whether memories went on from row to row.
    carried: bool,
    loss: Option<f64>,
    bits_per_byte: Option<f64>,
    accuracy: Option<f64>,
}

#[derive(Serialize)]
struct OneContrast<'a> {
    key: &'a str,
    values: &'a [String; 2],
    pairs: Vec<OnePair<'a>>,
}

#[derive(Serialize)]
struct OnePair<'a> {
    label: &'a str,
    difference: f64,
    difference_half_width: Option<f64>,
    p: Option<f64>,
    p_holm: Option<f64>,
    told: bool,
    verdict: String,
    seeds: usize,
}

impl<'a> OneContrast<'a> {
    fn of(contrast: &'a Contrast) -> Self {
        let pairs = contrast.pairs.iter().map(|pair| OnePair {
            label: &pair.label,
            difference: pair.mean,
            difference_half_width: pair.difference.map(|one| one.half),
            p: pair.difference.map(|one| one.p),
            p_holm: pair.p_holm,
            told: pair.is_told,
            verdict: pair.verdict(),
            seeds: pair.seeds,
        });
        Self {
            key: &contrast.key,
            values: &contrast.values,
            pairs: pairs.collect(),
        }
    }
}

#[derive(Serialize)]
struct Failed<'a> {
    variant: &'a str,
    run: &'a str,
    seed: u64,
    status: State,
    reason: Option<&'a str>,
}

impl Comparison {
    /// Schema `miras_compare`, version 1. What is not known, or no finite number, is null.
    pub fn json(&self) -> Result<String, CompareError> {
        let file = File {
            schema: "miras_compare",
            version: 1,
            metric: &self.metric,
            goal: self.goal,
            at_tokens: self.at,
            resolution: self.resolution,
            differing: &self.differing,
            common: &self.common,
            variants: self.variants.iter().map(|one| self.variant(one)).collect(),
            contrasts: self.contrasts.iter().map(OneContrast::of).collect(),
            warnings: &self.warnings,
            notes: (self.notes.iter())
                .map(|note| OneNote {
                    note: &note.text,
                    about: &note.about,
                })
                .collect(),
            failed: self
                .excluded()
                .map(|(variant, run)| Failed {
                    variant: &variant.label,
                    run: &run.name,
                    seed: run.seed,
                    status: run.state,
                    reason: run.excluded.as_deref(),
                })
                .collect(),
        };
        let mut text =
            serde_json::to_string_pretty(&file).map_err(CompareError::render("the JSON"))?;
        text.push('\n');
        Ok(text)
    }

    fn variant<'a>(&self, variant: &'a Variant) -> OneVariant<'a> {
        OneVariant {
            label: &variant.label,
            values: &variant.values,
            also: &variant.also,
            n: variant.sample.map_or(0, |sample| sample.n),
            mean: variant.sample.map(|sample| sample.mean),
            std: variant.sample.and_then(|sample| sample.std),
            verdict: variant.verdict,
            difference: variant.difference.map(|one| one.mean),
            difference_half_width: variant.difference.map(|one| one.half),
            paired: variant.difference.map(|one| one.paired),
            p: variant.difference.map(|one| one.p),
            p_holm: variant.p_holm,
            cost: Costs::of(variant.cost()),
            tokens: variant.tokens(),
            flops: variant.flops(),
            seconds: variant.seconds(),
            tokens_per_s: variant.tokens_per_s(),
            excluded: variant.excluded(),
            runs: variant.runs.iter().map(|run| self.run(run)).collect(),
        }
    }

    fn run<'a>(&self, run: &'a Run) -> OneRun<'a> {
        OneRun {
            run: &run.name,
            seed: run.seed,
            status: run.state,
            counted: run.value.is_some(),
            reason: run.excluded.as_deref(),
            value: run.value.or_else(|| run.last(&self.metric)),
            best: run.best(&self.metric, self.goal),
            tokens: run.compared_tokens(),
            steps: run.compared_steps(),
            seconds: run.compared_seconds(),
            tokens_per_s: run.tokens_per_s(),
            flops: run.flops(),
            skipped_steps: run.skipped(),
            data: run.data(),
            evaluations: run
                .evaluations
                .iter()
                .map(|one| OneEvaluation {
                    length: one.length,
                    memory: one.memory,
                    carried: one.carried,
                    loss: one.loss,
                    bits_per_byte: one.bits_per_byte,
                    accuracy: one.accuracy,
                })
                .collect(),
        }
    }
}

impl Costs {
    fn of(cost: Option<Cost>) -> Self {
        Self {
            parameters: cost.map(|cost| cost.parameters),
            memory_parameters: cost.map(|cost| cost.memory_parameters),
            fast_weights: cost.map(|cost| cost.fast_weights),
            state_bytes: cost.map(|cost| cost.state_bytes),
            state_bytes_per_token: cost.map(|cost| cost.state_bytes_per_token),
            flops_per_token: cost.map(|cost| cost.flops_per_token),
        }
    }
}
