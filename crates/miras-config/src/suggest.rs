//! Suggestions for misspelled words.

/// The Jaro-Winkler similarity from which a candidate is suggested. At 0.8 `expansoin` finds
/// `expansion`, while `depth` and `width`, or `l2` and `lp`, do not match.
const MIN_SIMILARITY: f64 = 0.8;

/// The candidate nearest to `word`, or `None` if nothing is close. Case and the
/// choice between `-` and `_` do not count.
pub fn did_you_mean<'a>(
    word: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let word = normal(word);
    let mut best = None;
    let mut best_score = MIN_SIMILARITY;
    for candidate in candidates {
        let score = similarity(&word, &normal(candidate));
        // On a tie the first candidate stays, except that the threshold itself counts.
        if score > best_score || (best.is_none() && score >= best_score) {
            best = Some(candidate);
            best_score = score;
        }
    }
    best
}

/// "nothing here", "`a`", "`a` or `b`", "one of `a`, `b`, `c`".
pub(crate) fn one_of(names: &[&str]) -> String {
    match names {
        [] => "nothing here".to_owned(),
        [only] => format!("`{only}`"),
        [first, second] => format!("`{first}` or `{second}`"),
        many => format!("one of `{}`", many.join("`, `")),
    }
}

/// The help line that goes with a misspelled word.
pub(crate) fn help(word: &str, candidates: &[&str]) -> Option<String> {
    did_you_mean(word, candidates.iter().copied()).map(|best| format!("did you mean `{best}`?"))
}

/// The candidate that one slip makes `word` of: a letter more, less, or another, or two exchanged.
pub(crate) fn slip<'a>(word: &str, candidates: &[&'a str]) -> Option<&'a str> {
    let slipped = |candidate: &&str| is_one_slip(&normal(word), &normal(candidate));
    candidates.iter().copied().find(slipped)
}

fn similarity(word: &str, candidate: &str) -> f64 {
    let score = strsim::jaro_winkler(word, candidate);
    // A single slip lowers the score of a short word too much, as in `dmi` for `dim`.
    if is_one_slip(word, candidate)
        || is_short_for(word, candidate)
        || is_short_for(candidate, word)
    {
        score.max(MIN_SIMILARITY)
    } else {
        score
    }
}

/// In a word of two letters one slip may make another word.
fn is_one_slip(word: &str, candidate: &str) -> bool {
    word.len() > 2 && strsim::osa_distance(word, candidate) == 1
}

/// `lr` for `learning_rate`.
fn is_short_for(short: &str, long: &str) -> bool {
    let initials = long.split('_').filter_map(|part| part.chars().next());
    long.contains('_') && initials.eq(short.chars())
}

fn normal(word: &str) -> String {
    word.to_lowercase().replace('-', "_")
}

#[cfg(test)]
mod tests {
    use super::did_you_mean;

    #[test]
    fn finds_slips_and_leaves_other_words_alone() {
        let kinds = [
            "matrix",
            "mlp",
            "gated_mlp",
            "expansion",
            "depth",
            "l2",
            "lr",
            "weight_decay",
        ];
        for (word, expected) in [
            ("expansoin", Some("expansion")),
            ("MLP", Some("mlp")),
            ("gated-mlp", Some("gated_mlp")),
            ("matrx", Some("matrix")),
            ("mpl", Some("mlp")),
            ("learning_rate", Some("lr")),
            ("wd", Some("weight_decay")),
            ("width", None),
            ("lp", None),
            ("", None),
        ] {
            assert_eq!(did_you_mean(word, kinds), expected, "{word}");
        }
    }
}
