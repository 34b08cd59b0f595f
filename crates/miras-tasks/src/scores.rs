//! The field's metrics.

use crate::{Asked, Question, Text};

/// How likely a continuation is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Likelihood {
    /// Its logarithm, in nats.
    pub log: f64,
    /// Whether each of its tokens is the likeliest one.
    pub greedy: bool,
}

/// What a model says to a question.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Answer {
    /// Whether it is right.
    pub right: bool,
    /// Whether it is right if log-likelihoods are divided by the characters of the choices.
    pub right_by_length: bool,
    /// The negative log-likelihood of the right choice, in nats.
    pub loss: f64,
}

impl Answer {
    /// The answer that follows from the likelihoods of a question's choices.
    ///
    /// # Panics
    /// If there are not as many as choices.
    pub fn new(question: &Question, asked: Asked, likelihoods: &[Likelihood]) -> Self {
        assert_eq!(question.choices.len(), likelihoods.len());
        let right = question.right;
        let logs: Vec<f64> = likelihoods.iter().map(|one| one.log).collect();
        let by_length = || {
            // Without the space between context and choice.
            let length = |text: &str| {
                let own = text.strip_prefix(' ').unwrap_or(text);
                own.chars().count().max(1) as f64
            };
            let lengths = question
                .choices
                .iter()
                .map(|choice| length(&choice.continuation));
            let logs: Vec<f64> = logs
                .iter()
                .zip(lengths)
                .map(|(log, length)| log / length)
                .collect();
            first_of_the_largest(&logs) == right
        };
        let is_right = match asked {
            Asked::Choose | Asked::ChooseContext => first_of_the_largest(&logs) == right,
            Asked::Write => likelihoods[right].greedy,
        };
        Self {
            right: is_right,
            right_by_length: asked == Asked::Choose && by_length(),
            loss: -logs[right],
        }
    }
}

fn first_of_the_largest(values: &[f64]) -> usize {
    let mut best = 0;
    for (at, value) in values.iter().enumerate() {
        if *value > values[best] {
            best = at;
        }
    }
    best
}

/// A metric of a task.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Measure {
    /// Its name: `accuracy` and what begins with it, and `gain`, are better if they are larger, all others
    /// if they are smaller.
    pub name: &'static str,
    /// Its value.
    pub value: f64,
    /// The standard error of a sample, `√(Σ (x - mean)² / (n - 1) / n)`, 0 for one question; none of
    /// what is no mean over questions.
    pub stderr: Option<f64>,
}

impl Measure {
    /// The mean over questions.
    pub fn mean(name: &'static str, values: impl Iterator<Item = f64> + Clone) -> Self {
        let count = values.clone().count() as f64;
        let mean = values.clone().sum::<f64>() / count;
        let squares: f64 = values.map(|value| (value - mean).powi(2)).sum();
        let free = (count - 1.0).max(1.0);
        Self {
            name,
            value: mean,
            stderr: Some((squares / free / count).sqrt()),
        }
    }

    fn plain(name: &'static str, value: f64) -> Self {
        Self {
            name,
            value,
            stderr: None,
        }
    }
}

/// What the answers to all questions say.
///
/// # Panics
/// If there is none.
pub fn of_answers(answers: &[Answer], asked: Asked) -> Vec<Measure> {
    assert!(!answers.is_empty(), "no answer");
    let share = |name, of: fn(&Answer) -> bool| {
        let values = answers.iter().map(move |one| f64::from(u8::from(of(one))));
        Measure::mean(name, values)
    };
    let loss = Measure::mean("loss", answers.iter().map(|one| one.loss));
    let mut measures = vec![share("accuracy", |one| one.right)];
    if asked == Asked::Choose {
        measures.push(share("accuracy_norm", |one| one.right_by_length));
    }
    measures.push(loss);
    if asked == Asked::Write {
        measures.push(Measure::plain("perplexity", loss.value.exp()));
    }
    measures
}

/// What the log-likelihood of texts says, with so many tokens.
///
/// # Panics
/// If there is no token.
pub fn of_texts(texts: &[Text], log: f64, tokens: usize) -> Vec<Measure> {
    assert!(tokens > 0, "no token");
    let sum = |of: fn(&Text) -> usize| texts.iter().map(of).sum::<usize>() as f64;
    let (words, bytes) = (sum(|text| text.words), sum(|text| text.bytes));
    let loss = -log / tokens as f64;
    let all = [
        Measure::plain("loss", loss),
        Measure::plain("perplexity", loss.exp()),
        Measure::plain("word_perplexity", (-log / words).exp()),
        Measure::plain("byte_perplexity", (-log / bytes).exp()),
        Measure::plain("bits_per_byte", -log / bytes / std::f64::consts::LN_2),
    ];
    // A text without blanks is one word, whose perplexity may be no number.
    all.into_iter()
        .filter(|one| one.value.is_finite())
        .collect()
}
