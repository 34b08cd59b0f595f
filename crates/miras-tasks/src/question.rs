//! What is asked.

/// A text, and how it may go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// What is read.
    pub context: String,
    /// What is scored.
    pub continuation: String,
}

impl Choice {
    pub(crate) fn new(context: impl Into<String>, continuation: impl Into<String>) -> Self {
        let (context, continuation) = (context.into(), continuation.into());
        Self {
            context,
            continuation,
        }
    }
}

/// A question with a known answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// What may be answered.
    pub choices: Vec<Choice>,
    /// Which of the choices is right, from 0.
    pub right: usize,
}

impl Question {
    /// Each answer, behind a space, after one text.
    pub(crate) fn after(context: &str, answers: &[impl AsRef<str>], right: usize) -> Self {
        let choice = |answer: &str| Choice::new(context, format!(" {answer}"));
        let choices = answers.iter().map(|answer| choice(answer.as_ref()));
        Self {
            choices: choices.collect(),
            right,
        }
    }
}

/// How the answer of a model is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// The likeliest choice, once as it is and once by its length.
    Choose,
    /// The likeliest choice; the length says nothing, as all choices end in the same text.
    ChooseContext,
    /// The one choice has to be what the model would write, token by token.
    Write,
}
