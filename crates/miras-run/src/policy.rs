//! Which checkpoints are kept.

use serde::{Deserialize, Serialize};

use crate::manifest::{Goal, Manifest};

/// Which checkpoints are kept on the disk: those that any of the rules keeps.
///
/// The checkpoint that was just saved is always kept. Checkpoints are only removed after a
/// successful save.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Policy {
    /// How many of the newest checkpoints are kept, without those that were saved only
    /// [for a new best evaluation](crate::CheckpointInfo::only_best). 0 counts as 1.
    pub keep_last: usize,
    /// Checkpoints whose step is a multiple of this are kept for ever. 0 is off.
    pub keep_every: u64,
    /// Whether the checkpoint with the best evaluation is kept.
    pub keep_best: bool,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            keep_last: 2,
            keep_every: 0,
            keep_best: true,
        }
    }
}

/// The properties of a finished checkpoint that the rules use.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Candidate {
    pub(crate) step: u64,
    pub(crate) eval: Option<f64>,
    /// Whether it was saved only for its evaluation.
    pub(crate) only_best: bool,
}

impl Candidate {
    pub(crate) fn of(manifest: &Manifest) -> Self {
        Self {
            step: manifest.step,
            eval: manifest.info.eval,
            only_best: manifest.info.only_best,
        }
    }
}

impl Policy {
    /// The steps to remove after `saved` was saved; `found` is ascending and includes it.
    pub(crate) fn surplus(self, found: &[Candidate], saved: u64, goal: Goal) -> Vec<u64> {
        let newest = (found.iter().rev())
            .filter(|candidate| !candidate.only_best)
            .take(self.keep_last.max(1));
        let newest: Vec<u64> = newest.map(|candidate| candidate.step).collect();
        let best = if self.keep_best {
            best(found, goal)
        } else {
            None
        };
        let stays = |step: u64| {
            newest.contains(&step)
                || step == saved
                || Some(step) == best
                || (self.keep_every > 0 && step.is_multiple_of(self.keep_every))
        };
        let steps = found.iter().map(|candidate| candidate.step);
        steps.filter(|&step| !stays(step)).collect()
    }
}

/// The step with the best finite evaluation; the earliest of equal ones.
pub(crate) fn best(found: &[Candidate], goal: Goal) -> Option<u64> {
    let mut best: Option<(f64, u64)> = None;
    for candidate in found {
        if let Some(value) = candidate.eval.filter(|value| value.is_finite())
            && best.is_none_or(|(leader, _)| goal.is_better(value, leader))
        {
            best = Some((value, candidate.step));
        }
    }
    best.map(|(_, step)| step)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidates(found: &[(u64, f64)]) -> Vec<Candidate> {
        found
            .iter()
            .map(|&(step, eval)| Candidate {
                step,
                eval: Some(eval),
                only_best: false,
            })
            .collect()
    }

    /// Name, policy, steps with their evaluation, step just saved, goal, steps to remove.
    type Case<'a> = (&'a str, Policy, &'a [(u64, f64)], u64, Goal, &'a [u64]);

    #[test]
    fn surplus_is_what_no_rule_wants() {
        const NONE: f64 = f64::NAN;
        let steps = |evals: [f64; 5]| -> Vec<_> { (1..=5).map(|n| n * 10).zip(evals).collect() };
        let plain = steps([NONE; 5]);
        let dip = steps([3.0, 1.0, 2.0, 4.0, 5.0]);
        let policy = |keep_last, keep_every, keep_best| Policy {
            keep_last,
            keep_every,
            keep_best,
        };
        let (low, high) = (Goal::Lower, Goal::Higher);
        let table: [Case<'_>; 14] = [
            (
                "last two",
                policy(2, 0, false),
                &plain,
                50,
                low,
                &[10, 20, 30],
            ),
            (
                "none counts as one",
                policy(0, 0, false),
                &plain,
                50,
                low,
                &[10, 20, 30, 40],
            ),
            (
                "more than there are",
                policy(9, 0, false),
                &plain,
                50,
                low,
                &[],
            ),
            ("every 20", policy(1, 20, false), &plain, 50, low, &[10, 30]),
            ("every 1", policy(1, 1, false), &plain, 50, low, &[]),
            ("best low", policy(1, 0, true), &dip, 50, low, &[10, 30, 40]),
            (
                "best high",
                policy(1, 0, true),
                &dip,
                50,
                high,
                &[10, 20, 30, 40],
            ),
            (
                "best without values",
                policy(1, 0, true),
                &plain,
                50,
                low,
                &[10, 20, 30, 40],
            ),
            (
                "best off",
                policy(1, 0, false),
                &dip,
                50,
                low,
                &[10, 20, 30, 40],
            ),
            ("all rules", policy(2, 30, true), &dip, 50, low, &[10]),
            (
                "saved is not the newest",
                policy(1, 0, false),
                &plain,
                20,
                low,
                &[10, 30, 40],
            ),
            (
                "step 0 is a multiple",
                policy(1, 7, false),
                &[(0, 1.0), (8, 1.0)],
                8,
                low,
                &[],
            ),
            (
                "earliest of equals",
                policy(1, 0, true),
                &[(1, 2.0), (2, 2.0), (3, 9.0)],
                3,
                low,
                &[2],
            ),
            ("only one", policy(1, 0, false), &[(1, 2.0)], 1, low, &[]),
        ];
        for (name, policy, found, saved, goal, expected) in table {
            assert_eq!(
                policy.surplus(&candidates(found), saved, goal),
                expected,
                "{name}"
            );
        }
    }

    #[test]
    fn checkpoints_of_new_bests_do_not_crowd_out_those_of_the_schedule() {
        let policy = |keep_last, keep_every| Policy {
            keep_last,
            keep_every,
            keep_best: true,
        };
        // Steps of the schedule and of new bests; evaluations fall until step 50.
        let found = |scheduled: &[u64]| -> Vec<Candidate> {
            let evals = [5.0, 4.0, 3.0, 2.0, 1.0, 1.5];
            let steps = (1..=6).map(|n| n * 10).zip(evals);
            let all = steps.map(|(step, eval)| Candidate {
                step,
                eval: Some(eval),
                only_best: !scheduled.contains(&step),
            });
            all.collect()
        };
        let low = Goal::Lower;
        for (policy, scheduled, upto, expected) in [
            (policy(2, 0), &[10, 20, 60][..], 6, &[10, 30, 40][..]),
            (policy(2, 0), &[10, 20], 4, &[30]),
            (policy(1, 0), &[60], 6, &[10, 20, 30, 40]),
            (policy(2, 30), &[10, 20, 60], 6, &[10, 40]),
        ] {
            let found = &found(scheduled)[..upto];
            let saved = found[upto - 1].step;
            assert_eq!(policy.surplus(found, saved, low), expected, "{policy:?}");
        }
    }

    #[test]
    fn infinite_evaluations_are_never_best() {
        let found = candidates(&[(1, f64::NEG_INFINITY), (2, 3.0), (3, f64::NAN)]);
        assert_eq!(best(&found, Goal::Lower), Some(2));
    }

    #[test]
    fn policy_refuses_unknown_keys_and_fills_in_defaults() {
        let policy: Policy = serde_json::from_str(r#"{"keep_every": 1000}"#).unwrap();
        assert_eq!(
            policy,
            Policy {
                keep_every: 1000,
                ..Policy::default()
            }
        );
        let error = serde_json::from_str::<Policy>(r#"{"keep_lst": 3}"#)
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("unknown field `keep_lst`, expected one of `keep_last`"),
            "{error}"
        );
    }
}
