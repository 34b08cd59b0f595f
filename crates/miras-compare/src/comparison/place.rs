//! Where in the course of training runs are compared.

use std::collections::BTreeSet;

use super::group::Group;
use crate::input::Run;

/// Where in the course of training runs are compared.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Place {
    /// At the end of each; but at the tokens that all have, where a variant would else be left
    /// out because its runs are still training or were stopped. In a sweep these are waited for
    /// as long as any run of it counts.
    #[default]
    Auto,
    /// At the end of each. Runs that did not get there do not count.
    End,
    /// At the tokens that all runs have.
    Common,
    /// After so many tokens, or at the last value before.
    Tokens(u64),
}

/// The tokens to compare at; none for the end of each run.
///
/// The runs have been counted at their ends.
pub(super) fn find(place: Place, groups: &[Group], metric: &str) -> Option<u64> {
    match place {
        Place::End => None,
        Place::Tokens(tokens) => Some(tokens),
        Place::Common => common(groups, metric),
        Place::Auto => leaves_out(groups, metric).then(|| common(groups, metric))?,
    }
}

/// Whether a variant has values and no run that counts, because its runs may go on.
fn leaves_out(groups: &[Group], metric: &str) -> bool {
    let is_counted = |group: &Group| group.runs.iter().any(|run| run.value.is_some());
    let none_counts = !groups.iter().any(is_counted);
    let lost = groups.iter().filter(|group| !is_counted(group));
    lost.flat_map(|group| &group.runs).any(|run| {
        let is_waited_for = run.trial.is_some() && !none_counts;
        run.may_go_on() && !is_waited_for && !run.measured_at(metric).is_empty()
    })
}

/// The last place where all runs with a value were measured; where they have none in common, the
/// end of the one that is least far.
fn common(groups: &[Group], metric: &str) -> Option<u64> {
    let runs = groups.iter().flat_map(|group| &group.runs);
    let runs = runs.filter(|run: &&Run| run.is_complete() || run.may_go_on());
    let places: Vec<BTreeSet<u64>> = runs
        .map(|run| run.measured_at(metric))
        .filter(|places| !places.is_empty())
        .collect();
    let in_all = |tokens: &&u64| places.iter().all(|one| one.contains(tokens));
    let shared = places.first()?.iter().rev().find(in_all).copied();
    let least_far = places.iter().filter_map(BTreeSet::last).min().copied();
    shared.filter(|&tokens| tokens > 0).or(least_far)
}
