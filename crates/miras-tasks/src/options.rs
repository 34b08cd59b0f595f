//! What may be asked of prompts that are made.

use std::path::PathBuf;

use crate::TaskError;

/// Options of tasks whose prompts are made. `None` and an empty list stand for the task's default.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Options {
    /// The file or folder of the task.
    pub path: Option<PathBuf>,
    /// The texts that something is hidden in.
    pub haystack: Vec<PathBuf>,
    /// Which of the tasks of a kind.
    pub kinds: Vec<String>,
    /// Tokens that are read before the answer.
    pub lengths: Vec<usize>,
    /// Where something is hidden, in percent of the haystack.
    pub depths: Vec<f64>,
    /// Tokens between two occurrences.
    pub distances: Vec<usize>,
    /// Tokens of a passage.
    pub passage: Option<usize>,
    /// Prompts of a cell.
    pub samples: Option<u64>,
    /// Seed of all that is drawn.
    pub seed: Option<u64>,
    /// The most tokens that are written as an answer; none are with 0.
    pub answer: Option<usize>,
    /// Whether what is asked for is left out of what is read.
    pub control: bool,
}

impl Options {
    /// The options that are not the default, by their names on the command line, with their values; the
    /// path and the haystack stand for themselves.
    pub fn given(&self) -> Vec<(&'static str, String)> {
        let Self {
            path: _,
            haystack,
            kinds,
            lengths,
            depths,
            distances,
            passage,
            samples,
            seed,
            answer,
            control,
        } = self;
        let mut given = Vec::new();
        let mut list = |name, values: Vec<String>| {
            if !values.is_empty() {
                given.push((name, values.join(",")));
            }
        };
        let texts = |numbers: &[usize]| numbers.iter().map(ToString::to_string).collect();
        list(
            "haystack",
            haystack
                .iter()
                .map(|path| path.display().to_string())
                .collect(),
        );
        list("kind", kinds.clone());
        list("lengths", texts(lengths));
        list("depths", depths.iter().map(ToString::to_string).collect());
        list("distances", texts(distances));
        let mut one = |name, value: Option<String>| given.extend(value.map(|value| (name, value)));
        one("passage", passage.map(|number| number.to_string()));
        one("samples", samples.map(|number| number.to_string()));
        one("seed", seed.map(|number| number.to_string()));
        one("answer-tokens", answer.map(|number| number.to_string()));
        one("control", control.then(|| "true".to_owned()));
        given
    }

    /// The lengths, or others where there are none; in ascending order.
    pub(crate) fn lengths_or(&self, default: &[usize]) -> Vec<usize> {
        sorted(&self.lengths, default)
    }

    /// The distances, or others where there are none; in ascending order.
    pub(crate) fn distances_or(&self, default: &[usize]) -> Vec<usize> {
        sorted(&self.distances, default)
    }

    /// The haystack, which a task cannot do without.
    pub(crate) fn haystack_for(&self, what: &str) -> Result<String, TaskError> {
        if self.haystack.is_empty() {
            return Err(TaskError::Usage(format!(
                "{what} is hidden in text: give it with --haystack PATH, as a book in a .txt file"
            )));
        }
        let texts = self.haystack.iter().map(|path| crate::file::whole(path));
        Ok(texts.collect::<Result<Vec<_>, _>>()?.join("\n"))
    }
}

fn sorted(given: &[usize], default: &[usize]) -> Vec<usize> {
    let mut all = if given.is_empty() { default } else { given }.to_vec();
    all.sort_unstable();
    all.dedup();
    all
}

/// A number that may end in `k` or `M`, 1,024 and 1,048,576.
///
/// # Errors
/// If the text is not such a number.
pub fn number(text: &str) -> Result<usize, String> {
    let (digits, unit) = match text.strip_suffix(['k', 'K']) {
        Some(digits) => (digits, 1 << 10),
        None => match text.strip_suffix(['m', 'M']) {
            Some(digits) => (digits, 1 << 20),
            None => (text, 1),
        },
    };
    let number = digits.trim().parse::<usize>().ok();
    let number = number.and_then(|number| number.checked_mul(unit));
    number.ok_or_else(|| format!("`{text}` is no number of tokens: give one as 4096, 4k or 1M"))
}

/// Depths in percent: a list such as `0,50,100`, or how many there are from 0 to 100.
///
/// # Errors
/// If it is neither.
pub fn depths(text: &str) -> Result<Vec<f64>, String> {
    let form = || format!("`{text}`: give how many depths, as 5, or percents, as 0,50,100 or 25%");
    if !text.contains([',', '%']) {
        let count: usize = text.trim().parse().map_err(|_| form())?;
        return match count {
            0 => Err(form()),
            1 => Ok(vec![50.0]),
            _ if count > 1001 => Err("give at most 1001 depths".to_owned()),
            _ => Ok((0..count)
                .map(|at| 100.0 * at as f64 / (count - 1) as f64)
                .collect()),
        };
    }
    let one = |text: &str| {
        let text = text.trim();
        let number: f64 = text.strip_suffix('%').unwrap_or(text).parse().ok()?;
        (0.0..=100.0).contains(&number).then_some(number)
    };
    let mut all: Vec<f64> = (text.split(',').map(one).collect::<Option<_>>()).ok_or_else(form)?;
    all.sort_by(f64::total_cmp);
    all.dedup();
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_units_and_depths_are_a_grid_or_a_list() {
        assert_eq!(number("4096"), Ok(4096));
        assert_eq!(number("4k"), number("4096"));
        assert_eq!(number("2M"), Ok(2_097_152));
        assert!(number("4x").is_err() && number("").is_err() && number("-1").is_err());
        assert_eq!(depths("5").unwrap(), [0.0, 25.0, 50.0, 75.0, 100.0]);
        assert_eq!(depths("1").unwrap(), [50.0]);
        assert_eq!(depths("100,12.5").unwrap(), [12.5, 100.0]);
        assert_eq!(depths("5%").unwrap(), [5.0]);
        for wrong in ["0", "-3", "0,101", "deep", "0,,1", "nan%"] {
            assert!(depths(wrong).is_err(), "{wrong}");
        }
    }
}
