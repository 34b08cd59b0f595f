//! Prompts that are only scored, many in one pass.

use std::collections::VecDeque;

use miras_data::Tokenizer;

use super::model::{Model, ROWS, Rows, TOKENS, check_finite};
use super::sequence::Writer;
use crate::error::ApiError;
use crate::job::{Completion, Event, Told};

/// Prompts that wait, with at most one token to write.
#[derive(Default)]
pub(super) struct Prompts(VecDeque<Completion>);

impl Prompts {
    /// Whether a completion is one of these: no state is wanted of it, and it fits in a pass.
    pub(super) fn takes(job: &Completion) -> bool {
        job.session.is_none()
            && job.scores_prompt
            && job.tokens <= 1
            && (1..=TOKENS).contains(&job.prompt.len())
    }

    pub(super) fn push(&mut self, job: Completion) {
        self.0.push_back(job);
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn drain(&mut self) -> Vec<Completion> {
        self.0.drain(..).collect()
    }

    /// Those of the next pass, as many as fit, filled up to the longest; and how many were left by
    /// their clients.
    pub(super) fn next(&mut self) -> (Vec<Completion>, u64) {
        let (mut batch, mut left): (Vec<Completion>, _) = (Vec::new(), 0);
        let mut longest = 0;
        while let Some(job) = self.0.front() {
            let len = longest.max(job.prompt.len());
            let fits = (batch.len() + 1) * len <= TOKENS && batch.len() < ROWS;
            if !(batch.is_empty() || fits) {
                break;
            }
            longest = len;
            let Some(job) = self.0.pop_front() else { break };
            if job.is_left() {
                left += 1;
                longest = batch.iter().map(|job| job.prompt.len()).max().unwrap_or(0);
            } else {
                batch.push(job);
            }
        }
        (batch, left)
    }
}

/// Tells each what it asked for.
pub(super) fn score(
    jobs: &[Completion],
    model: &Model,
    tokenizer: &Tokenizer,
) -> Result<(), ApiError> {
    if jobs.is_empty() {
        return Ok(());
    }
    let likeliest = jobs
        .iter()
        .filter_map(|job| job.likeliest)
        .max()
        .unwrap_or(0);
    let rows = Rows {
        tokens: jobs.iter().map(|job| &*job.prompt).collect(),
        targets: Some((jobs.iter().map(|job| &job.prompt[1..]).collect(), likeliest)),
    };
    let passed = model.pass(&rows, None)?;
    for ((job, told), logits) in jobs.iter().zip(passed.told).zip(&passed.logits) {
        if let Err(error) = check_finite(logits, job.prompt.len()) {
            job.send(Event::Failed(error));
            continue;
        }
        let first = Told {
            id: job.prompt[0],
            log: None,
            likeliest: Vec::new(),
        };
        let wanted = job.likeliest.unwrap_or(0);
        let cut = |mut one: Told| {
            one.likeliest.truncate(wanted);
            one
        };
        let all = std::iter::once(first).chain(told.into_iter().map(cut));
        job.send(Event::Prompt(all.collect()));
        let mut writer = Writer::new(job);
        if job.tokens == 1 {
            writer.choose(job, logits, job.prompt.len(), tokenizer, model);
        }
        writer.finish(job);
    }
    Ok(())
}
