//! `rows/LENGTH/MEMORY/NAME`: metrics out of the reports of evaluations.

use crate::evaluation::Evaluation;

/// How the tags begin.
pub(crate) const PREFIX: &str = "rows/";
/// In the place of `MEMORY`, what memories did in training.
const OWN: &str = "own";
/// What the targets that come again in their row are called in reports, and those that do not.
const OCCURRENCES: [&str; 2] = ["new", "repeated"];

/// What a report says of its rows, by name.
type Metric = (&'static str, fn(&Evaluation) -> Option<f64>);

const METRICS: [Metric; 9] = [
    ("loss", |one| one.loss),
    ("bits_per_byte", |one| one.bits_per_byte),
    ("accuracy", |one| one.accuracy),
    ("early", |one| Some(halves(one)?[0])),
    ("late", |one| Some(halves(one)?[1])),
    ("late_minus_early", |one| {
        halves(one).map(|[early, late]| late - early)
    }),
    ("new", |one| occurrence(one, OCCURRENCES[0])),
    ("repeated", |one| occurrence(one, OCCURRENCES[1])),
    ("repeated_minus_new", |one| {
        let [new, repeated] = OCCURRENCES.map(|name| occurrence(one, name));
        Some(repeated? - new?)
    }),
];

/// What the tags of a report begin with; of memories that were carried from row to row, `MEMORY` is
/// `live-carried`.
fn prefix(one: &Evaluation) -> String {
    let carried = if one.carried { "-carried" } else { "" };
    format!("{PREFIX}{}/{}{carried}/", one.length, one.memory)
}

/// What a tag says behind the length and the memory of a report. `own` is the memory with which the run
/// was trained, whichever that is: so models are held against twins, each as it was trained.
fn name_in<'a>(one: &Evaluation, tag: &'a str) -> Option<&'a str> {
    let own = format!("{PREFIX}{}/{OWN}/", one.length);
    let as_trained = one.is_own.then(|| tag.strip_prefix(&own)).flatten();
    as_trained.or_else(|| tag.strip_prefix(&prefix(one)))
}

/// The metrics of a report by tag.
pub(crate) fn values(one: &Evaluation) -> impl Iterator<Item = (String, f64)> {
    let prefix = prefix(one);
    let found = METRICS.iter().filter_map(|(name, of)| {
        let value = of(one)?;
        Some((format!("{prefix}{name}"), value))
    });
    found.collect::<Vec<_>>().into_iter()
}

/// The value of a report under a tag.
pub(crate) fn value(one: &Evaluation, tag: &str) -> Option<f64> {
    let name = name_in(one, tag)?;
    let (_, of) = METRICS.iter().find(|(own, _)| *own == name)?;
    of(one)
}

/// Why a report with the length and the memory of a tag has no value under it, if the name is that
/// of a metric.
pub(crate) fn why_none(one: &Evaluation, tag: &str) -> Option<String> {
    let name = name_in(one, tag)?;
    METRICS.iter().find(|(own, _)| *own == name)?;
    if value(one, tag).is_some() {
        return None;
    }
    Some(match name {
        "early" | "late" | "late_minus_early" => format!(
            "positions are measured in ranges between powers of two, which do not divide these rows of \
             {} tokens into halves with targets in both; it takes a length of 32, 64, 128 and so on, \
             and rows of their own",
            one.length
        ),
        "new" | "repeated" | "repeated_minus_new" => {
            "reports tell targets that come again from new ones of text alone, where there are both"
                .to_owned()
        }
        _ => {
            let there = METRICS.iter().filter(|(_, of)| of(one).is_some());
            let there: Vec<&str> = there.map(|(name, _)| *name).collect();
            format!("{} has {} alone", one.file, there.join(", "))
        }
    })
}

/// Whether a tag is about targets that are new or come again, which n-grams decide.
pub(crate) fn is_by_ngrams(tag: &str) -> bool {
    tag.starts_with(PREFIX)
        && tag
            .rsplit('/')
            .next()
            .is_some_and(|name| OCCURRENCES.iter().any(|one| name.starts_with(one)))
}

/// The mean losses over the first and over the second half of the positions of a row, each weighted
/// by targets; none where a range of positions is in both, or beyond the row, as where memories are
/// carried and in forecasts, whose positions are those of a horizon.
fn halves(one: &Evaluation) -> Option<[f64; 2]> {
    let mut sums = [(0.0, 0.0); 2];
    for bin in &one.by_position {
        let is_early = 2 * (bin.to + 1) <= one.length;
        let is_late = 2 * bin.from >= one.length && bin.to < one.length;
        if one.part.is_some() || is_early == is_late {
            return None;
        }
        let (loss, targets) = &mut sums[usize::from(is_late)];
        *loss += bin.loss? * bin.tokens as f64;
        *targets += bin.tokens as f64;
    }
    let has_both = sums.iter().all(|(_, targets)| *targets > 0.0);
    has_both.then(|| sums.map(|(loss, targets)| loss / targets))
}

fn occurrence(one: &Evaluation, name: &str) -> Option<f64> {
    let mut found = one.by_occurrence.iter();
    found.find(|own| own.occurrence == name)?.loss
}
