//! Which reports of evaluations are compared: those of all runs are of the same text, or of the same
//! questions.

use std::collections::{BTreeMap, BTreeSet};

use miras_run::counted;

use crate::evaluation::{Evaluation, ExcludedReport, MemoryMode};
use crate::rows;
use crate::run::Run;
use crate::tasks::Asked;

/// What must be equal for evaluations of several runs to be of the same text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct EvaluatedOn {
    data: Option<String>,
    /// The part of a series.
    part: Option<String>,
    /// Bytes of the part that is evaluated.
    bytes: Option<u64>,
    /// The tokens that were asked for, as text.
    size: String,
    stretches: Option<u64>,
    /// Tokens of the n-grams that come again, where that is what is compared.
    ngram: Option<u64>,
}

impl EvaluatedOn {
    fn of(one: &Evaluation, run: &Run) -> Self {
        let scored = || format!("{} scored", one.tokens);
        Self {
            data: run.measured_on(one),
            part: one.part.clone(),
            bytes: one.data.bytes,
            size: one.size.clone().unwrap_or_else(scored),
            stretches: one.stretches,
            ngram: None,
        }
    }

    /// The same, for a comparison of what comes again in rows.
    fn with_ngrams(one: &Evaluation, run: &Run) -> Self {
        Self {
            ngram: one.by_occurrence.first().map(|own| own.ngram),
            ..Self::of(one, run)
        }
    }

    /// The tokens that were asked for, and in how many stretches they are.
    fn amount(&self) -> String {
        match self.stretches {
            None => format!("{} tokens", self.size),
            Some(count) => {
                let stretches = counted(count, "stretch", "stretches");
                format!("{} tokens in {stretches}", self.size)
            }
        }
    }
}

/// Keeps the evaluations of the step of each run or, with `at`, of the step at which it is
/// compared; and of these, one for each length and mode, those that are of the text and amount
/// that most runs have. The others become excluded reports.
pub(crate) fn keep_comparable<'a>(runs: impl Iterator<Item = &'a mut Run>, at: Option<u64>) {
    let mut runs: Vec<&mut Run> = runs.collect();
    keep_of_step(&mut runs, at);
    keep_of_most(&mut runs, |run| run.value.is_some(), EvaluatedOn::of);
}

/// The same before it is known which runs count, for a metric that reports on rows have: those of
/// runs that came to their end decide.
pub(crate) fn keep_comparable_rows(runs: &mut [Run], tag: &str) {
    if !tag.starts_with(rows::PREFIX) {
        return;
    }
    let mut runs: Vec<&mut Run> = runs.iter_mut().collect();
    keep_of_step(&mut runs, None);
    let own = |run: &Run| run.is_complete() && run.rows(tag).next().is_some();
    if rows::is_by_ngrams(tag) {
        keep_of_most(&mut runs, own, EvaluatedOn::with_ngrams);
    } else {
        keep_of_most(&mut runs, own, EvaluatedOn::of);
    }
}

/// Keeps the evaluations of the step of each run or, with `at`, of the step at which it is compared.
fn keep_of_step(runs: &mut [&mut Run], at: Option<u64>) {
    for run in runs {
        let (here, what) = match at {
            Some(_) => (run.compared_steps(), "is compared at"),
            None => (run.step, "is at"),
        };
        keep_reports(run, |_, one| match (one.step, here) {
            (Some(step), Some(here)) if step != here => {
                Err(format!("is of step {step}, and the run {what} step {here}"))
            }
            _ => Ok(()),
        });
    }
}

/// Keeps one evaluation for each length and mode, of what most of the runs have that decide.
fn keep_of_most(
    runs: &mut [&mut Run],
    decides: impl Fn(&Run) -> bool,
    of: fn(&Evaluation, &Run) -> EvaluatedOn,
) {
    type At = (u64, MemoryMode);
    let mut votes: BTreeMap<At, BTreeMap<EvaluatedOn, BTreeSet<usize>>> = BTreeMap::new();
    let voters = runs.iter().filter(|run| decides(run));
    for (voter, run) in voters.enumerate() {
        for one in &run.evaluations {
            let texts = votes.entry((one.length, one.mode())).or_default();
            let own = of(one, run);
            texts.entry(own).or_default().insert(voter);
        }
    }
    // What most runs have, and how many of those with a report.
    let chosen = votes.into_iter().filter_map(|(at, texts)| {
        let all: BTreeSet<usize> = texts.values().flatten().copied().collect();
        let (most, runs) = texts.into_iter().max_by_key(|(_, runs)| runs.len())?;
        let all = counted(all.len() as u64, "run", "runs");
        Some((at, (most, format!("{} of {all}", runs.len()))))
    });
    let chosen: BTreeMap<At, (EvaluatedOn, String)> = chosen.collect();
    for run in runs {
        let mut seen = BTreeSet::new();
        keep_reports(run, |run, one| {
            let at = (one.length, one.mode());
            let own = of(one, run);
            match chosen.get(&at) {
                Some((most, share)) if own.part != most.part => {
                    let named = |part: &Option<String>| part.clone().unwrap_or_default();
                    let (own, most) = (named(&own.part), named(&most.part));
                    Err(format!(
                        "is of the part {own}, and the reports of {share} are of {most}"
                    ))
                }
                Some((most, share)) if own.data != most.data || own.bytes != most.bytes => {
                    Err(format!("is of another text than the reports of {share}"))
                }
                Some((most, share)) if own.ngram != most.ngram => {
                    let [own, most] = [own.ngram, most.ngram].map(Option::unwrap_or_default);
                    Err(format!(
                        "tells what comes again by {own} tokens, and the reports of {share} by {most}"
                    ))
                }
                Some((most, share)) if own != *most => {
                    let (own, most) = (own.amount(), most.amount());
                    Err(format!(
                        "is of {own}, and the reports of {share} are of {most}"
                    ))
                }
                _ if !seen.insert(at) => {
                    Err("is of the same text as another one of the run".to_owned())
                }
                _ => Ok(()),
            }
        });
    }
}

/// Of the scores with the metric of a tag, keeps those on the questions that most runs were asked,
/// and of these the ones that are most. The others become excluded reports.
pub(crate) fn keep_comparable_scores(runs: &mut [Run], tag: &str) {
    let mut votes: BTreeMap<Asked, usize> = BTreeMap::new();
    for run in &*runs {
        let own = run.tasks.iter().filter(|one| one.value(tag).is_some());
        // A run that was asked several ways has a vote for each of them.
        let ways: BTreeSet<&Asked> = own.map(|one| &one.asked).collect();
        for asked in ways {
            *votes.entry(asked.clone()).or_default() += 1;
        }
    }
    let Some((most, _)) = votes
        .into_iter()
        .max_by_key(|(asked, count)| (*count, asked.clone()))
    else {
        return;
    };
    for run in runs {
        for one in std::mem::take(&mut run.tasks) {
            if one.value(tag).is_none() || one.asked == most {
                run.tasks.push(one);
                continue;
            }
            let why = one.asked.why_not(&most);
            run.excluded_reports.push(ExcludedReport {
                file: one.file,
                why,
            });
        }
    }
}

/// Excludes the evaluations for which `check` returns a reason.
fn keep_reports(run: &mut Run, mut check: impl FnMut(&Run, &Evaluation) -> Result<(), String>) {
    for one in std::mem::take(&mut run.evaluations) {
        match check(run, &one) {
            Ok(()) => run.evaluations.push(one),
            Err(why) => run.excluded_reports.push(ExcludedReport {
                file: one.file,
                why,
            }),
        }
    }
}
