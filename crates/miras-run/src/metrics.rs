//! The list of what a run measures. Whoever logs, plots or compares a metric finds it here.

use Aggregation::{Gate, Memory, Step, Targets, Total};
use Goal::{Higher, Lower};

use crate::Goal;

/// One quantity that runs measure.
#[derive(Debug)]
pub struct Metric {
    /// The end of its tags: `loss` is logged as `train/loss`, `eval/loss` and
    /// `control/read_zero/loss`; `perf/seconds` has that one tag.
    pub name: &'static str,
    /// The title of its chart; none if it has no chart of its own.
    pub title: Option<&'static str>,
    /// The unit, for the axes of plots; `None` for a number without unit, or where the name has it.
    pub unit: Option<&'static str>,
    /// Which values are better; none where a value is neither.
    pub goal: Option<Goal>,
    /// What one point is made of.
    pub aggregation: Aggregation,
}

/// What one point of a metric is made of.
#[derive(Debug)]
pub enum Aggregation {
    /// The scored targets of a step or of an evaluation; none if it was not measured.
    Targets(fn(&Means) -> Option<f64>),
    /// The mean over the tokens of a step and the memories of a layer: tags `memory/LAYER/NAME`.
    Memory,
    /// The same, of the layers whose memories have a gate among their step rules.
    Gate,
    /// The value at a step.
    Step,
    /// The sum over all steps so far.
    Total,
}

/// Means over scored targets, weighted.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Means {
    /// The loss, in nats where targets are tokens or classes.
    pub loss: f64,
    /// The share of targets ranked first; none if it was not asked for.
    pub accuracy: Option<f64>,
    /// Bytes of text that a target stands for; 0 where targets are not text.
    pub bytes: f64,
    /// The Matthews correlation of classes; none if it was not counted.
    pub mcc: Option<f64>,
    /// The mean absolute error of values; none if it was not counted.
    pub mae: Option<f64>,
}

impl Metric {
    /// Its tag below a prefix, as `eval/loss`.
    pub fn under(&self, prefix: &str) -> String {
        format!("{prefix}/{}", self.name)
    }

    /// Its tag in the memory of one layer.
    pub fn of_layer(&self, layer: usize) -> String {
        format!("memory/{layer}/{}", self.name)
    }

    /// Its value over scored targets; none if it is not made of them, or was not measured.
    pub fn value(&self, means: &Means) -> Option<f64> {
        match self.aggregation {
            Targets(value) => value(means),
            Memory | Gate | Step | Total => None,
        }
    }

    /// The metric of a tag; none for the tag of something else.
    pub fn of_tag(tag: &str) -> Option<&'static Self> {
        (METRICS.iter().copied()).find(|metric| match tag.strip_suffix(metric.name) {
            Some(before) => before.is_empty() || before.ends_with('/'),
            None => false,
        })
    }
}

/// A name stands for one metric.
impl PartialEq for Metric {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

/// What a loss falls by, in scores on data sets.
pub const GAIN: &str = "gain";

/// Whether a tag is of a share of answers that are right: its name begins with `accuracy`.
pub fn is_accuracy(tag: &str) -> bool {
    name_of(tag).starts_with(ACCURACY.name)
}

fn name_of(tag: &str) -> &str {
    tag.rsplit('/').next().unwrap_or(tag)
}

/// Whether lower or higher values under a tag are better: lower, unless the list says otherwise, the
/// name begins with `accuracy`, or it is `gain`.
pub fn default_goal(tag: &str) -> Goal {
    if is_accuracy(tag) || name_of(tag) == GAIN {
        return Higher;
    }
    let metric = Metric::of_tag(tag);
    metric.and_then(|metric| metric.goal).unwrap_or_default()
}

/// The tag that decides which checkpoint is best, and by which runs are compared if nothing else
/// is asked for.
pub const EVAL_LOSS: &str = "eval/loss";

macro_rules! metrics {
    ($($(#[$doc:meta])* $constant:ident = $name:literal, $title:expr, $unit:expr, $goal:expr, $aggregation:expr;)*) => {
        $(
            $(#[$doc])*
            pub static $constant: Metric = Metric {
                name: $name,
                title: $title,
                unit: $unit,
                goal: $goal,
                aggregation: $aggregation,
            };
        )*

        /// All metrics.
        pub static METRICS: &[&Metric] = &[$(&$constant),*];
    };
}

metrics! {
    /// The mean loss over scored targets.
    LOSS = "loss", Some("Loss"), Some("nats"), Some(Lower), Targets(|means| Some(means.loss));
    /// The loss over ln 2 and over the bytes of the targets' text: all bits over all bytes.
    BITS_PER_BYTE = "bits_per_byte", Some("Bits a byte"), Some("bits"), Some(Lower),
        Targets(|means| Some(means.loss / std::f64::consts::LN_2 / means.bytes));
    /// The loss over ln 2, where each scored target is one of the four bases of DNA; 2 is chance.
    BITS_PER_BASE = "bits_per_base", Some("Bits a base"), Some("bits"), Some(Lower),
        Targets(|means| Some(means.loss / std::f64::consts::LN_2));
    /// The share of scored targets that the model ranks first.
    ACCURACY = "accuracy", Some("Accuracy"), None, Some(Higher), Targets(|means| means.accuracy);
    /// The Matthews correlation of several classes, from −1 to 1: 0 for guesses that do not depend
    /// on the row.
    MCC = "mcc", Some("Matthews correlation"), None, Some(Higher), Targets(|means| means.mcc);
    /// The mean squared error of forecasts, of standardised values: the loss.
    MSE = "mse", Some("Mean squared error"), None, Some(Lower), Targets(|means| Some(means.loss));
    /// The mean absolute error of forecasts, of standardised values.
    MAE = "mae", Some("Mean absolute error"), None, Some(Lower), Targets(|means| means.mae);
    /// The number of questions that an evaluation asks, where it measures an accuracy: one question
    /// more or less that is answered is the smallest step of the accuracy.
    QUESTIONS = "eval/questions", None, None, None, Step;
    /// Steps that were skipped because something was not finite.
    SKIPPED = "train/skipped", None, None, Some(Lower), Total;
    /// The learning rate.
    LR = "optim/lr", None, None, None, Step;
    /// The norm of the whole gradient, before it is clipped.
    GRAD_NORM = "optim/grad_norm", Some("Norm of the gradient"), None, None, Step;
    /// Tokens of training per second since the last point.
    TOKENS_PER_S = "perf/tokens_per_s", Some("Tokens a second"), None, Some(Higher), Step;
    /// Seconds of the run, over all of its processes.
    SECONDS = "perf/seconds", None, None, None, Total;
    /// The inner loss before a token is written.
    INNER_LOSS = "inner_loss", None, None, None, Memory;
    /// The norm of the inner gradient.
    SURPRISE = "surprise", Some("Surprise"), None, None, Memory;
    /// The share of tokens whose surprise is above `log.surprise_threshold`.
    SURPRISE_SHARE = "surprise_share", Some("Surprise that stands out"), None, None, Memory;
    /// The norm of what a token writes.
    WRITE_NORM = "write_norm", Some("Norm of a write"), None, None, Memory;
    /// How far what a token reads is from what it would read of the initial memory.
    READ_CHANGE = "read_change", Some("Change of a read"), None, None, Memory;
    /// The share of the state that a token keeps.
    RETENTION = "retention", Some("Retention"), None, None, Memory;
    /// The norm of the state at the ends of chunks.
    STATE_NORM = "state_norm", Some("Norm of the state"), None, None, Memory;
    /// The step size after the caps over the one before: 1 where nothing is capped.
    CAPPED = "capped", None, None, None, Memory;
    /// What a gate by surprise leaves of a step: 1 where all is written; a memory with such a gate.
    WRITE_RATE = "write_rate", Some("Write rate"), None, None, Gate;
    /// Of 1,000 tokens, those of whose step the gate leaves more than half.
    WRITTEN = "written_per_1000", None, Some("tokens"), None, Gate;
}

/// The metrics of the memory of a layer, in the order of the list; those of its gate if it has one.
pub fn of_memory(has_gate: bool) -> impl Iterator<Item = &'static Metric> {
    let all = METRICS.iter().copied();
    all.filter(move |metric| match metric.aggregation {
        Memory => true,
        Gate => has_gate,
        Targets(_) | Step | Total => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_tag_leads_to_its_metric() {
        for metric in METRICS {
            for tag in [metric.name.to_owned(), metric.under("control/read_zero")] {
                assert_eq!(Metric::of_tag(&tag), Some(*metric), "{tag}");
            }
        }
        assert_eq!(Metric::of_tag("eval/no_loss"), None);
        assert_eq!(Metric::of_tag(EVAL_LOSS), Some(&LOSS));
    }

    #[test]
    fn more_of_what_is_good_is_better() {
        for (tag, goal) in [
            ("eval/loss", Lower),
            ("eval/bits_per_byte", Lower),
            ("eval/bits_per_base", Lower),
            ("control/read_zero/accuracy", Higher),
            ("eval/mcc", Higher),
            ("eval/mse", Lower),
            ("perf/tokens_per_s", Higher),
            ("task/piqa/accuracy_norm", Higher),
            ("task/wikitext/word_perplexity", Lower),
            ("task/recall/256/gain", Higher),
            ("task/recall/gain_stderr", Lower),
            ("rows/512/frozen/accuracy", Higher),
            ("rows/512/frozen/late_minus_early", Lower),
            ("memory/0/surprise", Lower),
            ("nothing", Lower),
        ] {
            assert_eq!(default_goal(tag), goal, "{tag}");
        }
    }
}
