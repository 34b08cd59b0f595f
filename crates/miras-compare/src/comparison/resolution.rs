//! The smallest step in which a metric can change.

use crate::input::Run;

/// The tag of the number of questions of an evaluation.
const QUESTIONS: &str = "eval/questions";
/// Values nearer to each other than this are the same share of questions, rounded.
const ROUNDING: f64 = 1e-6;

/// Of an accuracy, one question: the largest of the runs that count. Where a run does not say how
/// many questions it was asked, the smallest step between values that were logged stands for it.
/// None of other metrics, whose values change by any amount.
pub(super) fn of<'a>(runs: impl Iterator<Item = &'a Run>, metric: &str) -> Option<f64> {
    if !metric.ends_with("accuracy") {
        return None;
    }
    // In training other rows are asked than in an evaluation.
    let is_evaluation = !metric.starts_with("train/");
    let (mut coarsest, mut unknown) = (None::<f64>, Vec::new());
    for run in runs {
        let questions = run.last(QUESTIONS).filter(|&count| count >= 1.0);
        match questions.filter(|_| is_evaluation) {
            Some(count) => coarsest = Some(coarsest.unwrap_or(0.0).max(1.0 / count)),
            None => unknown.extend(run.points.iter().filter_map(|point| {
                let value = point.values.get(metric).copied();
                value.filter(|value| value.is_finite())
            })),
        }
    }
    let step = smallest_step(unknown);
    coarsest.into_iter().chain(step).reduce(f64::max)
}

fn smallest_step(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let steps = values.windows(2).map(|pair| pair[1] - pair[0]);
    steps.filter(|&step| step > ROUNDING).reduce(f64::min)
}
